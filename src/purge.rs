//! Purge: whatever is left of cases that the court deleted goes, and the proof is shown.

use serde_json::json;

use crate::clients::postgres;
use crate::error::{Cause, Failure};
use crate::report::Report;
use crate::run::{Opened, Progress};
use crate::stages::{Context, publish};
use crate::{config::RunConfig, sql};

/// What a purge took out.
#[derive(Debug)]
pub struct Purged {
    /// Rows by table.
    pub rows: Vec<(String, i64)>,
    /// Were the public files written anew?
    pub published: bool,
}

/// Deletes in one transaction, verifies that nothing is left before the commit, then writes the public files anew.
///
/// # Errors
/// Anything that is left after the deletion rolls it back.
pub async fn purge(config: RunConfig, report: &Report) -> Result<Purged, Failure> {
    let opened = Opened::open(config, report).await?;
    let (purged, _) = opened
        .run(async |context: &Context, progress: &mut Progress| {
            progress.step("purge");
            let step = context.begin(0, "purge").await?;
            let rows = delete(context).await?;
            let total = rows.iter().map(|(_, rows)| *rows as u64).sum();
            step.done(&format!("{total} rows of deleted cases"), total, 0, json!({ "rows": rows })).await?;
            progress.step("publish");
            let wanted = !context.config.skip_publish;
            if wanted {
                publish::publish(context).await?;
            }
            Ok(Purged { rows, published: wanted })
        })
        .await?;
    Ok(purged)
}

async fn delete(context: &Context) -> Result<Vec<(String, i64)>, Cause> {
    let failed = |e| postgres::classify(e, "purge");
    let database = &context.config.database;
    let variables = [("schema", database.schema.as_str()), ("ledger", &database.ledger_schema)];
    let mut connection = postgres::connect(&context.database, "purge").await?;
    let transaction = connection.transaction().await.map_err(failed)?;
    let lock = context.ledger.lock_name();
    transaction.execute(sql::LEDGER_LOCK_PROMOTION, &[&lock]).await.map_err(failed)?;
    let scripts = context.dataset().scripts;
    transaction.batch_execute(&sql::render(scripts.purge, &variables)).await.map_err(failed)?;
    let rows = transaction.query(sql::PURGED, &[]).await.map_err(failed)?;
    let rows = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    let rows = rows.collect::<Result<Vec<_>, tokio_postgres::Error>>().map_err(failed)?;
    let left = transaction.query(&sql::render(scripts.verify, &variables), &[]).await.map_err(failed)?;
    if let Some(row) = left.first() {
        let (table, rows): (String, i64) = (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
        return Err(Cause::Refused {
            message: format!("{table} still has {rows} row(s) of deleted cases"),
            hint: None,
        });
    }
    let changes = sql::render(sql::PURGE_CHANGES, &variables);
    transaction
        .execute(&changes, &[&context.run_id, &context.dataset().name, &database.schema])
        .await
        .map_err(failed)?;
    transaction.commit().await.map_err(failed)?;
    Ok(rows)
}
