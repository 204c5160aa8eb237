//! The local staging store: DuckDB in a bounded memory, which spills into the run's working folder.
//!
//! It has no file of its own: nothing is ever read back after a crash, and a write-ahead log would cost as much as the
//! rows do.
//!
//! The connection is owned by one blocking task at a time and is handed on by value.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use duckdb::{Config, Connection};

use crate::sql;

/// Rows that an appender gathers, outside of the store's memory limit, before they go to its table.
const HELD_ROWS: usize = 10_000;

/// Something that DuckDB refused; `operation` completes the sentence "cannot …".
#[derive(Debug, thiserror::Error)]
pub enum DuckError {
    #[error("staging store: cannot {operation}")]
    Refused { operation: String, source: duckdb::Error },
    /// Its memory is full, and so is the disk it spills to.
    #[error("staging store: cannot {operation}: no space left on the disk of the working folder")]
    DiskFull { operation: String },
    /// Its memory is full, and what is in it cannot be spilled.
    #[error("staging store: cannot {operation}: its memory is too small")]
    OutOfMemory { operation: String },
}

/// DuckDB's errors can be told apart only by their text.
fn cannot(operation: &str, source: duckdb::Error) -> DuckError {
    let operation = operation.to_owned();
    let said = source.to_string();
    if said.contains("max_temp_directory_size") || said.contains("No space left on device") {
        DuckError::DiskFull { operation }
    } else if said.contains("memory_limit") || said.contains("Out of Memory") {
        DuckError::OutOfMemory { operation }
    } else {
        DuckError::Refused { operation, source }
    }
}

/// What the store may use of the machine.
#[derive(Clone, Copy, Debug)]
pub struct DuckLimits {
    pub memory_mib: u64,
    pub threads: usize,
}

/// A staging store.
pub struct Staging {
    connection: Connection,
    limits: DuckLimits,
}

impl Staging {
    /// Makes an empty store that spills into `folder`. Nothing is ever fetched: extensions are neither installed nor
    /// loaded.
    pub fn create(folder: &Path, limits: DuckLimits) -> Result<Self, DuckError> {
        let open = || {
            let config = Config::default()
                .with("memory_limit", format!("{}MiB", limits.memory_mib))?
                // Each statement runs on the calling thread, and several run side by side. If DuckDB's own threads
                // worked on one statement, the calling thread would spend as much time waiting for them.
                .with("threads", "1")?
                .with("temp_directory", folder.join("spill").to_string_lossy())?
                .with("autoinstall_known_extensions", "false")?
                .with("autoload_known_extensions", "false")?;
            Connection::open_in_memory_with_flags(config)
        };
        let connection = open().map_err(|source| cannot("open", source))?;
        Ok(Self { connection, limits })
    }

    /// The memory that the store may use before it spills.
    pub fn memory_mib(&self) -> u64 {
        self.limits.memory_mib
    }

    /// Sets how much memory the store may use from now on.
    pub fn give(&mut self, memory_mib: u64) -> Result<(), DuckError> {
        let limited = self.connection.execute_batch(&format!("set memory_limit = '{memory_mib}MiB'"));
        limited.map_err(|source| cannot("change its memory", source))?;
        self.limits.memory_mib = memory_mib;
        Ok(())
    }

    /// Runs a script; `operation` completes the sentence "cannot …".
    pub fn execute(
        &self,
        operation: &str,
        script: &str,
        variables: &[(&str, &str)],
    ) -> Result<(), DuckError> {
        execute(&self.connection, operation, script, variables)
    }

