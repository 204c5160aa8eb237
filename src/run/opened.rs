//! Around a run: what it needs is opened, what it did is entered in the ledger, what it leaves is removed.

use std::time::{Duration, Instant};

use serde_json::json;
use uuid::Uuid;

use crate::clients::postgres::{self, PgUrl};
use crate::clients::source::Source;
use crate::clients::store::Store;
use crate::config::RunConfig;
use crate::error::{Cause, Database, END, Failure};
use crate::fault;
use crate::ledger::{Kind, Ledger, NewRun, Status};
use crate::log::Report;
use crate::objects;
use crate::run::aws_s3::AwsS3;
use crate::run::context::Context;
use crate::run::progress::Progress;
use crate::run::server::Server;
use crate::stages::check::Failures;
use crate::stages::load;
use crate::stages::promote::{self};
use crate::system::machine;
use crate::system::signals::Interrupt;
use crate::system::workspace::Workspace;

/// How long a run that failed or was interrupted may take to say so and to clear up: who tells a process to stop
/// kills it if it does not.
const CLEAR_UP_LIMIT: Duration = Duration::from_secs(7);
/// How long a run that is interrupted waits for a COMMIT that is under way.
const COMMIT_LIMIT: Duration = Duration::from_secs(10);

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

    /// What the run has at hand.
    pub fn context(&self) -> &Context {
        &self.context
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
    if let Some(folder) = context.store.open_folder(objects::PRIVATE) {
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
            tracing::warn!("the run could not clear up behind itself: {error}; the next load does");
        }
        Err(_) => tracing::warn!("the run could not clear up behind itself in time; the next load does"),
    }
    failure
}
