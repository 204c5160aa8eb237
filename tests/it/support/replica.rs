//! A real, streaming replica of an embedded server.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tokio_postgres::Client;

use super::postgres::connect;
use super::waiting::until;

/// A PostgreSQL server that follows another one.
pub struct Replica {
    process: Child,
    pub client: Client,
    socket: String,
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
pub async fn follow(dir: &Path, admin: &Client) -> Replica {
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
    let replica = Replica { process, client: connect(&url).await, socket: socket.display().to_string() };
    until("the replica streams", async || {
        let query = "select count(*) from pg_stat_replication where state = 'streaming'";
        admin.query_one(query, &[]).await.unwrap().get::<_, i64>(0) == 1
    })
    .await;
    replica
}

impl Replica {
    /// The address of one of its databases.
    pub fn database_url(&self, database: &str) -> String {
        format!("postgresql://merganser@/{database}?host={}", self.socket)
    }
}
