//! A version whose table lost what was written into it, or was replaced, is never called complete; and what `run` says of its
//! end when it could not look for a while, or when the version is not put in place.

use super::world::World;
use crate::support::waiting::until;

/// The table that is built.
const BUILT: &str = "select version_table from etl.transform_versions where state = 'open'";

#[tokio::test]
async fn a_table_that_a_crash_of_the_server_would_empty_is_refused() {
    let world = World::new("transform_unlogged", 500).await;
    world.edit("companies_clean.pg.sql", "create table", "create unlogged table");
    let said = world.expect(1, &["plan"]);
    assert!(said.contains("unlogged") && said.contains("write `create table`"), "{said}");
    world.edit("companies_clean.pg.sql", "create unlogged table", "create table");
    world.expect(0, &["work"]);
    world.run("alter table companies_clean set unlogged").await;
    let said = world.expect(1, &["plan", "--in-place", "--anew"]);
    assert!(said.contains("set logged"), "{said}");
}

#[tokio::test]
async fn rows_that_are_gone_from_the_version_keep_it_from_its_place() {
    let world = World::new("transform_rows_gone", 2_000).await;
    for (change, said_of_it) in [
        ("drop table TABLE", "is not there any more"),
        (
            "alter table TABLE rename to moved; create table TABLE (like moved including all)",
            "is not the table that was made",
        ),
        ("delete from TABLE where id % 2 = 0", "were written into it"),
        (
            "insert into TABLE (id, zip_code, name, version) values (-1, '00000', 'x', 1)",
            "were written into it",
        ),
    ] {
        world.run("drop table if exists moved").await;
        let hold = world.folder.path().join("hold");
        let mut worker = world.start(
            &["work", "--anew", "--lease", "1"],
            &format!("transform.finished@2=hold {}", hold.display()),
        );
        until("a worker is held", async || hold.exists()).await;
        let table = world.one(BUILT).await;
        worker.kill().unwrap();
        worker.wait().unwrap();
        std::fs::remove_file(&hold).unwrap();
        world.run(&change.replace("TABLE", &table)).await;
        let said = world.expect(1, &["work", "--lease", "1"]);
        assert!(said.contains(said_of_it) && said.contains("--anew"), "{change}: {said}");
        assert_eq!(world.one("select to_regclass('companies_clean') is null").await, "true", "{change}");
    }
    world.expect(0, &["work", "--anew"]);
    world.assert_whole().await;
}

#[tokio::test]
async fn rows_that_a_trigger_of_the_script_writes_are_no_fault() {
    let world = World::new("transform_trigger_writes", 1_000).await;
    world
        .run(
            "create function public.double() returns trigger language plpgsql as $$
            begin
                if pg_trigger_depth() = 1 then
                    execute format('insert into public.%I (id, zip_code, name, version) values ($1, $2, $3, 1)', tg_table_name)
                    using -new.id, new.zip_code, new.name;
                end if;
                return null;
            end $$",
        )
        .await;
    world.edit(
        "companies_clean.pg.sql",
        "create index on",
        "create trigger t after insert on :\"schema\".:\"table\" for each row execute function public.double();\ncreate index on",
    );
    world.expect(0, &["work"]);
    assert_eq!(world.one("select count(*) from companies_clean").await, "1960");
}

