//! Versions of the clean table: each is built beside the old one, and replaces it for everybody at once.

use std::time::Duration;

use super::world::{IN_ONE_PIECE, World};
use crate::support::waiting::until;

#[tokio::test]
async fn another_cleaning_takes_the_place_with_views_grants_and_comments() {
    let world = World::new("transform_versions", 3_000).await;
    world.expect(0, &["work"]);
    let role = format!("reader_{}", world.database.name());
    world
        .run(&format!(
            "create role {role};
            grant select on companies_clean to {role};
            grant select (name) on companies_clean to public;
            comment on table companies_clean is 'clean; isn''t it';
            comment on column companies_clean.name is 'upper case';
            create view named with (security_barrier = true) as select id, name from companies_clean;
            create view zips as select zip_code, count(*) as rows from companies_clean group by zip_code;
            create view first_named as select * from named where id < 100;
            grant select on named to {role};
            comment on view named is 'names'"
        ))
        .await;
    let first = world.one("select 'companies_clean'::regclass::oid").await;
    world.edit("clean.duckdb.sql", "1 as version", "2 as version");
    let said = world.expect(0, &["work"]);
    assert!(said.contains("the table before it is companies_clean__"), "{said}");
    let truth = IN_ONE_PIECE.replace(", 1\n", ", 2\n");
    assert_eq!(world.differing("companies_clean", &truth).await, "0 too many, 0 missing");
    assert_ne!(world.one("select 'companies_clean'::regclass::oid").await, first);
    // Views read the new table, and so do views on views.
    let reads = "select string_agg(distinct refobjid::regclass::text, ' ' order by refobjid::regclass::text)
        from pg_depend join pg_rewrite on pg_rewrite.oid = objid
        where ev_class in ('named'::regclass, 'zips'::regclass) and refclassid = 'pg_class'::regclass
            and refobjid not in ('named'::regclass, 'zips'::regclass)";
    assert_eq!(world.one(reads).await, "companies_clean");
    assert_eq!(world.one("select count(*) from first_named").await, "98");
    let options = "select reloptions::text from pg_class where oid = 'named'::regclass";
    assert_eq!(world.one(options).await, "{security_barrier=true}");
    for (right, object) in [("select", "companies_clean"), ("select", "named")] {
        let may = format!("select has_table_privilege('{role}', '{object}', '{right}')");
        assert_eq!(world.one(&may).await, "true", "{object}");
    }
    let comments = "select string_agg(description, ', ' order by objsubid) from pg_description where objoid = 'companies_clean'::regclass";
    assert_eq!(world.one(comments).await, "clean; isn't it, upper case");
    let public = "select attacl::text from pg_attribute where attrelid = 'companies_clean'::regclass and attname = 'name'";
    assert!(world.one(public).await.contains("=r/"));
    // The old table stays until somebody drops it.
    let old = "select count(*) from pg_tables where tablename like 'companies_clean\\_\\_%'";
    assert_eq!(world.one(old).await, "1");
    assert!(world.status()["old_table"].is_string());
    assert!(world.expect(0, &["drop"]).contains("Removed: public.companies_clean__"));
    assert_eq!(world.one(old).await, "0");
    assert!(world.status()["old_table"].is_null());
    world.run(&format!("drop owned by {role}; drop role {role}")).await;
}

#[tokio::test]
async fn a_view_whose_columns_change_their_type_is_made_again() {
    let world = World::new("transform_view", 1_000).await;
    world.expect(0, &["work"]);
    world.run("create view ranks as select id, rank from companies_clean; comment on view ranks is 'r'; grant select on ranks to public").await;
    world.edit("companies_clean.pg.sql", "rank bigint", "rank numeric");
    world.expect(0, &["work"]);
    let kind = "select format_type(atttypid, null) from pg_attribute where attrelid = 'ranks'::regclass and attname = 'rank'";
    assert_eq!(world.one(kind).await, "numeric");
    assert_eq!(world.one("select obj_description('ranks'::regclass)").await, "r");
    assert!(
        world.one("select relacl::text from pg_class where oid = 'ranks'::regclass").await.contains("=r/")
    );
}

