//! A person is taken out of histories: of the answers in the archive here, of the tables in the transaction of the purge.

use std::collections::{BTreeSet, HashSet};

use bytes::Bytes;
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use crate::clients::postgres;
use crate::config::ApiSecret;
use crate::dataset::walked::PersonRemoval;
use crate::error::Cause;
use crate::ledger::Ledger;
use crate::run::context::Context;
use crate::run::people;
use crate::run::walk::{answers_of, packed, unpacked};
use crate::sql;
use crate::words::sha256;

/// A person, and how one is taken out.
pub struct Removed {
    pub removal: PersonRemoval,
    /// An earlier purge has committed, and the tables do not know the person any more.
    pub already: bool,
    /// Names of the person that somebody with another address has too, and that are left to the other.
    pub shared: BTreeSet<String>,
    /// Hashes of addresses. For a person who was removed before, nothing says which belong together, so those of all removed people.
    hashes: BTreeSet<String>,
    /// Names. If a name stands beside an address, the address decides whose it is.
    names: BTreeSet<String>,
    /// The text by which the person was asked for, if it is not an address.
    called: Option<String>,
    /// The tables name the person.
    is_known: bool,
    /// Hashes of the people removed before: their answers are cleared too, if an earlier program has let any into the archive again.
    before: HashSet<String>,
    secret: ApiSecret,
    /// What such a run has read still names the person, so none may be under way until the purge is over.
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
        let before = async {
            people::admit_secret(&*connection, &removal, (schema, &secret)).await?;
            people::removed(&*connection, &removal, (schema, &secret)).await
        };
        let before = connection.watch().answers(operation, before).await?;
        let statement = sql::render(removal.known, &[("schema", schema)]);
        let values: [&(dyn ToSql + Sync); 1] = [&known_as];
        let rows = connection.watch().answer(operation, connection.query(&statement, &values)).await?;
        let is_known = !rows.is_empty();
        let (mut hashes, mut names, mut shared) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for row in &rows {
            let read = || {
                Ok((row.try_get::<_, String>(0)?, row.try_get::<_, String>(1)?, row.try_get::<_, bool>(2)?))
            };
            let (hash, name, is_shared) = read().map_err(|e| postgres::classify(e, operation))?;
            hashes.extend(Some(hash).filter(|hash| !hash.is_empty()));
            let names = if is_shared { &mut shared } else { &mut names };
            names.extend(Some(name).filter(|name| !name.is_empty()));
        }
        let called = Some(person.to_owned()).filter(|person| !person.contains('@'));
        let hashed = |hash: fn(&str, &str) -> String| before.contains(&hash(person, secret.reveal()));
        let was_removed =
            before.contains(&known_as) || hashed(removal.hash_name) || hashed(removal.hash_person);
        let already = was_removed && !is_known;
        if already {
            hashes.extend(before.iter().cloned());
        } else if called.is_none() {
            // Answers may name what no run has loaded.
            hashes.insert(known_as);
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
        Ok(Self {
            removal,
            already,
            shared,
            hashes,
            names,
            called,
            is_known,
            before,
            secret,
            _beside: beside,
        })
    }

    /// The hashes, in order.
    pub fn hashes(&self) -> Vec<&str> {
        self.hashes.iter().map(String::as_str).collect()
    }

    /// The hashes of the names, and of the text by which the person was asked for, for the tables to remember.
    pub fn name_hashes(&self) -> Vec<String> {
        let key = self.secret.reveal();
        let names = self.names.iter().map(|name| (self.removal.hash_name)(name, key));
        names.chain(self.called.iter().map(|called| (self.removal.hash_person)(called, key))).collect()
    }

    /// Keeps by what the key is recognised, and puts under it what an earlier program has kept of names.
    ///
    /// # Errors
    /// Any error of the database.
    pub async fn rekey_names(&self, transaction: &Transaction<'_>, schema: &str) -> Result<(), Cause> {
        people::keep_removed(transaction, &self.removal, (schema, &self.secret)).await.map(drop)
    }

    /// The names, in order.
    pub fn names(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
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
        let mut removed: HashSet<_> = self.hashes.iter().cloned().chain(self.name_hashes()).collect();
        // If neither the tables nor an earlier purge know the person, the answers decide whether there is such a person.
        if self.is_known || self.already {
            removed.extend(self.before.iter().cloned());
        }
        for (key, name) in answers_of(context).await? {
            let bytes = context.store.read_bytes(&key, u64::MAX).await?;
            let Ok(text) = unpacked(&bytes) else {
                return Err(Cause::Refused {
                    message: format!("{key} cannot be read"),
                    hint: Some("put it back from a copy, then purge again".into()),
                });
            };
            let Some(text) = self.without(&text, &removed) else { continue };
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
        if rewritten == 0 && !self.is_known && !self.already {
            return Err(Cause::Refused {
                message: "neither the tables nor the archive name this address".into(),
                hint: Some(
                    "check that it is written as in the commits, or as the mailmap of the runs corrects it"
                        .into(),
                ),
            });
        }
        Ok(rewritten)
    }

    /// Lines without these people; `None`: none of them names one.
    fn without(&self, text: &str, removed: &HashSet<String>) -> Option<String> {
        let mut is_changed = false;
        let mut all = String::with_capacity(text.len());
        for line in text.lines() {
            let cleared = (self.removal.without)(line, removed, self.secret.reveal());
            is_changed |= cleared.is_some();
            all.push_str(cleared.as_deref().unwrap_or(line));
            all.push('\n');
        }
        is_changed.then_some(all)
    }
}
