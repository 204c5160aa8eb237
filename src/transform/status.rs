//! The progress of a version, and commands for it: pause, resume, retry, drop.

use serde_json::Value;

use super::job::{Job, TableName};
use super::session::{JobSession, decode};
use super::versions::{self, Version};
use crate::error::Cause;
use crate::sql;
use crate::words::counted;

/// The progress of a version, as a JSON object.
pub async fn status(session: &JobSession, version: &Version) -> Result<Value, Cause> {
    let row = session.maybe("look how far it is", sql::TRANSFORM_STATUS, &[&version.version_id]).await?;
    let row = row.ok_or_else(|| Cause::Refused {
        message: "the version was removed from the ledger meanwhile".into(),
        hint: Some("merganser transform plan JOB plans it again".into()),
    })?;
    Ok(row.try_get(0).map_err(decode)?)
}

/// The version of a job that is being made, or else the one in place.
///
/// # Errors
/// [`Cause::Refused`] if there is neither.
pub async fn newest(session: &JobSession, job: &Job) -> Result<Version, Cause> {
    versions::newest(session, &job.name).await?.ok_or_else(|| Cause::Refused {
        message: format!("no version of the job {} is planned", job.name),
        hint: Some(format!("merganser transform plan {}", job.folder.display())),
    })
}

/// Pauses a version (`to` is `paused`), so that workers end after their current groups, or resumes it (`open`).
///
/// # Errors
/// [`Cause::Refused`] if the version is in another state.
pub async fn set_state(session: &JobSession, job: &Job, version: &Version, to: &str) -> Result<(), Cause> {
    let from = if to == "paused" { "open" } else { "paused" };
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&version.version_id, &from, &to];
    if session.maybe("note it", sql::TRANSFORM_SET_STATE, &values).await?.is_some() {
        return Ok(());
    }
    let hash = versions::short(&version.hash);
    let newest = versions::newest(session, &job.name).await?;
    Err(Cause::Refused {
        message: match newest.filter(|newest| newest.version_id == version.version_id) {
            Some(newest) => format!("version {hash} is {}, not {from}", newest.state),
            None => {
                format!("another version was planned in place of {hash}, or it was dropped, at this moment")
            }
        },
        hint: Some(format!("merganser transform status {}", job.folder.display())),
    })
}

/// Makes poison partitions wait again; returns the number of groups.
pub async fn retry(session: &JobSession, version: &Version) -> Result<u64, Cause> {
    Ok(session.execute("try again", sql::TRANSFORM_RETRY, &[&version.version_id]).await?)
}

/// What [`remove`] has done.
#[derive(Debug, Default)]
pub struct DropOutcome {
    /// The names of the dropped tables.
    pub tables: Vec<String>,
    /// The version that was given up, with its progress.
    pub given_up: Option<(Version, Value)>,
}

/// Gives up the version that is being made, if there is one; otherwise removes the tables that earlier versions have left
/// behind.
///
/// # Errors
/// [`Cause::Refused`] if living workers make the version.
pub async fn remove(session: &JobSession, job: &Job) -> Result<DropOutcome, Cause> {
    let lock = versions::lock_name(session, &job.name);
    session
        .transaction("remove what is not needed", async {
            session.limit_lock_wait(10).await?;
            session.execute("wait for a worker", sql::TRANSFORM_LOCK_JOB, &[&lock]).await?;
            let open = versions::newest(session, &job.name).await?.filter(Version::is_open);
            let is_open = open.is_some();
            let mut removed = DropOutcome::default();
            if let Some(version) = open {
                refuse_while_made(session, job, &version).await?;
                let found = status(session, &version).await?;
                session.all("give the version up", sql::TRANSFORM_GIVE_UP, &[&version.version_id]).await?;
                removed.given_up = Some((version, found));
            }
            for row in session.all("look for tables", sql::TRANSFORM_LEFT_TABLES, &[&job.name]).await? {
                let table = TableName {
                    schema: row.try_get(0).map_err(decode)?,
                    table: row.try_get(1).map_err(decode)?,
                };
                let is_old: bool = row.try_get(3).map_err(decode)?;
                // The table that was in place before is kept while another version is being made.
                if is_old && is_open {
                    continue;
                }
                versions::drop_now(session, &table).await?;
                let old: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
                    [&job.name, &table.schema, &table.table];
                session.execute("note that it is gone", sql::TRANSFORM_FORGET_OLD, &old).await?;
                removed.tables.push(table.to_string());
            }
            Ok(removed)
        })
        .await
}

/// # Errors
/// [`Cause::Refused`] if living workers make a version: a command that only tidies up would throw their work away.
async fn refuse_while_made(session: &JobSession, job: &Job, version: &Version) -> Result<(), Cause> {
    let row = session.maybe("look for workers", sql::TRANSFORM_MAKERS, &[&version.version_id]).await?;
    let Some(row) = row else { return Ok(()) };
    let (workers, since): (i64, Option<String>) =
        (row.try_get(0).map_err(decode)?, row.try_get(1).map_err(decode)?);
    let lease_seconds: Option<i32> = row.try_get(2).map_err(decode)?;
    let Some((since, lease_seconds)) = since.zip(lease_seconds) else { return Ok(()) };
    let folder = job.folder.display();
    let pause = match version.state.as_str() {
        "paused" => String::new(),
        _ => format!("or merganser transform pause {folder}, after which they end; "),
    };
    Err(Cause::Refused {
        message: format!(
            "version {} of {} is being made by {} since {since}: nothing was removed",
            versions::short(&version.hash),
            job.name,
            counted(workers.unsigned_abs(), "worker")
        ),
        hint: Some(format!(
            "wait until they end, {pause}then merganser transform drop {folder}; one that has died counts for {lease_seconds} s more"
        )),
    })
}
