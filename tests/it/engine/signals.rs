//! A run is told to stop, or killed, at several points: what it leaves, and what the next run does with that.

use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::datasets::oca::rules::{marked, marks};
use crate::support;
use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, Ran};
use crate::support::waiting;

/// A pod that is evicted gets 30 seconds; a run must stop in a third of that.
const GRACE: Duration = Duration::from_secs(10);

fn spawn(pipeline: &Pipeline) -> Child {
    let none: [(&str, &str); 0] = [];
    let mut command = support::command(pipeline.args(&[]), none);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until a step of the newest run is under way.
async fn step(pipeline: &Pipeline, step: &str) {
    let query = format!("select step from etl.steps where step = '{step}' and status = 'running'");
    waiting::row(pipeline, &query).await;
}

/// Tells the run to stop, and checks that it does so in time and in order.
async fn stop(pipeline: &Pipeline, child: Child, signal: Signal) -> Ran {
    let told = Instant::now();
    kill_process(Pid::from_child(&child), signal).unwrap();
    let ran = tokio::task::spawn_blocking(|| Ran::new(child.wait_with_output().unwrap())).await.unwrap();
    assert!(told.elapsed() < GRACE, "{:?}", told.elapsed());
    let ran = ran.exits(143);
    assert!(!ran.stderr.contains("WARN"), "{}", ran.stderr);
    let run = "select status || coalesce(' ' || error, '') from etl.runs order by started_at desc limit 1";
    assert_eq!(pipeline.one(run).await, "interrupted interrupted");
    assert_eq!(pipeline.one("select count(*) from etl.steps where status = 'running'").await, "0");
    nothing_is_left(pipeline).await;
    ran
}

/// No staging table, no work folder and no half-written object is left.
async fn nothing_is_left(pipeline: &Pipeline) {
    assert_eq!(pipeline.one("select count(*) from pg_tables where schemaname = 'etl_staging'").await, "0");
    assert_eq!(work(pipeline), Vec::<String>::new());
    let half: Vec<_> = pipeline.objects().into_keys().filter(|key| key.ends_with(".part")).collect();
    assert_eq!(half, Vec::<String>::new());
}

/// The content of the work folder.
fn work(pipeline: &Pipeline) -> Vec<String> {
    let entries = fs::read_dir(pipeline.folder().join("work")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// A pipeline with one case in production.
async fn started(hint: &str) -> Pipeline {
    let pipeline = Pipeline::new(hint).await;
    pipeline.put(Extract::weekly("2024-01-01").case("a", &marked("old")));
    pipeline.run().await.exits(0);
    pipeline
}

/// An extract that takes a while to read.
fn big() -> Extract {
    let parties = "<Party><Role>Petitioner</Role><PartyType>Person</PartyType></Party>".repeat(20);
    let inside = format!("{}<Parties>{parties}</Parties>", marked("new"));
    (0..20_000).fold(Extract::weekly("2024-01-08").case("a", &marked("new")), |extract, number| {
        extract.case(&format!("case {number}"), &inside)
    })
}

#[tokio::test]
async fn told_to_stop_in_the_middle_of_a_file() {
    let pipeline = started("stop parse").await;
    let before = pipeline.tables("public").await;
    pipeline.put(big());
    for signal in [Signal::TERM, Signal::INT] {
        let child = spawn(&pipeline);
        step(&pipeline, "parse").await;
        // The signal comes in the middle of the file, not before it.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let ran = stop(&pipeline, child, signal).await.says("The database is unchanged.");
        let steps = "select string_agg(step, ' ') from etl.steps where status = 'failed'
            and run_id = (select run_id from etl.runs order by started_at desc limit 1)";
        assert_eq!(pipeline.one(steps).await, "parse", "{}", ran.stderr);
        assert_eq!(pipeline.tables("public").await, before);
    }
    let ran = pipeline.run().await.exits(0);
    assert_eq!(ran.count("records_loaded"), 20_001);
}

/// Stops a run while a step waits for an open transaction, which the last of these statements holds.
async fn stopped_while_held_up(hint: &str, statements: &[&str], step: &str) {
    let pipeline = started(hint).await;
    let before = pipeline.tables("public").await;
    pipeline.put(Extract::weekly("2024-01-08").case("a", &marked("new")));
    let holder = pipeline.database.client().await;
    for statement in statements {
        holder.batch_execute(statement).await.unwrap();
    }
    let child = spawn(&pipeline);
    waiting::for_lock(&pipeline, step).await;
    stop(&pipeline, child, Signal::TERM).await.says("The database is unchanged.");
    holder.batch_execute("rollback").await.unwrap();
    assert_eq!(pipeline.tables("public").await, before);
    pipeline.run().await.exits(0);
    assert_eq!(marks(&pipeline, "a").await, "new");
}

#[tokio::test]
async fn told_to_stop_while_the_staging_tables_are_filled() {
    // The open transaction holds the name of the last table but one until it ends.
    let drop = "drop table if exists etl_staging.oca_warrants";
    let take = "begin; create table etl_staging.oca_warrants ()";
    stopped_while_held_up("stop load", &[drop, take], "load").await;
}

#[tokio::test]
async fn told_to_stop_while_the_promotion_waits_for_somebody() {
    // The staging tables go although the promotion had locked them.
    let lock = "begin; lock table oca_warrants in share mode";
    stopped_while_held_up("stop promote", &[lock], "promote").await;
}

#[tokio::test]
async fn told_to_stop_while_it_publishes() {
    let pipeline = started("stop publish").await;
    let published = pipeline.objects();
    pipeline.put(Extract::weekly("2024-01-08").case("a", &marked("new")).case("b", &marked("new")));
    pipeline.run_with(&["--skip-publish"]).await.exits(0);
    let holder = pipeline.database.client().await;
    holder.batch_execute("begin; lock table oca_warrants in access exclusive mode").await.unwrap();
    let child = spawn(&pipeline);
    waiting::for_lock(&pipeline, "publish").await;
    stop(&pipeline, child, Signal::TERM).await.says("The data is committed");
    holder.batch_execute("rollback").await.unwrap();
    let objects = pipeline.objects();
    for key in ["public/oca_warrants.csv", "public/oca_metadata.csv", "public/manifest.json"] {
        assert_eq!(objects[key], published[key], "{key}");
    }
    pipeline.run().await.exits(0);
    assert_eq!(pipeline.csv("public/oca_warrants.csv").rows.len(), 2);
}

#[tokio::test]
async fn what_a_killed_run_leaves_the_next_one_clears() {
    let pipeline = started("killed").await;
    pipeline.put(Extract::weekly("2024-01-08").case("a", &marked("new")));
    let holder = pipeline.database.client().await;
    holder.batch_execute("begin; lock table oca_warrants in share mode").await.unwrap();
    let mut child = spawn(&pipeline);
    waiting::for_lock(&pipeline, "promote").await;
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(work(&pipeline).len(), 1);
    assert_ne!(pipeline.one("select count(*) from pg_tables where schemaname = 'etl_staging'").await, "0");
    // Nothing is new, because the source no longer has the file; the next run must still clear up after the dead one.
    // The lock is still held, but the server has noticed that the process is gone.
    fs::remove_file(pipeline.source().join("LandlordTenant.Incr.2024-01-08.zip")).unwrap();
    let ran = pipeline.run().await.exits(0).says("Nothing new").says("it is marked as abandoned");
    assert!(ran.events.iter().any(|event| event["level"] == "WARN"), "{}", ran.stderr);
    nothing_is_left(&pipeline).await;
    let runs = "select string_agg(status, ' ' order by started_at) from etl.runs";
    assert_eq!(pipeline.one(runs).await, "completed abandoned completed");
    holder.batch_execute("rollback").await.unwrap();
    assert_eq!(marks(&pipeline, "a").await, "old");
    // The dead run had already archived the file. Only its name finds it, because its sender may have withdrawn it.
    pipeline.other(&["reprocess", "oca", "*2024-01-08*"]).await.exits(1).says("no run has committed");
    assert_eq!(marks(&pipeline, "a").await, "old");
    let ran = pipeline.other(&["reprocess", "oca", "LandlordTenant.Incr.2024-01-08.zip"]).await.exits(0);
    assert_eq!((ran.count("records_loaded"), marks(&pipeline, "a").await), (1, "new".into()));
}
