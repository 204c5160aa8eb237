//! Errors as a person reads them: what failed, where, whether the database changed, what to do next.

use std::fmt::Write as _;
use std::process::ExitCode;

use crate::clients::duckdb::DuckError;
use crate::clients::git::GitError;
use crate::clients::postgres::aws_s3::AwsS3Error;
use crate::clients::postgres::{PgError, PgUrlError};
use crate::clients::sftp::{SftpError, SftpOptionsError, SftpUrlError};
use crate::clients::source::{SourceError, SourceUrlError};
use crate::clients::store::{S3OptionsError, StoreError, StoreUrlError};
use crate::clients::web::WebError;
use crate::dataset::ParseError;
use crate::datasets::samples::SampleFault;
use crate::embedded::EmbeddedError;

/// How a command ended; the process' exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing new.
    Done = 0,
    /// The run failed. The database is unchanged but for batches that were committed before, or it is not known
    /// ([`Failure::database_sentence`] says which).
    Failed = 1,
    /// Wrong usage or configuration; nothing was tried.
    Usage = 2,
    /// Committed, but some records or files failed.
    SomeFailed = 3,
    /// Committed, but the public files are not all written; the next run writes them.
    NotPublished = 4,
    /// Another run of the same dataset holds the lock.
    Locked = 75,
    /// Interrupted by SIGTERM or SIGINT; the same holds for the database as with `Failed`.
    Interrupted = 143,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// What is known of the database after a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    Unchanged,
    /// Batches of this run that were committed before the failure.
    Committed {
        batches: usize,
    },
    /// Partitions that this worker or others committed before.
    Partitions {
        in_place: bool,
    },
    /// The connection broke while COMMIT was under way and the ledger cannot be asked.
    Unknown,
    /// Datasets that earlier steps of a build have loaded.
    Steps {
        loaded: Vec<&'static str>,
    },
}

