//! The state of a running server: the file postmaster.pid in its data folder.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// The state of a running server, from postmaster.pid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Running {
    pub pid: i32,
    pub port: u16,
    pub socket_dir: PathBuf,
    /// Listens on 127.0.0.1 too.
    pub tcp: bool,
    pub ready: bool,
}

impl Running {
    /// Reads the file; none if it does not begin with a process number.
    pub fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let line = |number: usize| lines.get(number - 1).copied().unwrap_or_default();
        Some(Self {
            pid: line(1).parse::<i32>().ok()?.checked_abs()?,
            port: line(4).parse().unwrap_or_default(),
            socket_dir: PathBuf::from(line(5)),
            tcp: !line(6).is_empty(),
            ready: line(8) == "ready",
        })
    }

    fn socket(&self) -> PathBuf {
        self.socket_dir.join(format!(".s.PGSQL.{}", self.port))
    }

    /// Whether somebody listens at the socket.
    pub fn answers(&self) -> bool {
        UnixStream::connect(self.socket()).is_ok()
    }
}

/// Whether any process has this number.
pub(super) fn process_exists(pid: i32) -> bool {
    // Not being allowed to send it a signal means that it is there.
    rustix::process::Pid::from_raw(pid)
        .is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn reads_the_pid_file_whole_and_cut_off() {
        let text = "4711\n/d/data\n1700000000\n5433\n/d/socket\n127.0.0.1\n  1 2\nready   \n";
        let running = Running::parse(text).unwrap();
        assert_eq!((running.pid, running.port, running.tcp, running.ready), (4711, 5433, true, true));
        assert_eq!(running.socket(), Path::new("/d/socket/.s.PGSQL.5433"));
        let starting = Running::parse("4711\n/d/data\n1700000000\n5432\n/d/socket\n\n").unwrap();
        assert!(!starting.ready && !starting.tcp);
        assert_eq!(Running::parse(""), None);
    }
}
