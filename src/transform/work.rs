//! A worker: claims, reads, cleans and commits groups until nothing is left, then puts the version in place.

mod group;
mod memory;
mod outage;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

pub use self::memory::failure;
pub use self::memory::{Outgrown, WorkerShare, replace};
pub use self::outage::{OUTAGE, is_outage, past_outages};
use super::buckets;
use super::claim::{Claim, Heart, WorkerId};
use super::clean::Cleaning;
use super::collide;
use super::complete::{self, Completed};
use super::finish::{self, CleanTable};
use super::job::{Job, TableName};
use super::look::RawTable;
use super::plan::{self, PlanOptions};
use super::rows::CleanColumns;
use super::session::JobSession;
use super::source::RowSource;
use super::target;
use super::versions::{self, Version};
use crate::clients::postgres::PgUrl;
use crate::config::TransformConfig;
use crate::error::{Cause, Database, Failure};
use crate::system::workspace::Workspace;

/// The pause between two checks whether other workers have ended.
const PAUSE: Duration = Duration::from_millis(500);
/// The most times that changed partitions are done again.
const ROUNDS: usize = 5;

/// The result of a worker, or of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkEnd {
    /// The version is in place. `old` is the new name of the table before it, if this worker did the swap.
    InPlace {
        old: Option<String>,
    },
    Poison {
        groups: i64,
        in_place: bool,
    },
    /// The source was changed while it was read.
    Changed {
        words: String,
        in_place: bool,
    },
    Paused,
}

/// A worker and everything it needs for the next group.
struct Worker<'w> {
    config: &'w TransformConfig,
    url: &'w PgUrl,
    job: &'w Job,
    id: WorkerId,
    version: Version,
    session: JobSession,
    other: JobSession,
    raw: Arc<RawTable>,
    clean: Arc<CleanColumns>,
    table: CleanTable,
    /// `None` while it is in use on another thread.
    cleaning: Option<Cleaning>,
    share: &'w WorkerShare,
    source: RowSource,
    behind: i64,
    rounds: usize,
    /// The claim that is being worked on.
    held: Option<Arc<Claim>>,
    /// How often the connection was lost with a group.
    lost: HashMap<i32, u32>,
    /// Since when the store has not answered.
    storeless_since: Option<Instant>,
    _heart: Heart,
    workspace: Workspace,
}

/// Works until nothing is left to claim; plans the job first if necessary. What `share` allows is set for each group; the
/// caller replaces the process when it takes more ([`replace`]).
///
/// # Errors
/// An obstacle to the plan, a version that was superseded or dropped, or a server that does not answer for minutes.
pub async fn work(
    config: &TransformConfig,
    url: &PgUrl,
    job: &Job,
    worker: Uuid,
    share: &WorkerShare,
) -> Result<WorkEnd, Failure> {
    let mut open =
        match past_outages(false, async || Worker::open((config, url, job), worker, share).await).await? {
            Ok(open) => open,
            Err(end) => return Ok(end),
        };
    let in_place = open.version.is_in_place;
    let failed = |cause| memory::failure(cause, in_place);
    loop {
        match open.step().await {
            Ok(None) => {}
            Ok(Some(end)) => {
                if let WorkEnd::InPlace { .. } = end
                    && let Err(error) =
                        buckets::remove_left(&open.session, &job.name, &config.buckets.s3, false).await
                {
                    tracing::warn!(
                        "the buckets are not needed any more, and are not all removed: {error}; the next plan removes them"
                    );
                }
                // The worker has no claims any more; the ledger would only lack the note that it has ended.
                if let Err(error) = open.id.leave(&open.session, true).await {
                    tracing::debug!("the end of the worker was not noted: {error}");
                }
                return Ok(end);
            }
            Err(Cause::Postgres(error)) if is_outage(&error) => match open.reconnect(error).await {
                Ok(()) => {}
                Err(error) => return Err(failed(error)),
            },
            Err(Cause::Store(error)) if error.is_transient() && open.awaits_store() => {
                open.wait_for_store(&error).await.map_err(failed)?;
            }
            Err(error) => {
                // Without this the claims would wait until the lease runs out.
                let _ = open.id.leave(&open.session, true).await;
                let state = open.id.open(&open.session).await.map(|open| open.state).unwrap_or_default();
                return match state.as_str() {
                    // A worker that has lost the lock of the job may still put the version in place: then the next one that
                    // has the lock finds the table gone.
                    "swapped" => {
                        tracing::info!(
                            "another worker has put the version in place meanwhile; here: {error}"
                        );
                        Ok(WorkEnd::InPlace { old: None })
                    }
                    "superseded" | "dropped" => {
                        Err(Failure { database: Database::GivenUp { in_place }, ..failed(error) })
                    }
                    _ => Err(failed(error)),
                };
            }
        }
    }
}

/// Gives back the claims of a worker that is told to stop. This needs a new connection, because the worker's own is busy.
pub async fn leave(config: &TransformConfig, url: &PgUrl, worker: Uuid) -> Result<(), Cause> {
    let session = JobSession::open(url, &config.database, "transform").await?;
    WorkerId { worker, version: Uuid::nil() }.leave(&session, true).await?;
    Ok(())
}

