//! Partitions that are replaced in the clean table itself: what would eat rows is refused, and what was not asked for stays.

use super::world::World;
use crate::support::merganser;
use crate::support::waiting::until;

/// A job whose clean table is in place, and a cleaning that differs from it.
async fn in_place(hint: &str) -> World {
    let world = World::new(hint, 300).await;
    world.expect(0, &["work"]);
    world.edit("clean.duckdb.sql", "1 as version", "2 as version");
    world
}

/// Things that make a delete do less or more than it says.
const EATERS: [(&str, &str, &str); 4] = [
    ("create table kid () inherits (companies_clean)", "drop table kid", "child public.kid"),
    (
        "create rule r as on delete to companies_clean do instead nothing",
        "drop rule r on companies_clean",
        "rule r",
    ),
    (
        "create table child (id bigint references companies_clean on delete cascade)",
        "drop table child",
        "foreign key child_id_fkey of public.child",
    ),
    (
        "create or replace function keep() returns trigger language plpgsql as 'begin return null; end';
        create trigger t before delete on companies_clean for each row execute function keep()",
        "drop trigger t on companies_clean",
        "trigger t",
    ),
];

#[tokio::test]
async fn what_would_eat_rows_is_refused_by_the_plan_and_by_each_commit() {
    let world = in_place("transform_eaters").await;
    let all = "select md5(string_agg(c::text, ',' order by id)) from companies_clean as c";
    let before = world.one(all).await;
    for (make, drop, words) in EATERS {
        world.run(make).await;
        let said = world.expect(1, &["work", "--in-place"]);
        assert!(said.contains(words), "no `{words}` in: {said}");
        world.run(drop).await;
    }
    // The same, made after the plan.
    world.expect(0, &["plan", "--in-place"]);
    for (make, drop, words) in EATERS {
        world.run(make).await;
        let said = world.expect(1, &["work", "--in-place"]);
        assert!(said.contains(words), "no `{words}` in: {said}");
        assert_eq!(world.one(all).await, before, "{make}");
        assert_eq!(world.status()["partitions"]["poison"], 0, "{make}");
        world.run(drop).await;
    }
    world.expect(0, &["work", "--in-place"]);
    assert_eq!(
        world.one("select count(distinct version) || ' ' || min(version) from companies_clean").await,
        "1 2"
    );
}

#[tokio::test]
async fn a_role_that_row_policies_bind_does_not_replace_partitions() {
    let world = in_place("transform_policies").await;
    let role = format!("worker_{}", world.database.name());
    world
        .run(&format!(
            "create role {role} login;
            do $$ begin execute format('grant %I to {role}', current_user); end $$;
            alter table companies_clean enable row level security;
            alter table companies_clean force row level security"
        ))
        .await;
    let args = ["transform", "plan", &world.folder.path().display().to_string(), "--in-place"];
    let output = merganser(args.map(str::to_owned), [("DATABASE_URL", world.database.url_as(&role))]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("row security"), "{said}");
    world.run(&format!("drop owned by {role}; drop role {role}")).await;
}

#[tokio::test]
async fn rows_that_do_not_go_fail_the_partition_that_is_done_again() {
    let world = World::new("transform_stay", 1_000).await;
    world.edit("job.toml", "key = \"zip_code\"\n", "key = \"zip_code\"\nchanged = \"seen\"\n");
    world.edit(
        "companies_clean.pg.sql",
        "create index on",
        "create or replace function public.keep() returns trigger language plpgsql as 'begin return null; end';\n\
         create trigger t before delete on :\"schema\".:\"table\" for each row execute function public.keep();\n\
         create index on",
    );
    let hold = world.folder.path().join("hold");
    let worker = world.start(&["work"], &format!("transform.finished@2=hold {}", hold.display()));
    until("the worker holds", async || hold.exists()).await;
    world.run("update companies_raw set name = 'later'").await;
    std::fs::remove_file(&hold).unwrap();
    let output = worker.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let error = world.status()["poison"][0]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("were not deleted"), "{error}");
}

