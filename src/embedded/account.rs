//! The system user that PostgreSQL runs as, and programs run as that user with a time limit.
//! PostgreSQL refuses to run as root, so root hands it to an ordinary user.

use std::fs::{self, DirBuilder};
use std::io::{Read, Seek};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{EmbeddedError, io_error};

/// The user of the server programs.
#[derive(Clone, Debug)]
pub(super) enum Account {
    /// The user who runs this program.
    Own,
    /// Another user, because this program runs as root.
    Other { name: String, uid: u32, gid: u32 },
}

impl Account {
    /// The user for the cluster whose data folder is `data`: as root, the folder's owner, else
    /// `postgres`, else `nobody`; otherwise ourselves.
    pub fn for_data(data: &Path) -> Result<Self, EmbeddedError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Own);
        }
        if let Ok(owner) = fs::symlink_metadata(data)
            && owner.is_dir()
            && owner.uid() != 0
        {
            let name = format!("#{}", owner.uid());
            return Ok(Self::Other { name, uid: owner.uid(), gid: owner.gid() });
        }
        ["postgres", "nobody"].into_iter().find_map(Self::named).ok_or(EmbeddedError::NoAccount)
    }

    fn named(name: &str) -> Option<Self> {
        let id = |flag: &str| -> Option<u32> {
            let said = Command::new("id").args([flag, name]).stderr(Stdio::null()).output().ok()?;
            std::str::from_utf8(&said.stdout).ok()?.trim().parse().ok()
        };
        Some(Self::Other { name: name.to_owned(), uid: id("-u")?, gid: id("-g")? })
    }

    /// Makes a folder, with its parents, that the account's programs can pass through but not change.
    pub fn make_passage(&self, dir: &Path) -> Result<(), EmbeddedError> {
        let missing: Vec<&Path> = dir.ancestors().take_while(|d| !d.exists()).collect();
        for dir in missing.into_iter().rev() {
            let made = match fs::create_dir(dir) {
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => continue,
                made => made,
            };
            made.and_then(|()| fs::set_permissions(dir, fs::Permissions::from_mode(self.passage_mode())))
                .map_err(io_error("create", dir))?;
        }
        // An empty folder that was given to us, a temporary one for example, may be closed to everybody but root.
        let ours = |dir: &Path| -> std::io::Result<bool> {
            Ok(dir.join("start.lock").exists() || fs::read_dir(dir)?.next().is_none())
        };
        if matches!(self, Self::Other { .. }) && ours(dir).map_err(io_error("read", dir))? {
            let mode = fs::metadata(dir).map_err(io_error("read", dir))?.permissions().mode();
            fs::set_permissions(dir, fs::Permissions::from_mode(mode | 0o111))
                .map_err(io_error("change the mode of", dir))?;
        }
        Ok(())
    }

    fn passage_mode(&self) -> u32 {
        match self {
            Self::Own => 0o700,
            Self::Other { .. } => 0o711,
        }
    }

    /// Makes a folder that only the account can enter; succeeds if it exists already.
    pub fn make_private_dir(&self, dir: &Path) -> Result<(), EmbeddedError> {
        match DirBuilder::new().mode(0o700).create(dir) {
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            made => made.map_err(io_error("create", dir))?,
        }
        self.own(dir)
    }

    /// Gives a file or folder to the account.
    pub fn own(&self, path: &Path) -> Result<(), EmbeddedError> {
        match self {
            Self::Own => Ok(()),
            Self::Other { uid, gid, .. } => {
                chown(path, Some(*uid), Some(*gid)).map_err(io_error("give away", path))
            }
        }
    }

    /// Whether a folder is a real one, the account's own and closed to everybody else.
    pub fn is_private_dir(&self, dir: &Path) -> bool {
        let uid = match self {
            Self::Own => rustix::process::geteuid().as_raw(),
            Self::Other { uid, .. } => *uid,
        };
        fs::symlink_metadata(dir).is_ok_and(|m| m.is_dir() && m.uid() == uid && m.mode() & 0o077 == 0)
    }

    /// Fails, naming the folder that is in the way, if the account cannot get into `dir`.
    pub fn check_can_enter(&self, dir: &Path) -> Result<(), EmbeddedError> {
        let Self::Other { name, .. } = self else { return Ok(()) };
        let enters = |dir: &Path| -> Result<bool, EmbeddedError> {
            let mut cd = self.command(Path::new("/bin/sh"));
            cd.args(["-c", "cd -- \"$1\"", "sh"]).arg(dir);
            Ok(run(cd, "sh", dir, Duration::from_secs(10))?.status.success())
        };
        if enters(dir)? {
            return Ok(());
        }
        let mut way: Vec<&Path> = dir.ancestors().collect();
        way.reverse();
        for step in way {
            if !enters(step)? {
                return Err(EmbeddedError::Unreachable { user: name.clone(), blocked: step.to_owned() });
            }
        }
        Ok(())
    }

    /// A command that will run as the account, in an environment without the caller's PG* variables,
    /// which would lead the server programs to another cluster.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().current_dir("/").stdin(Stdio::null());
        for name in ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.env("LC_ALL", "C");
        if let Self::Other { uid, gid, .. } = self {
            // The standard library drops root's supplementary groups along with the user.
            command.uid(*uid).gid(*gid);
        }
        command
    }
}

