//! Completes a version after all partitions are done: checks the source once more, then puts the version in place.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio_postgres::Row;
use uuid::Uuid;

use super::claim::{Open, WorkerId};
use super::finish::{self, CleanTable};
use super::groups::{Group, Partition};
use super::job::{Job, TableName};
use super::look::{self, RawTable};
use super::rows::shown_key;
use super::session::{JobSession, decode};
use super::versions::{self, Version, VersionTable};
use super::{plan, swap};
use crate::clients::postgres::PgError;
use crate::config::WorkerConfig;
use crate::error::Cause;
use crate::sql;
use crate::words::counted;

/// The result of completing a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completed {
    /// The version is in place; `old` is the new name of the table that was there before.
    Swapped { old: Option<String> },
    /// Partitions have changed since they were read, and wait to be done again.
    Again { partitions: usize },
    /// Partitions have changed, and the job does not allow doing them again.
    Changed { words: String },
    /// Another worker was faster, or a group waits again.
    NotYet,
}

/// Partitions that differ from what was read.
#[derive(Debug, Default)]
struct Differing {
    /// For each, the number, its current rows and the key.
    known: Vec<(i32, i64, Option<String>)>,
    new: Vec<Partition>,
    /// The first unused partition number.
    next: i32,
}

impl Differing {
    fn partitions(&self) -> usize {
        self.known.len() + self.new.len()
    }

    fn words(&self, job: &Job) -> String {
        let known = self.known.iter().map(|(_, _, key)| key);
        let example = known.chain(self.new.iter().map(|new| &new.key)).next();
        let example = shown_key(example.and_then(|key| key.as_deref()));
        format!(
            "{} of {} changed since the table was read (such as {example})",
            counted(self.partitions() as u64, "partition"),
            job.source.table
        )
    }
}

/// After such a wait for the swap, what has changed meanwhile is told.
const WAITED: Duration = Duration::from_secs(5);
/// The most rows that are counted for a remark.
const COUNTED: u64 = 5_000_000;

/// In words, what has changed in the source since the version in place was made; `None`: nothing.
pub async fn source_changed(
    session: &JobSession,
    job: &Job,
    version: &Version,
) -> Result<Option<String>, Cause> {
    let raw = RawTable::look(session, job, &job.source.table).await?;
    changed_since(session, job, (version, &raw), version.planned("changes").as_i64()).await
}

/// The same, and of a version that is put in place; `before`: what the server had counted of changes when nothing had changed.
async fn changed_since(
    session: &JobSession,
    job: &Job,
    (version, raw): (&Version, &RawTable),
    before: Option<i64>,
) -> Result<Option<String>, Cause> {
    // The same counters mean the same rows, so they are not counted. The counters of a view say nothing.
    if raw.is_table() && before == Some(plan::changes(session, raw).await?) {
        return Ok(None);
    }
    if version.planned("rows").as_u64().is_some_and(|rows| rows > COUNTED) {
        let table = &job.source.table;
        return Ok(Some(format!(
            "{table} may have changed since it was read, and is too large to compare here"
        )));
    }
    let nobody = WorkerId { worker: Uuid::nil(), version: version.version_id };
    let differing = differing(session, &nobody, job, raw, version).await?;
    Ok(differing.map(|differing| differing.words(job)))
}

