//! A cleaning function in Python, run by one process that a worker keeps: whole partitions go in as Arrow, and what the
//! function makes of them comes back as Arrow.
//!
//! The process is `worker.py`. It ends when its standard input does, so it never outlives its worker. What it prints goes
//! to the log. It gets so much memory and no more ([`memory`]).

mod error;
mod memory;
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
use self::memory::Resident;
use self::packets::Packet;
use self::said::Said;

const WORKER: &str = include_str!("worker.py");

/// A function of a Python file, and what runs it.
#[derive(Clone, Debug)]
pub struct Function {
    pub interpreter: PathBuf,
    /// The job's folder: other files of it can be imported.
    pub folder: PathBuf,
    /// The file's name without `.py`.
    pub module: String,
    pub function: String,
    /// Names of columns with their types, as PostgreSQL's `format_type` says them.
    pub source: BTreeMap<String, String>,
    pub target: BTreeMap<String, String>,
}

/// What runs a function, and what it was loaded from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Versions {
    pub python: String,
    pub pandas: String,
    pub pyarrow: String,
    /// Files of the job's folder, relative to it.
    files: Vec<String>,
}

/// What a function made of one partition.
#[derive(Debug)]
pub struct Cleaned {
    pub rows: Vec<RecordBatch>,
    pub schema: SchemaRef,
    /// Largest resident size in bytes while it worked.
    pub peak_bytes: u64,
}

/// A running process with the function loaded.
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
    /// Starts the process and loads the function. Takes seconds: pandas is imported.
    pub async fn start(function: &Function) -> Result<Self, PythonError> {
        let mut process = Command::new(&function.interpreter)
            .args(["-c", WORKER])
            .current_dir(&function.folder)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C on the terminal is the worker's to hear.
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

    /// Cleans one whole partition within `memory_bytes`; `name` stands before what the function prints. After an error of
    /// the function's the process goes on; after [`PythonError::is_dead`] it is of no use any more.
    pub async fn clean(
        &mut self,
        name: &str,
        (schema, rows): (&SchemaRef, &[RecordBatch]),
        memory_bytes: u64,
    ) -> Result<Cleaned, PythonError> {
        self.said.begin(name);
        let body = packets::encode(schema, rows)?;
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

    /// Of Python and what the function is given.
    pub fn versions(&self) -> &Versions {
        &self.versions
    }

    /// Files of the job's folder that it was loaded from, relative to it.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.versions.files.iter().map(Path::new)
    }

    /// Partitions that it has cleaned.
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

    /// Sends a frame and waits for the answer to it.
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
