//! The values that are written to the ledger and read from it.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;
use uuid::Uuid;

use crate::dataset::asked::AskedPart;
use crate::dataset::slice::Slice;
use crate::error::Cause;
use crate::words;

/// What a run does; the ledger's word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Run,
    Reprocess,
    Retry,
    Adopt,
    Purge,
    Backfill,
    Reference,
    Undo,
}

impl Kind {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Run => "run",
            Kind::Reprocess => "reprocess",
            Kind::Retry => "retry",
            Kind::Adopt => "adopt",
            Kind::Purge => "purge",
            Kind::Backfill => "backfill",
            Kind::Reference => "reference",
            Kind::Undo => "undo",
        }
    }
}

/// How a run ended; the ledger's word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Completed,
    CompletedWithFailures,
    Failed,
    Interrupted,
    RolledBack,
}

impl Status {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Completed => "completed",
            Status::CompletedWithFailures => "completed_with_failures",
            Status::Failed => "failed",
            Status::Interrupted => "interrupted",
            Status::RolledBack => "rolled_back",
        }
    }
}

/// A run as it begins.
#[derive(Debug)]
pub struct NewRun {
    pub run_id: Uuid,
    pub kind: Kind,
    pub dry_run: bool,
    pub options: Value,
}

/// A file as it is taken up.
#[derive(Debug)]
pub struct NewPart<'a> {
    pub batch: i32,
    pub name: &'a str,
    pub source: &'a str,
    /// `None`: it could not be fetched.
    pub sha256: Option<&'a str>,
    pub size_bytes: u64,
    pub as_of: Option<Date>,
    pub order_key: &'a str,
    /// When it was last changed at its source, where that counts.
    pub modified: Option<Timestamp>,
    /// If it is an answer: the slice that was asked for, and its number of records, if known.
    pub asked: Option<(&'a Slice, Option<u64>)>,
}

/// An answer in the archive.
#[derive(Debug)]
pub struct ArchivedPart<'a> {
    pub part: &'a AskedPart,
    /// Who gave it.
    pub source: &'a str,
    pub as_of: Option<Date>,
    pub order_key: &'a str,
}

/// The newest posting of a file whose records went into production.
#[derive(Clone, Debug)]
pub struct KnownPart {
    pub part_id: i64,
    pub name: String,
    pub size_bytes: u64,
    /// `None`: it was adopted and never read.
    pub sha256: Option<String>,
    /// When it was last changed at its source; `None`: not known.
    pub modified: Option<Timestamp>,
    /// It was read to its end.
    pub is_done: bool,
    /// Some of its records failed and are not resolved.
    pub has_failures: bool,
    /// Its result was undone: no run takes it again by itself.
    pub is_undone: bool,
    /// The checksums of all content of this name whose result was undone.
    pub undone_sha256: Vec<String>,
}

/// A failed record that may be tried again: its place in a file of that name and size.
#[derive(Debug)]
pub struct Place {
    pub file: String,
    pub size_bytes: u64,
    pub ordinal: u64,
}

/// What the ledger knows of one failed record.
#[derive(Debug)]
pub struct KnownFailure {
    pub file: String,
    pub target_schema: String,
    /// 0: outside any record.
    pub ordinal: u64,
    /// How it was settled, if it is.
    pub resolution: Option<String>,
}

/// What the parser and the checks found in a file.
#[derive(Debug)]
pub struct PartFindings {
    /// False: nothing of it can be used.
    pub readable: bool,
    pub records_seen: u64,
    pub records_failed: u64,
    pub unknown: Value,
    pub error: Option<String>,
}

/// A failed record as the ledger keeps it.
#[derive(Debug)]
pub struct NewFailure {
    pub part_id: i64,
    pub record_id: Option<String>,
    pub ordinal: i64,
    pub offset_bytes: i64,
    pub table: Option<String>,
    pub field: Option<String>,
    pub value: Option<String>,
    pub reason: String,
    pub fragment: Option<String>,
    /// What may have been meant.
    pub suggestion: Option<String>,
}

/// Proves that the expected number of rows was written to a table of the ledger: a trigger or a rule that somebody put
/// there may swallow rows.
///
/// # Errors
/// [`Cause::Refused`] with both numbers.
pub fn confirm_written(table: &str, expected: u64, found: u64) -> Result<(), Cause> {
    if expected == found {
        return Ok(());
    }
    Err(Cause::Refused {
        message: format!(
            "a trigger or rule changed what was written: of {} for the ledger's {table}, the server \
             reports {}",
            words::counted(expected, "row"),
            words::count(found)
        ),
        hint: Some("remove the trigger or rule on that table, then run again".into()),
    })
}
