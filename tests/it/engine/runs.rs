//! Whole runs: twice over, two at once, killed and stopped, in several batches, failing half-way.

use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio_postgres::Client;

use crate::datasets::oca::rules::{marked, marks};
use crate::support;
use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, Ran};
use crate::support::waiting;

#[tokio::test]
async fn a_second_run_changes_nothing() {
    let pipeline = Pipeline::new("twice").await.with("--level", "2");
    let address = "<PropertyAddresses><PropertyAddress><Street1>1 MAIN ST</Street1></PropertyAddress></PropertyAddresses>";
    let extract = Extract::weekly("2024-01-08").case("a", &(marked("1") + address)).case("b", &marked("1"));
    pipeline.put(extract.delete("c"));
    pipeline.put(Extract::initial(2023, "2024-01-01").case("a", &marked("0")).case("c", &marked("0")));
    pipeline.run().await.exits(0);
    let (tables, objects) = (pipeline.tables("public").await, pipeline.objects());
    assert!(tables.iter().filter(|(_, rows)| rows.is_empty()).count() <= 4, "{tables:?}");
    // A row that is written again has another xmin, even with the same content.
    let versions = "select string_agg(xmin::text || ctid::text, ' ' order by indexnumberid) from oca_metadata
        union all select string_agg(xmin::text || ctid::text, ' ' order by indexnumberid) from oca_index
        union all select string_agg(xmin::text || ctid::text, ' ' order by indexnumberid) from oca_warrants";
    let versions_before = pipeline.column(versions).await;

    let ran = pipeline.run().await.exits(0).says("Nothing new");
    assert_eq!((ran.count("files"), ran.count("records_seen")), (0, 0));
    assert_eq!(pipeline.tables("public").await, tables);
    assert_eq!(pipeline.column(versions).await, versions_before);
    assert_eq!(pipeline.objects(), objects);
    let runs = "select concat_ws(' ', status, (select rows from etl.steps
                    where steps.run_id = runs.run_id and step = 'select'),
                    (select count(*) from etl.parts where parts.run_id = runs.run_id),
                    (select count(*) from etl.steps where steps.run_id = runs.run_id and step = 'promote'))
                from etl.runs order by started_at";
    assert_eq!(pipeline.column(runs).await, ["completed 2 2 1", "completed 0 0 0"]);
}

#[tokio::test]
async fn a_file_that_is_posted_again_changes_nothing() {
    let pipeline = Pipeline::new("replay").await;
    let extract = Extract::weekly("2024-01-08").case("a", &marked("1")).case("b", &marked("1")).delete("c");
    pipeline.put(extract.clone());
    pipeline.run().await.exits(0);
    let tables = pipeline.tables("public").await;
    pipeline.put(extract.padded(100));
    let ran = pipeline.run().await.exits(0);
    assert_eq!((ran.count("files"), ran.count("records_loaded")), (1, 2));
    assert_eq!(pipeline.tables("public").await, tables);
    for (table, rows) in tables {
        if table != "oca_addresses" {
            assert_eq!(pipeline.csv(&format!("public/{table}.csv")).sorted().rows, rows, "{table}");
        }
    }
    let change = "select concat_ws(' ', inserted, replaced, deleted) from etl.table_changes
                  where batch = 1 and table_name = 'oca_warrants' order by rows_before, rows_after";
    assert_eq!(pipeline.column(change).await, ["2 0 0", "0 2 0"]);
}

/// Several records may delete the same case. The messages count one kind of thing and name it.
#[tokio::test]
async fn what_is_deleted_is_counted_as_what_it_is() {
    let pipeline = Pipeline::new("counted").await;
    pipeline.put(Extract::weekly("2024-01-01").case("a", "").case("b", ""));
    pipeline.run().await.exits(0);
    pipeline.put(Extract::weekly("2024-01-08").case("b", "").delete("a").delete("a"));
    let ran = pipeline.run().await.exits(0);
    let ran = ran.says(
        "Committed: 1 cases loaded from 1 file(s); 0 record(s) superseded, 2 record(s) of deleted cases.",
    );
    let ran = ran.says("promote  1 cases loaded, 0 record(s) superseded, 2 record(s) of deleted cases (");
    let index: Vec<_> =
        ran.stdout.lines().find(|line| line.starts_with("oca_index")).unwrap().split_whitespace().collect();
    assert_eq!(index, ["oca_index", "2", "0", "1", "1", "1"], "one case is deleted");
    pipeline
        .other(&["status", "last"])
        .await
        .exits(0)
        .says("3 records: 1 loaded, 0 failed, 0 superseded, 2 deleted");
}

