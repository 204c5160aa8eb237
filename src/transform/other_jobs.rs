//! Other jobs with the same target: in place, they would remove or replace each other's rows.

use tokio_postgres::types::ToSql;

use super::groups::Partition;
use super::job::Job;
use super::rows::shown_key;
use super::session::{JobSession, decode};
use super::versions::Version;
use crate::clients::postgres::PgError;
use crate::error::Cause;
use crate::sql;
use crate::words::counted;

/// Another job that has the same target.
pub async fn any(session: &JobSession, job: &Job) -> Result<Option<String>, PgError> {
    let target = &job.target.table;
    let values: [&(dyn ToSql + Sync); 3] = [&job.name, &target.schema, &target.table];
    let row = session.maybe("look for another job", sql::TRANSFORM_OTHER_JOB, &values).await?;
    row.map(|row| row.try_get(0)).transpose().map_err(decode)
}

/// # Errors
/// [`Cause::Refused`] if another job has the same target: a job without a condition that replaces partitions in place removes
/// the rows of all partitions that its source does not have, which are those of the other job.
pub async fn refuse(session: &JobSession, job: &Job) -> Result<(), Cause> {
    let target = &job.target.table;
    let Some(other) = any(session, job).await? else { return Ok(()) };
    Err(Cause::Refused {
        message: format!(
            "{target} is the target of the job {other}, too: in place, {} would remove the rows that {other} has put there",
            job.name
        ),
        hint: Some(format!(
            "give each job a target of its own, or a [source] where of its own by the key alone (a partition is replaced as a whole); if it is the same job, name it {other} again"
        )),
    })
}

/// In words, which of these partitions another job with the same target cleans, too; `None`: none of them. The lock of the target
/// is held to the end of the transaction.
///
/// # Errors
/// [`Cause::Refused`] if the other job is being made: in place, both would replace the same rows.
pub async fn shared(
    session: &JobSession,
    job: &Job,
    partitions: &[Partition],
) -> Result<Option<String>, Cause> {
    let target = &job.target.table;
    let lock = session.text(&format!(":\"ledger\"/transform into {target}"));
    session.execute("wait for a plan of another job", sql::TRANSFORM_LOCK_JOB, &[&lock]).await?;
    let keys: Vec<&str> = partitions.iter().filter_map(|partition| partition.key.as_deref()).collect();
    let with_null = partitions.iter().any(|partition| partition.key.is_none());
    let values: [&(dyn ToSql + Sync); 5] = [&job.name, &target.schema, &target.table, &keys, &with_null];
    let Some(row) = session.maybe("look for other jobs", sql::TRANSFORM_SHARED, &values).await? else {
        return Ok(None);
    };
    let (other, is_made): (String, bool) = (row.try_get(0).map_err(decode)?, row.try_get(1).map_err(decode)?);
    let (many, example): (i64, Option<String>) =
        (row.try_get(2).map_err(decode)?, row.try_get(3).map_err(decode)?);
    let what =
        format!("{} (such as {})", counted(many.unsigned_abs(), "partition"), shown_key(example.as_deref()));
    match is_made {
        false => Ok(Some(format!(
            "{what} of {target} are those of the job {other}, too: whichever job comes last replaces them"
        ))),
        true => Err(Cause::Refused {
            message: format!("{what} of {target} are being cleaned by the job {other}, too"),
            hint: Some(format!(
                "wait until {other} is in place, or give it up with merganser transform drop JOB; or let the [source] where of each \
                 job leave out the partitions of the other"
            )),
        }),
    }
}

/// In words, which partitions of a version in place another job has replaced since; `None`: none.
pub async fn overwritten(session: &JobSession, version: &Version) -> Result<Option<String>, Cause> {
    let what = "look for other jobs";
    let Some(row) = session.maybe(what, sql::TRANSFORM_OVERWRITTEN, &[&version.version_id]).await? else {
        return Ok(None);
    };
    let (other, many): (String, i64) = (row.try_get(0).map_err(decode)?, row.try_get(1).map_err(decode)?);
    let example: Option<String> = row.try_get(2).map_err(decode)?;
    Ok(Some(format!(
        "the job {other} has replaced {} since (such as {})",
        counted(many.unsigned_abs(), "partition"),
        shown_key(example.as_deref())
    )))
}
