//! Puts a version in place for all readers at once: one short transaction renames the old table and the new one and recreates
//! the views that read them. It waits for a lock only where no reader of the clean table queues behind it.

use std::time::{Duration, Instant};

use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::finish::CleanTable;
use super::job::{Job, TableName};
use super::look;
use super::obstacles;
use super::session::{JobSession, decode};
use super::versions::{Version, numbered_name};
use crate::clients::postgres::PgError;
use crate::error::Cause;
use crate::fault;
use crate::schema::Grants;
use crate::sql;

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(500);
/// The SQLSTATE of a lock that is not available in time.
const NOT_FREE: &str = "55P03";
/// The SQLSTATE of a view that cannot be replaced because its columns would change.
const OTHER_COLUMNS: &str = "42P16";
/// The classes of the SQLSTATEs of a view that cannot be made: its text does not fit the new table, something depends on it, it
/// cannot be written like this.
const CANNOT_BE_MADE: [&str; 3] = ["42", "2B", "0A"];
const SWAP: &str = "swap the tables";

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
                    "when it has ended, or with a longer --swap-wait, start a worker again without --anew: it only swaps"
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
/// [`Cause::Refused`] if the locks do not become available within `limit`, if something depends on the old table that would not
/// depend on the new one, or any error of the server. Then nothing is changed.
pub async fn swap(
    session: &JobSession,
    job: &Job,
    version: &Version,
    table: &CleanTable,
    limit: Duration,
) -> Result<Option<Swapped>, Cause> {
    let target = TableName { schema: version.target_schema.clone(), table: version.target_table.clone() };
    let from = &table.table;
    let start = Instant::now();
    let mut is_said = false;
    loop {
        match session.transaction(SWAP, attempt(session, job, version, (from, &target))).await {
            Err(Cause::Postgres(error)) if error.sqlstate() == Some(NOT_FREE) => {
                if start.elapsed() >= limit {
                    let held = holder(session, &target, from).await?;
                    let held = held.map(|holder| format!(": {holder} holds a lock")).unwrap_or_default();
                    return Err(Cause::Refused {
                        message: format!(
                            "all partitions are done, but {target} and {from} were not free at any moment within {} s{held}",
                            limit.as_secs()
                        ),
                        hint: Some(
                            "when no session holds a lock on one, start a worker again without --anew: it only swaps".into(),
                        ),
                    });
                }
                if !is_said {
                    tracing::info!("waiting until no session uses {target} or {from}");
                    is_said = true;
                }
                tokio::time::sleep(PAUSE).await;
            }
            other => return other,
        }
    }
}

/// A session that holds a lock on one of the tables.
async fn holder(
    session: &JobSession,
    target: &TableName,
    from: &TableName,
) -> Result<Option<String>, PgError> {
    let values: [&(dyn ToSql + Sync); 3] = [&target.schema, &target.table, &from.table];
    let rows = session.all("look who uses the table", sql::TRANSFORM_HOLDERS, &values).await?;
    rows.first().map(|row| row.try_get(0)).transpose().map_err(decode)
}

async fn attempt(
    session: &JobSession,
    job: &Job,
    version: &Version,
    (from, target): (&TableName, &TableName),
) -> Result<Option<Swapped>, Cause> {
    run(session, sql::TRANSFORM_LOCK_VERSION, from, &[]).await?;
    let there = look::relation(session, target).await?.is_some();
    if there {
        run(session, sql::TRANSFORM_LOCK_TABLE, target, &[]).await?;
    }
    let old = there.then(|| numbered_name(target, version.version_id));
    let values: [&(dyn ToSql + Sync); 2] = [&version.version_id, &old];
    if session.maybe("note the swap", sql::TRANSFORM_SWAPPED, &values).await?.is_none() {
        return Ok(None);
    }
    match &old {
        Some(old) => replace(session, job, (from, target), old).await?,
        None => rename(session, from, &target.table).await?,
    }
    fault::point!("transform.swapping");
    Ok(Some(Swapped { old }))
}

/// Tries the swap; must be called in a transaction that is rolled back. `false`: the table was not free, so it was not tried.
///
/// # Errors
/// The reason why a version could not be put in place.
pub async fn rehearse(
    session: &JobSession,
    job: &Job,
    from: &TableName,
    target: &TableName,
) -> Result<bool, Cause> {
    let tried = async {
        run(session, sql::TRANSFORM_LOCK_VERSION, from, &[]).await?;
        run(session, sql::TRANSFORM_LOCK_TABLE, target, &[]).await?;
        replace(session, job, (from, target), &numbered_name(target, Uuid::now_v7())).await
    };
    match tried.await {
        Err(Cause::Postgres(error)) if error.sqlstate() == Some(NOT_FREE) => Ok(false),
        other => other.map(|()| true),
    }
}

