//! The end of a transaction that commits to production. When COMMIT fails because the connection is lost, only the
//! ledger, which is part of the transaction, shows whether it took place.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::MutexGuard;
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use crate::clients::postgres::{self, PgError, Watch};
use crate::error::Cause;
use crate::ledger::confirm_written;
use crate::run::context::Context;
use crate::{fault, sql};

/// How long the ledger may take to show the outcome of a COMMIT.
const ASK_LIMIT: Duration = Duration::from_secs(30);

/// Records in the ledger that the promotion of a batch is done, with these rows and details, and commits. That entry
/// commits with the data, so it shows later whether the commit took place. An interruption of the run waits for the
/// returned guard: keep it until the run's progress counts the batch, or the run's end would say that nothing changed.
///
/// # Errors
/// After an error nothing is committed, except perhaps with [`Cause::CommitUnknown`].
pub async fn commit<'c>(
    context: &'c Context,
    (batch, watch): (i32, &Watch),
    transaction: Transaction<'_>,
    (rows, details): (i64, &Value),
) -> Result<MutexGuard<'c, ()>, Cause> {
    let ledger = [("ledger", context.target.database.ledger_schema.as_str())];
    let note = sql::render(sql::LEDGER_FINISH_STEP, &ledger);
    let values: [&(dyn ToSql + Sync); 7] =
        [&context.run_id, &batch, &"promote", &"completed", &rows, &0_i64, details];
    let written = watch.answer("write the ledger", transaction.execute(&note, &values)).await?;
    confirm_written("steps", 1, written)?;
    let values: [&(dyn ToSql + Sync); 1] = [&context.target.dataset.name];
    watch.answer("announce the commit", transaction.execute(sql::LEDGER_NOTIFY, &values)).await?;
    fault::point!("promote.before_commit");
    let committing = context.committing.lock().await;
    if let Err(error) = watch.answer("commit", transaction.commit()).await {
        settle(context, batch, watch, error).await?;
    }
    Ok(committing)
}

/// `Ok` if the batch was committed; else the error of the COMMIT, or [`Cause::CommitUnknown`] if the ledger cannot be
/// asked.
async fn settle(context: &Context, batch: i32, lost: &Watch, error: PgError) -> Result<(), Cause> {
    if !matches!(error, PgError::ConnectionLost(_)) {
        return Err(error.into());
    }
    tracing::warn!(run_id = %context.run_id, "the connection broke while COMMIT was under way; asking the ledger");
    for wait in [0, 1, 2, 5, 10, 20, 30] {
        tokio::time::sleep(Duration::from_secs(wait)).await;
        let asked = tokio::time::timeout(ASK_LIMIT, ask_ledger(context, batch, lost)).await;
        match asked.unwrap_or_else(|_| Err(PgError::no_answer("ask the ledger", ASK_LIMIT))) {
            Ok(true) => return Ok(()),
            Ok(false) => return Err(error.into()),
            Err(unanswered) => {
                tracing::warn!(run_id = %context.run_id, "the ledger cannot be asked: {unanswered}");
            }
        }
    }
    Err(Cause::CommitUnknown { source: error })
}

async fn ask_ledger(context: &Context, batch: i32, lost: &Watch) -> Result<bool, PgError> {
    let mut connection = postgres::connect(&context.database, "settle").await?;
    // The server may not have noticed that its client is gone, and would keep the transaction open.
    lost.end_session(&connection).await?;
    let transaction = connection.transaction().await.map_err(|e| failed(e, "begin"))?;
    let lock = context.ledger.lock_name();
    transaction.execute(sql::LEDGER_LOCK_PROMOTION, &[&lock]).await.map_err(|e| failed(e, "wait"))?;
    let query = sql::render(sql::LEDGER_COMMITTED, &[("ledger", &context.target.database.ledger_schema)]);
    let row =
        transaction.query_one(&query, &[&context.run_id, &batch]).await.map_err(|e| failed(e, "ask"))?;
    row.try_get(0).map_err(|e| failed(e, "ask"))
}

fn failed(error: tokio_postgres::Error, operation: &str) -> PgError {
    postgres::classify(error, operation)
}