/// Why something failed, split by who can do something about it.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    #[error(transparent)]
    Postgres(#[from] PgError),
    /// The server's own way to S3.
    #[error(transparent)]
    AwsS3(AwsS3Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Sftp(#[from] SftpError),
    #[error(transparent)]
    Web(#[from] WebError),
    #[error(transparent)]
    Git(#[from] GitError),
    #[error(transparent)]
    Duck(#[from] DuckError),
    #[error(transparent)]
    Parse(#[from] ParseError),
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    #[error(transparent)]
    Sample(#[from] SampleFault),
    #[error("{operation}: {source}")]
    Io { operation: String, source: std::io::Error },
    #[error("{message}")]
    Usage { message: String, hint: Option<String> },
    #[error("{message}")]
    Refused { message: String, hint: Option<String> },
    /// The first record that failed, in a run that stops there.
    #[error("{file}: {record}")]
    Record { file: String, record: String },
    /// Somebody else's foreign key refers to rows of ours that must go.
    #[error(
        "the database refuses to delete or replace rows: the foreign key {constraint} of {table} refers to them"
    )]
    DeleteRefused { constraint: String, table: String, source: Box<PgError> },
    #[error("another run of {dataset} is under way: {holder}")]
    Locked { dataset: String, holder: String },
    #[error("interrupted")]
    Interrupted,
    #[error("the connection broke while COMMIT was under way, and the ledger cannot be asked")]
    CommitUnknown { source: PgError },
}

#[cfg(feature = "failpoints")]
impl From<crate::fault::Struck> for Cause {
    fn from(struck: crate::fault::Struck) -> Self {
        Cause::io("go on")(struck.0)
    }
}

/// The step in which a run has done its work and only has to record that in the ledger.
pub const END: &str = "end";

const SPACE: &str =
    "free some space, name another folder with --work-dir, or make batches smaller with --batch-mib";

/// What to do about a run that stops at the first failure.
pub const FAIL_FAST: &str = "without --fail-fast the rest is loaded and the ledger lists what failed";

impl Cause {
    /// What happened, in one line without any value of a record: for people who must not see one.
    pub fn without_values(&self) -> String {
        match self {
            Cause::Record { file, .. } => {
                format!("{file}: a record failed, and --fail-fast stops at the first")
            }
            // The text may be somebody's own, for example a trigger's.
            Cause::Postgres(error) if error.sqlstate().is_some_and(|code| code.starts_with("P0")) => {
                let operation = error.failure().map_or("a statement", |failure| failure.operation());
                format!("{operation} failed (SQLSTATE {})", error.sqlstate().unwrap_or_default())
            }
            // Further lines hold examples, by key.
            _ => self.to_string().lines().next().unwrap_or_default().trim_end_matches(':').to_owned(),
        }
    }

    /// A failed operation of the operating system.
    pub fn io(operation: impl Into<String>) -> impl FnOnce(std::io::Error) -> Cause {
        let operation = operation.into();
        move |source| Cause::Io { operation, source }
    }

    /// The caller asked for something that is not possible.
    pub fn usage(message: impl Into<String>) -> Cause {
        Cause::Usage { message: message.into(), hint: None }
    }

    /// A text that is not valid for a setting.
    fn setting(error: impl std::fmt::Display) -> Cause {
        Cause::Usage { message: error.to_string(), hint: None }
    }

    /// What to do about it, where we know.
    pub fn hint(&self) -> Option<String> {
        match self {
            Cause::Postgres(error) => error.hint(),
            Cause::AwsS3(_) => Some(
                "the database reaches S3 with a role of its own: see that it has one that may read and write \
                 there (docs/aws_s3.md), or take --load-via copy"
                    .into(),
            ),
            Cause::Store(error) => error.hint(),
            Cause::Sftp(error) => error.hint(),
            Cause::Web(error) => error.hint(),
            Cause::Git(error) => error.hint(),
            Cause::Embedded(error) => error.hint(),
            Cause::Usage { hint, .. } | Cause::Refused { hint, .. } => hint.clone(),
            Cause::CommitUnknown { .. } => Some("when the database answers again: merganser status".into()),
            Cause::DeleteRefused { constraint, table, .. } => Some(format!(
                "what the source deleted stays visible until then: delete the rows of {table} that refer to it, or make \
                 {constraint} `on delete cascade`; then run again"
            )),
            Cause::Record { .. } => Some(FAIL_FAST.into()),
            Cause::Locked { .. } => Some("wait for it; its lock goes when its process ends".into()),
            Cause::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                Some(SPACE.into())
            }
            Cause::Duck(DuckError::DiskFull { .. }) => Some(SPACE.into()),
            Cause::Duck(DuckError::OutOfMemory { .. }) => {
                Some("--duckdb-memory-mib N gives it more than it took by itself".into())
            }
            Cause::Parse(_) | Cause::Sample(_) | Cause::Duck(_) | Cause::Io { .. } | Cause::Interrupted => {
                None
            }
        }
    }
}

impl From<AwsS3Error> for Cause {
    fn from(error: AwsS3Error) -> Self {
        match error {
            AwsS3Error::Other(error) => Self::Postgres(error),
            error => Self::AwsS3(error),
        }
    }
}

impl From<PgUrlError> for Cause {
    fn from(error: PgUrlError) -> Self {
        Self::setting(error)
    }
}

impl From<StoreUrlError> for Cause {
    fn from(error: StoreUrlError) -> Self {
        Self::setting(error)
    }
}

impl From<SourceError> for Cause {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Store(error) => error.into(),
            SourceError::Sftp(error) => error.into(),
            SourceError::Web(error) => error.into(),
            SourceError::Git(error) => error.into(),
        }
    }
}

impl From<SourceUrlError> for Cause {
    fn from(error: SourceUrlError) -> Self {
        Self::setting(error)
    }
}

impl From<SftpUrlError> for Cause {
    fn from(error: SftpUrlError) -> Self {
        Self::setting(error)
    }
}

impl From<SftpOptionsError> for Cause {
    fn from(error: SftpOptionsError) -> Self {
        Self::setting(error)
    }
}

impl From<S3OptionsError> for Cause {
    fn from(error: S3OptionsError) -> Self {
        Self::setting(error)
    }
}

/// A failure as the outside sees it.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub struct Failure {
    /// The step that failed, if a run had begun.
    pub step: Option<&'static str>,
    pub run_id: Option<uuid::Uuid>,
    #[source]
    pub cause: Box<Cause>,
    pub database: Database,
}

impl<C: Into<Cause>> From<C> for Failure {
    /// A failure before any run began.
    fn from(cause: C) -> Self {
        Failure { step: None, run_id: None, cause: Box::new(cause.into()), database: Database::Unchanged }
    }
}

impl Failure {
    /// The exit code that goes with it.
    pub fn exit(&self) -> Exit {
        match (&*self.cause, &self.database) {
            (Cause::Locked { .. }, _) => Exit::Locked,
            (Cause::Usage { .. }, _) => Exit::Usage,
            (Cause::Interrupted, _) => Exit::Interrupted,
            (_, Database::Committed { .. }) if self.step == Some("publish") => Exit::NotPublished,
            _ => Exit::Failed,
        }
    }

    /// The causes from the outermost to the innermost, each once.
    pub fn chain(&self) -> Vec<String> {
        let mut chain = vec![self.cause.to_string()];
        let mut source = std::error::Error::source(&*self.cause);
        while let Some(error) = source {
            let text = error.to_string();
            if chain.last().is_none_or(|last| !last.ends_with(&text)) {
                chain.push(text);
            }
            source = error.source();
        }
        chain
    }

    /// The text for a person, several lines.
    pub fn render(&self) -> String {
        let mut text = String::from("error: ");
        if let Some(step) = self.step {
            let _ = write!(text, "{step} failed: ");
        }
        let chain = self.chain();
        let _ = writeln!(text, "{}", chain[0]);
        for cause in &chain[1..] {
            let _ = writeln!(text, "  because: {cause}");
        }
        if let Some(run_id) = self.run_id {
            let _ = writeln!(text, "  where: run {run_id}");
        }
        let is_usage = matches!(*self.cause, Cause::Usage { .. });
        let _ = match (is_usage, &self.database) {
            (true, Database::Unchanged) => writeln!(text, "Nothing was done."),
            _ => writeln!(text, "{}", self.database_sentence()),
        };
        let hint = self.cause.hint().unwrap_or_else(|| match self.run_id {
            Some(run_id) => format!("merganser status {run_id}"),
            None if is_usage => "merganser help COMMAND says what a command takes".to_owned(),
            None => "mend the cause, then type the same again".to_owned(),
        });
        let _ = writeln!(text, "hint: {hint}");
        text
    }

    /// Whether the database changed, in one sentence.
    pub fn database_sentence(&self) -> String {
        match &self.database {
            Database::Unchanged => "The database is unchanged.".into(),
            Database::Committed { .. } if self.step == Some("publish") => {
                "The data is committed; the public files are still those of an earlier run, or some of them. \
                 The next run publishes again."
                    .into()
            }
            Database::Committed { .. } if self.step == Some(END) => {
                "The data is committed, and the public files are written; only the ledger does not say so of the run."
                    .into()
            }
            Database::Committed { batches } => format!(
                "{batches} earlier batch(es) of this run are committed and whole; the failed one changed nothing. \
                 The next run goes on there."
            ),
            Database::Partitions { in_place } => format!(
                "Partitions that are done are committed, and the next worker goes on there; the clean table {}.",
                partitions_shown(*in_place)
            ),
            Database::Steps { loaded } => {
                format!("What {} loaded is committed; the site is the last good one.", loaded.join(" and "))
            }
            Database::Unknown => {
                "It is not known whether the database committed: it could not be asked. It holds \
                 either all of this batch or nothing of it; the next run finds out."
                    .into()
            }
        }
    }
}

/// What readers of a clean table see while some of its partitions are not done.
pub fn partitions_shown(in_place: bool) -> &'static str {
    match in_place {
        true => "has new partitions beside old ones",
        false => "is as it was",
    }
}

