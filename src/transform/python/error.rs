//! Errors of the Python process.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::time::Duration;

use crate::words;

/// The reasons why a partition was not cleaned.
#[derive(Debug, thiserror::Error)]
pub enum PythonError {
    #[error("cannot start {}: {source}", .interpreter.display())]
    NotStarted { interpreter: PathBuf, source: std::io::Error },
    /// The function raised an exception; the process continues.
    #[error("{error}")]
    Raised { error: String, traceback: String },
    /// The process was ended because it exceeded its memory limit.
    #[error("it took {} of memory, and {} are its share", words::size(*.peak_bytes), words::size(*.limit_bytes))]
    Memory { limit_bytes: u64, peak_bytes: u64 },
    /// The process was killed, by us or by the kernel, which kills a process when memory runs out.
    #[error("the Python process was killed")]
    Killed,
    /// The process ended by itself.
    #[error("the Python process is gone: {how}")]
    Lost { how: String },
    #[error("the Python process said something that is no answer")]
    NotAnAnswer { source: serde_json::Error },
    #[error("the rows cannot be handed to Python, or taken from it")]
    Arrow {
        #[from]
        source: arrow::error::ArrowError,
    },
}

/// The signal that a process cannot catch.
const SIGKILL: i32 = 9;

impl PythonError {
    pub(super) fn not_a_frame(source: serde_json::Error) -> Self {
        Self::NotAnAnswer { source }
    }

    /// Whether a new process is needed.
    pub fn is_dead(&self) -> bool {
        !matches!(self, Self::Raised { .. })
    }

    /// The traceback through the function's own files; empty if there was no exception.
    pub fn traceback(&self) -> &str {
        match self {
            Self::Raised { traceback, .. } => traceback,
            _ => "",
        }
    }
}

/// The reason why a process has closed its streams.
pub(super) async fn ended(
    process: &mut tokio::process::Child,
    error: std::io::Error,
    last_line: String,
) -> PythonError {
    // The streams can be closed before the process has ended.
    let status = tokio::time::timeout(Duration::from_secs(5), process.wait()).await;
    let how = match status {
        Ok(Ok(status)) => match (status.signal(), status.code()) {
            (Some(SIGKILL), _) => return PythonError::Killed,
            (Some(11), _) => "it was ended by a segmentation fault (signal 11)".into(),
            (Some(signal), _) => format!("it was ended by signal {signal}"),
            (None, code) => format!("it ended with exit code {}", code.unwrap_or(-1)),
        },
        _ => error.to_string(),
    };
    match last_line.is_empty() {
        true => PythonError::Lost { how },
        false => PythonError::Lost { how: format!("{how}; its last line was: {last_line}") },
    }
}
