//! The server of one folder: makes the cluster, sees whether it runs, starts and stops it. All of it blocks, and
//! everything except reading expects the caller to hold the folder's `start.lock`.
//!
//! The folder belongs to us, so that the server's user (another one, when root runs us) cannot put
//! links in our way; `data/` and `socket/` in it belong to the server.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::TcpListener;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::account::{Account, run};
use super::binaries::Binaries;
use super::postmaster::{Running, process_exists};
use super::{Cluster, EmbeddedError, LIMIT, USER, io_error, settings};
use crate::words::hex;

/// Longest path of a Unix socket, in bytes: what the systems' address structure has room for.
const SOCKET_PATH_BYTES: usize = if cfg!(target_os = "linux") { 107 } else { 103 };
/// The port in the socket's name; nobody listens on it.
const SOCKET_PORT: u16 = 5432;
/// A log larger than this is emptied when the server starts.
const LOG_BYTES: u64 = 16 << 20;
/// Lines of the log that an error quotes.
const LOG_LINES: usize = 12;

/// One folder and what it takes to run its server.
#[derive(Clone, Debug)]
pub(super) struct ServerProcess {
    /// Absolute, without links.
    dir: PathBuf,
    account: Account,
    binaries: Binaries,
}

/// How pg_ctl ends the server.
#[derive(Clone, Copy, Debug)]
pub(super) enum StopMode {
    /// Disconnects the clients and writes a checkpoint.
    Fast,
    /// Stops at once; the next start recovers from the write-ahead log.
    Immediate,
}

impl ServerProcess {
    /// Takes over a folder, which exists; makes the cluster in it unless there is one.
    pub fn open(dir: &Path, account: Account, sync: bool) -> Result<Self, EmbeddedError> {
        account.check_can_enter(dir)?;
        let data = dir.join("data");
        let wanted = made_by(&data)?;
        let binaries = Binaries::find(wanted.map(|major| (major, data.as_path())))?;
        let server = Self { dir: dir.to_owned(), account, binaries };
        if wanted.is_none() {
            server.init(sync)?;
        }
        Ok(server)
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    pub fn log(&self) -> PathBuf {
        self.dir.join("postgres.log")
    }

    /// Makes the cluster beside its place and renames it there, so that a half-made one is never used.
    fn init(&self, sync: bool) -> Result<(), EmbeddedError> {
        const PREFIX: &str = "data.new-";
        for entry in fs::read_dir(&self.dir).map_err(io_error("read", &self.dir))?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(PREFIX) {
                // Left by an initdb that was killed, or that still runs although its parent was killed: then it fails,
                // and the next process that makes a cluster removes its remains.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        let new = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(&self.dir)
            .map_err(io_error("create a folder in", &self.dir))?;
        self.account.own(new.path())?;
        let mut initdb = self.account.command(&self.binaries.program("initdb"));
        initdb.arg("-D").arg(new.path()).args(["-U", USER, "--encoding=UTF8", "--data-checksums"]);
        initdb.args(["--auth-local=trust", "--auth-host=reject", "--no-instructions"]);
        initdb.arg(format!("--locale={}", locale()));
        if !sync {
            initdb.arg("--no-sync");
        }
        run(initdb, "initdb", &self.dir, LIMIT)?.success("initdb")?;
        fs::rename(new.path(), self.data()).map_err(io_error("create", &self.data()))?;
        // It is no longer a temporary folder.
        let _ = new.keep();
        File::open(&self.dir).and_then(|dir| dir.sync_all()).map_err(io_error("write", &self.dir))
    }

    /// The server of this folder, if it runs. Waits for one that is just starting or stopping.
    pub fn running(&self) -> Result<Option<Running>, EmbeddedError> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let Some(running) = self.postmaster()? else { return Ok(None) };
            if running.ready && running.answers() {
                return Ok(Some(running));
            }
            if Instant::now() >= deadline {
                let doing = "waiting for the server that is starting or stopping";
                return Err(EmbeddedError::TimedOut { doing, dir: self.dir.clone(), limit: LIMIT });
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The content of postmaster.pid, if that server is alive.
    fn postmaster(&self) -> Result<Option<Running>, EmbeddedError> {
        let file = self.data().join("postmaster.pid");
        let text = match fs::read_to_string(&file) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(io_error("read", &file))?,
        };
        // The server itself deals with a file that it cannot read.
        let Some(running) = Running::parse(&text) else { return Ok(None) };
        // The socket is tried first: a server in another container that shares the folder has no process here.
        if running.answers() || self.is_server(running.pid) {
            return Ok(Some(running));
        }
        if process_exists(running.pid) {
            // Another process has the number now, after a reboot for example. The server would not start while that
            // process lives.
            fs::remove_file(&file).map_err(io_error("remove", &file))?;
        }
        Ok(None)
    }

    /// Whether a process is the server of this folder: its working folder is the data folder. Where processes cannot be
    /// inspected (no /proc), the pid file is trusted.
    fn is_server(&self, pid: i32) -> bool {
        if fs::read_link("/proc/self/cwd").is_err() {
            return process_exists(pid);
        }
        fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == self.data())
    }

    /// Starts the server with the caller's settings; returns the running server.
    pub fn start(&self, cluster: &Cluster) -> Result<Running, EmbeddedError> {
        let socket_dir = self.socket_dir()?;
        self.clear(&socket_dir)?;
        // The port is free when it is chosen and may be taken when the server asks for it.
        let mut attempts = if cluster.tcp { 3 } else { 1 };
        loop {
            attempts -= 1;
            let port = if cluster.tcp {
                free_port().map_err(io_error("listen for", &self.dir))?
            } else {
                SOCKET_PORT
            };
            self.write_configuration(cluster, &socket_dir, port)?;
            match self.pg_ctl_start() {
                Err(EmbeddedError::Start { tail, .. }) if attempts > 0 && tail.contains("in use") => {}
                started => {
                    started?;
                    break;
                }
            }
        }
        self.running()?.ok_or_else(|| EmbeddedError::Start {
            log: self.log(),
            tail: "it ended right after its start".into(),
        })
    }

    /// Removes the socket of a server that was killed. Its lock file names a process too, which may still be a zombie,
    /// or whose number another process may have, and then the server would not start.
    fn clear(&self, socket_dir: &Path) -> Result<(), EmbeddedError> {
        for entry in fs::read_dir(socket_dir).map_err(io_error("read", socket_dir))?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(".s.PGSQL.") {
                fs::remove_file(entry.path()).map_err(io_error("remove", &entry.path()))?;
            }
        }
        Ok(())
    }