#[tokio::test]
async fn a_condition_in_place_leaves_alone_what_it_does_not_cover() {
    let world = in_place("transform_covers").await;
    let others = "select count(*) || ' ' || max(version) from companies_clean where zip_code >= '00100' or zip_code is null";
    let before = world.one(others).await;
    assert!(!before.starts_with("0 "), "{before}");
    world.edit("job.toml", "key = \"zip_code\"\n", "key = \"zip_code\"\nwhere = \"zip_code < '00100'\"\n");
    world.expect(0, &["work", "--in-place"]);
    assert_eq!(world.one(others).await, before);
    assert_eq!(world.one("select min(version) from companies_clean where zip_code < '00100'").await, "2");
}

#[tokio::test]
async fn a_condition_that_leaves_out_rows_of_a_partition_is_refused() {
    let world = in_place("transform_partial").await;
    let all = "select md5(string_agg(c::text, ',' order by id)) from companies_clean as c";
    let before = world.one(all).await;
    let mut written = "key = \"zip_code\"\n".to_owned();
    for condition in [
        "id > 100",
        "zip_code < '00100' and companies_raw.seen > '2020-01-01'",
        "to_jsonb(companies_raw) ? 'id'",
        // They may leave a partition out when it is read.
        "zip_code in (select '00001')",
        "zip_code < to_char(now(), 'YYYY')",
        "zip_code < random()::text",
    ] {
        let with = format!("key = \"zip_code\"\nwhere = \"{condition}\"\n");
        world.edit("job.toml", &written, &with);
        written = with;
        let said = world.expect(1, &["run", "--in-place"]);
        assert!(
            said.contains("would be deleted") && said.contains("without --in-place"),
            "{condition}: {said}"
        );
        assert_eq!(world.one(all).await, before);
    }
    // By the key alone, although with the table's name.
    let by_key = "companies_raw.zip_code in ('00001')";
    world.edit("job.toml", &written, &format!("key = \"zip_code\"\nwhere = \"{by_key}\"\n"));
    world.expect(0, &["run", "--in-place"]);
    let versions = "select count(distinct version) || ' ' || count(distinct zip_code) filter (where version = 2) from companies_clean";
    assert_eq!(world.one(versions).await, "2 1");
    assert_eq!(world.one("select count(*) from companies_clean").await, "294");
}

/// A trigger that writes keys in upper case.
const UPPER: &str = "create or replace function public.upper_key() returns trigger language plpgsql as
    'begin new.zip_code := upper(new.zip_code); return new; end';
    create trigger upper before insert or update on ";

#[tokio::test]
async fn a_key_that_a_trigger_changes_deletes_nothing() {
    let world = in_place("transform_other_keys").await;
    // One key of its own, one that collides with another.
    world
        .run(
            "insert into companies_raw (id, zip_code, name) values (1001, 'x1', 'a'), (1002, 'y1', 'b'), (1003, 'Y1', 'c')",
        )
        .await;
    world.expect(0, &["run", "--in-place", "--anew"]);
    let keys = "select string_agg(zip_code, ' ' order by id) from companies_clean where id > 1000";
    assert_eq!(world.one(keys).await, "x1 y1 Y1");
    world.run(&format!("{UPPER} companies_clean for each row execute function upper_key()")).await;
    let said = world.expect(3, &["run", "--in-place", "--anew"]);
    assert!(said.contains("changes the key"), "{said}");
    assert_eq!(world.status()["partitions"]["poison"], 2);
    assert_eq!(world.one(keys).await, "x1 y1 Y1");
    world.run("drop trigger upper on companies_clean").await;
    world.expect(0, &["retry"]);
    world.expect(0, &["run", "--in-place"]);
    assert_eq!(world.one(keys).await, "x1 y1 Y1");
}

