//! What a function prints: a line each in the log, with the partition's name, and not without end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// Lines of one partition that go to the log; of the rest only the number does.
const SHOWN: u64 = 20;
/// A line may be a whole frame that somebody printed.
const LONGEST: usize = 500;

/// Listens to a process.
pub struct Said(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    partition: String,
    lines: u64,
    last: String,
}

impl Said {
    /// Reads the stream to its end, in the background.
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

    /// From now on it speaks of this partition.
    pub fn begin(&self, partition: &str) {
        *lock(&self.0) = Heard { partition: partition.to_owned(), ..Heard::default() };
    }

    /// Says how much was left out.
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
