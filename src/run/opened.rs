//! Around a run: opens what it needs, records its outcome in the ledger, and removes what it leaves behind.

use std::borrow::BorrowMut;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::clients::postgres::{self, PgUrl};
use crate::clients::store::Store;
use crate::config::TargetConfig;
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
use crate::system::machine;
use crate::system::signals::Interrupt;

/// How long a run that failed or was interrupted may take to record that and to clear up. A supervisor that stops a
/// process kills it if that takes too long.
const CLEAR_UP_LIMIT: Duration = Duration::from_secs(7);
/// How long an interrupted run waits for a COMMIT that is under way.
const COMMIT_LIMIT: Duration = Duration::from_secs(10);

/// A run that has begun: it holds the dataset's lock, and the ledger knows it.
pub struct Opened<C> {
    server: Server,
    context: C,
    started: Instant,
    interrupt: Interrupt,
}

impl<C: BorrowMut<Context>> Opened<C> {
    /// Takes the lock, opens the store and what `more` opens for this kind of run, and enters the run in the ledger, with
    /// these options.
    pub async fn open(
        target: TargetConfig,
        options: Value,
        more: impl AsyncFnOnce(Context) -> Result<C, Cause>,
        report: &Report,
    ) -> Result<Self, Failure> {
        let mut interrupt = Interrupt::listen().map_err(Cause::io("listen for signals"))?;
        let server = Server::open(&target.database.url).await?;
        let opened = tokio::select! {
            opened = async {
                let context = more(open_context(target, report, server.url.clone()).await?).await?;
                begin(context, options).await
            } => opened,
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

    /// The resources of the run.
    pub fn context(&self) -> &C {
        &self.context
    }

    /// Does the work of the run until it is done, fails or is interrupted, and records the end in the ledger.
    pub async fn run<T>(
        self,
        work: impl AsyncFnOnce(&C, &mut Progress) -> Result<T, Cause>,
    ) -> Result<(T, Progress), Failure> {
        let Self { server, context, started, mut interrupt } = self;
        let mut progress = Progress::default();
        let mut committing = false;
        let result = tokio::select! {
            result = work(&context, &mut progress) => result,
            () = async {
                interrupt.arrives().await;
                // Then its outcome is known, and the report about the database is true.
                let committed = context.borrow().committing.lock();
                committing = tokio::time::timeout(COMMIT_LIMIT, committed).await.is_err();
            } => Err(Cause::Interrupted),
        };
        let ended = match result {
            Ok(value) => {
                let finished = tokio::select! {
                    finished = finish(context.borrow(), &progress, started) => finished,
                    () = interrupt.arrives() => Err(Cause::Interrupted),
                };
                match finished {
                    Ok(()) => {
                        // For display only: a finished run does not fail without it.
                        progress.timings = context.borrow().ledger.timings().await.ok();
                        Ok(value)
                    }
                    Err(cause) => Err(fail(context.borrow(), &progress, cause, false).await),
                }
            }
            Err(cause) => Err(fail(context.borrow(), &progress, cause, committing).await),
        };
        drop(context);
        server.close().await;
        Ok((ended?, progress))
    }
}

async fn open_context(target: TargetConfig, report: &Report, database: PgUrl) -> Result<Context, Cause> {
    let ledger = Ledger::open(&database, &target.database, target.dataset.name).await?;
    if target.kind != Kind::Adopt {
        // Only a run that adopts tables may repair them.
        ledger.admit_tables(target.dataset).await?;
    }
    Ok(Context {
        aws_s3: AwsS3::choose(&target, &database).await?,
        store: Store::open(&target.store, &target.s3).await?,
        run_id: Uuid::now_v7(),
        report: report.clone(),
        database,
        ledger,
        target,
        committing: tokio::sync::Mutex::default(),
    })
}

/// Records the run in the ledger, and removes what an earlier one may have left.
async fn begin<C: BorrowMut<Context>>(mut opened: C, options: Value) -> Result<C, Cause> {
    let context: &mut Context = opened.borrow_mut();
    fault::point!("run.open");
    let new = NewRun {
        run_id: context.run_id,
        kind: context.target.kind,
        dry_run: context.target.dry_run,
        options,
    };
    let abandoned = context.ledger.begin_run(&new).await?;
    for run_id in &abandoned {
        tracing::warn!("run {run_id} ended without an entry in the ledger; it is marked as abandoned");
    }
    match abandoned.is_empty() {
        // A run that could not clear up after itself may have left some too.
        true => load::clear(context).await,
        // The session of that run may not have ended yet.
        false => {
            if let Err(error) = clear_staging(context).await {
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
    Ok(opened)
}

/// Removes what a run has put into the staging schema.
async fn clear_staging(context: &Context) -> Result<(), Cause> {
    let connection = postgres::connect(&context.database, "clear up").await?;
    load::drop_tables(context, &connection).await
}

async fn finish(context: &Context, progress: &Progress, started: Instant) -> Result<(), Cause> {
    fault::point!("run.end");
    let status = match (context.target.dry_run, progress.failures != Failures::default()) {
        (true, _) => Status::RolledBack,
        (false, true) => Status::CompletedWithFailures,
        (false, false) => Status::Completed,
    };
    let counts = json!({
        "files": progress.files,
        "failures": progress.failures,
        "records": progress.records,
        "quiet_days": progress.quiet_days,
        "duration_ms": started.elapsed().as_millis() as u64,
        "peak_memory_bytes": machine::peak_memory_bytes(),
    });
    context.ledger.finish_run(status, &counts, None, &[]).await
}

/// Records a failure in the ledger and clears up; errors in doing so must not hide the failure itself.
async fn fail(context: &Context, progress: &Progress, cause: Cause, committing: bool) -> Failure {
    let database = match (&cause, progress.batches) {
        _ if committing => Database::Unknown,
        (Cause::CommitUnknown { .. }, _) => Database::Unknown,
        (_, 0) if ![Some("publish"), Some(END)].contains(&progress.step) => match progress.rewritten {
            0 => Database::Unchanged,
            objects => Database::Rewritten { objects },
        },
        (_, _) if context.target.dry_run => Database::Unchanged,
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
            tracing::warn!("the run could not clean up after itself: {error}; the next load does it");
        }
        Err(_) => tracing::warn!("the run could not clean up after itself in time; the next load does it"),
    }
    failure
}