#[tokio::test]
async fn a_version_whose_table_was_removed_or_replaced_is_not_called_in_place() {
    let world = World::new("transform_miss", 1_000).await;
    world.expect(0, &["work"]);
    // A vacuum that writes the table anew leaves it what it is.
    world.run("vacuum full companies_clean").await;
    assert!(world.expect(0, &["work"]).contains("is in place"));
    world.run("drop table companies_clean").await;
    assert!(world.status()["error"].as_str().unwrap().contains("not there any more"));
    for words in ["plan", "work", "run"] {
        let said = world.expect(1, &[words]);
        assert!(said.contains("public.companies_clean") && said.contains("not there any more"), "{said}");
        assert!(said.contains("--anew makes it again"), "{said}");
    }
    world.expect(0, &["work", "--anew"]);
    world.assert_whole().await;

    // Another job puts its table there.
    world.edit("job.toml", "name = \"companies\"", "name = \"others\"");
    let said = world.expect(0, &["plan"]);
    assert!(said.contains("is the target of the job companies, too"), "{said}");
    world.expect(0, &["work"]);
    world.edit("job.toml", "name = \"others\"", "name = \"companies\"");
    let said = world.expect(1, &["work"]);
    assert!(said.contains("another job or somebody has replaced it") && said.contains("--anew"), "{said}");
    world.expect(0, &["work", "--anew"]);
    world.assert_whole().await;
}

/// `run` with a worker that is held after some groups, whatever is done meanwhile, and how it ended.
async fn run_held(world: &World, fault: &str, meanwhile: &str) -> (Option<i32>, String) {
    let hold = world.folder.path().join("hold");
    let run = world.start(&["run", "--workers", "1"], &format!("{fault}=hold {}", hold.display()));
    until("a worker is held", async || hold.exists()).await;
    world.run(meanwhile).await;
    std::fs::remove_file(&hold).unwrap();
    let output = run.wait_with_output().unwrap();
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    (output.status.code(), said)
}

#[tokio::test]
async fn all_workers_and_the_command_that_started_them_survive_lost_connections() {
    let world = World::new("transform_run_outage", 2_000).await;
    let cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()";
    let (code, said) = run_held(&world, "transform.cleaned@2", cut).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("is in place") && !said.contains("unchanged"), "{said}");
    world.assert_whole().await;
}

#[tokio::test]
async fn a_plan_whose_connections_are_lost_is_begun_anew() {
    let world = World::new("transform_plan_outage", 2_000).await;
    let cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()";
    let (code, said) = run_held(&world, "transform.planning", cut).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("the connection was lost, and is made again"), "{said}");
    world.assert_whole().await;
}

#[tokio::test]
async fn the_command_that_started_the_workers_says_that_the_source_changed() {
    let world = World::new("transform_run_changed", 2_000).await;
    let change = "update companies_raw set name = 'later'; select pg_sleep(1.2); select 1";
    let (code, said) = run_held(&world, "transform.finished@3", change).await;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("changed since the table was read") && said.contains("--anew"), "{said}");
    let error = world.status()["error"].as_str().unwrap().to_owned();
    assert!(error.contains("of public.companies_raw changed since"), "{error}");
    assert!(world.expect(0, &["status"]).contains(&error));
    world.expect(0, &["work", "--anew"]);
    assert!(world.status()["error"].is_null());
}

#[tokio::test]
async fn a_source_that_was_emptied_is_warned_of_before_its_table_takes_the_place() {
    let world = World::new("transform_emptied", 1_000).await;
    assert!(!world.expect(0, &["work"]).contains("has about"));
    world.run("delete from companies_raw").await;
    let said = world.expect(0, &["plan", "--anew"]);
    assert!(said.contains("the new rows are about 0, and the table in place has about 980"), "{said}");
    let said = world.expect(0, &["work"]);
    assert!(said.contains("public.companies_clean is replaced, although the new rows are about 0"), "{said}");
    assert_eq!(world.one("select count(*) from companies_clean").await, "0");
}

#[tokio::test]
async fn whoever_watches_a_job_may_come_before_its_plan() {
    let world = World::new("transform_watch", 500).await;
    world.expect(0, &["plan"]);
    world.run("delete from etl.runs where kind = 'transform'").await;
    world.expect(1, &["status"]);
    let watching = world.start(&["status", "--watch", "--json"], "");
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    world.expect(0, &["work"]);
    let seen = watching.wait_with_output().unwrap();
    assert_eq!(seen.status.code(), Some(0), "{}", String::from_utf8_lossy(&seen.stderr));
    assert!(String::from_utf8_lossy(&seen.stdout).contains("swapped"));
}
