//! The private cluster: created, shared, left behind by a killed process, started again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use merganser::embedded::{Cluster, Embedded, EmbeddedError};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::postgres::connect;
use crate::support::{Janitor, server_dir};

/// A folder for one cluster, which is stopped and removed even if this process is killed.
struct Folder {
    dir: TempDir,
    _janitor: Janitor,
}

impl Folder {
    fn path(&self) -> &Path {
        self.dir.path()
    }
}

fn folder() -> Folder {
    let dir = server_dir();
    let janitor = Janitor::watch(dir.path(), &pid_file(dir.path()), "QUIT");
    Folder { dir, _janitor: janitor }
}

/// Lets root's server, which runs as another user, reach a cluster deeper in the folder.
fn open_for_passage(dir: &Path) {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o711)).unwrap();
}

fn quick(dir: &Path) -> Cluster {
    Cluster::at(dir).setting("fsync", "off")
}

fn pid_file(dir: &Path) -> PathBuf {
    dir.join("data/postmaster.pid")
}

fn pid(dir: &Path) -> Pid {
    let text = fs::read_to_string(pid_file(dir)).unwrap();
    Pid::from_raw(text.lines().next().unwrap().trim().parse().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn several_users_share_the_server_and_the_last_one_stops_it() {
    let folder = folder();
    let starts = (0..4).map(|_| tokio::spawn(quick(folder.path()).start())).collect::<Vec<_>>();
    let mut users = Vec::new();
    for start in starts {
        users.push(start.await.unwrap().unwrap());
    }
    let server = pid(folder.path());
    let last = users.pop().unwrap();
    for user in users {
        assert!(!user.stop().await.unwrap());
    }
    assert_eq!(pid(folder.path()), server);
    let client = connect(&last.url()).await;
    client.batch_execute("create table kept (n int); insert into kept values (7)").await.unwrap();
    let checks = "select current_setting('server_encoding') || current_setting('data_checksums') \
                  || current_setting('listen_addresses')";
    assert_eq!(client.query_one(checks, &[]).await.unwrap().get::<_, String>(0), "UTF8on");
    drop(client);
    assert!(last.stop().await.unwrap());
    assert!(!pid_file(folder.path()).exists());

    let again = quick(folder.path()).start().await.unwrap();
    let row = connect(&again.url()).await.query_one("select n from kept", &[]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), 7);
    assert!(again.stop().await.unwrap());
}

#[tokio::test]
async fn dropping_it_stops_the_server() {
    let folder = folder();
    let embedded = quick(folder.path()).start().await.unwrap();
    assert!(pid_file(folder.path()).exists());
    drop(embedded);
    assert!(!pid_file(folder.path()).exists());
}

/// A killed process leaves a server that nobody holds a lock for. Another process starts it: this same test, told by
/// its environment, which then kills itself.
#[tokio::test]
async fn a_server_left_by_a_killed_process_is_used_and_then_stopped() {
    const FOLDER: &str = "MERGANSER_TEST_LEAVE_SERVER_IN";
    if let Some(dir) = std::env::var_os(FOLDER) {
        let _embedded = quick(Path::new(&dir)).start().await.unwrap();
        kill_process(rustix::process::getpid(), Signal::KILL).unwrap();
    }
    let folder = folder();
    let this = "servers::embedded::a_server_left_by_a_killed_process_is_used_and_then_stopped";
    let mut child = Command::new(std::env::current_exe().unwrap());
    let killed = child.args([this, "--exact"]).env(FOLDER, folder.path()).output().unwrap();
    assert_eq!(killed.status.code(), None, "the process did not kill itself: {killed:?}");

    let left = pid(folder.path());
    let embedded = quick(folder.path()).start().await.unwrap();
    assert_eq!(pid(folder.path()), left);
    connect(&embedded.url()).await;
    assert!(embedded.stop().await.unwrap());
    assert!(!pid_file(folder.path()).exists());
}

#[tokio::test]
async fn a_server_that_died_is_started_again() {
    let folder = folder();
    let first = quick(folder.path()).start().await.unwrap();
    let dead = pid(folder.path());
    kill_process(dead, Signal::KILL).unwrap();
    // The server's backends notice, and release its shared memory.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let second = quick(folder.path()).start().await.unwrap();
    assert_ne!(pid(folder.path()), dead);
    assert!(!first.stop().await.unwrap());
    connect(&second.url()).await;
    assert!(second.stop().await.unwrap());

    // Another process now has that process id: this one.
    let text =
        format!("{}\n{}\n1\n5432\n/nowhere\n\n1 1\nready\n", std::process::id(), folder.path().display());
    fs::write(pid_file(folder.path()), text).unwrap();
    let third = quick(folder.path()).start().await.unwrap();
    connect(&third.url()).await;
    assert!(third.stop().await.unwrap());
}

#[tokio::test]
async fn a_half_made_cluster_is_not_used() {
    let folder = folder();
    let half = folder.path().join("data.new-abc");
    fs::create_dir(&half).unwrap();
    fs::write(half.join("PG_VERSION"), "15\n").unwrap();
    fs::write(folder.path().join("start.lock"), "").unwrap();
    let embedded = quick(folder.path()).start().await.unwrap();
    assert!(!half.exists());
    assert!(embedded.stop().await.unwrap());
}

#[tokio::test]
async fn the_socket_of_a_folder_with_a_long_path_is_elsewhere() {
    let folder = folder();
    open_for_passage(folder.path());
    let dir = folder.path().join("a long, odd näme").join("x".repeat(100));
    let embedded = quick(&dir).start().await.unwrap();
    let config: tokio_postgres::Config = embedded.url().parse().unwrap();
    let [tokio_postgres::config::Host::Unix(socket)] = config.get_hosts() else { panic!("{config:?}") };
    let socket = socket.clone();
    assert!(!socket.starts_with(&dir) && socket.exists(), "{}", socket.display());
    let second = quick(&dir).start().await.unwrap();
    assert_eq!(second.url(), embedded.url());
    connect(&second.url()).await;
    assert!(!second.stop().await.unwrap());
    assert!(embedded.stop().await.unwrap());
    assert!(!socket.exists());
}

#[tokio::test]
async fn an_error_quotes_the_servers_log() {
    let folder = folder();
    let error = quick(folder.path()).setting("shared_buffers", "a lot").start().await.unwrap_err();
    assert!(matches!(error, EmbeddedError::Start { .. }), "{error:?}");
    assert!(error.to_string().contains("postgres.log:\n"), "{error}");
    assert!(error.to_string().contains("invalid value for parameter \"shared_buffers\""), "{error}");
    assert!(quick(folder.path()).start().await.unwrap().stop().await.unwrap());
}

#[tokio::test]
async fn tcp_asks_for_a_password_and_offers_tls() {
    let folder = folder();
    let (certificate, key) = (folder.path().join("given.crt"), folder.path().join("given.key"));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout"]);
    assert!(openssl.arg(&key).arg("-out").arg(&certificate).output().unwrap().status.success());
    let dir = folder.path().join("cluster");
    if rustix::process::geteuid().is_root() {
        closed_folder_is_named(folder.path(), &dir).await;
        open_for_passage(folder.path());
    }

    let embedded = quick(&dir).tcp(true).tls(&certificate, &key).start().await.unwrap();
    let url = embedded.tcp_url("merganser").unwrap();
    let row = connect(&url).await.query_one("show ssl", &[]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), "on");
    let config: tokio_postgres::Config = url.parse().unwrap();
    let password = String::from_utf8(config.get_password().unwrap().to_owned()).unwrap();
    assert!(!format!("{embedded:?}").contains(&password));
    assert!(tokio_postgres::connect(&url.replace(&password, "guess"), tokio_postgres::NoTls).await.is_err());

    // A cluster with TCP serves a user who did not ask for TCP, but not the other way round.
    assert_eq!(quick(&dir).start().await.unwrap().tcp_url("merganser"), None);
    assert!(embedded.stop().await.unwrap());
    let plain = Embedded::start(&dir).await.unwrap();
    let error = quick(&dir).tcp(true).start().await.unwrap_err();
    assert!(matches!(error, EmbeddedError::NoTcp { .. }), "{error:?}");
    assert!(plain.stop().await.unwrap());
}

/// Root's server runs as another user, who cannot pass through a folder that only root can enter.
async fn closed_folder_is_named(closed: &Path, dir: &Path) {
    let error = quick(dir).start().await.unwrap_err();
    assert!(matches!(&error, EmbeddedError::Unreachable { blocked, .. } if blocked == closed), "{error:?}");
    assert!(error.hint().unwrap().starts_with("chmod o+x "));
}
