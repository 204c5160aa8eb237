//! Cleaning in Python: a process loads the function of the job's author and gets one whole partition at a time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use tokio::runtime::Handle;

use super::CleaningError;
use crate::transform::columns::PG_TYPE;
use crate::transform::python::{Function, Python, PythonError};

/// The process is replaced after so many partitions, so that memory which the function leaks does not add up.
const PARTITIONS: u64 = 1_000;

/// A Python process with the function of a job.
pub struct PythonCleaning {
    function: Function,
    memory_bytes: u64,
    schema: SchemaRef,
    /// `None`: a process is started for the next partition.
    python: Option<Python>,
    runtime: Handle,
    peak_bytes: u64,
}

impl PythonCleaning {
    /// Starts Python and loads `function` from `file`, a path in `folder`. `interpreter` is the job's own; without one, the
    /// interpreter of the virtual environment is used, otherwise `python3`. `schema` is the schema of the raw rows, `target`
    /// that of the clean ones. Call this on a thread that may block, within a runtime.
    ///
    /// # Errors
    /// In words: Python or pandas is missing, the file has an error, or there is no such function.
    pub fn open(
        (folder, file, function): (&Path, &str, &str),
        interpreter: Option<&str>,
        memory_bytes: u64,
        (schema, target): (&SchemaRef, &SchemaRef),
    ) -> Result<Self, CleaningError> {
        let module = file.strip_suffix(".py").unwrap_or(file).replace('/', ".");
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let function = Function {
            interpreter: interpreter_of(interpreter, &folder),
            folder,
            module,
            function: function.to_owned(),
            source: types(schema),
            target: types(target),
        };
        let runtime = Handle::current();
        let python = wait(&runtime, Python::start(&function))?;
        let (schema, python) = (schema.clone(), Some(python));
        Ok(Self { function, memory_bytes, schema, python, runtime, peak_bytes: 0 })
    }

    /// Sets the memory limit of the process in bytes.
    pub fn give(&mut self, memory_bytes: u64) {
        self.memory_bytes = memory_bytes;
    }

    /// Cleans the raw rows of one partition. `name` precedes in the log what the function prints.
    pub fn clean(&mut self, name: &str, rows: Vec<RecordBatch>) -> Result<Vec<RecordBatch>, CleaningError> {
        self.ask(name, rows).map(|(_, rows)| rows)
    }

    /// The columns of the result for no rows.
    pub fn columns(&mut self) -> Result<SchemaRef, CleaningError> {
        self.ask("no rows", Vec::new()).map(|(schema, _)| schema).map_err(|error| match error {
            CleaningError::Failed(words) => {
                CleaningError::Failed(format!("called with a frame of no rows: {words}"))
            }
            error => error,
        })
    }

    /// The largest resident size of the process in bytes that was seen.
    pub fn peak_bytes(&self) -> u64 {
        self.peak_bytes
    }

    fn ask(
        &mut self,
        name: &str,
        rows: Vec<RecordBatch>,
    ) -> Result<(SchemaRef, Vec<RecordBatch>), CleaningError> {
        let runtime = self.runtime.clone();
        let mut python = match self.python.take() {
            Some(python) if python.partitions() < PARTITIONS => python,
            worn => {
                if let Some(worn) = worn {
                    wait(&runtime, worn.stop());
                }
                wait(&runtime, Python::start(&self.function))?
            }
        };
        let cleaned = wait(&runtime, python.clean(name, (&self.schema, rows), self.memory_bytes));
        match cleaned {
            Ok(cleaned) => {
                self.peak_bytes = self.peak_bytes.max(cleaned.peak_bytes);
                self.python = Some(python);
                Ok((cleaned.schema, cleaned.rows))
            }
            Err(error) => {
                if !error.is_dead() {
                    self.python = Some(python);
                }
                Err(error.into())
            }
        }
    }
}

/// The major version of pandas that a job's function runs with, because another one may clean differently. Nothing is imported
/// to find it.
///
/// # Errors
/// In words, if there is no Python or it does not have pandas.
pub fn pandas_major(interpreter: Option<&str>, folder: &Path) -> Result<String, CleaningError> {
    let interpreter = interpreter_of(interpreter, folder);
    let code = "import importlib.metadata as m; print(m.version('pandas'))";
    let output = Command::new(&interpreter).args(["-c", code]).current_dir(folder).output();
    let output =
        output.map_err(|source| PythonError::NotStarted { interpreter: interpreter.clone(), source })?;
    let version = String::from_utf8_lossy(&output.stdout);
    let major: String = version.trim().chars().take_while(char::is_ascii_digit).collect();
    match output.status.success() && !major.is_empty() {
        true => Ok(major),
        false => {
            let python = interpreter.display();
            let words = format!("{python} has no pandas: {python} -m pip install pandas pyarrow");
            Err(CleaningError::Failed(words))
        }
    }
}

/// Waits for a future on a thread that may block.
fn wait<T>(runtime: &Handle, work: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| runtime.block_on(work))
}

impl From<PythonError> for CleaningError {
    fn from(error: PythonError) -> Self {
        let words = error.to_string();
        match error {
            PythonError::Memory { .. } => Self::Memory { words },
            PythonError::NotStarted { .. } => Self::Machine(words),
            _ if error.traceback().is_empty() => Self::Failed(words),
            _ => Self::Failed(format!("{words}\n{}", error.traceback().trim_end())),
        }
    }
}

/// PostgreSQL's names for the types of a schema's columns.
fn types(schema: &SchemaRef) -> BTreeMap<String, String> {
    let named = |name: &str| name.to_owned();
    let kind =
        |field: &arrow::datatypes::Field| field.metadata().get(PG_TYPE).cloned().unwrap_or(named("text"));
    schema.fields().iter().map(|field| (named(field.name()), kind(field))).collect()
}

/// The Python to run. A name with a slash is a file, relative to the job's folder.
fn interpreter_of(said: Option<&str>, folder: &Path) -> PathBuf {
    match (said, std::env::var_os("VIRTUAL_ENV")) {
        (Some(said), _) if said.contains('/') => folder.join(said),
        (Some(said), _) => said.into(),
        (None, Some(environment)) if !environment.is_empty() => Path::new(&environment).join("bin/python"),
        (None, _) => "python3".into(),
    }
}
