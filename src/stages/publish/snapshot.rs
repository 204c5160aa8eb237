//! One snapshot of the database for several connections, so that the rows they read are consistent.

use tokio_postgres::{IsolationLevel, Transaction};

use crate::clients::postgres::{self, Connection, PgError, PgUrl, Watch};
use crate::run::context::Context;
use crate::sql;

const OPEN: &str = "open a snapshot";

/// What another connection needs to see the same snapshot.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    url: PgUrl,
    /// The script that begins its transaction.
    script: String,
}

/// Begins a snapshot that other connections can share; returns its name. The name is requested at once, because the
/// server gives none inside a savepoint, and a savepoint stays open after a rollback to it.
pub(super) async fn begin<'a>(
    connection: &'a mut Connection,
    watch: &Watch,
) -> Result<(Transaction<'a>, String), PgError> {
    let begun = connection.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
    let first = watch.answer(OPEN, begun.start()).await?;
    let exported = watch.answer(OPEN, first.query_one(sql::PUBLISH_EXPORT_SNAPSHOT, &[])).await?;
    let name = exported.try_get(0).map_err(|e| postgres::classify(e, OPEN))?;
    Ok((first, name))
}

/// From here on the transaction only reads. Amazon does not document that its function works in a read-only
/// transaction.
pub(super) async fn settle(context: &Context, first: &Transaction<'_>, watch: &Watch) -> Result<(), PgError> {
    if context.aws_s3.is_none() {
        watch.answer(OPEN, first.batch_execute(sql::PUBLISH_READ_ONLY)).await?;
    }
    watch.answer(OPEN, first.batch_execute(sql::PUBLISH_ORDER)).await
}

/// Locks the tables against changes of their structure, and lets others share the snapshot; `None`: the role lacks the
/// right, and reading goes on without it.
///
/// # Errors
/// If the connection fails.
pub(super) async fn share(
    context: &Context,
    first: &mut Transaction<'_>,
    watch: &Watch,
    name: &str,
    tables: &[&str],
) -> Result<Option<Shared>, PgError> {
    let failed = |e| postgres::classify(e, OPEN);
    if tables.is_empty() {
        return Ok(None);
    }
    let savepoint = first.savepoint("locks").await.map_err(failed)?;
    let script = locking(context, tables, "");
    match watch.answer("keep the tables as they are", savepoint.batch_execute(&script)).await {
        Ok(()) => savepoint.commit().await.map_err(failed)?,
        Err(PgError::Rights(_)) => {
            savepoint.rollback().await.map_err(failed)?;
            return Ok(None);
        }
        Err(error) => return Err(error),
    }
    let begin = "begin isolation level repeatable read;\n";
    let import = sql::render(sql::PUBLISH_IMPORT_SNAPSHOT, &[("snapshot", name)]);
    let locks = locking(context, tables, "nowait");
    let script = [begin, &import, sql::PUBLISH_READ_ONLY, sql::PUBLISH_ORDER, &locks].concat();
    Ok(Some(Shared { url: context.database.clone(), script }))
}

impl Shared {
    /// Opens a connection that sees the snapshot, for as long as the first one is in its transaction.
    ///
    /// # Errors
    /// Fails if the server gives no connection, or if somebody is about to change one of the tables.
    pub(super) async fn follow(&self) -> Result<Connection, PgError> {
        let connection = postgres::connect(&self.url, "publish").await?;
        connection.watch().answer(OPEN, connection.batch_execute(&self.script)).await?;
        Ok(connection)
    }
}

fn locking(context: &Context, tables: &[&str], nowait: &str) -> String {
    let schema = sql::identifier(&context.target.database.schema);
    let named: Vec<_> = tables.iter().map(|table| format!("{schema}.{}", sql::identifier(table))).collect();
    sql::render(sql::PUBLISH_LOCK, &[("tables", &named.join(", ")), ("nowait", nowait)])
}