/// Renames the old table, which gets the name `old`, and the new one. Both are locked: so are the views that read the old one
/// against everybody who would change them, because that takes a lock on the table as well.
async fn replace(
    session: &JobSession,
    job: &Job,
    (from, target): (&TableName, &TableName),
    old: &str,
) -> Result<(), Cause> {
    // Somebody may have made one since the plan.
    obstacles::refuse_to_swap(session, job, target, from).await?;
    let views = views(session, target).await?;
    let grants = grants(session, target).await?;
    let columns: Vec<String> =
        look::columns(session, from).await?.into_iter().map(|(column, _)| column.name).collect();
    let has = |name: &str| columns.iter().any(|column| column == name);
    let mut statements = Vec::new();
    let values: [&(dyn ToSql + Sync); 3] = [&target.schema, &target.table, &from.table];
    for row in session.all(SWAP, sql::TRANSFORM_CARRIED, &values).await? {
        let (column, statement): (Option<String>, String) =
            (row.try_get(0).map_err(decode)?, row.try_get(1).map_err(decode)?);
        if column.is_none_or(|name| has(&name)) {
            statements.push(statement);
        }
    }
    rename(session, target, old).await?;
    rename(session, from, &target.table).await?;
    for view in &views {
        make_again(session, view).await?;
    }
    let now = self::grants(session, target).await?;
    statements.push(grants.add_to(&now, has));
    session.run(SWAP, &statements.join(";\n")).await?;
    Ok(())
}

async fn grants(session: &JobSession, place: &TableName) -> Result<Grants, PgError> {
    session.watch.answers(SWAP, Grants::of(&*session.connection, &place.schema, &place.table)).await
}

async fn views(session: &JobSession, target: &TableName) -> Result<Vec<DependentView>, PgError> {
    let what = "look for views of the clean table";
    let rows = session.all(what, sql::TRANSFORM_VIEWS, &[&target.schema, &target.table]).await?;
    let view = |row: &tokio_postgres::Row| {
        Ok(DependentView {
            place: TableName { schema: row.try_get(0)?, table: row.try_get(1)? },
            replace: row.try_get(2)?,
            make: row.try_get(3)?,
            comment: row.try_get(4)?,
        })
    };
    rows.iter().map(view).collect::<Result<_, tokio_postgres::Error>>().map_err(decode)
}

/// Recreates a view. If its columns are the same, it is replaced and keeps everything that depends on it. Otherwise it is
/// dropped and created, and its owner, its grants and its comment are restored.
async fn make_again(session: &JobSession, view: &DependentView) -> Result<(), Cause> {
    let what = format!("make the view {} again", view.place);
    let failed = |error: PgError| match error.sqlstate() {
        Some(state) if CANNOT_BE_MADE.iter().any(|class| state.starts_with(class)) => Cause::Refused {
            message: format!("the view {} does not fit the new table: {error}", view.place),
            hint: Some("drop it, and make it again afterwards".into()),
        },
        _ => error.into(),
    };
    session.run(&what, "savepoint view").await?;
    match session.run(&what, &view.replace).await {
        Ok(()) => return Ok(session.run(&what, "release savepoint view").await?),
        Err(error) if error.sqlstate() == Some(OTHER_COLUMNS) => {}
        Err(error) => return Err(failed(error)),
    }
    session.run(&what, "rollback to savepoint view").await?;
    let grants = grants(session, &view.place).await?;
    run(session, sql::TRANSFORM_DROP_VIEW, &view.place, &[]).await.map_err(failed)?;
    session.run(&what, &view.make).await.map_err(failed)?;
    let now = self::grants(session, &view.place).await?;
    session.run(&what, &grants.restore_for(&now, |_| true)).await?;
    if let Some(comment) = &view.comment {
        run(session, sql::TRANSFORM_COMMENT_VIEW, &view.place, &[("comment", comment)]).await?;
    }
    Ok(())
}

async fn rename(session: &JobSession, table: &TableName, name: &str) -> Result<(), PgError> {
    run(session, sql::TRANSFORM_RENAME, table, &[("name", name)]).await
}

async fn run(
    session: &JobSession,
    script: &str,
    table: &TableName,
    more: &[(&str, &str)],
) -> Result<(), PgError> {
    let mut variables = vec![("schema", table.schema.as_str()), ("table", table.table.as_str())];
    variables.extend(more);
    session.run(&format!("swap {table}"), &sql::render(script, &variables)).await
}
