//! A worker waits for a replica: a real, streaming one whose replay is paused.

use std::time::Duration;

use merganser::embedded::Cluster;

use super::world::World;
use crate::support;
use crate::support::postgres::{TestDatabase, connect};
use crate::support::replica::follow;
use crate::support::waiting::until;

#[tokio::test]
async fn a_worker_waits_for_a_replica_that_is_behind() {
    let dir = support::server_dir();
    let _janitor = support::Janitor::watch(dir.path(), &dir.path().join("data/postmaster.pid"), "QUIT");
    let cluster = Cluster::at(dir.path()).setting("fsync", "off").start().await.expect("it starts");
    let admin = connect(&cluster.database_url("postgres")).await;
    admin.batch_execute("create database throttle").await.unwrap();
    let replica = follow(dir.path(), &admin).await;
    let world = World::on(TestDatabase::of(&cluster, "throttle"), 5_000).await;
    // Without a limit a worker never waits, and neither does it when the replica keeps up.
    assert!(!world.expect(0, &["work", "--throttle", "3"]).contains("behind"));
    world.edit("clean.duckdb.sql", "1 as version", "2 as version");
    replica.client.batch_execute("select pg_wal_replay_pause()").await.unwrap();
    world.run("create table more as select * from companies_raw").await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    let worker = world.start(&["work", "--throttle", "3"], "");
    let planned = "select count(*) from etl.transform_versions where state = 'open'";
    until("the version is planned", async || world.one(planned).await == "1").await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let done = "select count(*) from etl.transform_groups join etl.transform_versions using (version_id)
        where state = 'open' and attempts > 0";
    assert_eq!(world.one(done).await, "0", "a worker waits before it claims");
    replica.client.batch_execute("select pg_wal_replay_resume()").await.unwrap();
    let output = worker.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("a replica is") && said.contains("behind: waiting for it"), "{said}");
    assert_eq!(world.one("select min(version) || '-' || max(version) from companies_clean").await, "2-2");
    drop(replica);
    drop(world);
    cluster.stop().await.unwrap();
}
