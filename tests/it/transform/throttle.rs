//! A worker waits for a replica: a real, streaming one whose replay is paused.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use merganser::embedded::Cluster;
use tokio_postgres::Client;

use super::world::World;
use crate::support;
use crate::support::postgres::{TestDatabase, connect};
use crate::support::waiting::until;

/// A PostgreSQL server that follows another one.
struct Replica {
    process: Child,
    client: Client,
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A program of PostgreSQL's, run by the server's own user.
fn program(name: &str, data: &Path) -> Command {
    let owner = fs::metadata(data).unwrap();
    let mut command = Command::new(bin_folder().join(name));
    command.uid(owner.uid()).gid(owner.gid()).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn bin_folder() -> std::path::PathBuf {
    let output = Command::new("pg_config").arg("--bindir").output();
    let said =
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    let named = std::env::var("MERGANSER_PG_BIN").unwrap_or(said);
    assert!(Path::new(&named).join("pg_basebackup").is_file(), "no pg_basebackup in `{named}`");
    named.into()
}

/// Copies the primary that has this folder, and lets the copy follow it.
async fn follow(dir: &Path, admin: &Client) -> Replica {
    let hba = dir.join("pg_hba.conf");
    let text = fs::read_to_string(&hba).unwrap();
    fs::write(&hba, format!("{text}local replication all trust\n")).unwrap();
    admin.batch_execute("select pg_reload_conf()").await.unwrap();
    let (data, replica, socket) = (dir.join("data"), dir.join("replica"), dir.join("replica-socket"));
    let owner = fs::metadata(&data).unwrap();
    for folder in [&replica, &socket] {
        fs::DirBuilder::new().mode(0o700).create(folder).unwrap();
        chown(folder, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    let primary = admin.query_one("show unix_socket_directories", &[]).await.unwrap();
    let primary = primary.get::<_, String>(0).trim_matches('"').to_owned();
    let mut copy = program("pg_basebackup", &data);
    copy.args(["-h", &primary, "-U", "merganser", "-D"]).arg(&replica);
    copy.args(["-X", "stream", "-c", "fast", "--no-sync", "-R"]);
    let output = copy.stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut server = program("postgres", &data);
    server.arg("-D").arg(&replica).args(["-c", "listen_addresses=", "-c", "wal_receiver_status_interval=1s"]);
    server.args(["-c", &format!("unix_socket_directories={}", socket.display()), "-c", "fsync=off"]);
    let process = server.stderr(Stdio::null()).spawn().unwrap();
    let url = format!("host={} port=5432 user=merganser dbname=postgres", socket.display());
    until("the replica answers", async || tokio_postgres::connect(&url, tokio_postgres::NoTls).await.is_ok())
        .await;
    Replica { process, client: connect(&url).await }
}

#[tokio::test]
async fn a_worker_waits_for_a_replica_that_is_behind() {
    let dir = support::server_dir();
    let _janitor = support::Janitor::watch(dir.path(), &dir.path().join("data/postmaster.pid"), "QUIT");
    let cluster = Cluster::at(dir.path()).setting("fsync", "off").start().await.expect("it starts");
    let admin = connect(&cluster.database_url("postgres")).await;
    admin.batch_execute("create database throttle").await.unwrap();
    let replica = follow(dir.path(), &admin).await;
    let streams = async || {
        let query = "select count(*) from pg_stat_replication where state = 'streaming'";
        admin.query_one(query, &[]).await.unwrap().get::<_, i64>(0) == 1
    };
    until("the replica streams", streams).await;
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
