//! A version that takes the place of the old table: nobody waits for it, and nothing is left behind unsaid.

use std::time::Duration;

use super::world::World;
use crate::support::waiting::until;

/// A job whose clean table is in place, and a cleaning that differs from it.
async fn swapped(hint: &str) -> World {
    let world = World::new(hint, 1_000).await;
    world.expect(0, &["work"]);
    world.edit("clean.duckdb.sql", "1 as version", "2 as version");
    world
}

const VERSION: &str = "select min(version) from companies_clean";

#[tokio::test]
async fn a_session_that_reads_the_version_keeps_nobody_from_the_table() {
    let world = swapped("transform_queue").await;
    world.edit("job.toml", "key = \"zip_code\"\n", "key = \"zip_code\"\nchanged = \"seen\"\n");
    let hold = world.folder.path().join("hold");
    let worker =
        world.start(&["work", "--swap-wait", "60"], &format!("transform.cleaned@2=hold {}", hold.display()));
    until("the worker holds", async || hold.exists()).await;
    let table = world.one("select version_table from etl.transform_versions where state = 'open'").await;
    let reader = world.database.client().await;
    reader.batch_execute(&format!("begin; lock table {table} in access share mode")).await.unwrap();
    std::fs::remove_file(&hold).unwrap();
    until("all is done", async || {
        world.status()["partitions"]["done"] == world.status()["partitions"]["total"]
    })
    .await;
    for _ in 0..60 {
        let query = world.client.query("select count(*) from companies_clean", &[]);
        tokio::time::timeout(Duration::from_secs(2), query).await.expect("readers do not wait").unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    world.run("update companies_raw set name = 'later' where id = 1").await;
    reader.batch_execute("commit").await.unwrap();
    let output = worker.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("waiting until no session uses"), "{said}");
    assert!(
        said.contains("1 partition of public.companies_raw changed") && said.contains("Next: "),
        "{said}"
    );
    assert_eq!(world.one(VERSION).await, "2");
}

/// What makes something that a swap would leave on the old table, what removes it, and how it is called.
const LEFT_BEHIND: [(&str, &str, &str); 10] = [
    ("create publication p for table companies_clean", "drop publication p", "publication p"),
    (
        "create materialized view m as select count(*) from companies_clean",
        "drop materialized view m",
        "materialised view public.m",
    ),
    (
        "create table other (id bigint); create policy q on other using (exists (select from companies_clean as c where c.id = other.id))",
        "drop table other",
        "policy q of public.other",
    ),
    (
        "alter table companies_clean enable row level security",
        "alter table companies_clean disable row level security",
        "row security",
    ),
    ("create policy own on companies_clean using (true)", "drop policy own on companies_clean", "policy own"),
    (
        "create table parent (like companies_clean) partition by range (id);
        alter table parent attach partition companies_clean default",
        "alter table parent detach partition companies_clean; drop table parent",
        "part of public.parent",
    ),
    (
        "create table child (id bigint references companies_clean)",
        "drop table child",
        "foreign key child_id_fkey of public.child",
    ),
    (
        "create table audit (before companies_clean)",
        "drop table audit",
        "row type in column before of table public.audit",
    ),
    (
        "create type pair as (rows companies_clean[])",
        "drop type pair",
        "row type in column rows of composite type public.pair",
    ),
    ("create domain old_row as companies_clean", "drop domain old_row", "row type in type public.old_row"),
];

#[tokio::test]
async fn what_would_stay_on_the_old_table_is_refused_by_the_plan_and_by_the_swap() {
    let world = swapped("transform_left_behind").await;
    for (make, drop, words) in LEFT_BEHIND {
        world.run(make).await;
        let said = world.expect(1, &["plan"]);
        assert!(said.contains(words), "no `{words}` in: {said}");
        world.run(drop).await;
    }
    world.expect(0, &["plan"]);
    for (make, drop, words) in LEFT_BEHIND {
        world.run(make).await;
        let said = world.expect(1, &["work"]);
        assert!(said.contains(words), "no `{words}` in: {said}");
        assert_eq!(world.one(VERSION).await, "1");
        world.run(drop).await;
    }
    world.expect(0, &["work"]);
    assert_eq!(world.one(VERSION).await, "2");
}

#[tokio::test]
async fn a_table_that_something_depends_on_is_not_dropped_and_cascade_is_not_advised() {
    let world = swapped("transform_depended_on").await;
    // A view whose column is a whole row is made again over the new table.
    world.run("create view whole as select c, c.id from companies_clean as c").await;
    world.expect(0, &["work"]);
    assert_eq!(world.one("select min((c).version) from whole").await, "2");
    let old = world.one("select old_table from etl.transform_versions where state = 'swapped'").await;
    world.run(&format!("create table audit (before {old}); insert into audit values (null)")).await;
    let said = world.expect(1, &["drop"]);
    assert!(said.contains("column before of table public.audit") && !said.contains("CASCADE"), "{said}");
    world.run("alter table audit alter column before type jsonb using to_jsonb(before)").await;
    assert!(world.expect(0, &["drop"]).contains(&old));
}