/// Completes a version whose groups are all done. The first session holds the job's lock throughout; `other` runs the swap in a
/// short transaction of its own.
pub async fn complete(
    (session, other): (&JobSession, &JobSession),
    worker: &WorkerId,
    job: &Job,
    version: &Version,
    (table, raw): (&CleanTable, &RawTable),
    config: &WorkerConfig,
) -> Result<Completed, Cause> {
    let lock = versions::lock_name(session, &job.name);
    session
        .transaction("end the version", async {
            session.execute("wait for another worker's end", sql::TRANSFORM_LOCK_JOB, &[&lock]).await?;
            let Open { state, waiting, running, poison, .. } = worker.open(session).await?;
            if state != "open" || waiting + running + poison > 0 {
                return Ok(Completed::NotYet);
            }
            let (looked, before) = (Instant::now(), plan::changes(session, raw).await?);
            if let Some(differing) = differing(session, worker, job, raw, version).await? {
                return changed(session, worker, job, &differing).await;
            }
            if table.is_in_place {
                refuse_incomplete(other, job, version, table).await?;
                let values: [&(dyn tokio_postgres::types::ToSql + Sync); 2] =
                    [&worker.version, &None::<&str>];
                if session.maybe("note the end", sql::TRANSFORM_SWAPPED, &values).await?.is_none() {
                    return Ok(Completed::NotYet);
                }
                // A job with a condition knows nothing of the partitions that the condition leaves out.
                if job.source.condition.is_none() {
                    finish::remove_leftovers(session, worker, table).await?;
                }
                return Ok(Completed::Swapped { old: None });
            }
            refuse_incomplete(other, job, version, table).await?;
            let analyze = [("schema", table.table.schema.as_str()), ("table", &table.table.table)];
            other.run("look at the new table", &sql::render(sql::TRANSFORM_LOOK_AT_ROWS, &analyze)).await?;
            swap::wait_for_readers(other, &lock, config.swap_wait).await?;
            let swapped = swap::swap(other, job, version, table, config.swap_wait).await?;
            if swapped.is_some()
                && looked.elapsed() > WAITED
                && let Ok(Some(words)) = changed_meanwhile(other, worker, job, (version, raw), before).await
            {
                tracing::warn!(
                    "{words}, while the swap was waiting. Next: {}",
                    versions::anew_command(job, version.is_in_place)
                );
            }
            Ok(swapped.map_or(Completed::NotYet, |swapped| Completed::Swapped { old: swapped.old }))
        })
        .await
}

/// In words, what has changed while the swap was waiting; `before` is what the server had counted of changes until then. The session
/// must not be inside a transaction that has seen that number, because it goes on seeing it.
async fn changed_meanwhile(
    session: &JobSession,
    worker: &WorkerId,
    job: &Job,
    (version, raw): (&Version, &RawTable),
    before: i64,
) -> Result<Option<String>, Cause> {
    match job.source.changed {
        // It always counts: the last changes may not have reached the counters.
        Some(_) => {
            let differing = differing(session, worker, job, raw, version).await?;
            Ok(differing.map(|differing| differing.words(job)))
        }
        None => changed_since(session, job, (version, raw), Some(before)).await,
    }
}

/// # Errors
/// [`Cause::Refused`] if the version's table is another one, or lacks rows that were written, has rows under another
/// key, or has rows that nobody has counted. A trigger that the script makes may write more, and in place there may be rows of
/// other partitions.
async fn refuse_incomplete(
    session: &JobSession,
    job: &Job,
    version: &Version,
    clean: &CleanTable,
) -> Result<(), Cause> {
    if let Some(lost) = VersionTable::look(session, version.version_id).await?.lost(job, version) {
        return Err(lost);
    }
    let table = &clean.table;
    let version_id = version.version_id.to_string();
    let variables = [
        ("schema", table.schema.as_str()),
        ("table", &table.table),
        ("key", &clean.key),
        ("version_id", &version_id),
    ];
    let text = session.text_with(sql::TRANSFORM_WHOLE, &variables);
    for row in session.query("count the rows of the new table", &text).await? {
        let (there, written): (i64, i64) = (row.try_get(0).map_err(decode)?, row.try_get(1).map_err(decode)?);
        let has_triggers: bool = row.try_get(2).map_err(decode)?;
        let so = match clean.is_in_place {
            true => "this version is not complete",
            false => "it is not put in place",
        };
        if there < written || there > written && !has_triggers && !clean.is_in_place {
            return Err(Cause::Refused {
                message: format!(
                    "{table} has {there} rows, and {written} were written into it: somebody has written to it meanwhile, and {so}"
                ),
                hint: Some(versions::anew(job, version)),
            });
        }
        if let Some((key, there, written)) = key_counts(&row, 3)? {
            return Err(Cause::Refused {
                message: format!(
                    "{written} rows were written into {table} with the key {}, and it has {there} under it: a trigger of the table \
                     or somebody has changed the key, which must stay what it is in the source, or has removed rows; {so}",
                    shown_key(key.as_deref())
                ),
                hint: Some(format!("let the trigger fill another column; {}", versions::anew(job, version))),
            });
        }
        if let Some((key, there, written)) = key_counts(&row, 6)?
            && clean.is_in_place
            && !has_triggers
        {
            return Err(Cause::Refused {
                message: format!(
                    "{table} has {there} rows with the key {}, and {written} were written with it: somebody has written to it \
                     meanwhile, and {so}",
                    shown_key(key.as_deref())
                ),
                hint: Some(versions::anew(job, version)),
            });
        }
        if clean.is_in_place {
            continue;
        }
        let target = TableName { schema: version.target_schema.clone(), table: version.target_table.clone() };
        let old_rows = look::relation(session, &target).await?.map_or(0, |old| old.rows);
        if let Some(words) = plan::fewer(there.unsigned_abs(), old_rows) {
            tracing::warn!("{target} is replaced, although {words}");
        }
    }
    Ok(())
}

