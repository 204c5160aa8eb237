//! A PgBouncer of a test's own between it and the cluster of the tests.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokio_postgres::config::Host;

use super::postgres::TestDatabase;
use super::{Janitor, ssh};

/// It ends with the test's process.
pub struct PgBouncer {
    port: u16,
    log: PathBuf,
    _janitor: Janitor,
}

impl PgBouncer {
    /// Starts one in front of the server of a database; `settings` are lines of its file.
    pub fn start(database: &TestDatabase, settings: &str) -> Self {
        let config: tokio_postgres::Config = database.url().parse().expect("the URL of a test's database");
        let Some(Host::Unix(socket)) = config.get_hosts().first() else { panic!("a Unix socket") };
        let folder = super::server_dir();
        let (dir, port) = (folder.path().to_owned(), ssh::free_port());
        let janitor = Janitor::watch(&dir, &dir.join("pid"), "TERM");
        let _ = folder.keep();
        let file = dir.join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {dir}/users\npidfile = {dir}/pid\nlogfile = {dir}/log\n\
             {settings}\n",
            socket.display(),
            config.get_ports()[0],
            dir = dir.display(),
        );
        fs::write(&file, text).expect("a file can be written");
        fs::write(dir.join("users"), "\"merganser\" \"\"\n").expect("a file can be written");
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"]
            .into_iter()
            .find(|path| fs::exists(path).is_ok_and(|is| is));
        let mut command = Command::new(program.expect("PgBouncer is installed: scripts/setup test"));
        // It refuses to run as root: as the user who runs the server, then.
        let owner = fs::metadata(socket).expect("the folder of the socket");
        if owner.uid() != rustix::process::geteuid().as_raw() {
            for path in [&dir, &file, &dir.join("users")] {
                chown(path, Some(owner.uid()), Some(owner.gid())).expect("a file can be given away");
            }
            command.uid(owner.uid()).gid(owner.gid());
        }
        command.args(["-d", "-q"]).arg(&file).current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let started = command.status().expect("PgBouncer can be started");
        let bouncer = Self { port, log: dir.join("log"), _janitor: janitor };
        assert!(started.success(), "PgBouncer did not start\n{}", bouncer.log());
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "PgBouncer does not answer\n{}", bouncer.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        bouncer
    }

    /// The URL of the database by way of it.
    pub fn url(&self, database: &TestDatabase) -> String {
        format!("postgresql://merganser@127.0.0.1:{}/{}?sslmode=disable", self.port, database.name())
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}
