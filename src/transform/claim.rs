//! Claims: a worker takes a group with one short statement and holds it until it commits the group, gives it back, or its lease
//! runs out.

use std::time::Duration;

use tokio::task::JoinHandle;
use uuid::Uuid;

use super::session::{JobSession, decode};
use crate::clients::postgres::{PgError, PgUrl};
use crate::config::DatabaseConfig;
use crate::error::Cause;
use crate::sql;
use crate::system::machine;

/// A group whose workers were lost this often is not tried again, because it may be the cause.
const LOSSES: i32 = 5;
/// A group that failed this often becomes poison.
pub const FAILURES: i32 = 3;
const CLAIM: &str = "claim a group";
/// The longest pause between two searches for claims of lost workers.
const LOOK: Duration = Duration::from_secs(2);

/// Identifies a worker. No two workers share an id, even if host and process id are the same.
#[derive(Clone, Copy, Debug)]
pub struct WorkerId {
    pub worker: Uuid,
    pub version: Uuid,
}

/// A group that a worker has claimed.
#[derive(Clone, Debug)]
pub struct Claim {
    pub group_no: i32,
    pub position: i64,
    /// Increases with each claim. A worker can commit the group only with the newest token.
    pub token: i64,
    pub attempts: i32,
    pub failures: i32,
    pub pages: Option<(i64, i64)>,
    /// Rows of the group were committed before.
    pub is_written: bool,
    /// How often a worker of this group was lost.
    pub losses: i32,
    /// The claim is a range of pages to read into buckets; then it has no partitions.
    pub is_range: bool,
    /// The bucket to read the partitions from; `None`: they are read by key.
    pub bucket: Option<i32>,
    /// The partitions of the group: number, part and key.
    pub members: Vec<(i32, i32, Option<String>)>,
    /// The number of rows of each partition according to the plan.
    pub planned: Vec<u64>,
}

impl Claim {
    /// The keys of the group's partitions.
    pub fn keys(&self) -> Vec<Option<String>> {
        self.members.iter().map(|(_, _, key)| key.clone()).collect()
    }
}

/// The number of groups of a version that are not done.
#[derive(Clone, Debug)]
pub struct Open {
    pub state: String,
    pub waiting: i64,
    pub running: i64,
    pub poison: i64,
    /// Ranges are still being read into buckets, and the numbers are those of ranges.
    pub is_filling: bool,
}

impl WorkerId {
    /// Registers the worker, or its new sessions after a reconnect.
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

    /// Gives all claims back; with `ends` the worker is also marked as ended.
    pub async fn leave(&self, session: &JobSession, ends: bool) -> Result<(), PgError> {
        session.execute("give claims back", sql::TRANSFORM_LEAVE, &[&self.worker, &ends]).await.map(drop)
    }

    /// Claims the next group of partitions after a position, or the next range of pages to read into buckets. `None`: there is
    /// none, or the version is not open.
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

    /// Claims the next group of a bucket that is on the worker's disk.
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

    /// Counts the groups that are not done.
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

/// The groups that a worker holds, each with its version.
pub async fn held(session: &JobSession, worker: Uuid) -> Result<Vec<(Uuid, Claim)>, PgError> {
    let mut held = Vec::new();
    for row in session.all("look what the worker holds", sql::TRANSFORM_HELD, &[&worker]).await? {
        let version = row.try_get("version_id").map_err(decode)?;
        let id = WorkerId { worker, version };
        if let Some(claim) = id.claimed(session, Some(row)).await? {
            held.push((version, claim));
        }
    }
    Ok(held)
}

/// The heartbeat of a worker; it ends when this value is dropped.
pub struct Heart(JoinHandle<()>);

impl Drop for Heart {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Heart {
    /// Starts the heartbeat on a connection of its own, because the worker's may be busy with rows for a long time. Each beat
    /// also takes claims from lost workers.
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
