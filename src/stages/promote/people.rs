//! Who was taken out of histories does not come back. Where a name stands without an address, a hash tells whose it is; the key of
//! that hash is never in the database, so that it is told here. Under another key nobody would be recognised: it is refused.

use std::collections::HashSet;
use std::pin::pin;

use futures_util::TryStreamExt;
use tokio_postgres::{GenericClient, Transaction};

use super::{Transfer, failed};
use crate::clients::postgres;
use crate::config::{ApiSecret, ProcessingConfig};
use crate::dataset::walked::{HistoryFeed, PersonRemoval};
use crate::error::Cause;
use crate::ledger::confirm_written;
use crate::run::context::RunContext;
use crate::schema::has_table;
use crate::sql;

/// Refuses a secret under which this schema does not keep people; says whether it keeps by what one is recognised.
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
                    "{variable} is another key than the one under which schema {schema} keeps people: with it nobody \
                     is recognised, and who was removed would be back"
                ),
                hint: Some(format!(
                    "export {variable}=… with the key of before; a new key needs tables of its own: --schema NAME. If the \
                     key that is kept is the wrong one, delete its row from {schema}.{}, the one that begins with `key`, and \
                     run with the right one",
                    removal.secret.table
                )),
            });
        }
    }
    Ok(!rows.is_empty())
}

/// The same before a run asks, reads or changes anything, and where nothing was loaded yet.
///
/// # Errors
/// The same; a secret that is missing.
pub async fn admit(context: &RunContext) -> Result<(), Cause> {
    let Some(walked) = context.dataset().walked else { return Ok(()) };
    let secret = secret_of(walked, &context.processing)?;
    let schema = context.target.database.schema.as_str();
    let connection = postgres::connect(&context.database, "select").await?;
    let (watch, table) = (connection.watch(), walked.person.secret.table);
    if has_table(&*connection, &watch, (schema, table), "look for people who were taken out").await? {
        let admitted = admit_secret(&*connection, &walked.person, (schema, secret));
        watch.answers("look whether the key is the same", admitted).await?;
    }
    Ok(())
}

/// The secret of the parser: without it, who was removed would be back.
fn secret_of<'a>(walked: &HistoryFeed, processing: &'a ProcessingConfig) -> Result<&'a ApiSecret, Cause> {
    let missing = || Cause::usage(format!("{} is not set", walked.parse_secret.variable));
    processing.parse_secret.as_ref().ok_or_else(missing)
}

/// The hashes of the names that were taken out; keeps by what the secret is recognised if nothing is kept yet. What an earlier program has kept of some gets one of these in its place.
///
/// # Errors
/// Another secret than that of before; any error of the database, or a table that takes something else than it is told.
pub async fn removed_names(
    transaction: &Transaction<'_>,
    removal: &PersonRemoval,
    (schema, secret): (&str, &ApiSecret),
) -> Result<HashSet<String>, Cause> {
    let operation = "look for names that were taken out";
    let render = |script: &str| sql::render(script, &[("schema", schema)]);
    if !admit_secret(transaction, removal, (schema, secret)).await? {
        let own = (removal.secret.hash)(secret.reveal());
        let kept = transaction.execute(&render(removal.secret.keep), &[&own]).await;
        confirm_written(removal.secret.table, 1, kept.map_err(|e| failed(e, operation))?)?;
    }
    let rows =
        transaction.query(&render(removal.removed_names), &[]).await.map_err(|e| failed(e, operation))?;
    let (mut hashes, mut plain, mut keyed) = (HashSet::new(), Vec::new(), Vec::new());
    for row in rows {
        let hash: String = row.try_get(0).map_err(|e| failed(e, operation))?;
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
        let rekeyed = rekeyed.map_err(|e| failed(e, operation))?;
        let read = |column: usize| rekeyed.try_get::<_, i64>(column).map_err(|e| failed(e, operation));
        confirm_written("removed names", plain.len() as u64, read(0)? as u64)?;
        confirm_written("removed names", keyed.len() as u64, read(1)? as u64)?;
        hashes.extend(keyed);
    }
    Ok(hashes)
}

impl Transfer<'_> {
    /// The names that stand without an address in what the batch loads and that somebody has who was taken out. Few names stand so, but
    /// of a long history many other values: they pass one by one.
    ///
    /// # Errors
    /// Any error of the database.
    pub(super) async fn names_to_leave_out(&self) -> Result<Vec<String>, Cause> {
        let Some(walked) = self.context.dataset().walked else { return Ok(Vec::new()) };
        let secret = secret_of(walked, self.processing)?;
        let operation = "look for people who were taken out";
        let named = (self.context.target.database.schema.as_str(), secret);
        let removed = removed_names(self.transaction, &walked.person, named);
        let removed = self.watch.answers(operation, removed).await?;
        let mut names = Vec::new();
        if removed.is_empty() {
            return Ok(names);
        }
        let text = self.render(walked.person.names_alone, "");
        let none: [&str; 0] = [];
        let rows = self.watch.answer(operation, self.transaction.query_raw(text.as_str(), none)).await?;
        let mut rows = pin!(rows);
        while let Some(row) = self.watch.answer(operation, rows.try_next()).await? {
            let name: String = row.try_get(0).map_err(|e| failed(e, operation))?;
            if removed.contains(&(walked.person.hash_name)(&name, secret.reveal())) {
                names.push(name);
            }
        }
        Ok(names)
    }
}