#[tokio::test]
async fn a_view_that_could_not_be_made_again_is_refused_by_the_plan() {
    let world = swapped("transform_view_plan").await;
    world.edit("companies_clean.pg.sql", "revenue numeric(14, 2)", "revenue double precision");
    world.run("create view revenues as select id, revenue from companies_clean; create view rich as select * from revenues").await;
    let said = world.expect(1, &["plan"]);
    assert!(said.contains("public.revenues"), "{said}");
    world.run("drop view rich").await;
    world.expect(0, &["plan"]);
    world.run("drop view revenues; create view seen as select id, seen from companies_clean").await;
    world.edit("companies_clean.pg.sql", "seen timestamptz, ", "");
    world.edit("clean.duckdb.sql", "revenue, seen,", "revenue,");
    let said = world.expect(1, &["plan"]);
    assert!(said.contains("public.seen") && said.contains("does not exist"), "{said}");
    world.run("drop view seen").await;
    world.expect(0, &["work"]);
}

#[tokio::test]
async fn the_swap_locks_no_table_that_a_view_only_joins_and_a_view_keeps_its_owner() {
    let world = swapped("transform_view_locks").await;
    let role = format!("owner_{}", world.database.name());
    world
        .run(&format!(
            "create table places (zip_code text, place text);
            create view placed as select id, place, rank from companies_clean join places using (zip_code);
            create role {role}; grant create on schema public to {role}; grant select on companies_clean, places to {role};
            alter view placed owner to {role}"
        ))
        .await;
    world.edit("companies_clean.pg.sql", "rank bigint", "rank numeric");
    let reader = world.database.client().await;
    reader.batch_execute("begin; lock table places in access share mode").await.unwrap();
    world.expect(0, &["work", "--swap-wait", "2"]);
    reader.batch_execute("commit").await.unwrap();
    assert_eq!(
        world.one("select relowner::regrole from pg_class where oid = 'placed'::regclass").await,
        role
    );
    world.run(&format!("drop view placed; drop owned by {role}; drop role {role}")).await;
}

#[tokio::test]
async fn what_the_script_says_wins_and_the_rest_is_carried_over() {
    let world = swapped("transform_wins").await;
    let role = format!("reader_{}", world.database.name());
    world
        .run(&format!(
            "create role {role}; create role {role}_2; alter default privileges in schema public grant insert on tables to {role}_2;
            grant select on companies_clean to public;
            alter table companies_clean set (fillfactor = 70, autovacuum_enabled = false);
            alter table companies_clean replica identity full;
            alter table companies_clean alter column name set statistics 77, alter column zip set statistics 78;
            comment on table companies_clean is 'old'; comment on column companies_clean.name is 'upper case'"
        ))
        .await;
    world.edit(
        "companies_clean.pg.sql",
        "create index on",
        &format!(
            "grant select, insert on :\"schema\".:\"table\" to {role};\n\
             alter table :\"schema\".:\"table\" set (fillfactor = 90);\n\
             alter table :\"schema\".:\"table\" alter column zip set statistics 90;\n\
             comment on table :\"schema\".:\"table\" is 'new';\ncreate index on"
        ),
    );
    world.expect(0, &["work"]);
    let may =
        |who: &str, right: &str| format!("select has_table_privilege('{who}', 'companies_clean', '{right}')");
    assert_eq!(world.one(&may(&role, "insert")).await, "true");
    assert_eq!(world.one(&may("public", "select")).await, "true");
    // What each new table of the schema gets, the old one had not.
    assert_eq!(world.one(&may(&format!("{role}_2"), "insert")).await, "false");
    let comments = "select string_agg(description, ', ' order by objsubid) from pg_description where objoid = 'companies_clean'::regclass";
    assert_eq!(world.one(comments).await, "new, upper case");
    let options = "select array(select unnest(reloptions) order by 1) from pg_class where oid = 'companies_clean'::regclass";
    assert_eq!(world.one(options).await, "{autovacuum_enabled=false,fillfactor=90}");
    let identity = "select relreplident from pg_class where oid = 'companies_clean'::regclass";
    assert_eq!(world.one(identity).await, "f");
    let targets =
        "select string_agg(attname || ' ' || attstattarget, ', ' order by attname) from pg_attribute
        where attrelid = 'companies_clean'::regclass and attstattarget > 0";
    assert_eq!(world.one(targets).await, "name 77, zip 90");
    world.run(&format!("drop owned by {role}, {role}_2; drop role {role}, {role}_2")).await;
}