    fn write_configuration(
        &self,
        cluster: &Cluster,
        socket_dir: &Path,
        port: u16,
    ) -> Result<(), EmbeddedError> {
        let hba = self.dir.join("pg_hba.conf");
        let (port, hba_text) = (port.to_string(), hba.to_string_lossy());
        // A list of folders, of which each may be quoted.
        let sockets = format!("\"{}\"", socket_dir.display());
        let mut own = vec![
            ("listen_addresses", if cluster.tcp { "127.0.0.1" } else { "" }),
            ("port", &port),
            ("unix_socket_directories", &sockets),
            ("hba_file", &hba_text),
        ];
        let tls = self.dir.join("tls");
        let (certificate, key) = (tls.join("server.crt"), tls.join("server.key"));
        let (certificate_text, key_text) = (certificate.to_string_lossy(), key.to_string_lossy());
        if let Some((given_certificate, given_key)) = &cluster.tls {
            self.account.make_private_dir(&tls)?;
            for (from, to) in [(given_certificate, &certificate), (given_key, &key)] {
                let bytes = fs::read(from).map_err(io_error("read", from))?;
                self.write(to, &bytes, 0o600)?;
                self.account.own(to)?;
            }
            own.extend([("ssl", "on"), ("ssl_cert_file", &*certificate_text), ("ssl_key_file", &*key_text)]);
        }
        let text = settings::server_conf(&cluster.settings, &own)?;
        self.write(&self.dir.join("server.conf"), text.as_bytes(), 0o644)?;
        self.write(&hba, settings::HBA.as_bytes(), 0o644)
    }

    /// Writes a whole file; its mode does not depend on the umask.
    fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<(), EmbeddedError> {
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(path)
            .and_then(|mut file| {
                file.set_permissions(fs::Permissions::from_mode(mode))?;
                file.write_all(bytes)
            })
            .map_err(io_error("write", path))
    }

