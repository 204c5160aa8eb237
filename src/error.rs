//! Errors as a person reads them: what failed, where, whether the database changed, what to do next.

mod hints;

use std::fmt::Write as _;
use std::process::ExitCode;

use crate::clients::duckdb::DuckError;
use crate::clients::git::GitError;
use crate::clients::http::HttpSetupError;
use crate::clients::postgres::aws_s3::AwsS3Error;
use crate::clients::postgres::{PgError, PgUrlError};
use crate::clients::sftp::{SftpError, SftpOptionsError, SftpUrlError};
use crate::clients::source::{SourceError, SourceUrlError};
use crate::clients::store::{S3OptionsError, StoreError, StoreUrlError};
use crate::clients::web::WebError;
use crate::dataset::ParseError;
use crate::datasets::samples::SampleFault;
use crate::embedded::EmbeddedError;
use crate::words::counted;

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
    /// Objects of the archive, with their checksums in the ledger, that were changed before the failure; no table was.
    Rewritten {
        objects: usize,
    },
    /// Partitions that this worker or others committed before.
    Partitions {
        in_place: bool,
    },
    /// Partitions of a version that is not made any more: nobody continues them.
    GivenUp {
        in_place: bool,
    },
    /// The connection broke while COMMIT was under way and the ledger cannot be asked.
    Unknown,
    /// Datasets that earlier steps of a build have loaded.
    Steps {
        loaded: Vec<&'static str>,
    },
    /// The process broke off, and nobody has counted what it had committed.
    BrokenOff,
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
    /// The program panicked.
    #[error("a defect of merganser, {place}: {message}")]
    Defect { place: String, message: String },
}

#[cfg(feature = "failpoints")]
impl From<crate::fault::Struck> for Cause {
    fn from(struck: crate::fault::Struck) -> Self {
        Cause::io("go on")(struck.0)
    }
}

/// The step in which a run has done its work and only has to record that in the ledger.
pub const END: &str = "end";

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

    /// An error of COMMIT: if the connection is lost, it is not known whether it took place.
    pub fn of_commit(error: PgError) -> Cause {
        match error {
            source @ PgError::ConnectionLost(_) => Cause::CommitUnknown { source },
            error => error.into(),
        }
    }

    /// The caller asked for something that is not possible.
    pub fn usage(message: impl Into<String>) -> Cause {
        Cause::Usage { message: message.into(), hint: None }
    }

    /// A text that is not valid for a setting.
    fn setting(error: impl std::fmt::Display) -> Cause {
        Cause::Usage { message: error.to_string(), hint: None }
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

impl From<HttpSetupError> for Cause {
    fn from(error: HttpSetupError) -> Self {
        Self::Refused {
            message: error.to_string(),
            hint: Some(
                "see that this machine has certificates (the package ca-certificates), then run the same command again"
                    .into(),
            ),
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
    ///
    /// `command`: the command that was typed, without its arguments.
    pub fn render(&self, command: &str) -> String {
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
        let _ = writeln!(text, "{}", self.database_sentence());
        let _ = writeln!(text, "Next: {}", self.hint(command));
        text
    }

    /// What to type next, in a line.
    pub fn hint(&self, command: &str) -> String {
        self.cause.hint().unwrap_or_else(|| match (self.run_id, &*self.cause) {
            (Some(run_id), _) => format!("merganser status {run_id}"),
            (None, Cause::Usage { .. }) => format!("merganser help {command} says what it takes"),
            (None, _) => "remove the cause, then run the same command again".to_owned(),
        })
    }

    fn is_usage(&self) -> bool {
        matches!(*self.cause, Cause::Usage { .. })
    }

    /// Whether the database changed, in one sentence.
    pub fn database_sentence(&self) -> String {
        match &self.database {
            Database::Unchanged if self.is_usage() && self.run_id.is_none() => "Nothing was done.".into(),
            Database::Unchanged => "The database is unchanged.".into(),
            Database::Committed { .. } if self.step == Some("publish") => {
                "The data is committed; the public files are still those of an earlier run, or some of them. \
                 The next run publishes again."
                    .into()
            }
            Database::Committed { .. } if self.step == Some(END) => {
                "The work of this run is done and committed; only its end is missing in the ledger.".into()
            }
            Database::Committed { batches } => format!(
                "{} of this run {} committed and whole; the failed one changed nothing. \
                 The next run continues from there.",
                counted(*batches as u64, "earlier batch"),
                if *batches == 1 { "is" } else { "are" }
            ),
            Database::Rewritten { objects } => format!(
                "The tables are unchanged; {} of the archive rewritten already. The same command does the rest.",
                counted(*objects as u64, "object")
            ),
            Database::Partitions { in_place } => format!(
                "Partitions that are done are committed, and the next worker continues from there; the clean table {}.",
                partitions_shown(*in_place)
            ),
            Database::GivenUp { in_place } => {
                format!(
                    "What was not committed is rolled back; the clean table {}.",
                    partitions_shown(*in_place)
                )
            }
            Database::Steps { loaded } => {
                format!("What {} loaded is committed; the site is the last good one.", loaded.join(" and "))
            }
            Database::BrokenOff => {
                "What was not committed is rolled back; what was committed stays, and the ledger has it."
                    .into()
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
        false => "is unchanged",
    }
}

#[cfg(test)]
mod tests;