/// A pipeline whose next run waits in its promotion, and the session whose lock holds it up.
async fn held_up(hint: &str) -> (Pipeline, Client) {
    let pipeline = Pipeline::new(hint).await;
    pipeline.put(Extract::weekly("2024-01-01").case("a", &marked("old")));
    pipeline.run().await.exits(0);
    pipeline.put(Extract::weekly("2024-01-08").case("a", &marked("new")).case("b", &marked("new")));
    let holder = pipeline.database.client().await;
    holder.batch_execute("begin; lock table oca_parties in share mode").await.unwrap();
    (pipeline, holder)
}

/// Waits until a run is in the middle of its promotion, and gives its run_id.
async fn promoting(pipeline: &Pipeline) -> String {
    let waits = "select run_id from etl.runs where status = 'running' and exists (
        select from pg_stat_activity where application_name = 'merganser promote' and wait_event_type = 'Lock'
            and datname = current_database())";
    waiting::row(pipeline, waits).await
}

#[tokio::test]
async fn two_runs_at_once_the_second_names_the_first() {
    let (pipeline, holder) = held_up("two at once").await;
    let first = pipeline.start(&[]);
    let run_id = promoting(&pipeline).await;
    pipeline.start(&[]).await.unwrap().exits(75).says(&run_id).says("another run of oca is under way");
    // A run into another schema is not held up.
    let elsewhere = ["--ledger-schema", "other_ledger", "--schema", "other"];
    pipeline.start(&elsewhere).await.unwrap().exits(0);
    holder.batch_execute("commit").await.unwrap();
    first.await.unwrap().exits(0);
    assert_eq!(marks(&pipeline, "a").await, "new");
    let runs = "select status from etl.runs order by started_at";
    assert_eq!(pipeline.column(runs).await, ["completed", "completed"], "the second one left no trace");
    pipeline.run().await.exits(0).says("Nothing new");
}

