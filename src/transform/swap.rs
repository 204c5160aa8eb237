//! Puts a version in place for all readers at once: one short transaction, which waits for no lock, renames the old table and
//! the new one and recreates the views that read them.

use std::time::{Duration, Instant};

use tokio_postgres::Transaction;
use uuid::Uuid;

use super::finish::CleanTable;
use super::job::TableName;
use super::look;
use super::session::{JobSession, decode};
use super::versions::Version;
use crate::clients::postgres::{self, PgError};
use crate::error::Cause;
use crate::fault;
use crate::schema::Grants;
use crate::sql;

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(500);
/// The SQLSTATE of a lock that is not available at once.
const NOT_FREE: &str = "55P03";
/// The SQLSTATE of a view that cannot be replaced because its columns would change.
const OTHER_COLUMNS: &str = "42P16";

/// A view that reads the table.
struct DependentView {
    place: TableName,
    replace: String,
    make: String,
    comment: Option<String>,
}

/// Waits until no session has a snapshot that lacks the last partitions, because such a session would see holes in the new
/// table. `lock` is the job's lock.
///
/// # Errors
/// [`Cause::Refused`] after `limit`, with the session that is in the way.
pub async fn wait_for_readers(session: &JobSession, lock: &str, limit: Duration) -> Result<(), Cause> {
    let start = Instant::now();
    let row = session.maybe("ask for the time", sql::TRANSFORM_NOW, &[]).await?;
    let done: String = row.map(|row| row.try_get(0)).transpose().map_err(decode)?.unwrap_or_default();
    let mut said = None;
    loop {
        let rows = session.all("look for older readers", sql::TRANSFORM_READERS, &[&done, &lock]).await?;
        let Some(row) = rows.first() else { return Ok(()) };
        let reader: String = row.try_get(0).map_err(decode)?;
        if start.elapsed() >= limit {
            return Err(Cause::Refused {
                message: format!(
                    "all partitions are done, but {reader} would see holes in the new table; it did not end within {} s",
                    limit.as_secs()
                ),
                hint: Some(
                    "when it has ended, or with a longer --swap-wait, start a worker again: it only swaps"
                        .into(),
                ),
            });
        }
        if said.as_ref() != Some(&reader) {
            tracing::info!(
                "all partitions are done; waiting for {reader}, which would see holes in the new table"
            );
            said = Some(reader);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The result of a swap.
pub struct Swapped {
    /// The new name of the table that was there before.
    pub old: Option<String>,
}

/// Puts a version in place; `None`: somebody has paused it in the meantime.
///
/// # Errors
/// [`Cause::Refused`] if the locks do not become available within `limit`, or any error of the server. Then nothing is changed.
pub async fn swap(
    session: &mut JobSession,
    version: &Version,
    table: &CleanTable,
    limit: Duration,
) -> Result<Option<Swapped>, Cause> {
    let target = TableName { schema: version.target_schema.clone(), table: version.target_table.clone() };
    let start = Instant::now();
    let mut is_said = false;
    loop {
        match attempt(session, version, &table.table, &target).await {
            Err(Cause::Postgres(error)) if error.sqlstate() == Some(NOT_FREE) => {
                if start.elapsed() >= limit {
                    return Err(Cause::Refused {
                        message: format!(
                            "all partitions are done, but {target} was not free for a moment within {} s",
                            limit.as_secs()
                        ),
                        hint: Some(
                            "find the session that holds it in pg_locks, then start a worker again: it only swaps"
                                .into(),
                        ),
                    });
                }
                if !is_said {
                    tracing::info!("waiting until no session uses {target}");
                    is_said = true;
                }
                tokio::time::sleep(PAUSE).await;
            }
            other => return other,
        }
    }
}

async fn attempt(
    session: &mut JobSession,
    version: &Version,
    from: &TableName,
    target: &TableName,
) -> Result<Option<Swapped>, Cause> {
    let there = look::relation(session, target).await?.is_some();
    let columns: Vec<String> =
        look::columns(session, from).await?.into_iter().map(|(column, _)| column.name).collect();
    let mark = session.text(sql::TRANSFORM_SWAPPED);
    let watch = session.watch.clone();
    let work = async {
        let failed = |error| postgres::classify(error, "swap the tables");
        let transaction = session.connection.transaction().await.map_err(failed)?;
        let old = match there {
            true => Some(replace(&transaction, from, target, &columns, version.version_id).await?),
            false => {
                rename(&transaction, from, &target.table).await?;
                None
            }
        };
        fault::point!("transform.swapping");
        let swapped = transaction.query_opt(&mark, &[&version.version_id, &old]).await.map_err(failed)?;
        if swapped.is_none() {
            transaction.rollback().await.map_err(failed)?;
            return Ok(None);
        }
        transaction.commit().await.map_err(failed)?;
        Ok(Some(Swapped { old }))
    };
    watch.answers("swap the tables", work).await
}

/// Renames the old table and the new one; returns the new name of the old one.
async fn replace(
    transaction: &Transaction<'_>,
    from: &TableName,
    target: &TableName,
    columns: &[String],
    version_id: Uuid,
) -> Result<String, Cause> {
    let failed = |error| postgres::classify(error, "swap the tables");
    run(transaction, sql::TRANSFORM_LOCK_TABLE, target, &[]).await?;
    let views = views(transaction, target).await?;
    for view in &views {
        run(transaction, sql::TRANSFORM_LOCK_TABLE, &view.place, &[]).await?;
    }
    let grants = Grants::of(transaction, &target.schema, &target.table).await?;
    let comments =
        transaction.query(sql::TRANSFORM_COMMENTS, &[&target.schema, &target.table]).await.map_err(failed)?;
    let digits = version_id.simple().to_string();
    // The last digits of the id, because the first ones are the time.
    let old = format!("{}__{}", target.table, &digits[digits.len() - 8..]);
    rename(transaction, target, &old).await?;
    rename(transaction, from, &target.table).await?;
    for view in &views {
        make_again(transaction, view).await?;
    }
    let now = Grants::of(transaction, &target.schema, &target.table).await?;
    let has = |name: &str| columns.iter().any(|column| column == name);
    transaction.batch_execute(&grants.restore_for(&now, has)).await.map_err(failed)?;
    for row in comments {
        let (column, statement): (Option<String>, String) =
            (row.try_get(0).map_err(decode)?, row.try_get(1).map_err(decode)?);
        if column.is_none_or(|name| has(&name)) {
            transaction.batch_execute(&statement).await.map_err(failed)?;
        }
    }
    Ok(old)
}

async fn views(transaction: &Transaction<'_>, target: &TableName) -> Result<Vec<DependentView>, PgError> {
    let failed = |error| postgres::classify(error, "look for views of the clean table");
    let rows =
        transaction.query(sql::TRANSFORM_VIEWS, &[&target.schema, &target.table]).await.map_err(failed)?;
    let view = |row: &tokio_postgres::Row| {
        Ok(DependentView {
            place: TableName { schema: row.try_get(0)?, table: row.try_get(1)? },
            replace: row.try_get(2)?,
            make: row.try_get(3)?,
            comment: row.try_get(4)?,
        })
    };
    rows.iter().map(view).collect::<Result<_, tokio_postgres::Error>>().map_err(failed)
}

/// Recreates a view. If its columns are the same, it is replaced and keeps everything that depends on it. Otherwise it is
/// dropped and created, and its grants and its comment are restored.
async fn make_again(transaction: &Transaction<'_>, view: &DependentView) -> Result<(), Cause> {
    let failed = |error| postgres::classify(error, format!("make the view {} again", view.place).as_str());
    transaction.batch_execute("savepoint view").await.map_err(failed)?;
    match transaction.batch_execute(&view.replace).await.map_err(failed) {
        Ok(()) => {
            transaction.batch_execute("release savepoint view").await.map_err(failed)?;
            return Ok(());
        }
        Err(error) if error.sqlstate() == Some(OTHER_COLUMNS) => {}
        Err(error) => return Err(error.into()),
    }
    transaction.batch_execute("rollback to savepoint view").await.map_err(failed)?;
    let grants = Grants::of(transaction, &view.place.schema, &view.place.table).await?;
    run(transaction, sql::TRANSFORM_DROP_VIEW, &view.place, &[]).await?;
    transaction.batch_execute(&view.make).await.map_err(failed)?;
    let now = Grants::of(transaction, &view.place.schema, &view.place.table).await?;
    transaction.batch_execute(&grants.restore_for(&now, |_| true)).await.map_err(failed)?;
    if let Some(comment) = &view.comment {
        run(transaction, sql::TRANSFORM_COMMENT_VIEW, &view.place, &[("comment", comment)]).await?;
    }
    Ok(())
}

async fn rename(transaction: &Transaction<'_>, table: &TableName, name: &str) -> Result<(), PgError> {
    // This waits for nobody: no other session knows the new table, and the old one is locked.
    run(transaction, sql::TRANSFORM_RENAME, table, &[("name", name)]).await
}

async fn run(
    transaction: &Transaction<'_>,
    script: &str,
    table: &TableName,
    more: &[(&str, &str)],
) -> Result<(), PgError> {
    let mut variables = vec![("schema", table.schema.as_str()), ("table", table.table.as_str())];
    variables.extend(more);
    let text = sql::render(script, &variables);
    transaction
        .batch_execute(&text)
        .await
        .map_err(|e| postgres::classify(e, format!("swap {table}").as_str()))
}