impl<'w> Worker<'w> {
    async fn open(
        (config, url, job): (&'w TransformConfig, &'w PgUrl, &'w Job),
        worker: Uuid,
        share: &'w WorkerShare,
    ) -> Result<Result<Self, WorkEnd>, Cause> {
        let workspace = Workspace::create(&config.worker.work_dir)?;
        let session = JobSession::open_ledger(url, &config.database).await?;
        let other = JobSession::open(url, &config.database, "transform").await?;
        let options = PlanOptions::new(config, &other, workspace.path());
        let (version, is_new) = plan::ensure(&session, job, &options).await?;
        if is_new {
            tracing::info!(
                job = job.name,
                "{} is planned as version {}",
                job.name,
                versions::short(&job.hash)
            );
        }
        share.is_of(&version);
        match version.state.as_str() {
            "swapped" => return Ok(Err(WorkEnd::InPlace { old: None })),
            "paused" => return Ok(Err(WorkEnd::Paused)),
            _ => {}
        }
        let name = TableName { schema: version.target_schema.clone(), table: version.version_table.clone() };
        let id = WorkerId { worker, version: version.version_id };
        // Before looking at any table: a lost worker may hold a lock on one, and the heartbeats of others remove it.
        id.enlist(&session, &other, config.worker.lease).await?;
        let heart = Heart::start(url.clone(), config.database.clone(), id, config.worker.lease);
        let raw = RawTable::look(&other, job, &job.source.table).await?;
        let source = RowSource::open(&session, job, &version, &config.buckets).await?;
        let Some(mut clean) = target::made(&session, job, &version, &name, &id).await? else {
            // Other workers have ended the version in the meantime.
            return match id.open(&session).await?.state.as_str() {
                "swapped" => Ok(Err(WorkEnd::InPlace { old: None })),
                _ => Err(given_up(job, &version)),
            };
        };
        let cleaning = clean.open(job, (workspace.path(), config.worker.duckdb()), &raw)?;
        let table = CleanTable {
            table: name,
            key: job.target.key.clone(),
            is_in_place: version.is_in_place,
            with_leftovers: false,
        };
        Ok(Ok(Self {
            config,
            url,
            job,
            id,
            version,
            session,
            other,
            raw: Arc::new(raw),
            clean: Arc::new(clean),
            table,
            cleaning: Some(cleaning),
            share,
            source,
            behind: 0,
            rounds: 0,
            held: None,
            lost: HashMap::new(),
            storeless_since: None,
            _heart: heart,
            workspace,
        }))
    }

    /// Does the next group, or other necessary work if there is none; `Some`: the worker ends.
    async fn step(&mut self) -> Result<Option<WorkEnd>, Cause> {
        if let Some(limit) = self.config.worker.throttle {
            finish::throttle(&self.session, limit).await?;
        }
        if let Some(claim) = self.source.claim(&self.id, &self.session, self.behind).await? {
            if !self.source.is_near() {
                self.behind = claim.position;
            }
            let claim = Arc::new(claim);
            self.held = Some(claim.clone());
            match claim.is_range {
                true => self.range(&claim).await?,
                false => self.group(&claim).await?,
            }
            self.held = None;
            self.settle(group::times(&claim)).await;
            return Ok(None);
        }
        if self.behind > 0 {
            // Groups before this position may have failed or been given back in the meantime.
            self.behind = 0;
            return Ok(None);
        }
        let open = self.id.open(&self.session).await?;
        match open.state.as_str() {
            "open" => {}
            "paused" => return Ok(Some(WorkEnd::Paused)),
            "swapped" => return Ok(Some(WorkEnd::InPlace { old: None })),
            _ => return Err(given_up(self.job, &self.version)),
        }
        if self.source.is_filling != open.is_filling {
            self.source.is_filling = open.is_filling;
            return Ok(None);
        }
        if open.waiting + open.running > 0 {
            tokio::time::sleep(PAUSE).await;
            return Ok(None);
        }
        if open.poison > 0 {
            if self.table.is_in_place {
                let joined = collide::join(&self.session, &self.id, self.job.source.group_rows).await?;
                let now = self.id.open(&self.session).await?;
                if now.waiting + now.running > 0 {
                    // This worker or another has joined them.
                    if joined > 0 {
                        tracing::info!("{joined} groups that collide are tried together");
                    }
                    return Ok(None);
                }
            }
            return Ok(Some(WorkEnd::Poison { groups: open.poison, in_place: self.version.is_in_place }));
        }
        if open.is_filling {
            self.source.end_filling(&self.session, &self.id).await?;
            return Ok(None);
        }
        self.complete().await
    }

    async fn complete(&mut self) -> Result<Option<WorkEnd>, Cause> {
        let completed = complete::complete(
            (&self.session, &self.other),
            &self.id,
            self.job,
            &self.version,
            (&self.table, &self.raw),
            &self.config.worker,
        )
        .await?;
        match completed {
            Completed::Swapped { old } => Ok(Some(WorkEnd::InPlace { old })),
            Completed::NotYet => Ok(None),
            Completed::Changed { words } => {
                Ok(Some(WorkEnd::Changed { words, in_place: self.version.is_in_place }))
            }
            Completed::Again { partitions } => {
                self.rounds += 1;
                if self.rounds >= ROUNDS {
                    return Err(Cause::Refused {
                        message: format!(
                            "{} changes faster than it is cleaned: {} changed again",
                            self.raw.table,
                            crate::words::counted(partitions as u64, "partition")
                        ),
                        hint: Some("start a worker again when less is written to it".into()),
                    });
                }
                tracing::info!(
                    partitions,
                    "{} changed since the table was read; another round begins",
                    crate::words::counted(partitions as u64, "partition")
                );
                Ok(None)
            }
        }
    }
}

/// The error of a worker whose version is no longer made.
pub fn given_up(job: &Job, version: &Version) -> Cause {
    Cause::Refused {
        message: format!(
            "version {} of {} is not made any more: another one was planned, or somebody dropped it",
            versions::short(&version.hash),
            job.name
        ),
        hint: Some(format!("merganser transform status {}", job.folder.display())),
    }
}
