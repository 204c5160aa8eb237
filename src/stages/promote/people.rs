//! Who was taken out of histories does not come back. Where a name stands without an address, a hash tells whose it is; the key of
//! that hash is never in the database, so that it is told here.

use std::collections::HashSet;
use std::pin::pin;

use futures_util::TryStreamExt;
use tokio_postgres::Transaction;

use super::{Transfer, failed};
use crate::config::ApiSecret;
use crate::dataset::walked::PersonRemoval;
use crate::error::Cause;
use crate::ledger::confirm_written;
use crate::sql;

/// The hashes of the names that were taken out; what an earlier program has kept of some gets one of these in its place.
///
/// # Errors
/// Any error of the database, or a table that takes something else than it is told.
pub async fn removed_names(
    transaction: &Transaction<'_>,
    removal: &PersonRemoval,
    (schema, secret): (&str, &ApiSecret),
) -> Result<HashSet<String>, Cause> {
    let operation = "look for names that were taken out";
    let render = |script: &str| sql::render(script, &[("schema", schema)]);
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
        let (Some(walked), Some(secret)) = (self.context.dataset().walked, &self.processing.parse_secret)
        else {
            return Ok(Vec::new());
        };
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
