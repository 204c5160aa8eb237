//! Runs a cleaning function in a Python process that a worker keeps. Whole partitions are sent to it as Arrow, and the clean
//! rows come back as Arrow.
//!
//! The process runs `worker.py`. It ends when its standard input is closed, so it never outlives its worker. Its output goes to
//! the log. Its memory is limited.

mod error;
mod packets;
mod said;

pub use error::PythonError;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use serde::Deserialize;
use serde_json::json;
use tokio::process::{ChildStdin, ChildStdout, Command};

use self::error::ended;
use self::packets::Packet;
use self::said::Said;
use super::resident::Resident;

const WORKER: &str = include_str!("worker.py");

/// A function in a Python file, and the interpreter that runs it.
#[derive(Clone, Debug)]
pub struct Function {
    pub interpreter: PathBuf,
    /// The job's folder; its other files can be imported.
    pub folder: PathBuf,
    /// The name of the file without `.py`.
    pub module: String,
    pub function: String,
    /// The types of the raw columns by name, as PostgreSQL's `format_type` writes them.
    pub source: BTreeMap<String, String>,
    /// The same of the clean columns.
    pub target: BTreeMap<String, String>,
}

/// The versions that a function runs with, and the files it was loaded from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Versions {
    pub python: String,
    pub pandas: String,
    pub pyarrow: String,
    /// Imported files of the job's folder, relative to it.
    files: Vec<String>,
}

/// The result of cleaning one partition.
#[derive(Debug)]
pub struct Cleaned {
    pub rows: Vec<RecordBatch>,
    pub schema: SchemaRef,
    /// The largest resident size of the process in bytes while it cleaned.
    pub peak_bytes: u64,
}

/// A running process that has loaded the function.
pub struct Python {
    process: tokio::process::Child,
    input: ChildStdin,
    output: ChildStdout,
    said: Said,
    versions: Versions,
    partitions: u64,
}

/// The header of an answer.
#[derive(Deserialize)]
struct AnswerHeader {
    error: Option<String>,
    #[serde(default)]
    traceback: String,
}

impl Python {
    /// Starts the process and loads the function. This takes seconds, because it imports pandas.
    pub async fn start(function: &Function) -> Result<Self, PythonError> {
        let mut process = Command::new(&function.interpreter)
            .args(["-c", WORKER])
            .current_dir(&function.folder)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C on the terminal must reach only the worker.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| PythonError::NotStarted {
                interpreter: function.interpreter.clone(),
                source,
            })?;
        let missing = || PythonError::Lost { how: "its streams are missing".into() };
        let input = process.stdin.take().ok_or_else(missing)?;
        let output = process.stdout.take().ok_or_else(missing)?;
        let said = Said::listen(process.stderr.take().ok_or_else(missing)?);
        let mut python = Self { process, input, output, said, versions: Versions::default(), partitions: 0 };
        let start = json!({
            "folder": function.folder,
            "module": function.module,
            "function": function.function,
            "types": { "source": function.source, "target": function.target },
        });
        let (header, _) = python.ask(Packet { header: start, body: Vec::new() }).await?;
        python.versions = serde_json::from_value(header).map_err(PythonError::not_a_frame)?;
        tracing::debug!(versions = ?python.versions, "the function is loaded");
        Ok(python)
    }

    /// Cleans one whole partition within `memory_bytes`; `name` precedes in the log what the function prints. The process
    /// continues after an exception of the function; after an error for which [`PythonError::is_dead`] is true it must be
    /// replaced.
    pub async fn clean(
        &mut self,
        name: &str,
        (schema, rows): (&SchemaRef, Vec<RecordBatch>),
        memory_bytes: u64,
    ) -> Result<Cleaned, PythonError> {
        self.said.begin(name);
        let body = packets::encode(schema, &rows)?;
        drop(rows);
        let frame = Packet { header: json!({ "partition": name }), body };
        let pid = self.process.id().ok_or_else(|| PythonError::Lost { how: "it has ended before".into() })?;
        let watch = Resident::begin(pid, memory_bytes);
        let answered = tokio::select! {
            answered = self.ask(frame) => answered,
            () = watch.passed() => Err(PythonError::Killed),
        };
        let peak_bytes = watch.peak_bytes();
        self.said.end(name);
        if matches!(answered, Err(PythonError::Killed)) {
            self.kill().await;
            return Err(PythonError::Memory { limit_bytes: memory_bytes, peak_bytes });
        }
        let (_, body) = answered?;
        self.partitions += 1;
        let (schema, rows) = packets::decode(body)?;
        Ok(Cleaned { rows, schema, peak_bytes })
    }

    /// The versions of Python and of the libraries.
    pub fn versions(&self) -> &Versions {
        &self.versions
    }

    /// The files of the job's folder that were imported, relative to it.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.versions.files.iter().map(Path::new)
    }

    /// The number of partitions that the process has cleaned.
    pub fn partitions(&self) -> u64 {
        self.partitions
    }

    /// Ends the process and waits until it is gone.
    pub async fn stop(mut self) {
        self.kill().await;
    }

    async fn kill(&mut self) {
        self.process.start_kill().ok();
        self.process.wait().await.ok();
    }

    /// Sends a packet and waits for the answer.
    async fn ask(&mut self, frame: Packet) -> Result<(serde_json::Value, Vec<u8>), PythonError> {
        let exchanged = async {
            packets::write(&mut self.input, frame).await?;
            packets::read(&mut self.output).await
        };
        let Packet { header, body } = match exchanged.await {
            Ok(frame) => frame,
            Err(error) => return Err(ended(&mut self.process, error, self.said.last()).await),
        };
        let answer = AnswerHeader::deserialize(&header).map_err(PythonError::not_a_frame)?;
        match answer.error {
            Some(error) => Err(PythonError::Raised { error, traceback: answer.traceback }),
            None => Ok((header, body)),
        }
    }
}
