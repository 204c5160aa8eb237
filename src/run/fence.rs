//! The start of a transaction that commits to production: makes sure that no other one is under way, and that this run
//! may promote.

use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use crate::clients::postgres::{PgError, Watch, classify};
use crate::error::Cause;
use crate::run::context::Context;
use crate::{ledger, sql};

/// How long a statement waits for somebody else's lock.
const LOCK_TIMEOUT: &str = "30s";

/// Waits for no other promotion to be under way and proves that this run may promote.
///
/// # Errors
/// [`Cause::Refused`] if another process has declared the run dead; any error of the database.
pub async fn fence(context: &Context, transaction: &Transaction<'_>, watch: &Watch) -> Result<(), Cause> {
    // Few rows of large tables are needed, and random reads are cheap on today's disks: with the server's default,
    // whole tables would be read for them.
    let settings = format!("set local lock_timeout = '{LOCK_TIMEOUT}'; set local random_page_cost = 1.1");
    transaction.batch_execute(&settings).await.map_err(|e| failed(e, "begin"))?;
    // The ledger's connection holds the lock that keeps other runs out.
    context.ledger.confirm().await?;
    let lock = context.ledger.lock_name();
    let values: [&(dyn ToSql + Sync); 1] = [&lock];
    let locked = transaction.execute(sql::LEDGER_LOCK_PROMOTION, &values);
    watch.answer("take the promotion's lock", locked).await?;
    let ours = sql::render(sql::LEDGER_FENCE, &[("ledger", &context.target.database.ledger_schema)]);
    let runs = watch.answer("find the run", transaction.query(&ours, &[&context.run_id])).await?;
    if runs.is_empty() { Err(ledger::taken_over()) } else { Ok(()) }
}

fn failed(error: tokio_postgres::Error, operation: &str) -> PgError {
    classify(error, operation)
}
