//! Around a run: what it needs is opened, what it did is entered in the ledger, what it leaves is removed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};
use uuid::Uuid;

use crate::aws_s3::AwsS3;
use crate::clients::postgres::{self, PgUrl};
use crate::clients::source::Source;
use crate::clients::store::Store;
use crate::config::{DatabaseUrl, RunConfig};
use crate::embedded::{self, Embedded};
use crate::error::{Cause, Database, END, Exit, Failure};
use crate::manifest::{Kind, Ledger, NewRun, Status};
use crate::report::Report;
use crate::stages::check::{Checked, Failures};
use crate::stages::fetch::Fetched;
use crate::stages::promote::{self, Guard, Promoted, Records, Refused, Sample, TableChange};
use crate::stages::publish::Published;
use crate::stages::{Context, load};
use crate::workspace::Workspace;
use crate::{etl, fault, machine};

/// How long a run that failed or was interrupted may take to say so and to clear up: who tells a process to stop
/// kills it if it does not.
const CLEAR_UP_LIMIT: Duration = Duration::from_secs(7);
/// How long a run that is interrupted waits for a COMMIT that is under way.
const COMMIT_LIMIT: Duration = Duration::from_secs(10);

/// How a run that did not fail ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunOutcome {
    NothingNew,
    Loaded,
}

/// What a run has done so far.
#[derive(Debug, Default)]
pub struct Progress {
    step: Option<&'static str>,
    files: usize,
    failures: Failures,
    /// Why the first file that could not be fetched could not.
    unfetched: Option<String>,
    records: Records,
    changes: Vec<TableChange>,
    guards: Vec<Guard>,
    samples: Vec<Sample>,
    batches: usize,
    new_elements: BTreeMap<String, u64>,
    deleted_with_data: u64,
    published: Option<Published>,
    timings: Option<Value>,
}

impl Progress {
    /// The step that begins now.
    pub fn step(&mut self, step: &'static str) {
        self.step = Some(step);
    }

    /// A batch was fetched.
    pub fn fetched(&mut self, fetched: &Fetched) {
        let unfetched = fetched.unfetched();
        self.files += unfetched.len();
        self.failures.files += unfetched.len();
        self.unfetched = self.unfetched.take().or_else(|| unfetched.first().cloned());
    }

    /// What a run says that has [`nothing_readable`](Self::nothing_readable).
    pub fn no_file(&self) -> String {
        match &self.unfetched {
            None => "no file could be read".into(),
            Some(reason) => format!("no file could be read: {reason}"),
        }
    }

    /// A batch was checked.
    pub fn checked(&mut self, checked: &Checked) {
        let failures = checked.failures();
        self.files += checked.readable_files() + failures.files;
        self.deleted_with_data += checked.deleted_with_data();
        for (path, count) in checked.new_elements() {
            *self.new_elements.entry(path.clone()).or_default() += count;
        }
        self.failures.records += failures.records;
        self.failures.files += failures.files;
        self.failures.incomplete_files += failures.incomplete_files;
    }

    /// The database refuses records of a batch that were good when it was checked.
    pub fn refused(&mut self, refused: &Refused) {
        self.failures.records += refused.records();
    }

    /// A batch was promoted (or rolled back by a dry run).
    pub fn add(&mut self, promoted: Promoted) {
        self.batches += 1;
        self.records.add(promoted.records());
        self.guards.extend_from_slice(promoted.guards());
        self.samples.extend_from_slice(promoted.samples());
        for change in promoted.changes() {
            match self.changes.iter_mut().find(|known| known.table == change.table) {
                Some(known) => known.add(change),
                None => self.changes.push(change.clone()),
            }
        }
    }

    /// The public files were written.
    pub fn published(&mut self, published: Published) {
        self.published = Some(published);
        self.step = Some(END);
    }

    /// Was any batch promoted?
    pub fn promoted(&self) -> bool {
        self.batches > 0
    }

    /// Was there any file to load?
    pub fn has_files(&self) -> bool {
        self.files > 0
    }

    /// Were there files, and not one of them could be read?
    pub fn nothing_readable(&self) -> bool {
        self.files > 0 && self.failures.files == self.files
    }
}

/// A run that is over, for whoever asked for it.
#[derive(Debug)]
pub struct Summary {
    pub run_id: Uuid,
    pub dataset: &'static str,
    pub kind: Kind,
    /// What a record is called where people read it.
    pub record: &'static str,
    pub outcome: RunOutcome,
    pub dry_run: bool,
    pub files: usize,
    pub failures: Failures,
    pub records: Records,
    pub changes: Vec<TableChange>,
    pub guards: Vec<Guard>,
    /// Of a dry run.
    pub samples: Vec<Sample>,
    /// Elements that no column takes and no earlier run saw: how often each came.
    pub new_elements: BTreeMap<String, u64>,
    /// Deleted records that came with data beside their delete, which is not loaded.
    pub deleted_with_data: u64,
    pub published: Option<Published>,
    /// What the steps cost, as the ledger has it.
    pub timings: Option<Value>,
    pub duration: Duration,
    pub peak_memory_bytes: Option<u64>,
}

