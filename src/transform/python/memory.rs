//! How much memory a process has, looked at often enough to end it before the machine suffers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::system::machine;

/// A process can fill a gigabyte in the time between two looks at most.
const LOOK: Duration = Duration::from_millis(50);

/// Looks at one process.
pub struct Resident {
    pid: u32,
    limit_bytes: u64,
    peak_bytes: AtomicU64,
}

impl Resident {
    /// Begins with the present size.
    pub fn begin(pid: u32, limit_bytes: u64) -> Self {
        let watch = Self { pid, limit_bytes, peak_bytes: AtomicU64::new(0) };
        watch.look();
        watch
    }

    /// Ends when the process is larger than the limit.
    pub async fn passed(&self) {
        while self.look() <= self.limit_bytes {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The largest size seen so far.
    pub fn peak_bytes(&self) -> u64 {
        self.look();
        self.peak_bytes.load(Ordering::Relaxed)
    }

    fn look(&self) -> u64 {
        let size = machine::resident_bytes(self.pid).unwrap_or(0);
        self.peak_bytes.fetch_max(size, Ordering::Relaxed);
        size
    }
}
