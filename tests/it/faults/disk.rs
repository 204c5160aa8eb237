//! Disks that are full or read-only, and memory that is short.

use std::path::PathBuf;

use super::attack::cluster;
use super::world::{run_again, world};
use crate::support;
use crate::support::disk::run_mounted;
use crate::support::pipeline::Pipeline;

fn work(pipeline: &Pipeline) -> PathBuf {
    pipeline.folder().join("work")
}

/// Each size fails in another step: the third file alone is larger than a megabyte, and the staging store is larger
/// still.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_disk_for_staging_is_full() {
    let world = world().await;
    for size in ["16k", "256k", "1300k"] {
        let pipeline = world.copy(cluster().await, "disk full").await;
        let options = format!("size={size}");
        let Some(ran) = run_mounted(&pipeline, &work(&pipeline), &options, &[]).await else { return };
        let state = world.state(&pipeline).await;
        assert_eq!(ran.code, 1, "{size}\n{}", ran.stderr);
        let says = ["The database is unchanged.", "1 earlier batch"][state];
        let failure = ran.failure();
        assert!(failure.contains(says), "{failure}");
        let is_named =
            failure.contains("No space left") || failure.contains("disk") || failure.contains("storage");
        assert!(is_named, "{size}: {failure}");
        run_again(&pipeline).await;
        world.is_whole(&pipeline).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_disk_for_staging_is_only_readable() {
    let world = world().await;
    let pipeline = world.copy(cluster().await, "read only").await;
    let Some(ran) = run_mounted(&pipeline, &work(&pipeline), "ro", &[]).await else { return };
    let ran = ran.exits(1).says("The database is unchanged.").says("a working folder in");
    ran.says("Read-only file system");
    assert_eq!(world.state(&pipeline).await, 0);
    run_again(&pipeline).await.exits(3);
    world.is_whole(&pipeline).await;
}

/// The store's disk is full. During the upload of a batch, nothing is promoted; during publication, each public file is
/// the old or the new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_disk_of_the_store_is_full() {
    let world = world().await;
    let pipeline = world.copy(cluster().await, "store full").await;
    let store = pipeline.store().join("private");
    let Some(ran) = run_mounted(&pipeline, &store, "size=40k", &[]).await else { return };
    ran.exits(1).says("The database is unchanged.").says("No space left");
    assert_eq!(world.state(&pipeline).await, 0);
    let public = pipeline.store().join("public");
    let ran = run_mounted(&pipeline, &public, "size=8k", &[]).await.expect("it could before");
    ran.exits(4).says("The data is committed").says("No space left");
    assert_eq!(world.state(&pipeline).await, 2);
    run_again(&pipeline).await.exits(0);
    world.is_whole(&pipeline).await;
}

/// DuckDB spills to the working folder, or says that its memory is too small.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_short() {
    let pipeline = Pipeline::new("memory").await;
    let source = pipeline.source();
    let words = ["sample", "oca", "--cases", "4000", "--run-date", "2024-01-08", "--out"];
    let words = words.map(str::to_owned).into_iter().chain([source.display().to_string()]);
    let none: [(&str, &str); 0] = [];
    assert!(support::merganser(words, none).status.success());
    for memory in ["1", "4"] {
        let ran = pipeline.run_with(&["--duckdb-memory-mib", memory]).await.exits(1);
        ran.says("The database is unchanged.").says("staging store: cannot").says("emory");
        assert_eq!(pipeline.one("select count(*) from etl.parts where status like 'done%'").await, "0");
    }
    let ran = pipeline.run_with(&["--duckdb-memory-mib", "48"]).await.exits(0);
    assert_eq!(ran.count("records_loaded"), 4000);
}

/// The database's own disk is full: its server says so, and its data is unchanged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_disk_of_the_database_is_full() {
    let world = world().await;
    let pipeline = world.copy(cluster().await, "temp files").await;
    // PostgreSQL has a limit for temporary files. Reaching it ends the statement as a full disk does.
    let name = pipeline.database.name();
    pipeline
        .execute(&format!(
            "alter database {name} set temp_file_limit = '2MB';
             create function fill() returns trigger language plpgsql set work_mem = '64kB' as
             $$ begin perform distinct on (g % 7) g from generate_series(1, 1000000) as g order by g % 7, g desc;
                return null; end $$;
             create trigger fill after insert on oca_warrants for each statement execute function fill()"
        ))
        .await;
    let ran = pipeline.start(&[]).await.expect("the run is over").exits(1);
    let ran = ran.says("The database is unchanged.").says("temp_file_limit");
    // A record of this world is refused, so the search for refused records reaches the table first.
    ran.says("look for the records that the database refuses failed");
    assert_eq!(world.state(&pipeline).await, 0);
    pipeline.execute("drop trigger fill on oca_warrants").await;
    run_again(&pipeline).await.exits(3);
    world.is_whole(&pipeline).await;
}
