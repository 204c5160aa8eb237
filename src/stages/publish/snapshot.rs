//! One view of the database for several connections: what one of them reads belongs to what the others read.

use tokio_postgres::{IsolationLevel, Transaction};

use crate::clients::postgres::{self, Connection, PgError, PgUrl, Watch};
use crate::run::context::Context;
use crate::sql;

const OPEN: &str = "open a snapshot";

/// What another connection needs to see what the first one sees.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    url: PgUrl,
    /// What begins its transaction.
    script: String,
}

/// Begins what others may see, too; gives the name by which they do. It is asked for at once: the server gives none in a
/// savepoint, and one that was rolled back to is open still.
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

/// From here on it reads. Amazon does not say that its function works in a transaction that only reads.
pub(super) async fn settle(context: &Context, first: &Transaction<'_>, watch: &Watch) -> Result<(), PgError> {
    if context.aws_s3.is_none() {
        watch.answer(OPEN, first.batch_execute(sql::PUBLISH_READ_ONLY)).await?;
    }
    watch.answer(OPEN, first.batch_execute(sql::PUBLISH_ORDER)).await
}

/// Keeps the tables as they are, and lets others see them; `None`: the role may not, which is no reason not to read.
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
    /// Opens a connection that sees it, for as long as the first one is in its transaction.
    ///
    /// # Errors
    /// Where the server gives no connection, or somebody is about to change one of the tables.
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
