//! Claims: a worker takes a group with one short statement and has it until it commits, gives it back, or its lease runs out.

use std::time::Duration;

use tokio::task::JoinHandle;
use uuid::Uuid;

use super::session::{JobSession, decode};
use crate::clients::postgres::{PgError, PgUrl};
use crate::config::DatabaseConfig;
use crate::error::Cause;
use crate::sql;
use crate::system::machine;

/// A group whose workers were lost so often is not tried again: it may be what they died of.
const LOSSES: i32 = 5;
/// A group that failed so often is poison.
pub const FAILURES: i32 = 3;
const CLAIM: &str = "claim a group";
/// How often at least a worker looks for claims of lost ones.
const LOOK: Duration = Duration::from_secs(2);

/// A worker: never the same twice, whatever its host or process is called.
#[derive(Clone, Copy, Debug)]
pub struct WorkerId {
    pub worker: Uuid,
    pub version: Uuid,
}

/// A group that this worker has.
#[derive(Clone, Debug)]
pub struct Claim {
    pub group_no: i32,
    pub position: i64,
    /// Whoever commits the group must have the newest.
    pub token: i64,
    pub attempts: i32,
    pub failures: i32,
    pub pages: Option<(i64, i64)>,
    /// Rows of it were committed before.
    pub is_written: bool,
    /// How often its worker was lost.
    pub losses: i32,
    /// Pages are read into buckets; it has no partitions then.
    pub is_range: bool,
    /// Where its partitions are read from, if not by their key.
    pub bucket: Option<i32>,
    /// Its partitions: number, part and key.
    pub members: Vec<(i32, i32, Option<String>)>,
    /// How many rows the plan found in each.
    pub planned: Vec<u64>,
}

impl Claim {
    /// The keys of its partitions.
    pub fn keys(&self) -> Vec<Option<String>> {
        self.members.iter().map(|(_, _, key)| key.clone()).collect()
    }
}

/// What is left of a version.
#[derive(Clone, Debug)]
pub struct Open {
    pub state: String,
    pub waiting: i64,
    pub running: i64,
    pub poison: i64,
    /// Ranges are read into buckets, and these are their numbers.
    pub is_filling: bool,
}