#[tokio::test]
async fn a_reader_who_would_see_holes_is_waited_for_and_a_busy_table_is_not_stood_in_front_of() {
    let world = World::new("transform_readers", 2_000).await;
    world.expect(0, &["work"]);
    world.edit("clean.duckdb.sql", "1 as version", "2 as version");
    let reader = world.database.client().await;
    reader
        .batch_execute("begin isolation level repeatable read; select count(*) from companies_raw")
        .await
        .unwrap();
    let said = world.expect(1, &["work", "--swap-wait", "1"]);
    assert!(said.contains("would see holes in the new table"), "{said}");
    assert_eq!(world.status()["state"], "stopped");
    assert_eq!(world.one("select min(version) from companies_clean").await, "1");
    reader.batch_execute("commit").await.unwrap();
    // A session without a snapshot holds a lock: the swap gets its own lock at once or gives up.
    reader.batch_execute("begin; lock table companies_clean in access share mode").await.unwrap();
    let worker = world.start(&["work", "--swap-wait", "60"], "");
    for turn in 0..80 {
        let query = world.client.query("select count(*) from companies_clean", &[]);
        tokio::time::timeout(Duration::from_secs(2), query).await.expect("readers do not wait").unwrap();
        if turn == 30 {
            world.run("update companies_raw set name = 'later' where id = 77").await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    reader.batch_execute("commit").await.unwrap();
    let output = worker.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    // What has changed meanwhile is for the next version.
    assert!(
        said.contains("changed since the table was read") && said.contains("while the swap was waiting"),
        "{said}"
    );
    assert_eq!(world.one("select min(version) from companies_clean").await, "2");
}

#[tokio::test]
async fn an_older_folder_is_refused_and_a_newer_one_supersedes_it() {
    let world = World::new("transform_older", 2_000).await;
    world.expect(0, &["plan"]);
    world.edit("clean.duckdb.sql", "1 as version", "2 as version");
    world.expect(0, &["plan"]);
    world.edit("clean.duckdb.sql", "2 as version", "1 as version");
    let said = world.expect(1, &["work"]);
    assert!(said.contains("holds the older"), "{said}");
    world.edit("clean.duckdb.sql", "1 as version", "2 as version");
    world.expect(0, &["work"]);
    assert_eq!(world.one("select min(version) from companies_clean").await, "2");
    assert_eq!(
        world.column("select state from etl.transform_versions order by planned_at").await,
        ["superseded", "swapped"]
    );
    // Back to the older cleaning, on purpose.
    world.edit("clean.duckdb.sql", "2 as version", "1 as version");
    world.expect(0, &["work", "--anew"]);
    world.assert_whole().await;
}

#[tokio::test]
async fn a_plan_is_made_anew_while_nobody_has_begun() {
    let world = World::new("transform_anew", 1_000).await;
    world.expect(0, &["plan"]);
    world.run("insert into companies_raw (id, zip_code, name) values (900001, 'new', 'x')").await;
    assert!(world.expect(0, &["plan"]).contains("was planned at"));
    assert!(world.expect(0, &["plan", "--anew"]).contains("is planned."));
    world.expect(0, &["work", "--anew"]);
    world.assert_whole().await;
    // The first of the two workers' plan counts.
    assert_eq!(world.one("select count(*) from etl.transform_versions").await, "2");
}

#[tokio::test]
async fn a_source_that_has_changed_since_is_told_with_the_command_that_reads_it() {
    let world = World::new("transform_since", 1_000).await;
    world.expect(0, &["run"]);
    for words in ["plan", "run"] {
        assert!(!world.expect(0, &[words]).contains("changed since"), "{words}");
    }
    world.run("update companies_raw set name = 'later' where id = 77; select pg_sleep(1.2); select 1").await;
    for words in ["plan", "run"] {
        let said = world.expect(0, &[words]);
        assert!(
            said.contains("1 partition of public.companies_raw changed since the table was read"),
            "{said}"
        );
        assert!(said.contains("--anew does"), "{said}");
    }
    // So many are not counted for a remark.
    world.run("update etl.transform_versions set plan = jsonb_set(plan, '{rows}', '5000001')").await;
    assert!(world.expect(0, &["run"]).contains("public.companies_raw may have changed since it was read"));
    world.expect(0, &["run", "--anew"]);
    assert!(!world.expect(0, &["run"]).contains("changed since"));
    world.assert_whole().await;
    // A source that was made anew has other rows, even if their values are the same.
    world
        .run("alter table companies_raw rename to moved; create table companies_raw as select * from moved")
        .await;
    assert!(world.expect(0, &["run"]).contains("changed since the table was read"));
}

#[tokio::test]
async fn a_file_of_data_is_part_of_the_version_and_is_found_from_everywhere() {
    let world = World::new("transform_files", 500).await;
    world.edit("clean.duckdb.sql", "1 as version", "(select version from read_csv('lookup.csv')) as version");
    world.edit(
        "job.toml",
        "sql = \"clean.duckdb.sql\"\n",
        "sql = \"clean.duckdb.sql\"\nfiles = [\"lookup.csv\"]\n",
    );
    let said = world.expect(2, &["run"]);
    assert!(said.contains("lookup.csv cannot be read"), "{said}");
    for version in ["1", "2"] {
        world.put("lookup.csv", &format!("version\n{version}\n"));
        world.expect(0, &["run", "--workers", "1"]);
        let versions = world.one("select min(version) || ' ' || max(version) from companies_clean").await;
        assert_eq!(versions, format!("{version} {version}"));
    }
}

#[tokio::test]
async fn a_file_of_data_that_changes_meanwhile_is_not_mixed_into_a_version() {
    let world = World::new("transform_file_changes", 500).await;
    world.edit("clean.duckdb.sql", "1 as version", "(select version from read_csv('lookup.csv')) as version");
    let with = "sql = \"clean.duckdb.sql\"\nfiles = [\"lookup.csv\"]\n";
    world.edit("job.toml", "sql = \"clean.duckdb.sql\"\n", with);
    world.put("lookup.csv", "version\n1\n");
    let hold = world.folder.path().join("hold");
    let worker = world.start(&["work"], &format!("transform.cleaned@1=hold {}", hold.display()));
    until("a worker is held", async || hold.exists()).await;
    // There and back again.
    world.put("lookup.csv", "version\n2\n");
    world.put("lookup.csv", "version\n1\n");
    std::fs::remove_file(&hold).unwrap();
    let output = worker.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("was changed while"), "{said}");
    world.put("lookup.csv", "version\n2\n");
    world.expect(0, &["run"]);
    let versions = "select string_agg(distinct version::text, ' ') from companies_clean";
    assert_eq!(world.one(versions).await, "2");
}

#[tokio::test]
async fn a_version_that_workers_make_is_not_dropped_and_one_without_leaves_nothing() {
    let world = World::new("transform_drop", 3_000).await;
    let hold = world.folder.path().join("hold");
    let mut worker = world.start(&["work"], &format!("transform.cleaned@2=hold {}", hold.display()));
    let begun = "select count(*) from pg_tables where tablename like 'companies_clean\\_\\_%'";
    until("a worker is held", async || hold.exists()).await;
    let said = world.expect(1, &["drop"]);
    assert!(said.contains("is being made by 1 worker since"), "{said}");
    assert!(said.contains("transform pause"), "{said}");
    assert_eq!(world.one(begun).await, "1");
    world.expect(0, &["pause"]);
    let said = world.expect(1, &["drop"]);
    assert!(said.contains("wait until") && !said.contains("transform pause"), "{said}");
    // For the ledger it has died.
    world.run("update etl.transform_workers set ended_at = clock_timestamp()").await;
    assert!(world.expect(0, &["drop"]).contains("Removed:"));
    assert_eq!(world.one(begun).await, "0");
    std::fs::remove_file(&hold).unwrap();
    assert_eq!(worker.wait().unwrap().code(), Some(1));
    // The version may be begun again.
    world.expect(0, &["work"]);
    world.assert_whole().await;
}

#[tokio::test]
async fn a_run_whose_version_is_given_up_says_so_although_another_is_in_place() {
    let world = World::new("transform_given_up", 3_000).await;
    world.expect(0, &["work"]);
    world.run("update companies_raw set name = 'later'").await;
    let before = world.one("select max(name) from companies_clean").await;
    let hold = world.folder.path().join("hold");
    let faults = format!("transform.cleaned@2=hold {}", hold.display());
    let run = world.start(&["run", "--anew", "--workers", "1"], &faults);
    until("a worker is held", async || hold.exists()).await;
    // Nobody makes the next version, so it may be dropped.
    world.expect(0, &["plan", "--anew"]);
    world.expect(0, &["drop"]);
    std::fs::remove_file(&hold).unwrap();
    let output = run.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("is not made any more"), "{said}");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!said.contains("is in place as"), "{said}");
    assert_eq!(world.one("select max(name) from companies_clean").await, before);
}

