//! Rows that have their answer and lack what their dataset makes of it, because the column for it came later.

use tokio_postgres::Transaction;

use crate::clients::postgres::{PgError, classify};
use crate::dataset::enrichment::Backfill;
use crate::sql;

/// Finds the rows that have their answer and lack what the dataset makes of it, until the transaction ends; returns their
/// number.
pub async fn unfinished(
    transaction: &Transaction<'_>,
    backfill: &Backfill,
    schema: &str,
) -> Result<u64, PgError> {
    let script = sql::render(backfill.unfinished, &[("schema", schema)]);
    transaction.batch_execute(&script).await.map_err(failed)?;
    let row = transaction.query_one(sql::BACKFILL_UNFINISHED, &[]).await.map_err(failed)?;
    Ok(row.try_get::<_, i64>(0).map_err(failed)? as u64)
}

/// Completes the rows that `unfinished` has found.
pub async fn finish_rows(transaction: &Transaction<'_>, complete: &str, schema: &str) -> Result<(), PgError> {
    let script = format!("{}{}", sql::BACKFILL_TO_FINISH, sql::render(complete, &[("schema", schema)]));
    transaction.batch_execute(&script).await.map_err(failed)
}

fn failed(error: tokio_postgres::Error) -> PgError {
    classify(error, "complete rows")
}
