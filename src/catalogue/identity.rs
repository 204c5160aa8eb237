//! The replica identity of tables that we make: by it subscribers find the rows that are updated or deleted, and without
//! it the server refuses to do either to a table that is published.

use tokio_postgres::Transaction;

use super::unidentified;
use crate::clients::postgres::{self, PgError};
use crate::config::DatabaseConfig;
use crate::dataset::Dataset;
use crate::sql;

/// Gives all tables of the dataset, which the transaction has just made without keys, whole rows for an identity where
/// they are published to subscribers: without any, the server refuses to update or delete.
pub async fn identify(
    transaction: &Transaction<'_>,
    dataset: &'static Dataset,
    database: &DatabaseConfig,
) -> Result<(), PgError> {
    let names: Vec<_> = dataset.table_names().collect();
    identify_those(transaction, dataset, database, &names).await
}

/// The same for some of the tables.
pub async fn identify_those(
    transaction: &Transaction<'_>,
    dataset: &'static Dataset,
    database: &DatabaseConfig,
    names: &[&str],
) -> Result<(), PgError> {
    for (table, statement) in unidentified(transaction, database, dataset).await? {
        if names.contains(&table.as_str()) {
            let what = format!("give {table} an identity for its subscribers");
            transaction.batch_execute(&statement).await.map_err(|e| failed(e, &what))?;
        }
    }
    Ok(())
}

/// Takes that identity back from those of the tables that have a key now, which costs subscribers less.
pub async fn identify_by_key(
    transaction: &Transaction<'_>,
    names: &[&str],
    schema: &str,
) -> Result<(), PgError> {
    let what = "give the tables their identity";
    for row in transaction.query(sql::SCHEMA_KEYED, &[&schema, &names]).await.map_err(|e| failed(e, what))? {
        let statement: String = row.try_get(0).map_err(|e| failed(e, what))?;
        transaction.batch_execute(&statement).await.map_err(|e| failed(e, what))?;
    }
    Ok(())
}

fn failed(error: tokio_postgres::Error, operation: &str) -> PgError {
    postgres::classify(error, operation)
}