#[tokio::test]
async fn a_source_that_changes_is_not_taken_for_what_was_read() {
    let world = World::new("transform_changes", 3_000).await;
    world.expect(0, &["plan"]);
    world.run("update companies_raw set name = 'later' where id = 77").await;
    let said = world.expect(0, &["work"]);
    assert!(said.contains("is in place"), "what was changed before it was read is read: {said}");
    world.assert_whole().await;

    // Rows change after they were read: the second worker holds before its commit.
    world.edit("clean.duckdb.sql", "1 as version", "2 as version");
    let hold = world.folder.path().join("hold");
    let worker = world.start(&["work"], &format!("transform.finished@2=hold {}", hold.display()));
    until("a worker is held", async || hold.exists()).await;
    world.run("update companies_raw set name = 'even later'; select pg_sleep(1.2); select 1").await;
    std::fs::remove_file(&hold).unwrap();
    let output = worker.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("changed since the table was read"), "{said}");
    assert_eq!(world.one("select min(version) from companies_clean").await, "1");
    // Nothing is left to do in this version, so another one is made.
    assert!(said.contains("--anew"), "{said}");
    world.expect(3, &["work"]);
    world.expect(0, &["work", "--anew"]);
    let truth = IN_ONE_PIECE.replace(", 1\n", ", 2\n");
    assert_eq!(world.differing("companies_clean", &truth).await, "0 too many, 0 missing");

    // With a column that shows changes, the changed partitions are done again, new ones are added and removed ones go.
    world.edit("job.toml", "key = \"zip_code\"\n", "key = \"zip_code\"\nchanged = \"seen\"\n");
    let hold = world.folder.path().join("hold");
    let worker = world.start(&["work"], &format!("transform.finished@3=hold {}", hold.display()));
    until("a worker is held", async || hold.exists()).await;
    world
        .run(
            "update companies_raw set name = 'last' where id % 3 = 0;
            delete from companies_raw where zip_code = '00000';
            insert into companies_raw (id, zip_code, name) values (900001, 'new', 'x'), (900002, 'new', 'y')",
        )
        .await;
    std::fs::remove_file(&hold).unwrap();
    let output = worker.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let truth = IN_ONE_PIECE.replace(", 1\n", ", 2\n");
    assert_eq!(world.differing("companies_clean", &truth).await, "0 too many, 0 missing");
}
