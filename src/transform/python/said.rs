//! Logs what a function prints: line by line, with the partition's name, up to a limit.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// The most lines of a partition that are logged; the others are only counted.
const SHOWN: u64 = 20;
/// The most characters of a line: somebody may print a whole data frame.
const LONGEST: usize = 500;

/// Reads the output of a process.
pub struct Said(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    partition: String,
    lines: u64,
    last: String,
}

impl Said {
    /// Reads the stream to its end in the background.
    pub fn listen(stream: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let state = Arc::new(Mutex::new(Heard::default()));
        let shared = state.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(stream);
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
                hear(&mut lock(&shared), &line);
                line.clear();
            }
        });
        Self(state)
    }

    /// Assigns the following lines to this partition.
    pub fn begin(&self, partition: &str) {
        *lock(&self.0) = Heard { partition: partition.to_owned(), ..Heard::default() };
    }

    /// Logs how many lines were left out.
    pub fn end(&self, partition: &str) {
        let lines = lock(&self.0).lines;
        if lines > SHOWN {
            tracing::info!(partition, "the function printed {} more lines", lines - SHOWN);
        }
    }

    /// The last line.
    pub fn last(&self) -> String {
        lock(&self.0).last.clone()
    }
}

fn hear(state: &mut Heard, line: &[u8]) {
    let text = String::from_utf8_lossy(line);
    let text: String = text.trim_end().chars().take(LONGEST).collect();
    if text.is_empty() {
        return;
    }
    state.lines += 1;
    if state.lines <= SHOWN {
        tracing::info!(partition = state.partition, "the function printed: {text}");
    }
    state.last = text;
}

fn lock(state: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
