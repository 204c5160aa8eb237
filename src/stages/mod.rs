//! The stages of a run, one file each. Each takes the receipt of the one before by value and returns its own, so
//! nothing can be promoted that was not exported: the compiler says so. A stage names no dataset and no
//! other stage.

pub mod check;
pub mod export;
pub mod fetch;
pub mod load;
pub mod parse;
pub mod promote;
pub mod publish;
pub mod select;
pub mod upload;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::aws_s3::AwsS3;
use crate::clients::postgres::PgUrl;
use crate::clients::source::Source;
use crate::clients::store::Store;
use crate::config::RunConfig;
use crate::dataset::Dataset;
use crate::error::Cause;
use crate::machine;
use crate::manifest::Ledger;
use crate::report::{self, Report};
use crate::workspace::Workspace;

/// What every stage of a run has at hand.
pub struct Context {
    pub config: RunConfig,
    pub run_id: Uuid,
    pub database: PgUrl,
    pub ledger: Ledger,
    pub source: Source,
    pub store: Store,
    /// The database reads and writes the store itself; `None`: its rows go through us.
    pub aws_s3: Option<AwsS3>,
    pub workspace: Workspace,
    pub report: Report,
    /// Held while a COMMIT is under way: who interrupts the run lets it come to its end.
    pub committing: tokio::sync::Mutex<()>,
}

impl Context {
    /// The dataset of the run.
    pub fn dataset(&self) -> &'static Dataset {
        self.config.dataset
    }

    /// Where the run's staging CSVs are in the store.
    pub fn staging_prefix(&self, batch: i32) -> String {
        match batch {
            1 => format!("private/runs/{}", self.run_id),
            _ => format!("private/runs/{}/batch-{batch}", self.run_id),
        }
    }

    /// The key of a staging CSV in the store.
    pub fn staging_csv(&self, batch: i32, table: &str) -> String {
        format!("{}/{table}.csv", self.staging_prefix(batch))
    }

    /// Begins a step in the ledger; `batch` 0 is the run as a whole.
    pub async fn begin(&self, batch: i32, name: &'static str) -> Result<Step<'_>, Cause> {
        self.ledger.start_step(batch, name).await?;
        Ok(Step { context: self, batch, name, started: Instant::now(), cpu_before: machine::cpu_time() })
    }
}

/// Runs `work`, which blocks, on a thread that may.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Cause> {
    tokio::task::spawn_blocking(work).await.map_err(|panic| Cause::Io {
        operation: "work in the background".into(),
        source: std::io::Error::other(panic),
    })
}

/// Tells work in the background that nobody waits for it any more: the future that holds this was dropped.
#[derive(Default)]
pub(crate) struct Awaited(Arc<AtomicBool>);

/// The side of the work.
#[derive(Clone)]
pub(crate) struct Abandoned(Arc<AtomicBool>);

impl Awaited {
    /// What the work looks at now and then.
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

/// A step under way.
pub struct Step<'a> {
    context: &'a Context,
    batch: i32,
    name: &'static str,
    started: Instant,
    cpu_before: Duration,
}

impl Step<'_> {
    /// The step is done: `what` says in a few words what it did; `rows` and `bytes` count what it moved.
    pub async fn done(self, what: &str, rows: u64, bytes: u64, details: Value) -> Result<(), Cause> {
        self.say(what, rows, bytes);
        let details = self.details(details);
        self.context.ledger.finish_step(self.batch, self.name, "completed", rows, bytes, &details).await
    }

    /// The step committed its own ledger row; only say so.
    pub fn say(&self, what: &str, rows: u64, bytes: u64) {
        tracing::info!(
            run_id = %self.context.run_id,
            batch = self.batch,
            step = self.name,
            rows,
            bytes,
            duration_ms = report::millis(self.started),
            peak_memory_bytes = machine::peak_memory_bytes(),
            "{:<8} {what} ({})",
            self.name,
            report::duration(self.started.elapsed())
        );
    }

    /// What the ledger keeps of the step: its cost beside what is special to it.
    pub fn details(&self, special: Value) -> Value {
        let mut details = json!({
            "cpu_ms": (machine::cpu_time() - self.cpu_before).as_millis() as u64,
            "peak_memory_bytes": machine::peak_memory_bytes(),
        });
        if let (Value::Object(details), Value::Object(special)) = (&mut details, special) {
            details.extend(special);
        }
        details
    }

    /// Milliseconds so far.
    pub fn millis(&self) -> u64 {
        report::millis(self.started)
    }
}