impl Summary {
    /// The exit code that goes with it: of a dry run, the one that the real run would have.
    pub fn exit(&self) -> Exit {
        match self.has_failures() {
            _ if self.breaches().next().is_some() => Exit::Failed,
            true => Exit::SomeFailed,
            false => Exit::Done,
        }
    }

    /// The guards that would stop the real run; only a dry run gets past them.
    pub fn breaches(&self) -> impl Iterator<Item = &Guard> {
        self.guards.iter().filter(|guard| guard.stops())
    }

    /// Is there something to put right?
    pub fn has_failures(&self) -> bool {
        self.failures != Failures::default()
    }
}

/// Runs a dataset from its source into production.
///
/// # Errors
/// [`Failure`] says what failed, where, and whether the database changed; the ledger has it too.
pub async fn run(config: RunConfig, report: &Report) -> Result<Summary, Failure> {
    let started = Instant::now();
    let opened = Opened::open(config, report).await?;
    let (run_id, dry_run, dataset) =
        (opened.context.run_id, opened.context.config.dry_run, opened.context.dataset());
    let kind = opened.context.config.kind;
    let (outcome, progress) = opened
        .run(async |context: &Context, progress: &mut Progress| etl::run(context, progress).await)
        .await?;
    Ok(Summary {
        run_id,
        dataset: dataset.name,
        kind,
        record: dataset.record,
        outcome,
        dry_run,
        files: progress.files,
        failures: progress.failures,
        records: progress.records,
        changes: progress.changes,
        guards: progress.guards,
        samples: progress.samples,
        new_elements: progress.new_elements,
        deleted_with_data: progress.deleted_with_data,
        published: progress.published,
        timings: progress.timings,
        duration: started.elapsed(),
        peak_memory_bytes: machine::peak_memory_bytes(),
    })
}

/// A database to work with; an embedded one is running for as long as this lives.
pub struct Server {
    pub url: PgUrl,
    embedded: Option<Embedded>,
}

impl Server {
    /// Starts the embedded cluster if one is asked for.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, Cause> {
        match url {
            DatabaseUrl::Server(url) => Ok(Self { url: (**url).clone(), embedded: None }),
            DatabaseUrl::Embedded(folder) => {
                let folder = folder.clone().unwrap_or_else(embedded::default_dir);
                let embedded = Embedded::start(&folder).await?;
                Ok(Self { url: embedded.url().parse()?, embedded: Some(embedded) })
            }
        }
    }

    /// Stops the embedded cluster unless somebody else uses it.
    pub async fn close(self) {
        if let Some(embedded) = self.embedded
            && let Err(error) = embedded.stop().await
        {
            tracing::warn!("the private PostgreSQL did not stop: {error}");
        }
    }
}

/// A run that has begun: it holds the dataset's lock, and the ledger knows it.
pub struct Opened {
    server: Server,
    context: Context,
    started: Instant,
    interrupt: Interrupt,
}

impl Opened {
    /// Takes the lock, opens the stores and enters the run in the ledger.
    pub async fn open(config: RunConfig, report: &Report) -> Result<Self, Failure> {
        let mut interrupt = Interrupt::listen().map_err(Cause::io("listen for signals"))?;
        let server = Server::open(&config.database.url).await?;
        let opened = tokio::select! {
            opened = open_context(config, report, server.url.clone()) => opened,
            () = interrupt.arrives() => Err(Cause::Interrupted),
        };
        match opened {
            Ok(context) => Ok(Self { server, context, started: Instant::now(), interrupt }),
            Err(cause) => {
                server.close().await;
                Err(cause.into())
            }
        }
    }

    /// Does the work of the run until it is done, fails or is interrupted, and enters the end in the ledger.
    pub async fn run<T>(
        self,
        work: impl AsyncFnOnce(&Context, &mut Progress) -> Result<T, Cause>,
    ) -> Result<(T, Progress), Failure> {
        let Self { server, context, started, mut interrupt } = self;
        let mut progress = Progress::default();
        let mut committing = false;
        let result = tokio::select! {
            result = work(&context, &mut progress) => result,
            () = async {
                interrupt.arrives().await;
                // Its outcome is known then, and what is said of the database is true.
                committing = tokio::time::timeout(COMMIT_LIMIT, context.committing.lock()).await.is_err();
            } => Err(Cause::Interrupted),
        };
        let ended = match result {
            Ok(value) => {
                let finished = tokio::select! {
                    finished = finish(&context, &progress, started) => finished,
                    () = interrupt.arrives() => Err(Cause::Interrupted),
                };
                match finished {
                    Ok(()) => {
                        // Only to be shown: a run that is over does not fail for want of it.
                        progress.timings = context.ledger.timings().await.ok();
                        Ok(value)
                    }
                    Err(cause) => Err(fail(&context, &progress, cause, false).await),
                }
            }
            Err(cause) => Err(fail(&context, &progress, cause, committing).await),
        };
        drop(context);
        server.close().await;
        Ok((ended?, progress))
    }
}

