//! Several processes at once: runs, other commands, and people who work in the database.

use std::time::Duration;

use super::attack::{cluster, disconnect};
use super::world::{finished, run_again, world};
use crate::support::extract::Extract;
use crate::support::held::{hold, let_go};
use crate::support::pipeline::Pipeline;

/// At any point of the first run, the others leave no trace and name the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_beside_a_run_and_a_reprocess() {
    let world = world().await;
    for point in ["select.begin", "load.mid_copy", "promote.before_commit", "publish.object"] {
        let pipeline = world.copy(cluster().await, "beside").await;
        let first = hold(&pipeline, &[], point).await;
        let run_id = pipeline.one("select run_id from etl.runs where status = 'running'").await;
        pipeline.start(&[]).await.expect("the run is over").exits(75).says(&run_id);
        pipeline.other(&["reprocess", "oca", "*"]).await.exits(75).says(&run_id);
        pipeline.other(&["purge", "oca"]).await.exits(75).says(&run_id);
        let_go(first).await.exits(3);
        world.is_whole(&pipeline).await;
        assert_eq!(pipeline.one("select count(*) from etl.runs").await, "2", "the others left a trace");
    }
}

/// The connection that holds the lock dies without the run's knowledge. Another run begins, and both fill the same
/// staging tables.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_lost_its_lock_spoils_nothing() {
    let world = world().await;
    let pipeline = world.copy(cluster().await, "lost lock").await;
    let reader = world.read(&pipeline);
    // Each worker has filled a table or waits to; the rest is still to come.
    let ghost = hold(&pipeline, &[], "load.table").await;
    disconnect(&pipeline, "merganser ledger").await;
    let second = hold(&pipeline, &[], "promote.begin").await;
    let ran = let_go(ghost).await.exits(1);
    assert!(!ran.failure().contains("not known"), "{}", ran.failure());
    let ran = let_go(second).await;
    // The second run may have won, or have noticed rows that are not its own.
    let state = world.state(&pipeline).await;
    assert_eq!((ran.code == 3, ran.code == 1), (state == 2, state == 0), "{}", ran.stderr);
    run_again(&pipeline).await;
    world.is_whole(&pipeline).await;
    reader.saw().await;
}

/// The same in the promotion and while publishing: the run that was declared dead writes nothing any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_was_declared_dead_writes_nothing() {
    let world = world().await;
    for (point, state) in [("promote.begin", 0), ("publish.object", 2)] {
        let pipeline = world.copy(cluster().await, "declared dead").await;
        let reader = world.read(&pipeline);
        let ghost = hold(&pipeline, &[], point).await;
        disconnect(&pipeline, "merganser ledger").await;
        assert_eq!(world.state(&pipeline).await, state);
        run_again(&pipeline).await;
        world.is_loaded(&pipeline).await;
        let objects = finished(&pipeline);
        let ran = let_go(ghost).await;
        assert_ne!(ran.code, 0, "{}", ran.stderr);
        world.is_whole(&pipeline).await;
        assert!(finished(&pipeline) == objects, "the dead run overwrote the other's public files");
        reader.saw().await;
    }
}

/// A run does not promote staging tables whose rows are no longer those it loaded, because a server that crashes
/// empties them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staging_tables_that_changed_are_refused() {
    let world = world().await;
    for change in [
        "truncate etl_staging.oca_records",
        "truncate etl_staging.oca_warrants",
        "insert into etl_staging.oca_parties select * from etl_staging.oca_parties limit 1",
    ] {
        let pipeline = world.copy(cluster().await, "staging").await;
        let run = hold(&pipeline, &[], "promote.begin").await;
        pipeline.execute(change).await;
        let ran = let_go(run).await.exits(1).says("The database is unchanged.");
        ran.says("the staging table oca_");
        assert_eq!(world.state(&pipeline).await, 0);
        run_again(&pipeline).await.exits(3);
        world.is_whole(&pipeline).await;
    }
}

/// Several first runs at the same moment: one ledger is made, one of them works, and the others wait or are told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_runs_at_once_make_one_ledger() {
    let pipeline = Pipeline::new("first runs").await;
    pipeline.put(Extract::weekly("2024-01-01").case("a", ""));
    let runs: Vec<_> = (0..4).map(|_| pipeline.start(&[])).collect();
    let mut codes = Vec::new();
    for run in runs {
        codes.push(run.await.expect("the run is over").code);
    }
    assert!(codes.contains(&0) && codes.iter().all(|code| [0, 75].contains(code)), "{codes:?}");
    assert_eq!(pipeline.one("select count(*) from oca_index").await, "1");
    assert_eq!(pipeline.one("select count(*) - max(version) from etl.migrations").await, "0");
}

/// A migration of the ledger does not wait for runs, and a run waits only for the migration.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_beside_a_migration() {
    let world = world().await;
    let pipeline = world.copy(cluster().await, "migration").await;
    let migrating = pipeline.database.client().await;
    migrating
        .batch_execute("begin; select pg_advisory_xact_lock(hashtextextended('merganser/etl/migrations', 1))")
        .await
        .expect("the lock of the migrations");
    let run = pipeline.start(&[]);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!run.is_finished(), "it waits for the migration");
    assert_eq!(pipeline.one("select count(*) from etl.runs").await, "1");
    migrating.batch_execute("commit").await.expect("it is over");
    run.await.expect("the run is over").exits(3);
    world.is_whole(&pipeline).await;
}

/// Two schemas with ledgers of their own, in one database, at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_schema_at_the_same_time() {
    let world = world().await;
    let pipeline = world.copy(cluster().await, "schemas").await;
    let first = hold(&pipeline, &[], "promote.before_commit").await;
    let elsewhere = ["--schema", "other", "--ledger-schema", "other_etl", "--skip-publish"];
    pipeline.start(&elsewhere).await.expect("the run is over").exits(3);
    assert_eq!(world.state(&pipeline).await, 0);
    let_go(first).await.exits(3);
    world.is_whole(&pipeline).await;
    assert_ne!(pipeline.one("select count(*) from other.oca_index").await, "0");
}

/// One person maintains the tables while another reads for a long time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_beside_vacuum_full_and_a_long_reader() {
    let world = world().await;
    let pipeline = world.copy(cluster().await, "vacuum").await;
    let long = pipeline.database.client().await;
    let count = "select count(*) from oca_index";
    long.batch_execute("begin isolation level repeatable read").await.expect("a transaction");
    let before: i64 = long.query_one(count, &[]).await.expect("a row").get(0);
    let keeper = pipeline.database.client().await;
    let keeping = tokio::spawn(async move {
        // Not the table that the long reader holds: the statement would wait for that reader, and everybody else for
        // the statement.
        let tables = ["oca_parties", "oca_events", "oca_warrants", "oca_motions"];
        for table in tables.iter().cycle() {
            let vacuum = keeper.batch_execute(&format!("vacuum full {table}")).await;
            if vacuum.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    pipeline.start(&[]).await.expect("the run is over").exits(3);
    keeping.abort();
    let after: i64 = long.query_one(count, &[]).await.expect("a row").get(0);
    assert_eq!(before, after, "the reader's snapshot is the old one");
    long.batch_execute("commit").await.expect("it ends");
    world.is_whole(&pipeline).await;
}
