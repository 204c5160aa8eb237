//! Groups whose rows are refused because a unique index already has them from another group: usually the old copy of a row that
//! has moved to another partition.

use tokio_postgres::types::ToSql;

use super::claim::{Claim, WorkerId};
use super::finish::{self, CleanTable, Cost, FinishError};
use super::groups::{GIANT, GROUP_PARTITIONS, TOGETHER};
use super::look::RawTable;
use super::session::JobSession;
use crate::clients::postgres::PgError;
use crate::sql;

/// The SQLSTATEs of a row that a unique index already has, and of two groups that wait for each other's rows.
const TAKEN: [&str; 2] = ["23505", "40P01"];
/// How often in succession a group is put off. The first time, the group that it collides with may also wait to be done again;
/// the second time, it may come before that group in the same round; after that, only what changes meanwhile can be in its way.
const PUT_OFFS: i32 = 3;
/// The beginning of the error of a group that collides in place; the ledger finds these groups by it.
const COLLIDES: &str = "a row is in the table already, in another partition";

impl FinishError {
    /// Whether the table already has a row that was sent, or gets it from another group at the same time.
    pub fn is_collision(&self) -> bool {
        let Self::Postgres(error) = self else { return false };
        error.sqlstate().is_some_and(|code| TAKEN.contains(&code))
    }

    /// The words for the ledger.
    pub fn words(&self, in_place: bool) -> String {
        match in_place && self.is_collision() {
            false => self.to_string(),
            true => format!(
                "{COLLIDES} ({self}): if the source has it in another partition now, a run without --in-place puts it right, after a plan \
                 with --anew (and without `where`, if the table has rows that this leaves out); otherwise two partitions give \
                 the same row"
            ),
        }
    }
}

/// Puts a group off: it counts as done without rows, which is not what the source has, so that it is done again together with
/// the partitions that have changed. What it wrote before goes, because another group may collide with it; in place it stays, because
/// there it is read. `false`: it was put off too often, and nothing was changed.
pub async fn put_off(
    session: &JobSession,
    worker: &WorkerId,
    claim: &Claim,
    (table, raw): (&CleanTable, &RawTable),
) -> Result<bool, FinishError> {
    let what = "put a group off";
    let put_off = async {
        finish::fence(session, worker, claim).await?;
        let values: [&(dyn ToSql + Sync); 3] = [&worker.version, &claim.group_no, &PUT_OFFS];
        if session.execute(what, sql::TRANSFORM_PUT_OFF, &values).await? == 0 {
            return Ok(false);
        }
        if claim.is_written && !table.is_in_place {
            finish::remove(session, table, raw, &claim.keys()).await?;
        }
        finish::done(session, worker, claim, Cost::default(), 0).await?;
        Ok(true)
    };
    session.transaction(what, put_off).await
}

/// Joins the groups that collide in place into one, because of two partitions that exchange rows neither can be replaced
/// before the other. This is done once for a version, and only if the rows fit into the memory of a worker. Returns the number
/// of groups that became one.
pub async fn join(session: &JobSession, worker: &WorkerId, group_rows: u64) -> Result<u64, PgError> {
    let most_rows = i64::try_from(group_rows.saturating_mul(GIANT)).unwrap_or(i64::MAX);
    let most = GROUP_PARTITIONS as i64;
    let values: [&(dyn ToSql + Sync); 5] = [&worker.version, &TOGETHER, &COLLIDES, &most_rows, &most];
    session.execute("join groups that collide", sql::TRANSFORM_JOIN, &values).await
}