    /// Runs the statements that make a table or a view in their order, then the others, which are independent, on as many threads as
    /// the store may use, and `after` after each of these. A statement that ran out of memory beside others is run again alone.
    pub fn execute_each<E: From<DuckError> + Send>(
        &self,
        operation: &str,
        statements: &[&str],
        variables: &[(&str, &str)],
        after: impl Fn() -> Result<(), E> + Sync,
    ) -> Result<(), E> {
        let (makers, statements): (Vec<&str>, Vec<&str>) =
            statements.iter().partition(|statement| is_maker(statement));
        for statement in makers {
            execute(&self.connection, operation, statement, variables)?;
        }
        let (next, alone) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let is_shared = self.limits.threads > 1;
        let work = |connection: &Connection| -> Result<(), E> {
            while let Some(statement) = statements.get(next.fetch_add(1, Ordering::Relaxed)) {
                match execute(connection, operation, statement, variables) {
                    Err(DuckError::OutOfMemory { .. }) if is_shared => {
                        alone.lock().unwrap_or_else(PoisonError::into_inner).push(statement);
                    }
                    done => {
                        done?;
                        after()?;
                    }
                }
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let mut others = Vec::new();
            for _ in 1..self.limits.threads {
                let connection = self.connection.try_clone().map_err(|source| cannot(operation, source))?;
                others.push(scope.spawn(move || work(&connection)));
            }
            let mine = work(&self.connection);
            others
                .into_iter()
                .map(|other| other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .fold(mine, Result::and)
        })?;
        for statement in alone.into_inner().unwrap_or_else(PoisonError::into_inner) {
            execute(&self.connection, operation, statement, variables)?;
            after()?;
        }
        Ok(())
    }

    /// Runs a query and takes each row by `read`.
    pub fn query<T>(
        &self,
        operation: &str,
        query: &str,
        read: impl FnMut(&duckdb::Row<'_>) -> duckdb::Result<T>,
    ) -> Result<Vec<T>, DuckError> {
        let rows =
            || -> duckdb::Result<Vec<T>> { self.connection.prepare(query)?.query_map([], read)?.collect() };
        rows().map_err(|source| cannot(operation, source))
    }

    /// Runs text that is not ours exactly as it is: no variable is replaced in it.
    pub fn run(&self, operation: &str, text: &str) -> Result<(), DuckError> {
        self.connection.execute_batch(text).map_err(|source| cannot(operation, source))
    }

    /// Runs a query and takes all its rows as Arrow has them.
    pub fn batches(&self, operation: &str, query: &str) -> Result<Vec<RecordBatch>, DuckError> {
        let rows = || -> duckdb::Result<Vec<RecordBatch>> {
            Ok(self.connection.prepare(query)?.query_arrow([])?.collect())
        };
        rows().map_err(|source| cannot(operation, source))
    }

    /// Runs a query and passes its rows to `each` chunk by chunk, so that they are not in memory twice; an error of `each` ends it.
    pub fn each<E>(
        &self,
        operation: &str,
        query: &str,
        each: impl FnMut(RecordBatch) -> Result<(), E>,
    ) -> Result<Result<(), E>, DuckError> {
        let rows = || -> duckdb::Result<_> {
            Ok(self.connection.prepare(query)?.query_arrow([])?.try_for_each(each))
        };
        rows().map_err(|source| cannot(operation, source))
    }

    /// Runs a query and returns only its columns.
    pub fn schema(&self, operation: &str, query: &str) -> Result<SchemaRef, DuckError> {
        let schema = || -> duckdb::Result<SchemaRef> {
            Ok(self.connection.prepare(query)?.query_arrow([])?.get_schema())
        };
        schema().map_err(|source| cannot(operation, source))
    }

    /// Opens a transaction for appending rows; it is rolled back unless [`Load::commit`] is called.
    pub fn load(&mut self) -> Result<Load<'_>, DuckError> {
        self.execute("begin a transaction", "begin transaction", &[])?;
        Ok(Load { connection: &self.connection, appenders: HashMap::new(), rows: 0, open: true })
    }
}

/// Whether the first word after a statement's comments is `create`.
fn is_maker(statement: &str) -> bool {
    let mut lines = statement.lines().map(str::trim_start).filter(|line| !line.starts_with("--"));
    lines.find(|line| !line.is_empty()).is_some_and(|line| line.starts_with("create "))
}

fn execute(
    connection: &Connection,
    operation: &str,
    script: &str,
    variables: &[(&str, &str)],
) -> Result<(), DuckError> {
    connection.execute_batch(&sql::render(script, variables)).map_err(|source| cannot(operation, source))
}

/// A transaction of appends.
pub struct Load<'a> {
    connection: &'a Connection,
    /// By table, with the rows that the appender holds.
    appenders: HashMap<String, (duckdb::Appender<'a>, usize)>,
    rows: u64,
    open: bool,
}

impl Load<'_> {
    /// Appends text columns, one cell per row, to a table that has these columns in this order.
    pub fn append_texts(&mut self, table: &str, columns: Vec<(&str, StringArray)>) -> Result<(), DuckError> {
        let field = |(name, _): &(&str, StringArray)| Field::new(*name, DataType::Utf8, true);
        let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
        let arrays = columns.into_iter().map(|(_, cells)| Arc::new(cells) as ArrayRef).collect();
        let rows = RecordBatch::try_new(Arc::new(schema), arrays).expect("each column has a cell a row");
        self.append(table, rows)
    }

    /// Appends a chunk of rows, in order, to a table with the same columns.
    pub fn append(&mut self, table: &str, rows: RecordBatch) -> Result<(), DuckError> {
        let failed = |source| cannot(&format!("append to {table}"), source);
        if !self.appenders.contains_key(table) {
            let appender = self.connection.appender(table).map_err(failed)?;
            self.appenders.insert(table.into(), (appender, 0));
        }
        let (appender, held) = self.appenders.get_mut(table).expect("an appender was just put in");
        self.rows += rows.num_rows() as u64;
        *held += rows.num_rows();
        appender.append_record_batch(rows).map_err(failed)?;
        if *held >= HELD_ROWS {
            *held = 0;
            appender.flush().map_err(failed)?;
        }
        Ok(())
    }

    /// Flushes what is buffered and commits; gives the number of rows.
    pub fn commit(mut self) -> Result<u64, DuckError> {
        // An appender that is only dropped loses its error.
        for (table, (appender, _)) in &mut self.appenders {
            appender.flush().map_err(|source| cannot(&format!("append to {table}"), source))?;
        }
        self.appenders.clear();
        self.connection.execute_batch("commit").map_err(|source| cannot("commit", source))?;
        self.open = false;
        Ok(self.rows)
    }
}

impl Drop for Load<'_> {
    fn drop(&mut self) {
        self.appenders.clear();
        if self.open {
            // Nothing is lost when this fails: the store is dropped with the run.
            let _ = self.connection.execute_batch("rollback");
        }
    }
}