/// How a program ended, and its output on both streams.
#[derive(Debug)]
pub(super) struct Ended {
    pub status: ExitStatus,
    pub output: String,
}

/// Runs a command to its end, or kills it after `limit`; `place` is for the error.
pub(super) fn run(
    mut command: Command,
    program: &'static str,
    place: &Path,
    limit: Duration,
) -> Result<Ended, EmbeddedError> {
    let io = |source| EmbeddedError::Io { doing: "run a program for", path: place.to_owned(), source };
    // A file, not a pipe: it needs no reader, and a server that keeps it open blocks nobody.
    let mut said = tempfile::tempfile().map_err(io)?;
    let copy = || said.try_clone().map(Stdio::from);
    command.stdout(copy().map_err(io)?).stderr(copy().map_err(io)?);
    let mut child = command.spawn().map_err(|source| EmbeddedError::Io {
        doing: "run",
        path: command.get_program().into(),
        source,
    })?;
    let deadline = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(io)? {
            break status;
        }
        if Instant::now() >= deadline {
            // It may have ended in between; either way it is reaped here.
            let _ = child.kill();
            let _ = child.wait();
            return Err(EmbeddedError::TimedOut { doing: program, dir: place.to_owned(), limit });
        }
        thread::sleep(Duration::from_millis(10));
    };
    let mut bytes = Vec::new();
    said.rewind().and_then(|()| said.read_to_end(&mut bytes)).map_err(io)?;
    Ok(Ended { status, output: String::from_utf8_lossy(&bytes).trim_end().to_owned() })
}

impl Ended {
    /// The output, if the program succeeded.
    pub fn success(self, program: &'static str) -> Result<String, EmbeddedError> {
        match self.status.success() {
            true => Ok(self.output),
            false => Err(EmbeddedError::Program { program, status: self.status, output: self.output }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_hangs_is_killed_and_one_that_fails_is_quoted() {
        let sh = |script: &str| {
            let mut command = Account::Own.command(Path::new("/bin/sh"));
            command.args(["-c", script]);
            command
        };
        let limit = Duration::from_millis(200);
        let hung = run(sh("sleep 30"), "sh", Path::new("/x"), limit).unwrap_err();
        assert!(matches!(hung, EmbeddedError::TimedOut { .. }), "{hung}");
        let failed =
            run(sh("echo one; echo two >&2; exit 3"), "sh", Path::new("/x"), Duration::from_secs(10))
                .and_then(|ended| ended.success("sh"))
                .unwrap_err();
        assert_eq!(failed.to_string(), "sh failed (exit status: 3)\n    one\n    two");
    }
}
