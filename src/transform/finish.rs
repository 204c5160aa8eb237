//! Ends a group: commits its clean rows and its row in the ledger in one transaction, guarded by the token; or records its
//! failure.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use futures_util::SinkExt;
use tokio_postgres::types::ToSql;

use super::claim::{Claim, FAILURES, WorkerId};
use super::groups::TOGETHER;
use super::job::TableName;
use super::look::RawTable;
use super::obstacles;
use super::read::{Counted, key_list};
use super::rows::{CleanRows, shown_key};
use super::session::{JobSession, decode};
use crate::clients::postgres::PgError;
use crate::error::Cause;
use crate::fault;
use crate::sql;
use crate::system::machine;
use crate::words::millis;

/// The bytes that are sent to the server at once.
const CHUNK: usize = 256 << 10;
/// The most characters of an error in the ledger: a traceback may be long.
const ERROR_CHARS: usize = 8_000;

/// The table that a version's rows go into.
#[derive(Clone, Debug)]
pub struct CleanTable {
    pub table: TableName,
    pub key: String,
    /// The table is the target itself, so it may already hold rows of these partitions.
    pub is_in_place: bool,
    /// The rows of partitions that the source no longer has go with each group, not only at the end.
    pub with_leftovers: bool,
}

/// The cost of a group.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    pub bytes_in: u64,
    pub read_ms: u64,
    pub clean_ms: u64,
    /// The memory of the cleaning if it runs in another process.
    pub beside_bytes: u64,
}

/// The result of ending a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    Done,
    /// The claim is no longer ours, because another worker has it, it was given back, or the version is not made any more:
    /// nothing was written.
    Lost,
}

/// The reasons why a group could not be committed.
#[derive(Debug, thiserror::Error)]
pub enum FinishError {
    #[error(transparent)]
    Postgres(#[from] PgError),
    #[error("the claim is no longer ours")]
    Lost,
    /// For example, a trigger discards rows.
    #[error("{sent} rows were sent, and the clean table took {taken}: does a trigger leave some out?")]
    Short { sent: u64, taken: u64 },
    /// For example, a trigger keeps rows.
    #[error("{} of the {there} rows of these partitions were not deleted: does a trigger keep them?", .there - .gone)]
    Kept { there: i64, gone: i64 },
    /// For example, a trigger changes keys. Rows under another key are not found by the source's key.
    #[error(
        "{sent} rows were sent with the key {key}, and the clean table has {there} under it: a trigger of the table, or a change of \
         the column's type, changes the key, which must stay what it is in the source; nothing of this group was written; let the \
         trigger fill another column"
    )]
    OtherKey { key: String, sent: u64, there: u64 },
    /// An obstacle was made since the plan: a delete would do something other than it says, for each group.
    #[error(transparent)]
    Refused(Box<Cause>),
    /// A test made it fail.
    #[cfg(feature = "failpoints")]
    #[error("{0}")]
    Struck(std::io::Error),
}

impl From<Cause> for FinishError {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Postgres(error) => Self::Postgres(error),
            cause => Self::Refused(Box::new(cause)),
        }
    }
}

#[cfg(feature = "failpoints")]
impl From<fault::Struck> for FinishError {
    fn from(struck: fault::Struck) -> Self {
        Self::Struck(struck.0)
    }
}

/// Commits a group.
///
/// # Errors
/// Any error of the server; then nothing was written. If the connection broke, [`outcome`] says whether the commit succeeded.
pub async fn finish(
    session: &JobSession,
    worker: &WorkerId,
    claim: &Claim,
    into: (&CleanTable, &RawTable),
    rows: &CleanRows,
    counted: &[Counted],
    cost: Cost,
) -> Result<Finished, FinishError> {
    let (table, raw) = into;
    let start = std::time::Instant::now();
    let what = format!("write {}", table.table);
    let written = async {
        fence(session, worker, claim).await?;
        if claim.is_written || table.is_in_place {
            remove(session, table, raw, &claim.keys()).await?;
        }
        if table.with_leftovers {
            remove_leftovers(session, worker, table).await?;
        }
        write(session, table, rows, &what).await?;
        // A version of its own is counted as a whole, before it is put in place.
        if table.is_in_place {
            refuse_other_keys(session, table, raw, &claim.keys(), &rows.rows_out).await?;
        }
        let numbers: Vec<i32> = claim.members.iter().map(|(number, ..)| *number).collect();
        let parts: Vec<i32> = claim.members.iter().map(|(_, part, _)| *part).collect();
        let rows_in: Vec<i64> = counted.iter().map(|counted| counted.rows as i64).collect();
        let rows_out: Vec<i64> = rows.rows_out.iter().map(|rows| *rows as i64).collect();
        let fingerprints: Vec<String> = counted.iter().map(|counted| counted.written.to_string()).collect();
        session
            .execute(
                "note the partitions",
                sql::TRANSFORM_PARTITIONS_DONE,
                &[&worker.version, &numbers, &parts, &rows_in, &rows_out, &fingerprints],
            )
            .await?;
        done(session, worker, claim, cost, millis(start)).await?;
        fault::point!("transform.before_commit");
        Ok(())
    };
    ended(session.transaction(&what, written).await)
}

