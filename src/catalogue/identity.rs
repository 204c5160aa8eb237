//! The replica identity of tables that we make: subscribers find updated and deleted rows by it, and without it the
//! server refuses updates and deletes on a published table.

use tokio_postgres::Transaction;

use super::unidentified;
use crate::clients::postgres::{self, PgError};
use crate::config::DatabaseConfig;
use crate::dataset::Dataset;
use crate::sql;

/// Sets the replica identity to whole rows for those tables of the dataset that are published to subscribers. The
/// transaction has just made them without keys, and without any identity the server refuses updates and deletes.
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

/// Resets that identity for those of the tables that now have a key, which costs subscribers less.
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