impl WorkerId {
    /// Enters the worker, or the sessions that it has got now.
    pub async fn enlist(
        &self,
        session: &JobSession,
        second: &JobSession,
        lease: Duration,
    ) -> Result<(), PgError> {
        let ((pid, begin), (second, second_begin)) = (session.watch.session(), second.watch.session());
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 10] = [
            &self.worker,
            &self.version,
            &machine::host(),
            &(std::process::id() as i32),
            &env!("CARGO_PKG_VERSION"),
            &(lease.as_secs() as i32),
            &pid,
            &begin,
            &second,
            &second_begin,
        ];
        session.execute("enter the worker", sql::TRANSFORM_ENLIST, &values).await.map(drop)
    }

    /// Gives all claims back; with `ends` the worker says that it has ended.
    pub async fn leave(&self, session: &JobSession, ends: bool) -> Result<(), PgError> {
        session.execute("give claims back", sql::TRANSFORM_LEAVE, &[&self.worker, &ends]).await.map(drop)
    }

    /// Takes the next group of partitions behind a position, or the next range of pages that is read into buckets; `None`: there
    /// is none, or the version is not open.
    pub async fn claim(
        &self,
        session: &JobSession,
        behind: i64,
        is_range: bool,
    ) -> Result<Option<Claim>, PgError> {
        let kind = if is_range { "range" } else { "partitions" };
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&self.version, &self.worker, &behind, &kind];
        let row = session.maybe(CLAIM, sql::TRANSFORM_CLAIM, &values).await?;
        self.claimed(session, row).await
    }

    /// Takes the next group of a bucket that is at hand.
    pub async fn claim_near(&self, session: &JobSession, bucket: i32) -> Result<Option<Claim>, PgError> {
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&self.version, &self.worker, &bucket];
        let row = session.maybe(CLAIM, sql::BUCKETS_CLAIM_NEAR, &values).await?;
        self.claimed(session, row).await
    }

    async fn claimed(
        &self,
        session: &JobSession,
        row: Option<tokio_postgres::Row>,
    ) -> Result<Option<Claim>, PgError> {
        let Some(row) = row else { return Ok(None) };
        let read = || {
            let pages: (Option<i64>, Option<i64>) = (row.try_get(5)?, row.try_get(6)?);
            Ok(Claim {
                group_no: row.try_get(0)?,
                position: row.try_get(1)?,
                token: row.try_get(2)?,
                attempts: row.try_get(3)?,
                failures: row.try_get(4)?,
                pages: pages.0.zip(pages.1),
                is_written: row.try_get(7)?,
                losses: row.try_get(8)?,
                is_range: row.try_get::<_, String>(9)? == "range",
                bucket: row.try_get(10)?,
                members: Vec::new(),
                planned: Vec::new(),
            })
        };
        let mut claim: Claim = read().map_err(decode)?;
        if claim.is_range {
            return Ok(Some(claim));
        }
        for row in session.all(CLAIM, sql::TRANSFORM_MEMBERS, &[&self.version, &claim.group_no]).await? {
            let member = || Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
            claim.members.push(member().map_err(decode)?);
            claim.planned.push(row.try_get::<_, i64>(3).map_err(decode)?.unsigned_abs());
        }
        Ok(Some(claim))
    }

    /// What is left to do.
    pub async fn open(&self, session: &JobSession) -> Result<Open, PgError> {
        let row = session.maybe("look what is left", sql::TRANSFORM_OPEN_GROUPS, &[&self.version]).await?;
        let Some(row) = row else {
            let state = "dropped".into();
            return Ok(Open { state, waiting: 0, running: 0, poison: 0, is_filling: false });
        };
        let read = || {
            Ok(Open {
                state: row.try_get(0)?,
                waiting: row.try_get(1)?,
                running: row.try_get(2)?,
                poison: row.try_get(3)?,
                is_filling: row.try_get(4)?,
            })
        };
        read().map_err(decode)
    }
}

/// The heartbeat of a worker; it ends when this is dropped.
pub struct Heart(JoinHandle<()>);

impl Drop for Heart {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Heart {
    /// Begins to beat, over a connection of its own: the worker's may be busy with rows for long. With each beat it takes the
    /// claims of lost workers from them.
    pub fn start(url: PgUrl, database: DatabaseConfig, worker: WorkerId, lease: Duration) -> Self {
        let pause = (lease / 4).clamp(Duration::from_millis(250), LOOK);
        Self(tokio::spawn(async move {
            loop {
                if let Err(error) = beat(&url, &database, worker, pause).await {
                    tracing::debug!("the heartbeat stops for a moment: {error}");
                }
                tokio::time::sleep(pause).await;
            }
        }))
    }
}

async fn beat(
    url: &PgUrl,
    database: &DatabaseConfig,
    worker: WorkerId,
    pause: Duration,
) -> Result<(), Cause> {
    let session = JobSession::open(url, database, "heartbeat").await?;
    loop {
        session.execute("show that the worker lives", sql::TRANSFORM_BEAT, &[&worker.worker]).await?;
        let what = "look for lost workers";
        session.all(what, sql::TRANSFORM_END_SESSIONS, &[&worker.version]).await?;
        for row in session.all(what, sql::TRANSFORM_TAKE_OVER, &[&worker.version, &LOSSES]).await? {
            let (group, losses): (i32, i32) =
                (row.try_get(0).map_err(decode)?, row.try_get(1).map_err(decode)?);
            tracing::warn!(group, losses, "group {group} was taken from a worker whose lease ran out");
        }
        tokio::time::sleep(pause).await;
    }
}