    fn pg_ctl_start(&self) -> Result<(), EmbeddedError> {
        let log = self.log();
        let mut opened = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&log)
            .map_err(io_error("open", &log))?;
        self.account.own(&log)?;
        let mut begin = opened.metadata().map_err(io_error("read", &log))?.len();
        if begin > LOG_BYTES {
            opened.set_len(0).map_err(io_error("write", &log))?;
            begin = 0;
        }
        let mut pg_ctl = self.pg_ctl("start");
        pg_ctl.arg("-l").arg(&log).arg("-o");
        // pg_ctl gives this to a shell; the folder's path was checked for what that would change.
        pg_ctl.arg(format!("-c config_file='{}'", self.dir.join("server.conf").display()));
        let ended = run(pg_ctl, "pg_ctl start", &self.dir, LIMIT + Duration::from_secs(10))?;
        if ended.status.success() {
            return Ok(());
        }
        let mut bytes = Vec::new();
        opened
            .seek(SeekFrom::Start(begin))
            .and_then(|_| opened.read_to_end(&mut bytes))
            .map_err(io_error("read", &log))?;
        let mut tail = last_lines(&String::from_utf8_lossy(&bytes), LOG_LINES);
        if tail.is_empty() {
            tail = ended.output;
        }
        Err(EmbeddedError::Start { log, tail })
    }

    fn pg_ctl(&self, word: &str) -> std::process::Command {
        let mut pg_ctl = self.account.command(&self.binaries.program("pg_ctl"));
        pg_ctl.arg(word).arg("-D").arg(self.data()).args(["-w", "-t"]).arg(LIMIT.as_secs().to_string());
        pg_ctl
    }

    /// Stops the server; nothing to do if it does not run, or is a process of another container:
    /// pg_ctl would send its signal to whatever has that number here.
    pub fn stop(&self, mode: StopMode) -> Result<(), EmbeddedError> {
        if !self.postmaster()?.is_some_and(|running| self.is_server(running.pid)) {
            return Ok(());
        }
        let mut pg_ctl = self.pg_ctl("stop");
        pg_ctl.args(["-m", if matches!(mode, StopMode::Fast) { "fast" } else { "immediate" }]);
        let ended = run(pg_ctl, "pg_ctl stop", &self.dir, LIMIT + Duration::from_secs(10))?;
        if !ended.status.success() && self.postmaster()?.is_some() {
            ended.success("pg_ctl stop")?;
        }
        self.forget_socket_dir();
        Ok(())
    }

    /// The folder of the socket: in ours if the socket's path is short enough, else a private one
    /// among the temporary files, which `socket-dir` in our folder remembers.
    fn socket_dir(&self) -> Result<PathBuf, EmbeddedError> {
        let near = self.dir.join("socket");
        if near.as_os_str().len() + "/.s.PGSQL.65535".len() <= SOCKET_PATH_BYTES {
            self.account.make_private_dir(&near)?;
            return Ok(near);
        }
        if let Some(far) = self.far_socket_dir().filter(|far| self.account.is_private_dir(far)) {
            return Ok(far);
        }
        let temporary = std::env::temp_dir();
        let far = tempfile::Builder::new()
            .prefix("merganser-")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(&temporary)
            .map_err(io_error("create a folder in", &temporary))?
            .keep();
        self.account.own(&far)?;
        self.account.check_can_enter(&far)?;
        self.write(&self.dir.join("socket-dir"), far.as_os_str().as_encoded_bytes(), 0o600)?;
        Ok(far)
    }

    fn far_socket_dir(&self) -> Option<PathBuf> {
        fs::read_to_string(self.dir.join("socket-dir")).ok().map(PathBuf::from)
    }

    /// Removes the temporary folder of the socket. A failure is ignored: the folder would only be used again.
    fn forget_socket_dir(&self) {
        if let Some(far) = self.far_socket_dir().filter(|far| self.account.is_private_dir(far)) {
            let _ = fs::remove_dir_all(far);
            let _ = fs::remove_file(self.dir.join("socket-dir"));
        }
    }

    /// The password for TCP, made once and kept in the folder, for its owner only.
    pub fn password(&self) -> Result<String, EmbeddedError> {
        let path = self.dir.join("password");
        match fs::read_to_string(&path) {
            Ok(kept) if !kept.is_empty() => return Ok(kept),
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(io_error("read", &path)(e)),
            _ => {}
        }
        let mut random = [0u8; 16];
        let source = Path::new("/dev/urandom");
        File::open(source)
            .and_then(|mut file| file.read_exact(&mut random))
            .map_err(io_error("read", source))?;
        let password = hex(&random);
        self.write(&path, password.as_bytes(), 0o600)?;
        Ok(password)
    }
}

/// The major version that made the cluster in `data`; none if there is no cluster.
fn made_by(data: &Path) -> Result<Option<u32>, EmbeddedError> {
    // Only the server's user and root can look into data/.
    let file = data.join("PG_VERSION");
    match fs::read_to_string(&file) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        text => Ok(text.map_err(io_error("read", &file))?.trim().parse().ok()),
    }
}

/// Text sorts by code point everywhere; upper and lower case follow Unicode where the system supports it.
fn locale() -> &'static str {
    let known = std::process::Command::new("locale").arg("-a").output().map(|said| said.stdout);
    let known = String::from_utf8_lossy(&known.unwrap_or_default()).to_lowercase().replace('-', "");
    if known.lines().any(|name| name == "c.utf8") { "C.UTF-8" } else { "C" }
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_quotes_the_end_of_the_log() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("a\n", 2), "a");
        assert_eq!(last_lines("", 2), "");
    }
}