#[cfg(test)]
mod tests {
    use super::{Cause, Database, Failure};

    /// Whatever fails: what failed, whether anything changed, and what to type next.
    #[test]
    fn every_failure_says_what_changed_and_what_is_next() {
        let refused = || Cause::Refused { message: "the file is empty".into(), hint: None };
        let states = [
            Database::Unchanged,
            Database::Committed { batches: 1 },
            Database::Partitions { in_place: false },
            Database::Steps { loaded: vec!["catalog"] },
            Database::Unknown,
        ];
        for database in states {
            for run_id in [None, Some(uuid::Uuid::nil())] {
                for cause in [refused(), Cause::usage("no such column"), Cause::Interrupted] {
                    let failure =
                        Failure { step: None, run_id, cause: Box::new(cause), database: database.clone() };
                    let text = failure.render();
                    let lines: Vec<_> = text.lines().collect();
                    assert!(lines[0].starts_with("error: "), "{text}");
                    let told = match database {
                        Database::Unchanged => ["Nothing was done.", "The database is unchanged."].as_slice(),
                        _ => &["committed"],
                    };
                    assert!(told.iter().any(|words| text.contains(words)), "{text}");
                    assert!(lines.last().is_some_and(|line| line.starts_with("hint: ")), "{text}");
                }
            }
        }
    }
}
