//! People who were removed from histories. The tables keep hashes of their addresses and names under a key that is never in the
//! database, so this code decides whose a hash is. With another key nobody would be recognised, so it is refused.

use std::collections::HashSet;

use tokio_postgres::{GenericClient, Transaction};

use super::context::RunContext;
use crate::clients::postgres::{self, PgError};
use crate::config::{ApiSecret, ProcessingConfig};
use crate::dataset::walked::{HistoryFeed, PersonRemoval};
use crate::error::Cause;
use crate::ledger::confirm_written;
use crate::schema::has_table;
use crate::sql;

/// What is done here, for people.
pub const LOOK: &str = "look for people who were taken out";

/// Refuses a secret under which this schema does not keep people; returns whether it keeps something to check a secret against.
///
/// # Errors
/// [`Cause::Refused`] for another secret; any error of the database.
pub async fn admit_secret(
    client: &impl GenericClient,
    removal: &PersonRemoval,
    (schema, secret): (&str, &ApiSecret),
) -> Result<bool, Cause> {
    let operation = "look whether the key is the same";
    let statement = sql::render(removal.secret.kept, &[("schema", schema)]);
    let rows = client.query(&statement, &[]).await.map_err(|e| failed(e, operation))?;
    let own = (removal.secret.hash)(secret.reveal());
    for row in &rows {
        let kept: String = row.try_get(0).map_err(|e| failed(e, operation))?;
        if kept != own {
            let variable = removal.secret.variable;
            return Err(Cause::Refused {
                message: format!(
                    "{variable} is not the key under which schema {schema} keeps people: with it nobody is recognised, \
                     and people who were removed would be back"
                ),
                hint: Some(format!(
                    "export {variable}=… with the earlier key; a new key needs tables of its own: --schema NAME. If the \
                     key that the tables know is the wrong one, delete its row from {schema}.{}, the one that begins with \
                     `key`, and run with the right one",
                    removal.secret.table
                )),
            });
        }
    }
    Ok(!rows.is_empty())
}

/// The same before a run asks, reads or changes anything. Returns the hashes of all people who were removed,
/// whom neither the archive nor what is staged may name again; none if nothing was loaded yet.
///
/// # Errors
/// The same; a secret that is missing.
pub async fn admit(context: &RunContext) -> Result<HashSet<String>, Cause> {
    let Some(walked) = context.dataset().walked else { return Ok(HashSet::new()) };
    let (removal, secret) = (&walked.person, secret_of(walked, &context.processing)?);
    let schema = context.target.database.schema.as_str();
    let connection = postgres::connect(&context.database, "select").await?;
    let (watch, table) = (connection.watch(), removal.secret.table);
    if !has_table(&*connection, &watch, (schema, table), LOOK).await? {
        return Ok(HashSet::new());
    }
    let admitted = async {
        admit_secret(&*connection, removal, (schema, secret)).await?;
        removed(&*connection, removal, (schema, secret)).await
    };
    watch.answers(LOOK, admitted).await
}

/// The secret of the parser: without it, people who were removed would be back.
pub fn secret_of<'a>(walked: &HistoryFeed, processing: &'a ProcessingConfig) -> Result<&'a ApiSecret, Cause> {
    let missing = || Cause::usage(format!("{} is not set", walked.parse_secret.variable));
    processing.parse_secret.as_ref().ok_or_else(missing)
}

/// The hashes of all people who were removed from these tables.
///
/// # Errors
/// Any error of the database.
pub async fn removed(
    client: &impl GenericClient,
    removal: &PersonRemoval,
    (schema, secret): (&str, &ApiSecret),
) -> Result<HashSet<String>, Cause> {
    let hashes = kept(client, removal, schema).await?.into_iter();
    Ok(hashes.map(|hash| (removal.rekeyed_name)(&hash, secret.reveal()).unwrap_or(hash)).collect())
}

/// The hashes as they are kept: some under no key, as an earlier program has left them.
async fn kept(
    client: &impl GenericClient,
    removal: &PersonRemoval,
    schema: &str,
) -> Result<Vec<String>, Cause> {
    let statement = sql::render(removal.removed, &[("schema", schema)]);
    let rows = client.query(&statement, &[]).await.map_err(|e| failed(e, LOOK))?;
    let read = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>();
    Ok(read.map_err(|e| failed(e, LOOK))?)
}

/// The same in a transaction, which stores what the secret is checked against if nothing is stored yet. Plain hashes of names that
/// an earlier program stored are replaced by hashes under the secret.
///
/// # Errors
/// A secret other than the earlier one; any error of the database, or a table that stores something other than what it was given.
pub async fn keep_removed(
    transaction: &Transaction<'_>,
    removal: &PersonRemoval,
    (schema, secret): (&str, &ApiSecret),
) -> Result<HashSet<String>, Cause> {
    let render = |script: &str| sql::render(script, &[("schema", schema)]);
    if !admit_secret(transaction, removal, (schema, secret)).await? {
        let own = (removal.secret.hash)(secret.reveal());
        let kept = transaction.execute(&render(removal.secret.keep), &[&own]).await;
        confirm_written(removal.secret.table, 1, kept.map_err(|e| failed(e, LOOK))?)?;
    }
    let (mut hashes, mut plain, mut keyed) = (HashSet::new(), Vec::new(), Vec::new());
    for hash in kept(transaction, removal, schema).await? {
        match (removal.rekeyed_name)(&hash, secret.reveal()) {
            None => drop(hashes.insert(hash)),
            Some(new) => {
                plain.push(hash);
                keyed.push(new);
            }
        }
    }
    if !plain.is_empty() {
        let rekeyed = transaction.query_one(&render(removal.rekey_names), &[&plain, &keyed]).await;
        let rekeyed = rekeyed.map_err(|e| failed(e, LOOK))?;
        let read = |column: usize| rekeyed.try_get::<_, i64>(column).map_err(|e| failed(e, LOOK));
        confirm_written("removed names", plain.len() as u64, read(0)? as u64)?;
        confirm_written("removed names", keyed.len() as u64, read(1)? as u64)?;
        hashes.extend(keyed);
    }
    Ok(hashes)
}

fn failed(error: tokio_postgres::Error, operation: &str) -> PgError {
    postgres::classify(error, operation)
}