fn spawn(pipeline: &Pipeline) -> Child {
    let none: [(&str, &str); 0] = [];
    let mut command = support::command(pipeline.args(&[]), none);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[tokio::test]
async fn a_killed_run_leaves_no_lock_and_no_half_of_anything() {
    let (pipeline, holder) = held_up("killed").await;
    let mut first = spawn(&pipeline);
    let run_id = promoting(&pipeline).await;
    first.kill().unwrap();
    first.wait().unwrap();
    holder.batch_execute("commit").await.unwrap();
    assert_eq!((marks(&pipeline, "a").await, marks(&pipeline, "b").await), ("old".into(), "none".into()));
    let ran = pipeline.run().await.exits(0);
    assert_eq!(ran.count("records_loaded"), 2);
    assert!(ran.stderr.contains(&run_id), "the dead run is named: {}", ran.stderr);
    let runs = "select status from etl.runs order by started_at";
    assert_eq!(pipeline.column(runs).await, ["completed", "abandoned", "completed"]);
    assert_eq!((marks(&pipeline, "a").await, marks(&pipeline, "b").await), ("new".into(), "new".into()));
}

#[tokio::test]
async fn a_run_that_is_told_to_stop_stops_and_says_so() {
    let (pipeline, holder) = held_up("stopped").await;
    let first = spawn(&pipeline);
    promoting(&pipeline).await;
    let told = Instant::now();
    kill_process(Pid::from_child(&first), Signal::TERM).unwrap();
    let ran = tokio::task::spawn_blocking(|| Ran::new(first.wait_with_output().unwrap())).await.unwrap();
    let ran = ran.exits(143).says("The database is unchanged.");
    // The run's own statement, which still waits for the lock, must not delay the stop.
    assert!(told.elapsed() < Duration::from_secs(10), "{:?}", told.elapsed());
    assert!(!ran.stderr.contains("WARN"), "{}", ran.stderr);
    holder.batch_execute("commit").await.unwrap();
    assert_eq!(marks(&pipeline, "a").await, "old");
    let runs = "select status from etl.runs order by started_at";
    assert_eq!(pipeline.column(runs).await, ["completed", "interrupted"]);
    pipeline.run().await.exits(0);
    assert_eq!(marks(&pipeline, "a").await, "new");
}

/// Three files, each more than half a MiB.
fn put_three(pipeline: &Pipeline) {
    for (date, id) in [("2024-01-01", "a"), ("2024-01-08", "b"), ("2024-01-15", "c")] {
        let extract = Extract::weekly(date).case(id, &marked(date)).case("all", &marked(date));
        pipeline.put(extract.padded(700 << 10));
    }
}

#[tokio::test]
async fn several_batches_are_several_transactions_of_one_run() {
    let pipeline = Pipeline::new("batches").await.with("--batch-mib", "1");
    put_three(&pipeline);
    let ran = pipeline.run().await.exits(0);
    assert_eq!((ran.count("files"), ran.count("records_loaded")), (3, 6));
    assert_eq!(pipeline.column("select batch from etl.parts order by name").await, ["1", "2", "3"]);
    let steps = "select string_agg(batch::text, ' ' order by batch) from etl.steps where step = 'promote'";
    assert_eq!(pipeline.one(steps).await, "1 2 3");
    let versions = "select count(distinct xmin::text) from oca_index where indexnumberid in ('a', 'b', 'c')";
    assert_eq!(pipeline.one(versions).await, "3");
    assert_eq!(marks(&pipeline, "all").await, "2024-01-15");
    let run_id = pipeline.one("select run_id from etl.runs").await;
    let keys: Vec<_> = pipeline.objects().into_keys().filter(|key| key.ends_with("/oca_index.csv")).collect();
    let runs = |name: &str| format!("private/runs/{run_id}/{name}oca_index.csv");
    assert_eq!(keys, [runs("batch-2/"), runs("batch-3/"), runs(""), "public/oca_index.csv".into()]);
    assert_eq!(pipeline.csv("public/oca_index.csv").rows.len(), 4);

    // The change that is shown is that of all batches together.
    let change = ran.stdout.lines().find(|line| line.starts_with("oca_index ")).unwrap();
    let numbers: Vec<_> = change.split_whitespace().skip(1).collect();
    assert_eq!(numbers, ["0", "4", "2", "0", "4"]);
}

/// Makes every promotion that brings the case `id` fail.
async fn refuse(pipeline: &Pipeline, table: &str, id: &str) {
    pipeline
        .execute(&format!(
            "create function refuse() returns trigger language plpgsql as
             $$ begin raise exception 'not this one' using errcode = 'P0123'; end $$;
             create trigger refuse before insert on {table} for each row
             when (new.indexnumberid = '{id}') execute function refuse()"
        ))
        .await;
}

#[tokio::test]
async fn a_batch_that_fails_leaves_the_batches_before_it() {
    let pipeline = Pipeline::new("batch fails").await.with("--batch-mib", "1");
    pipeline.put(Extract::weekly("2023-12-25").case("0", ""));
    pipeline.run().await.exits(0);
    put_three(&pipeline);
    refuse(&pipeline, "oca_warrants", "b").await;
    let published = pipeline.objects().remove("public/oca_index.csv");
    let ran = pipeline.run().await.exits(1).says("1 earlier batch").says("oca_warrants").says("P0123");
    assert!(!ran.failure().contains("unchanged"), "{}", ran.failure());
    assert_eq!(marks(&pipeline, "all").await, "2024-01-01");
    let files = "select string_agg(status, ' ' order by part_id) from etl.parts";
    assert_eq!(pipeline.one(files).await, "done done pending");
    assert_eq!(pipeline.objects().remove("public/oca_index.csv"), published, "nothing is published half-way");
    // Without the obstacle, the next run continues where this one stopped.
    pipeline.execute("drop trigger refuse on oca_warrants").await;
    let ran = pipeline.run().await.exits(0);
    assert_eq!(ran.count("files"), 2);
    assert_eq!(marks(&pipeline, "all").await, "2024-01-15");
    assert_eq!(pipeline.csv("public/oca_index.csv").rows.len(), 5);
}

#[tokio::test]
async fn a_promotion_that_fails_changes_nothing() {
    let pipeline = Pipeline::new("promotion fails").await;
    pipeline.put(Extract::weekly("2024-01-01").case("a", &marked("old")).case("b", &marked("old")));
    pipeline.run().await.exits(0);
    let before = pipeline.tables("public").await;
    refuse(&pipeline, "oca_warrants", "c").await;
    let extract = Extract::weekly("2024-01-08").case("a", &marked("new")).case("c", &marked("new"));
    pipeline.put(extract.delete("b"));
    let ran = pipeline.run().await.exits(1).says("The database is unchanged.").says("oca_warrants");
    let run_id = pipeline.one("select run_id from etl.runs where status = 'failed'").await;
    ran.says(&run_id);
    assert_eq!(pipeline.tables("public").await, before);
    assert_eq!(pipeline.one("select status from etl.parts order by part_id desc limit 1").await, "pending");
    assert_eq!(pipeline.one("select count(*) from etl.table_changes where rows_before > 0").await, "0");
    let steps = format!("select step from etl.steps where run_id = '{run_id}' and status = 'failed'");
    assert_eq!(pipeline.column(&steps).await, ["promote"]);
    assert_eq!(pipeline.one("select count(*) from pg_tables where schemaname = 'etl_staging'").await, "0");
    pipeline.execute("drop trigger refuse on oca_warrants").await;
    pipeline.run().await.exits(0);
    assert_eq!(marks(&pipeline, "a").await, "new");
}

#[tokio::test]
async fn what_was_not_published_is_published_by_the_next_run() {
    let pipeline = Pipeline::new("publish fails").await;
    pipeline.put(Extract::weekly("2024-01-01").case("a", &marked("1")));
    // A file stands where a folder must be.
    fs::write(pipeline.store().join("public"), "in the way").unwrap();
    pipeline.run().await.exits(4).says("The data is committed");
    assert_eq!(marks(&pipeline, "a").await, "1");
    fs::remove_file(pipeline.store().join("public")).unwrap();
    pipeline.run().await.exits(0);
    assert_eq!(pipeline.csv("public/oca_index.csv").rows.len(), 1);
    let objects = pipeline.objects();
    pipeline.run().await.exits(0);
    assert_eq!(pipeline.objects(), objects);
}

#[tokio::test]
async fn any_name_of_a_schema_will_do() {
    let odd = "Odd \"name\"; drop schema public; -- '$1";
    let pipeline =
        Pipeline::new("odd schema").await.with("--schema", odd).with("--ledger-schema", "Led-ger %s");
    pipeline.put(Extract::weekly("2024-01-01").case("a", &marked("1")));
    pipeline.run().await.exits(0);
    pipeline.put(Extract::weekly("2024-01-08").case("a", &marked("2")));
    pipeline.run().await.exits(0);
    let schemas = "select nspname from pg_class join pg_namespace on pg_namespace.oid = relnamespace
                   where relname = 'oca_index' and relkind = 'r' order by 1";
    assert_eq!(pipeline.column(schemas).await, [odd]);
    let staging = "select count(*) from pg_namespace where nspname = 'Led-ger %s_staging'";
    assert_eq!(pipeline.one(staging).await, "1");
    let quoted = odd.replace('"', "\"\"");
    assert_eq!(pipeline.column(&format!("select status from \"{quoted}\".oca_index")).await, ["2"]);
    // The query names the table itself, because views and other tables of the schema have such a column too.
    let addresses = format!("\"{quoted}\".oca_addresses").replace('\'', "''");
    let geom = format!(
        "select count(*) from pg_attribute where attname = 'geom' and attrelid = '{addresses}'::regclass"
    );
    assert_eq!(pipeline.one(&geom).await, "1");
}
