//! The resources of a run, and a step of it under way.

use std::borrow::{Borrow, BorrowMut};
use std::ops::Deref;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::clients::postgres::PgUrl;
use crate::clients::source::{Source, SourceUrl};
use crate::clients::store::Store;
use crate::config::{ProcessingConfig, Selection, SourceConfig, TargetConfig};
use crate::dataset::Dataset;
use crate::error::Cause;
use crate::ledger::Ledger;
use crate::log::Report;
use crate::objects::Objects;
use crate::run::aws_s3::AwsS3;
use crate::run::enriching::Enriching;
use crate::system::machine;
use crate::system::workspace::Workspace;
use crate::timeline::Mark;
use crate::words;

/// The resources of a run of any kind: it can write to the database and to the store, and publish.
pub struct Context {
    pub target: TargetConfig,
    pub run_id: Uuid,
    pub database: PgUrl,
    pub ledger: Ledger,
    pub store: Store,
    /// The database reads and writes the store itself; `None`: its rows go through us.
    pub aws_s3: Option<AwsS3>,
    pub report: Report,
    /// Held while a COMMIT is under way: an interruption of the run waits for it.
    pub committing: tokio::sync::Mutex<()>,
}

impl Context {
    /// The dataset of the run.
    pub fn dataset(&self) -> &'static Dataset {
        self.target.dataset
    }

    /// The names of the dataset's objects in the store.
    pub fn objects(&self) -> Objects {
        Objects::of(self.dataset())
    }

    /// Where the run's staging CSVs are in the store.
    pub fn staging_prefix(&self, batch: i32) -> String {
        self.objects().staged(self.run_id, batch)
    }

    /// The key of a staging CSV in the store.
    pub fn staging_csv(&self, batch: i32, table: &str) -> String {
        format!("{}/{table}.csv", self.staging_prefix(batch))
    }

    /// Begins a step in the ledger; `batch` 0 is the run as a whole.
    pub async fn begin(&self, batch: i32, name: &'static str) -> Result<Step<'_>, Cause> {
        self.ledger.start_step(batch, name).await?;
        let mark = self.report.timeline().begin(batch, name, None);
        Ok(Step {
            context: self,
            batch,
            name,
            started: Instant::now(),
            cpu_before: machine::cpu_time(),
            mark,
        })
    }
}

/// The resources of a run that takes files: where they come from and how they are processed, besides those of a run of
/// any kind.
pub struct RunContext {
    context: Context,
    pub from: SourceConfig,
    pub processing: ProcessingConfig,
    source: Source,
    /// Files that the run takes instead of asking, because asking would take too long.
    instead: OnceLock<(SourceUrl, Source)>,
    pub workspace: Workspace,
    /// `None`: the dataset's rows are not enriched.
    pub enriching: Option<Enriching>,
}

impl RunContext {
    /// Opens the source and makes a folder to work in.
    pub async fn open(
        context: Context,
        from: SourceConfig,
        processing: ProcessingConfig,
    ) -> Result<Self, Cause> {
        let source = Source::open(&from.url, &context.target.s3, &from.sftp).await?;
        let workspace = Workspace::create(&processing.work_dir)?;
        let enriching = match &context.dataset().enrichment {
            Some(enrichment) => Some(
                Enriching::open(
                    (&context.ledger, &context.store),
                    enrichment,
                    &processing.options,
                    workspace.path(),
                )
                .await?,
            ),
            None => None,
        };
        Ok(Self { context, from, processing, source, instead: OnceLock::new(), workspace, enriching })
    }

    /// Switches, for the rest of the run, to files that hold what the service could be asked for.
    ///
    /// # Errors
    /// Fails if they cannot be opened.
    pub async fn take_files(&self, url: &SourceUrl) -> Result<(), Cause> {
        let source = Source::open(url, &self.target.s3, &self.from.sftp).await?;
        self.instead.get_or_init(|| (url.clone(), source));
        Ok(())
    }

    /// Where the run's files come from.
    pub fn source(&self) -> &Source {
        self.instead.get().map_or(&self.source, |(_, source)| source)
    }

    /// The location of the source.
    pub fn url(&self) -> &SourceUrl {
        self.instead.get().map_or(&self.from.url, |(url, _)| url)
    }

    /// Which of its files the run takes.
    pub fn selection(&self) -> &Selection {
        match &self.from.selection {
            Selection::Asked if self.instead.get().is_some() => &Selection::Bulk,
            selection => selection,
        }
    }
}

// Stages that take files reach the run's ledger and store in the same way as those that take none.
impl Deref for RunContext {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

impl Borrow<Context> for RunContext {
    fn borrow(&self) -> &Context {
        &self.context
    }
}

impl BorrowMut<Context> for RunContext {
    fn borrow_mut(&mut self) -> &mut Context {
        &mut self.context
    }
}

/// A step under way.
pub struct Step<'a> {
    context: &'a Context,
    batch: i32,
    name: &'static str,
    started: Instant,
    cpu_before: Duration,
    mark: Mark,
}

impl Step<'_> {
    /// The step is done: `what` says in a few words what it did; `rows` and `bytes` count what it moved.
    pub async fn done(self, what: &str, rows: u64, bytes: u64, details: Value) -> Result<(), Cause> {
        self.say(what, rows, bytes);
        let details = self.details(details);
        self.context.ledger.finish_step(self.batch, self.name, "completed", rows, bytes, &details).await
    }

    /// Only logs the end of a step that has committed its own ledger row.
    pub fn say(&self, what: &str, rows: u64, bytes: u64) {
        self.mark.done(rows, bytes);
        tracing::info!(
            run_id = %self.context.run_id,
            batch = self.batch,
            step = self.name,
            rows,
            bytes,
            duration_ms = words::millis(self.started),
            peak_memory_bytes = machine::peak_memory_bytes(),
            "{} ({})",
            words::step_line(self.name, what),
            words::duration(self.started.elapsed())
        );
    }

    /// The details that the ledger keeps of the step: its cost, besides what is special to it.
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
        words::millis(self.started)
    }
}
