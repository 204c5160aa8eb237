//! Blocking work on threads that may block.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Cause;

/// Runs `work`, which blocks, on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Cause> {
    tokio::task::spawn_blocking(work).await.map_err(|panic| Cause::Io {
        operation: "work in the background".into(),
        source: std::io::Error::other(panic),
    })
}

/// Tells background work that nothing waits for it any more, because the future that holds this was dropped.
#[derive(Default)]
pub(crate) struct Awaited(Arc<AtomicBool>);

/// The side of the background work.
#[derive(Clone)]
pub(crate) struct Abandoned(Arc<AtomicBool>);

impl Awaited {
    /// A handle that the work checks now and then.
    pub fn watch(&self) -> Abandoned {
        Abandoned(self.0.clone())
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Abandoned {
    /// Should the work end?
    pub fn is_true(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
