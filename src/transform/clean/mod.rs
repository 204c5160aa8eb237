//! The cleaning: rows of whole partitions in, rows out, or an error in words. Everything that reads, claims and writes is the
//! same for every way to clean; this is all that differs.

mod python;
mod sql;

use std::path::Path;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::columns::{PgColumn, schema};
use super::job::{CleanWith, Job};
use crate::clients::duckdb::{DuckError, DuckLimits};
use crate::error::Cause;
pub use python::{PythonCleaning, pandas_major};
pub use sql::SqlCleaning;

/// A way to clean, ready for the next rows. It blocks, and belongs to one thread at a time.
pub enum Cleaning {
    Sql(SqlCleaning),
    /// Boxed: it is far larger.
    Python(Box<PythonCleaning>),
}

/// Why rows could not be cleaned.
#[derive(Debug, thiserror::Error)]
pub enum CleaningError {
    /// The cleaning itself failed; the words are for the ledger. The next rows may be tried.
    #[error("{0}")]
    Failed(String),
    /// It took more memory than its share: these rows may be tried alone, with more.
    #[error("the cleaning took more than its share of the memory: {words}")]
    Memory { words: String },
}

impl Cleaning {
    /// Makes a job's way to clean ready and tries it on no rows: what can be wrong with it by itself is found here. `folder` is
    /// for what does not fit into memory; `raw` and `target` are the columns of the raw table and of the clean one. Call it where
    /// a thread may block.
    ///
    /// # Errors
    /// In words: a file that has an error, a function that is not there, a program that is missing.
    pub fn open(
        job: &Job,
        folder: &Path,
        limits: DuckLimits,
        (raw, target): (&[PgColumn], &[PgColumn]),
    ) -> Result<Self, CleaningError> {
        let (raw, target) = (&schema(raw), &schema(target));
        match &job.clean.with {
            CleanWith::Sql { query, .. } => SqlCleaning::open(folder, limits, query, raw).map(Self::Sql),
            CleanWith::Python { file, function, interpreter } => {
                let place = (job.folder.as_path(), file.as_str(), function.as_str());
                let memory_bytes = limits.memory_mib << 20;
                let opened = PythonCleaning::open(place, interpreter.as_deref(), memory_bytes, (raw, target));
                opened.map(|cleaning| Self::Python(Box::new(cleaning)))
            }
        }
    }

    /// Lets it take so much memory from now on.
    pub fn give(&mut self, memory_mib: u64) -> Result<(), CleaningError> {
        match self {
            Self::Sql(cleaning) => cleaning.give(memory_mib),
            Self::Python(cleaning) => {
                cleaning.give(memory_mib << 20);
                Ok(())
            }
        }
    }

    /// The columns that come out, found without any row.
    pub fn columns(&mut self) -> Result<SchemaRef, CleaningError> {
        match self {
            Self::Sql(cleaning) => cleaning.columns(),
            Self::Python(cleaning) => cleaning.columns(),
        }
    }

    /// The largest size in bytes so far of a process that it keeps beside this one.
    pub fn beside_bytes(&self) -> u64 {
        match self {
            Self::Sql(_) => 0,
            Self::Python(cleaning) => cleaning.peak_bytes(),
        }
    }

    /// Cleans the rows of whole partitions: all rows of each, and no others. `name` says in the log which they are.
    ///
    /// The batches of rows out have one schema, whose columns are told by name; there may be none of them.
    pub fn clean(&mut self, name: &str, rows: &[RecordBatch]) -> Result<Vec<RecordBatch>, CleaningError> {
        tracing::debug!(partition = name, "clean {name}");
        match self {
            Self::Sql(cleaning) => cleaning.clean(rows),
            Self::Python(cleaning) => cleaning.clean(name, rows),
        }
    }
}

/// Of a cleaning that cannot begin; what it says of rows is for the ledger.
impl From<CleaningError> for Cause {
    fn from(error: CleaningError) -> Self {
        let hint = match error {
            CleaningError::Failed(_) => "correct [clean] of the job, then run the same command again",
            CleaningError::Memory { .. } => {
                "give it more with --memory, or make the groups smaller: [source] group_rows"
            }
        };
        Self::Refused { message: format!("the cleaning cannot begin: {error}"), hint: Some(hint.into()) }
    }
}

impl From<DuckError> for CleaningError {
    fn from(error: DuckError) -> Self {
        let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        let words = format!("{error}: {source}").trim_end_matches(": ").to_owned();
        match error {
            DuckError::Refused { .. } => Self::Failed(words),
            DuckError::DiskFull { .. } | DuckError::OutOfMemory { .. } => Self::Memory { words },
        }
    }
}