/// Checks that the claim has the newest token; must be the first statement in the transaction.
pub async fn fence(session: &JobSession, worker: &WorkerId, claim: &Claim) -> Result<(), FinishError> {
    let values: [&(dyn ToSql + Sync); 3] = [&worker.version, &claim.group_no, &claim.token];
    let row = session.maybe("look at the claim", sql::TRANSFORM_FENCE, &values).await?;
    row.map(|_| ()).ok_or(FinishError::Lost)
}

/// Records that a group or a range is done, if its version is still being made; must come last in the transaction.
pub async fn done(
    session: &JobSession,
    worker: &WorkerId,
    claim: &Claim,
    cost: Cost,
    write_ms: u64,
) -> Result<(), FinishError> {
    let version =
        session.maybe("look at the version", sql::TRANSFORM_FENCE_VERSION, &[&worker.version]).await?;
    if version.is_none() {
        return Err(FinishError::Lost);
    }
    let peak = machine::peak_memory_bytes().map(|bytes| (bytes + cost.beside_bytes) as i64);
    let values: [&(dyn ToSql + Sync); 8] = [
        &worker.version,
        &claim.group_no,
        &claim.token,
        &(cost.bytes_in as i64),
        &(cost.read_ms as i64),
        &(cost.clean_ms as i64),
        &(write_ms as i64),
        &peak,
    ];
    match session.execute("note the group", sql::TRANSFORM_GROUP_DONE, &values).await? {
        1 => Ok(()),
        _ => Err(FinishError::Lost),
    }
}

/// The result of a transaction that began with [`fence`].
pub fn ended(transaction: Result<(), FinishError>) -> Result<Finished, FinishError> {
    match transaction {
        Ok(()) => Ok(Finished::Done),
        Err(FinishError::Lost) => Ok(Finished::Lost),
        Err(error) => Err(error),
    }
}

/// Deletes the rows of partitions that were written before; must be called inside a transaction.
pub async fn remove(
    session: &JobSession,
    table: &CleanTable,
    raw: &RawTable,
    keys: &[Option<String>],
) -> Result<(), FinishError> {
    let (keys, with_null) = key_list(keys);
    let variables = of_keys(table, raw, &keys, with_null);
    let what = "remove what was written before";
    if table.is_in_place {
        // With the delete's lock, which keeps anybody from making an obstacle before the commit.
        session.run(what, &sql::render(sql::TRANSFORM_LOCK_ROWS, &variables)).await?;
        obstacles::refuse_in_place(session, &table.table).await?;
    }
    for row in session.query(what, &sql::render(sql::TRANSFORM_REMOVE, &variables)).await? {
        let (there, gone): (i64, i64) = (row.try_get(0).map_err(decode)?, row.try_get(1).map_err(decode)?);
        if there != gone {
            return Err(FinishError::Kept { there, gone });
        }
        if row.try_get(2).map_err(decode)? {
            let returned = kept(session, &variables).await?.values().sum::<u64>() as i64;
            if returned > 0 {
                return Err(FinishError::Kept { there: gone, gone: gone - returned });
            }
        }
    }
    Ok(())
}

/// Deletes the rows of partitions that are not in the source; must be called inside a transaction.
pub async fn remove_leftovers(
    session: &JobSession,
    worker: &WorkerId,
    table: &CleanTable,
) -> Result<(), Cause> {
    let version = worker.version.to_string();
    let variables = [
        ("schema", table.table.schema.as_str()),
        ("table", &table.table.table),
        ("key", &table.key),
        ("version_id", &version),
    ];
    let what = "remove what is no longer in the source";
    session.run(what, &sql::render(sql::TRANSFORM_LOCK_ROWS, &variables)).await?;
    obstacles::refuse_in_place(session, &table.table).await?;
    session.run(what, &session.text_with(sql::TRANSFORM_LEFTOVERS, &variables)).await?;
    Ok(())
}

/// The variables of a script about the rows of some keys.
fn of_keys<'v>(
    table: &'v CleanTable,
    raw: &'v RawTable,
    keys: &'v str,
    with_null: &'v str,
) -> [(&'v str, &'v str); 6] {
    [
        ("schema", &table.table.schema),
        ("table", &table.table.table),
        ("key", &table.key),
        ("key_type", raw.key().cast()),
        ("keys", keys),
        ("with_null", with_null),
    ]
}