/// A key, the rows that the table has under it and those that were written with it, from three columns of a row; `None`: there is no
/// such key.
fn key_counts(row: &Row, at: usize) -> Result<Option<(Option<String>, i64, i64)>, PgError> {
    let counts: (Option<i64>, Option<i64>) =
        (row.try_get(at + 1).map_err(decode)?, row.try_get(at + 2).map_err(decode)?);
    let key = row.try_get(at).map_err(decode)?;
    Ok(counts.0.zip(counts.1).map(|(there, written)| (key, there, written)))
}

/// The partitions that have changed since they were read; `None`: none have. If the job has no `changed` column, unchanged
/// counters of the server count as proof. A crash of the server resets the counters; then all rows are counted.
async fn differing(
    session: &JobSession,
    worker: &WorkerId,
    job: &Job,
    raw: &RawTable,
    version: &Version,
) -> Result<Option<Differing>, Cause> {
    let planned = version.planned("changes").as_i64();
    if job.source.changed.is_none() && planned == Some(plan::changes(session, raw).await?) {
        return Ok(None);
    }
    let rows = session.all("look up what was read", sql::TRANSFORM_COUNTED, &[&worker.version]).await?;
    let mut read = HashMap::new();
    let mut differing = Differing::default();
    for row in rows {
        let (number, key): (i32, Option<String>) =
            (row.try_get(0).map_err(decode)?, row.try_get(1).map_err(decode)?);
        let counted: (i64, String) = (row.try_get(2).map_err(decode)?, row.try_get(3).map_err(decode)?);
        differing.next = differing.next.max(number + 1);
        read.insert(key, (number, counted));
    }
    for now in plan::partitions(session, raw, true).await? {
        let rows = now.rows as i64;
        match read.remove(&now.key) {
            Some((_, (read_rows, fingerprint))) if read_rows == rows && fingerprint == now.fingerprint => {}
            Some((number, _)) => differing.known.push((number, rows, now.key)),
            None => differing.new.push(now),
        }
    }
    // The partitions that remain in `read` are no longer in the source.
    let gone = read.into_iter().filter(|(_, (_, (rows, _)))| *rows > 0);
    differing.known.extend(gone.map(|(key, (number, _))| (number, 0, key)));
    Ok((!differing.known.is_empty() || !differing.new.is_empty()).then_some(differing))
}

async fn changed(
    session: &JobSession,
    worker: &WorkerId,
    job: &Job,
    differing: &Differing,
) -> Result<Completed, Cause> {
    let partitions = differing.partitions();
    if job.source.changed.is_none() {
        let words = differing.words(job);
        session.execute("note the change", sql::TRANSFORM_CHANGED, &[&worker.version, &words]).await?;
        return Ok(Completed::Changed { words });
    }
    let what = "do changed partitions again";
    let numbers: Vec<i32> = differing.known.iter().map(|(number, ..)| *number).collect();
    let rows: Vec<i64> = differing.known.iter().map(|(_, rows, _)| *rows).collect();
    session.execute(what, sql::TRANSFORM_WHOLE_AGAIN, &[&worker.version, &numbers]).await?;
    session.execute(what, sql::TRANSFORM_MEMBERS_AGAIN, &[&worker.version, &numbers, &rows]).await?;
    session.execute(what, sql::TRANSFORM_GROUPS_AGAIN, &[&worker.version, &numbers, &rows]).await?;
    // Each new partition becomes a group of its own, numbered like groups that were split off.
    let groups: Vec<Group> = differing
        .new
        .iter()
        .enumerate()
        .map(|(place, new)| Group { members: vec![(place, 0)], rows: new.rows, ..Group::default() })
        .collect();
    let first = 1_000_000_000 + differing.next;
    versions::add(session, worker.version, &groups, &differing.new, (first, differing.next)).await?;
    Ok(Completed::Again { partitions })
}
