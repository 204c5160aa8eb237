//! A person is taken out of histories: of the answers in the archive here, of the tables in the transaction of the purge.

use bytes::Bytes;
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use crate::clients::postgres;
use crate::config::ApiSecret;
use crate::dataset::walked::{KnownPerson, PersonRemoval};
use crate::error::Cause;
use crate::ledger::Ledger;
use crate::run::context::Context;
use crate::run::walk::{answers_of, packed, unpacked};
use crate::sql;
use crate::stages::promote;
use crate::words::sha256;

/// A person, and how one is taken out.
pub struct Removed {
    pub removal: PersonRemoval,
    pub person: KnownPerson,
    /// The tables name the person.
    is_known: bool,
    secret: ApiSecret,
    /// What such a run has read names the person still, so none may be under way until the purge is over.
    _beside: Vec<Ledger>,
}

impl Removed {
    /// Finds all by which the tables know a person.
    ///
    /// # Errors
    /// A secret under which they keep nobody; one whom they do not know; [`Cause::Locked`] if a run of a dataset beside is under way;
    /// any error of the database.
    pub async fn find(
        context: &Context,
        removal: PersonRemoval,
        (person, secret): (&str, ApiSecret),
    ) -> Result<Self, Cause> {
        let operation = "look for the person";
        let known_as = (removal.known_as)(person, secret.reveal());
        let connection = postgres::connect(&context.database, "purge").await?;
        let schema = context.target.database.schema.as_str();
        let admitted = promote::admit_secret(&*connection, &removal, (schema, &secret));
        connection.watch().answers(operation, admitted).await?;
        let statement = sql::render(removal.known, &[("schema", schema)]);
        let values: [&(dyn ToSql + Sync); 1] = [&known_as];
        let rows = connection.watch().answer(operation, connection.query(&statement, &values)).await?;
        let is_known = !rows.is_empty();
        let mut found = KnownPerson::default();
        for row in &rows {
            let read = || Ok((row.try_get::<_, String>(0)?, row.try_get::<_, String>(1)?));
            let (hash, name) = read().map_err(|e| postgres::classify(e, operation))?;
            found.hashes.extend(Some(hash).filter(|hash| !hash.is_empty()));
            found.names.extend(Some(name).filter(|name| !name.is_empty()));
        }
        if person.contains('@') {
            // Answers may name what no run has loaded.
            found.hashes.insert(known_as);
        } else if !is_known {
            return Err(Cause::Refused {
                message: "the tables know no such person".into(),
                hint: Some("--person takes an address, or what the tables call the person".into()),
            });
        }
        let mut beside = Vec::new();
        for dataset in removal.beside {
            let ledger = Ledger::open(&context.database, &context.target.database, dataset).await?;
            ledger.abandon().await?;
            beside.push(ledger);
        }
        Ok(Self { removal, person: found, is_known, secret, _beside: beside })
    }

    /// The hashes, in order.
    pub fn hashes(&self) -> Vec<&str> {
        sorted(self.person.hashes.iter())
    }

    /// The names as the tables are to remember that they were taken out.
    pub fn name_hashes(&self) -> Vec<String> {
        let hash = |name| (self.removal.hash_name)(name, self.secret.reveal());
        self.names().into_iter().map(hash).collect()
    }

    /// Keeps by what the key is recognised, and puts under it what an earlier program has kept of names.
    ///
    /// # Errors
    /// Any error of the database.
    pub async fn rekey_names(&self, transaction: &Transaction<'_>, schema: &str) -> Result<(), Cause> {
        promote::removed_names(transaction, &self.removal, (schema, &self.secret)).await.map(drop)
    }

    /// The names, in order.
    pub fn names(&self) -> Vec<&str> {
        sorted(self.person.names.iter())
    }

    /// Rewrites the answers that name the person; gives the number of objects, and counts in `done` those that are changed
    /// already. What is closed gets its new checksum before it is written: a purge that is cut off between is done again, and
    /// writes the same.
    ///
    /// # Errors
    /// A person whom neither tables nor answers name; a part that somebody has changed since it was closed; any error of store or
    /// ledger.
    pub async fn rewrite(&self, context: &Context, done: &mut usize) -> Result<usize, Cause> {
        let mut rewritten = 0;
        for (key, name) in answers_of(context).await? {
            let bytes = context.store.read_bytes(&key, u64::MAX).await?;
            let Ok(text) = unpacked(&bytes) else {
                return Err(Cause::Refused {
                    message: format!("{key} cannot be read"),
                    hint: Some("put it back from a copy, then purge again".into()),
                });
            };
            let Some(text) = self.without(&text) else { continue };
            rewritten += 1;
            if context.target.dry_run {
                continue;
            }
            let new = packed(&text)?;
            *done += 1;
            if let Some(name) = name {
                let (before, after) = (sha256(&bytes), sha256(&new));
                let closed = context.ledger.closed_sha256(&name).await?;
                if closed.is_some_and(|closed| closed != before && closed != after) {
                    return Err(Cause::Refused {
                        message: format!("{key}: somebody has changed it since it was closed"),
                        hint: Some("put it back from a copy, then purge again".into()),
                    });
                }
                context.ledger.rewritten(&name, &after, new.len() as i64).await?;
            }
            context.store.upload_bytes(&key, Bytes::from(new)).await?;
        }
        if rewritten == 0 && !self.is_known {
            return Err(Cause::Refused {
                message: "neither the tables nor the archive name this address".into(),
                hint: Some("see that it is written as the commits have it, and that the key of the hashes is the one of the runs".into()),
            });
        }
        Ok(rewritten)
    }

    /// Lines without the person; `None`: none of them names one.
    fn without(&self, text: &str) -> Option<String> {
        let mut is_changed = false;
        let mut all = String::with_capacity(text.len());
        for line in text.lines() {
            let cleared = (self.removal.without)(line, &self.person, self.secret.reveal());
            is_changed |= cleared.is_some();
            all.push_str(cleared.as_deref().unwrap_or(line));
            all.push('\n');
        }
        is_changed.then_some(all)
    }
}

fn sorted<'a>(texts: impl Iterator<Item = &'a String>) -> Vec<&'a str> {
    let mut texts: Vec<_> = texts.map(String::as_str).collect();
    texts.sort_unstable();
    texts
}