/// The rows that the table has under each of some keys.
async fn kept(
    session: &JobSession,
    of_keys: &[(&str, &str)],
) -> Result<HashMap<Option<String>, u64>, PgError> {
    let mut kept = HashMap::new();
    for row in session.query("count the rows of a group", &sql::render(sql::TRANSFORM_KEPT, of_keys)).await? {
        let (key, rows): (Option<String>, i64) =
            (row.try_get(0).map_err(decode)?, row.try_get(1).map_err(decode)?);
        kept.insert(key, rows.unsigned_abs());
    }
    Ok(kept)
}

/// # Errors
/// [`FinishError::OtherKey`] if the table has fewer rows of a key than were written with it.
async fn refuse_other_keys(
    session: &JobSession,
    table: &CleanTable,
    raw: &RawTable,
    keys: &[Option<String>],
    rows_out: &[u64],
) -> Result<(), FinishError> {
    let (list, with_null) = key_list(keys);
    let kept = kept(session, &of_keys(table, raw, &list, with_null)).await?;
    for (key, sent) in keys.iter().zip(rows_out.iter().copied()) {
        let there = kept.get(key).copied().unwrap_or(0);
        if there < sent {
            return Err(FinishError::OtherKey { key: shown_key(key.as_deref()), sent, there });
        }
    }
    Ok(())
}

/// Writes clean rows; must be called inside a transaction.
pub async fn write(
    session: &JobSession,
    table: &CleanTable,
    rows: &CleanRows,
    what: &str,
) -> Result<(), FinishError> {
    if rows.encoded.rows == 0 {
        return Ok(());
    }
    let columns = sql::identifiers(rows.columns.iter().map(String::as_str));
    let variables =
        [("schema", table.table.schema.as_str()), ("table", &table.table.table), ("columns", &columns)];
    let text = sql::render(sql::TRANSFORM_WRITE, &variables);
    let sink = session.watch.answer(what, session.connection.copy_in::<_, Bytes>(&text)).await?;
    let mut sink = std::pin::pin!(sink);
    for chunk in rows.encoded.text.as_bytes().chunks(CHUNK) {
        session.watch.answer(what, sink.send(Bytes::copy_from_slice(chunk))).await?;
    }
    let written = session.watch.answer(what, sink.finish()).await?;
    match written == rows.encoded.rows {
        true => Ok(()),
        false => Err(FinishError::Short { sent: rows.encoded.rows, taken: written }),
    }
}

/// Finds out over a new connection whether a commit without an answer succeeded; `None`: it was rolled back, and the claim is
/// still valid. The lost session must have been ended before.
pub async fn outcome(
    session: &JobSession,
    worker: &WorkerId,
    claim: &Claim,
) -> Result<Option<Finished>, PgError> {
    let what = "ask what became of the group";
    let row = session.maybe(what, sql::TRANSFORM_OUTCOME, &[&worker.version, &claim.group_no]).await?;
    let Some(row) = row else { return Ok(Some(Finished::Lost)) };
    let (token, status): (i64, String) = (row.try_get(0).map_err(decode)?, row.try_get(1).map_err(decode)?);
    Ok(match (token == claim.token, status.as_str()) {
        (true, "done") => Some(Finished::Done),
        (true, "running") => None,
        _ => Some(Finished::Lost),
    })
}

/// Records that a group failed. A group of several partitions is split, so that the good ones are not lost with the bad one; a
/// single partition waits for its next attempt, or becomes poison.
pub async fn fail(
    session: &JobSession,
    worker: &WorkerId,
    claim: &Claim,
    words: &str,
) -> Result<&'static str, PgError> {
    let words: String = words.replace('\0', "\u{fffd}").chars().take(ERROR_CHARS).collect();
    // What was joined is not split again: it would only collide as before.
    if claim.members.len() > 1 && claim.group_no != TOGETHER {
        session
            .all(
                "take a group apart",
                sql::TRANSFORM_GROUP_SPLIT,
                &[&worker.version, &claim.group_no, &claim.token, &words],
            )
            .await?;
        return Ok("its partitions are tried one by one");
    }
    let row = session
        .maybe(
            "note a failure",
            sql::TRANSFORM_GROUP_FAILED,
            &[&worker.version, &claim.group_no, &claim.token, &words, &FAILURES],
        )
        .await?;
    let status: Option<String> = row.map(|row| row.try_get(0)).transpose().map_err(decode)?;
    Ok(match status.as_deref() {
        None => "the claim is no longer ours",
        Some("poison") => "it is poison now",
        Some(_) => "it is tried again",
    })
}

/// Waits while a replica lags more than `limit`.
pub async fn throttle(session: &JobSession, limit: Duration) -> Result<(), PgError> {
    let mut is_said = false;
    loop {
        let row = session.maybe("look at the replicas", sql::TRANSFORM_LAG, &[]).await?;
        let seconds: f64 = row.map(|row| row.try_get(0)).transpose().map_err(decode)?.unwrap_or(0.0);
        if seconds <= limit.as_secs_f64() {
            return Ok(());
        }
        if !is_said {
            tracing::info!(seconds, "a replica is {seconds:.0} s behind: waiting for it");
            is_said = true;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
