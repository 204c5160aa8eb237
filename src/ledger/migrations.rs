//! The ledger's tables, made and brought up to date by numbered scripts.

use tokio_postgres::Transaction;

use crate::clients::postgres::{self, Connection, PgError};
use crate::error::Cause;
use crate::sql;

/// Brings the ledger's tables to this version; safe when several processes start at once. If they are up to date, no
/// right to create anything is needed.
///
/// # Errors
/// A ledger of a newer version is refused; nothing is changed then.
pub async fn migrate(connection: &mut Connection, ledger: &str) -> Result<(), Cause> {
    let transaction = connection.transaction().await.map_err(failed)?;
    let lock = format!("merganser/{ledger}/migrations");
    transaction.execute(sql::LEDGER_LOCK_PROMOTION, &[&lock]).await.map_err(failed)?;
    for schema in [ledger.to_owned(), format!("{ledger}_staging")] {
        // "create schema if not exists" would ask for the right to create even where it exists.
        let exists = transaction.query_one(sql::LEDGER_SCHEMA_EXISTS, &[&schema]).await.map_err(failed)?;
        if !exists.try_get::<_, bool>(0).map_err(failed)? {
            let text = sql::render(sql::LEDGER_CREATE_SCHEMA, &[("name", &schema)]);
            transaction.batch_execute(&text).await.map_err(failed)?;
        }
    }
    // The same goes for "create table if not exists".
    let exists = transaction.query_one(sql::LEDGER_EXISTS, &[&ledger, &TABLE]).await.map_err(failed)?;
    if !exists.try_get::<_, bool>(0).map_err(failed)? {
        run(&transaction, sql::MIGRATIONS_TABLE, ledger).await?;
    }
    let row = transaction.query_one(&render(sql::LEDGER_VERSION, ledger), &[]).await.map_err(failed)?;
    let version: i32 = row.try_get(0).map_err(failed)?;
    refuse_newer(version, ledger)?;
    if (1..NEWEST).contains(&version) {
        wait_for_nobody(&transaction, ledger).await?;
    }
    for (index, (name, script)) in sql::MIGRATIONS.iter().enumerate().skip(version as usize) {
        run(&transaction, script, ledger).await?;
        let number = index as i32 + 1;
        transaction
            .execute(&render(sql::LEDGER_APPLIED, ledger), &[&number, name, &env!("CARGO_PKG_VERSION")])
            .await
            .map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)?;
    Ok(())
}

/// Lets a migration begin only when no run of any dataset is under way: a run of an older program would no longer find
/// the ledger's tables, perhaps between its commit and its publication.
///
/// # Errors
/// [`Cause::Locked`]; nothing is changed then.
async fn wait_for_nobody(transaction: &Transaction<'_>, ledger: &str) -> Result<(), Cause> {
    let locks = format!("merganser/{ledger}/");
    let held = transaction.query(&render(sql::LEDGER_LOCK_RUNS, ledger), &[&locks]).await.map_err(failed)?;
    let Some(row) = held.first() else { return Ok(()) };
    let holder =
        "a run that began before this merganser, which would bring the ledger up to date under it".into();
    Err(Cause::Locked { dataset: row.try_get(0).map_err(failed)?, holder })
}

/// Is there a ledger, and of a version that can be read? Changes nothing.
///
/// # Errors
/// [`Cause::Refused`] with what to do about it.
pub async fn is_usable(connection: &Connection, ledger: &str) -> Result<(), Cause> {
    let (message, hint) = match version(connection, ledger).await? {
        None => (
            format!("there is no ledger `{ledger}` in this database yet"),
            "merganser run DATASET makes it, or merganser transform plan JOB; another name: --ledger-schema",
        ),
        Some(version) if version < NEWEST => (
            format!("the ledger `{ledger}` is of version {version}, which is older than this merganser"),
            "the next run brings it up to date",
        ),
        Some(_) => return Ok(()),
    };
    Err(Cause::Refused { message, hint: Some(hint.into()) })
}

/// The version of the ledger; `None`: there is none yet. Changes nothing.
///
/// # Errors
/// [`Cause::Refused`] if a newer merganser has made it.
pub async fn version(connection: &Connection, ledger: &str) -> Result<Option<i32>, Cause> {
    let failed = |e| postgres::classify(e, "look for the ledger");
    let exists = connection.query_one(sql::LEDGER_EXISTS, &[&ledger, &TABLE]).await.map_err(failed)?;
    if !exists.try_get::<_, bool>(0).map_err(failed)? {
        return Ok(None);
    }
    let row = connection.query_one(&render(sql::LEDGER_VERSION, ledger), &[]).await.map_err(failed)?;
    let version: i32 = row.try_get(0).map_err(failed)?;
    refuse_newer(version, ledger)?;
    Ok(Some(version))
}

/// The version that this program makes.
pub const NEWEST: i32 = sql::MIGRATIONS.len() as i32;

/// The table that says which migrations were applied.
const TABLE: &str = "migrations";

fn refuse_newer(version: i32, ledger: &str) -> Result<(), Cause> {
    if version <= NEWEST {
        return Ok(());
    }
    Err(Cause::Refused {
        message: format!(
            "the ledger `{ledger}` is of version {version}; this merganser {} supports {} at most",
            env!("CARGO_PKG_VERSION"),
            NEWEST
        ),
        hint: Some("use the newer merganser that made it".into()),
    })
}

fn render(script: &str, ledger: &str) -> String {
    sql::render(script, &[("ledger", ledger)])
}

async fn run(transaction: &Transaction<'_>, script: &str, ledger: &str) -> Result<(), PgError> {
    transaction.batch_execute(&render(script, ledger)).await.map_err(failed)
}

fn failed(error: tokio_postgres::Error) -> PgError {
    postgres::classify(error, "bring the ledger up to date")
}