#[tokio::test]
async fn a_version_whose_trigger_changes_keys_is_not_put_in_place() {
    let world = World::new("transform_swapped_keys", 300).await;
    world
        .run("insert into companies_raw (id, zip_code, name) values (1002, 'y1', 'b'), (1003, 'Y1', 'c')")
        .await;
    let trigger =
        format!("{UPPER} :\"schema\".:\"table\" for each row execute function public.upper_key();\n");
    world.edit("companies_clean.pg.sql", "create index on", &format!("{trigger}create index on"));
    let said = world.expect(1, &["run"]);
    assert!(said.contains("with the key `y1`, and it has 0 under it"), "{said}");
    assert_eq!(world.one("select to_regclass('companies_clean') is null").await, "true");
    world.edit("companies_clean.pg.sql", "new.zip_code := upper(new.zip_code)", "new.zip := upper(new.zip)");
    world.expect(0, &["run"]);
    let keys = "select string_agg(zip_code || zip, ' ' order by id) from companies_clean where id > 1000";
    assert_eq!(world.one(keys).await, "y1Y1 Y1Y1");
}

#[tokio::test]
async fn another_job_does_not_delete_what_the_first_wrote_into_its_table() {
    let world = in_place("transform_two_in_place").await;
    world.expect(0, &["work", "--in-place"]);
    let rows = world.one("select count(*) from companies_clean").await;
    world.run("create table others_raw as select * from companies_raw where false").await;
    world.edit("job.toml", "name = \"companies\"", "name = \"others\"");
    world.edit("job.toml", "companies_raw", "others_raw");
    let said = world.expect(1, &["work", "--in-place"]);
    assert!(said.contains("the job companies"), "{said}");
    assert_eq!(world.one("select count(*) from companies_clean").await, rows);
    // Each with its own part of the table.
    world.edit("job.toml", "key = \"zip_code\"\n", "key = \"zip_code\"\nwhere = \"zip_code like 'x%'\"\n");
    world.expect(0, &["work", "--in-place"]);
    assert_eq!(world.one("select count(*) from companies_clean").await, rows);
}

#[tokio::test]
async fn a_version_is_made_in_the_way_in_which_it_was_planned() {
    let world = in_place("transform_ways").await;
    world.expect(0, &["plan"]);
    for command in ["work", "run", "plan"] {
        let said = world.expect(1, &[command, "--in-place"]);
        assert!(
            said.contains("was planned without --in-place") && said.contains(" --in-place --anew"),
            "{said}"
        );
    }
    world.expect(0, &["plan", "--in-place", "--anew"]);
    let before = world.one("select 'companies_clean'::regclass::oid").await;
    for command in ["work", "run"] {
        let said = world.expect(1, &[command]);
        assert!(said.contains("was planned with --in-place") && said.contains(" --anew"), "{said}");
    }
    assert_eq!(world.one("select max(version) from companies_clean").await, "1");
    world.expect(0, &["work", "--in-place"]);
    assert_eq!(world.one("select min(version) from companies_clean").await, "2");
    assert_eq!(world.one("select 'companies_clean'::regclass::oid").await, before);
    // What is in place is there in either way.
    world.expect(0, &["work"]);
}

#[tokio::test]
async fn what_a_version_has_lost_at_its_end_is_missed() {
    let world = in_place("transform_missed").await;
    let shout = "create function shout() returns trigger language plpgsql as
        'begin update public.companies_clean set zip_code = zip_code || ''!'' where id = new.id; return null; end';
        create constraint trigger shout after insert on companies_clean deferrable initially deferred for each row
        when (new.id = 7) execute function shout()";
    world.run(shout).await;
    let said = world.expect(1, &["run", "--in-place"]);
    assert!(said.contains("this version is not complete"), "{said}");
    world.run("drop trigger shout on companies_clean").await;
    world.expect(0, &["run", "--in-place", "--anew"]);
    let rows = "select count(*) || ' ' || count(*) filter (where zip_code like '%!') from companies_clean";
    assert_eq!(world.one(rows).await, "294 0");
}