async fn open_context(config: RunConfig, report: &Report, database: PgUrl) -> Result<Context, Cause> {
    if let Some(folder) = &config.golden {
        // Not only when all the work is done.
        promote::truths(config.dataset, folder)?;
    }
    let ledger = Ledger::open(&database, &config.database, config.dataset.name).await?;
    if config.kind != Kind::Adopt {
        // Only who takes tables over may be there to put them right.
        ledger.admit_tables(config.dataset).await?;
    }
    let aws_s3 = AwsS3::choose(&config, &database).await?;
    let mut context = Context {
        aws_s3,
        source: Source::open(&config.source, &config.s3, &config.sftp).await?,
        store: Store::open(&config.store, &config.s3).await?,
        workspace: Workspace::create(&config.work_dir)?,
        run_id: Uuid::now_v7(),
        report: report.clone(),
        database,
        ledger,
        config,
        committing: tokio::sync::Mutex::default(),
    };
    fault::point!("run.open");
    let new = NewRun {
        run_id: context.run_id,
        kind: context.config.kind,
        dry_run: context.config.dry_run,
        options: context.config.for_ledger(),
    };
    let abandoned = context.ledger.begin_run(&new).await?;
    for run_id in &abandoned {
        tracing::warn!("run {run_id} ended without a word; it is marked as abandoned");
    }
    match abandoned.is_empty() {
        // One that could not clear up behind itself may have left some, too.
        true => load::clear(&context).await,
        // Its session may not be over yet.
        false => {
            if let Err(error) = clear_staging(&context).await {
                tracing::warn!("its staging tables could not be removed: {error}; the next load does it");
            }
        }
    }
    if let Some(folder) = context.store.open_folder("private") {
        tracing::warn!(
            run_id = %context.run_id,
            "other users of this machine can get into {}: chmod -R go= {}",
            folder.display(),
            folder.display()
        );
    }
    fault::point!("run.begin");
    Ok(context)
}

/// Removes what a run has put into the staging schema.
async fn clear_staging(context: &Context) -> Result<(), Cause> {
    let connection = postgres::connect(&context.database, "clear up").await?;
    load::drop_tables(context, &connection).await
}

async fn finish(context: &Context, progress: &Progress, started: Instant) -> Result<(), Cause> {
    fault::point!("run.end");
    let status = match (context.config.dry_run, progress.failures != Failures::default()) {
        (true, _) => Status::RolledBack,
        (false, true) => Status::CompletedWithFailures,
        (false, false) => Status::Completed,
    };
    let counts = json!({
        "files": progress.files,
        "failures": progress.failures,
        "records": progress.records,
        "duration_ms": started.elapsed().as_millis() as u64,
        "peak_memory_bytes": machine::peak_memory_bytes(),
    });
    context.ledger.finish_run(status, &counts, None, &[]).await
}

/// Enters a failure in the ledger and clears up; neither may hide the failure itself.
async fn fail(context: &Context, progress: &Progress, cause: Cause, committing: bool) -> Failure {
    let database = match (&cause, progress.batches) {
        _ if committing => Database::Unknown,
        (Cause::CommitUnknown { .. }, _) => Database::Unknown,
        (_, 0) if ![Some("publish"), Some(END)].contains(&progress.step) => Database::Unchanged,
        (_, _) if context.config.dry_run => Database::Unchanged,
        (_, batches) => Database::Committed { batches },
    };
    let failure =
        Failure { step: progress.step, run_id: Some(context.run_id), cause: Box::new(cause), database };
    let status = match *failure.cause {
        Cause::Interrupted => Status::Interrupted,
        _ => Status::Failed,
    };
    let counts = json!({ "failures": progress.failures, "records": progress.records });
    let text = failure.cause.to_string();
    let noted = async {
        context.ledger.finish_run(status, &counts, Some(&text), &failure.chain()).await?;
        clear_staging(context).await
    };
    match tokio::time::timeout(CLEAR_UP_LIMIT, noted).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!("the run could not clear up behind itself: {error}; the next load does")
        }
        Err(_) => tracing::warn!("the run could not clear up behind itself in time; the next load does"),
    }
    failure
}

/// SIGTERM and SIGINT, which end a run in order from its beginning on.
struct Interrupt {
    terminate: Signal,
    interrupt: Signal,
}

impl Interrupt {
    fn listen() -> std::io::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt })
    }

    /// Completes when the process is told to stop.
    async fn arrives(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
