//! Things break in the middle of a run: a database restarts, a disk is full. The run says so, no work is left half
//! done, and the next run succeeds.

use std::fs;
use std::time::Duration;

use merganser::embedded::Cluster;

use crate::support::disk::run_mounted;
use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, Ran};
use crate::support::postgres::{self, TestDatabase};
use crate::support::{self, Janitor, waiting};

/// A year of cases, enough for a run to take a while.
fn offer_many(pipeline: &Pipeline, cases: &str) {
    let out = pipeline.source().display().to_string();
    let words =
        ["sample", "oca", "--cases", cases, "--run-date", "2026-11-14", "--level", "2", "--out", &out];
    let none: [(&str, &str); 0] = [];
    Ran::new(support::merganser(words, none)).exits(0);
}

#[tokio::test]
async fn a_database_that_restarts_in_the_middle() {
    let dir = support::server_dir();
    let _janitor = Janitor::watch(dir.path(), &dir.path().join("data/postmaster.pid"), "QUIT");
    let start = || Cluster::at(dir.path()).setting("fsync", "off").tcp(true).start();
    let mut cluster = start().await.expect("the cluster starts");
    let mut pipeline = Pipeline::on(TestDatabase::of(&cluster, "merganser"));
    pipeline.put(Extract::weekly("2026-11-07").case("a", ""));
    pipeline.run().await.exits(0);
    let before = pipeline.tables("public").await;
    offer_many(&pipeline, "8000");
    for step in ["parse", "load", "promote"] {
        let run = pipeline.start(&[]);
        let under_way = format!(
            "select step from etl.steps join etl.runs using (run_id)
             where step = '{step}' and steps.status = 'running' and runs.status = 'running'"
        );
        waiting::row(&pipeline, &under_way).await;
        assert!(cluster.stop().await.expect("the cluster stops"));
        cluster = start().await.expect("the cluster starts again");
        // The new cluster has another address, so the run finds no server at the old one.
        pipeline.database = TestDatabase::of(&cluster, "merganser");
        pipeline = pipeline.with("--database-url", TestDatabase::of(&cluster, "merganser").url());
        let ran = run.await.expect("the run is over").exits(1);
        let ran = ran.says("The database is unchanged.");
        println!("{step}: {}", ran.failure());
        assert!(!ran.failure().contains("panicked"), "{}", ran.stderr);
        assert_eq!(pipeline.tables("public").await, before, "{step}");
    }
    let ran = pipeline.run().await.exits(0);
    assert_eq!(ran.count("records_loaded"), 8000);
    let ended = "select string_agg(distinct status, ' ' order by status) from etl.runs";
    assert!(!pipeline.one(ended).await.contains("running"));
    cluster.stop().await.expect("the cluster stops");
}

#[tokio::test]
async fn a_disk_that_is_full() {
    let pipeline = Pipeline::new("outages disk").await;
    offer_many(&pipeline, "8000");
    let packed: u64 =
        fs::read_dir(pipeline.source()).unwrap().map(|f| f.unwrap().metadata().unwrap().len()).sum();
    let small: &[&str] = &["--duckdb-memory-mib", "32"];
    // Too little for the zip itself; enough for the zip but not for what the local store spills; enough for the zip but
    // not for the CSVs.
    for (what, size, more) in
        [("fetch", packed / 2, &[][..]), ("parse", packed + packed / 2, small), ("export", packed * 2, &[])]
    {
        let work = pipeline.folder().join("work");
        let Some(ran) = run_mounted(&pipeline, &work, &format!("size={size}"), more).await else { return };
        let ran = ran.exits(1).says("The database is unchanged.");
        println!("{what}: {}", ran.failure());
        let said = ran.failure();
        assert!(said.to_lowercase().contains("no space left"), "{what}: {said}");
        assert!(said.contains("make room on the disk") || said.contains("--work-dir"), "{what}: {said}");
        assert!(pipeline.objects().keys().all(|key| !key.starts_with("public/")), "{what}");
        assert_eq!(pipeline.one("select to_regclass('oca_index')").await, "NULL");
    }
    pipeline.run().await.exits(0);
    assert_eq!(pipeline.one("select count(*) from oca_index").await, "8000");
}

#[tokio::test]
async fn a_connection_that_the_server_ends() {
    let pipeline = Pipeline::new("outages ended").await;
    offer_many(&pipeline, "4000");
    let admin =
        postgres::connect(&pipeline.database.url().replace(pipeline.database.name(), "postgres")).await;
    let run = pipeline.start(&[]);
    let end = "select count(pg_terminate_backend(pid)) from pg_stat_activity
        where datname = $1 and application_name = 'merganser promote'";
    let mut ended = 0;
    while ended == 0 && !run.is_finished() {
        ended = admin.query_one(end, &[&pipeline.database.name()]).await.unwrap().get::<_, i64>(0);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(ended > 0, "the promotion was never seen");
    run.await.unwrap().exits(1).says("The database is unchanged.").says("look into the server's log");
    assert_eq!(pipeline.run().await.exits(0).count("records_loaded"), 4000);
}
