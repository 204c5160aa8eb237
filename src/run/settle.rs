//! COMMIT failed: did it take place? A lost connection does not say so; the ledger, which is part of it, does.

use std::time::Duration;

use crate::clients::postgres::{self, PgError, Watch};
use crate::error::Cause;
use crate::run::context::Context;
use crate::sql;

/// How long the ledger may take to say what became of a COMMIT.
const ASK_LIMIT: Duration = Duration::from_secs(30);

/// Good if the batch was committed; else the error of the COMMIT, or [`Cause::CommitUnknown`] if nobody can be asked.
pub async fn settle(context: &Context, batch: i32, lost: &Watch, error: PgError) -> Result<(), Cause> {
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
    // The server may not know that nobody listens to it any more, and would keep the transaction open.
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
