//! Watches the memory of a process, often enough to end it before the whole machine suffers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::system::machine;

/// The pause between two readings; a process can allocate some hundred megabytes in this time.
const LOOK: Duration = Duration::from_millis(20);

/// Watches one process.
pub struct Resident {
    pid: u32,
    limit_bytes: AtomicU64,
    peak_bytes: AtomicU64,
}

impl Resident {
    /// Starts with the current size.
    pub fn begin(pid: u32, limit_bytes: u64) -> Self {
        let watch = Self { pid, limit_bytes: AtomicU64::new(limit_bytes), peak_bytes: AtomicU64::new(0) };
        watch.look();
        watch
    }

    /// Changes the limit.
    pub fn limit(&self, limit_bytes: u64) {
        self.limit_bytes.store(limit_bytes, Ordering::Relaxed);
    }

    /// The limit in bytes.
    pub fn limit_bytes(&self) -> u64 {
        self.limit_bytes.load(Ordering::Relaxed)
    }

    /// Completes when the process exceeds the limit.
    pub async fn passed(&self) {
        while self.look() <= self.limit_bytes() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The largest size in bytes seen so far.
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
