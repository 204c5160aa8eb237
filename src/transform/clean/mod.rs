//! The cleaning: takes the rows of whole partitions and returns clean rows, or an error in words. Reading, claiming and writing
//! are the same for every kind of cleaning; only this module differs.

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

/// A cleaning that is ready for rows. Its methods block, and only one thread may use it at a time.
pub enum Cleaning {
    Sql(SqlCleaning),
    /// In a box, because it is far larger than the other variant.
    Python(Box<PythonCleaning>),
}

/// The reasons why rows could not be cleaned.
#[derive(Debug, thiserror::Error)]
pub enum CleaningError {
    /// The cleaning failed; the text goes into the ledger. It may be tried with other rows.
    #[error("{0}")]
    Failed(String),
    /// This machine cannot clean any rows: the interpreter is not there.
    #[error("{0}")]
    Machine(String),
    /// The cleaning exceeded its memory limit; the rows may be tried again alone, with a higher limit.
    #[error("the cleaning took more than its share of the memory: {words}")]
    Memory { words: String },
}

impl Cleaning {
    /// Prepares a job's cleaning and tries it on no rows, which finds faults that do not depend on data. `folder` is for what
    /// does not fit into memory; `raw` and `target` are the columns of the raw and of the clean table. Call this where a thread
    /// may block.
    ///
    /// # Errors
    /// In words, for example that a file has an error, or that a function or a program is missing.
    pub fn open(
        job: &Job,
        folder: &Path,
        limits: DuckLimits,
        (raw, target): (&[PgColumn], &[PgColumn]),
    ) -> Result<Self, CleaningError> {
        let (raw, target) = (&schema(raw), &schema(target));
        match &job.clean.with {
            CleanWith::Sql { query, .. } => {
                SqlCleaning::open((&job.folder, folder), limits, query, raw).map(Self::Sql)
            }
            CleanWith::Python { file, function, interpreter } => {
                let place = (job.folder.as_path(), file.as_str(), function.as_str());
                let memory_bytes = limits.memory_mib << 20;
                let opened = PythonCleaning::open(place, interpreter.as_deref(), memory_bytes, (raw, target));
                opened.map(|cleaning| Self::Python(Box::new(cleaning)))
            }
        }
    }

    /// Sets the memory limit for the following calls.
    pub fn give(&mut self, memory_mib: u64) -> Result<(), CleaningError> {
        match self {
            Self::Sql(cleaning) => cleaning.give(memory_mib),
            Self::Python(cleaning) => {
                cleaning.give(memory_mib << 20);
                Ok(())
            }
        }
    }

    /// The columns of the clean rows, found by cleaning no rows.
    pub fn columns(&mut self) -> Result<SchemaRef, CleaningError> {
        match self {
            Self::Sql(cleaning) => cleaning.columns(),
            Self::Python(cleaning) => cleaning.columns(),
        }
    }

    /// The peak size in bytes of a process that the cleaning uses besides this one; 0 without such a process.
    pub fn beside_bytes(&self) -> u64 {
        match self {
            Self::Sql(_) => 0,
            Self::Python(cleaning) => cleaning.peak_bytes(),
        }
    }

    /// Cleans the rows of whole partitions: `rows` must hold all rows of each, and no others. `name` identifies them in the
    /// log. `each` takes the clean rows, batch by batch, so that they are not in memory twice; an error of `each` ends the cleaning.
    ///
    /// All batches have the same schema; columns are identified by name. There may be none.
    pub fn clean<E: From<CleaningError>>(
        &mut self,
        name: &str,
        rows: Vec<RecordBatch>,
        each: impl FnMut(RecordBatch) -> Result<(), E>,
    ) -> Result<(), E> {
        tracing::debug!(partition = name, "clean {name}");
        match self {
            Self::Sql(cleaning) => cleaning.clean(rows, each)?,
            Self::Python(cleaning) => cleaning.clean(name, rows)?.into_iter().try_for_each(each),
        }
    }
}

/// For a cleaning that cannot be prepared; errors about rows go into the ledger instead.
impl From<CleaningError> for Cause {
    fn from(error: CleaningError) -> Self {
        let hint = match error {
            CleaningError::Failed(_) => "correct [clean] of the job, then run the same command again",
            CleaningError::Machine(_) => "correct this machine, then run the same command again",
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