/// Rows that somebody adds to partitions that are done, and rows that come back when they are deleted.
#[tokio::test]
async fn what_is_added_to_a_version_in_place_is_found() {
    let world = in_place("transform_surplus").await;
    let hold = world.folder.path().join("hold");
    let worker = world.start(&["work", "--in-place"], &format!("transform.finished=hold {}", hold.display()));
    until("the worker holds", async || hold.exists()).await;
    let add = "insert into companies_clean (id, zip_code, name, version)
        select id + 1000000, zip_code, name, 1 from companies_clean where version = 2 limit 5";
    world.run(add).await;
    std::fs::remove_file(&hold).unwrap();
    let output = worker.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("somebody has written to it meanwhile, and this version is not complete"),
        "{said}"
    );
    world.expect(0, &["work", "--in-place", "--anew"]);
    let rows = "select count(*) || ' ' || min(version) from companies_clean";
    assert_eq!(world.one(rows).await, "294 2");

    let back = "create function back() returns trigger language plpgsql as
        'begin insert into public.companies_clean select old.*; return null; end';
        create trigger back after delete on companies_clean for each row when (old.id = 7) execute function back()";
    world.run(back).await;
    world.expect(3, &["work", "--in-place", "--anew"]);
    let error = world.status()["poison"][0]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("1 of the") && error.contains("were not deleted"), "{error}");
}

/// Two jobs whose conditions have partitions in common.
#[tokio::test]
async fn partitions_that_two_jobs_replace_are_named() {
    let world = in_place("transform_shared").await;
    world.edit("job.toml", "key = \"zip_code\"\n", "key = \"zip_code\"\nwhere = \"zip_code < '00100'\"\n");
    world.expect(0, &["run", "--in-place"]);
    let other = |there: bool| {
        let (from, to) = if there { ("companies", "others") } else { ("others", "companies") };
        world.edit("job.toml", &format!("name = \"{from}\""), &format!("name = \"{to}\""));
        let (from, to) = if there { ("< '00100'", "< '00050'") } else { ("< '00050'", "< '00100'") };
        world.edit("job.toml", from, to);
    };
    other(true);
    let said = world.expect(0, &["plan", "--in-place"]);
    assert!(said.contains("are those of the job companies, too"), "{said}");
    // What is being made is not replaced by another job meanwhile.
    other(false);
    let said = world.expect(1, &["plan", "--in-place", "--anew"]);
    assert!(said.contains("are being cleaned by the job others, too"), "{said}");
    other(true);
    world.expect(0, &["work", "--in-place"]);
    other(false);
    let said = world.expect(0, &["run", "--in-place"]);
    assert!(said.contains("the job others has replaced") && said.contains("--in-place --anew"), "{said}");
    world.expect(0, &["run", "--in-place", "--anew"]);
    let said = world.expect(0, &["run", "--in-place"]);
    assert!(!said.contains("has replaced"), "{said}");
}

#[tokio::test]
async fn a_version_into_which_another_has_written_is_not_in_place_any_more() {
    let world = in_place("transform_mixed").await;
    let fails = "case zip_code when '00001' then error('no')::integer else 2 end as version";
    world.edit("clean.duckdb.sql", "2 as version", fails);
    world.expect(3, &["run", "--in-place"]);
    let done = format!(
        "It has replaced {} partitions of public.companies_clean,",
        world.status()["partitions"]["done"]
    );
    let said = world.expect(0, &["drop"]);
    assert!(said.contains("is given up") && said.contains(&done), "{said}");
    assert!(world.expect(0, &["drop"]).contains("nothing to remove"));
    world.edit("clean.duckdb.sql", fails, "1 as version");
    world.expect(0, &["run"]);
    assert_eq!(world.one("select string_agg(distinct version::text, ' ') from companies_clean").await, "1");
}
