//! Compares what the server did with what was intended: each insert, update and delete by its number of rows, and the
//! rows themselves where somebody else put a trigger, a rule, a row policy or a child table on a table.
//!
//! On a table without any of these, a statement does exactly what it says, so its rows need not be compared.

use std::collections::BTreeMap;

use super::{Transfer, failed};
use crate::clients::postgres::PgError;
use crate::error::Cause;
use crate::schema::{self, Attachment};
use crate::sql;
use crate::words::{count, counted};

/// The tables of the ledger that the promotion writes to.
const LEDGER: [&str; 7] =
    ["parts", "failed_records", "record_origins", "slice_origins", "table_changes", "guards", "steps"];

const HINT: &str = "remove it, or make it leave alone what merganser writes, then run again; nothing of this batch \
                    was kept";

/// The objects attached to the tables that the promotion writes to.
#[derive(Debug)]
pub(super) struct Attached {
    production: Vec<Attachment>,
    ledger: Vec<Attachment>,
}

/// How many rows a statement was to change, and how many it did change.
#[derive(Debug)]
pub(super) struct Count {
    pub table: String,
    /// insert, update, delete, or left: rows of deleted records that are still there.
    pub change: String,
    pub expected: i64,
    pub found: i64,
}

impl Attached {
    /// An error of the server, with the names of rules if they are the reason.
    pub fn explain(&self, cause: Cause) -> Cause {
        match cause {
            Cause::Postgres(error) => {
                schema::explain(error, &[&self.production[..], &self.ledger[..]].concat())
            }
            cause => cause,
        }
    }

    fn describe(&self, table: &str) -> String {
        let things = if LEDGER.contains(&table) { &self.ledger } else { &self.production };
        schema::describe(things, table)
    }

    /// The production tables with attached objects.
    fn tables(&self) -> Vec<&str> {
        let mut tables: Vec<_> = self.production.iter().map(|thing| thing.table.as_str()).collect();
        tables.dedup();
        tables
    }

    /// The error for these differences, with the attached objects.
    fn refusal(&self, differences: &[(String, String)]) -> Cause {
        let lines =
            differences.iter().map(|(table, what)| format!("{table}: {what}; {}", self.describe(table)));
        Cause::Refused {
            message: format!(
                "a trigger or rule changed what was written:\n    {}",
                lines.collect::<Vec<_>>().join("\n    ")
            ),
            hint: Some(HINT.into()),
        }
    }
}

impl Count {
    fn words(&self) -> String {
        let (expected, found) = (self.expected.unsigned_abs(), self.found.unsigned_abs());
        match self.change.as_str() {
            "left" => format!("deleted records still have {}", counted(found, "row")),
            "staged" => format!(
                "{} to load, and {} of them staged",
                counted(expected, "record"),
                counted(found, "row")
            ),
            "asked" => {
                format!("{} asked for, and {} accounted for", counted(expected, "record"), count(found))
            }
            change => {
                format!("{} to {change}, and the server reports {}", counted(expected, "row"), count(found))
            }
        }
    }
}

impl Transfer<'_> {
    /// Finds the objects attached to the tables, before anything is written.
    pub(super) async fn look_for_attached(&self) -> Result<Attached, Cause> {
        let database = &self.context.target.database;
        let names: Vec<_> = self.context.dataset().table_names().collect();
        let look = |schema, tables| schema::attached(self.transaction, schema, tables);
        let looked = async {
            let production = look(&database.schema, &names).await?;
            Ok::<_, PgError>(Attached { production, ledger: look(&database.ledger_schema, &LEDGER).await? })
        };
        Ok(self.watch.answers("list triggers and rules", looked).await?)
    }

    /// The number of rows of each table before anything is changed.
    pub(super) async fn rows_before(&self) -> Result<BTreeMap<&'static str, i64>, Cause> {
        let operation = "find out how many rows there are";
        let (dataset, schema) = (self.context.dataset(), &self.context.target.database.schema);
        let rows = self.query(sql::LEDGER_REMEMBERED, "", &[&dataset.name, schema], operation).await?;
        let remembered = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
        let remembered: BTreeMap<String, i64> =
            remembered.collect::<Result<_, tokio_postgres::Error>>().map_err(|e| failed(e, operation))?;
        let mut before = BTreeMap::new();
        for table in dataset.table_names() {
            // A table that is replaced completely is read completely anyway.
            let rows = remembered.get(table).filter(|_| !dataset.is_replaced() || dataset.is_sliced());
            let rows = rows.map_or_else(|| "null".into(), i64::to_string);
            let text = self.render_with(sql::PROMOTE_BEFORE, table, &[("remembered", &rows)]);
            let answer = self.watch.answer(operation, self.transaction.query_one(&text, &[])).await?;
            before.insert(table, answer.try_get(0).map_err(|e| failed(e, operation))?);
        }
        Ok(before)
    }

    /// Compares the numbers of rows with the plan: these, and those that the scripts have noted.
    ///
    /// # Errors
    /// [`Cause::Refused`], which names each table, both numbers and the attached objects; the caller rolls back.
    pub(super) async fn hold_counts(&self, attached: &Attached, counts: Vec<Count>) -> Result<(), Cause> {
        let operation = "hold the numbers of rows against the plan";
        let mut different = counts;
        different.retain(|count| count.expected != count.found);
        for row in self.query(sql::PROMOTE_COUNTED, "", &[], operation).await? {
            let read = || {
                Ok(Count {
                    table: row.try_get(0)?,
                    change: row.try_get(1)?,
                    expected: row.try_get(2)?,
                    found: row.try_get(3)?,
                })
            };
            different.push(read().map_err(|e| failed(e, operation))?);
        }
        if different.is_empty() {
            return Ok(());
        }
        let different = different.into_iter().map(|count| (count.words(), count.table));
        let different: Vec<_> = different.map(|(words, table)| (table, words)).collect();
        Err(attached.refusal(&different))
    }

    /// Compares our own columns of the batch's records with the staged rows, in the tables with attached objects.
    /// Deferred triggers must have run before.
    ///
    /// # Errors
    /// [`Cause::Refused`], which names each table that differs and the attached objects; the caller rolls back.
    pub(super) async fn verify(&self, attached: &Attached) -> Result<(), Cause> {
        let dataset = self.context.dataset();
        let mut different = Vec::new();
        for table in attached.tables() {
            let (script, name) = match dataset.replaced_tables().any(|known| known.name == table) {
                true => (sql::PROMOTE_VERIFY, Some(table)),
                // These are checked by their numbers only.
                false if self.is_undo => continue,
                false => match dataset.tombstones() {
                    Some(tombstones) => (tombstones.check, None),
                    None => continue,
                },
            };
            different.extend(self.differences(script, name.unwrap_or_default(), table).await?);
        }
        if !attached.ledger.is_empty() && !self.is_undo {
            different.extend(self.differences(sql::PROMOTE_VERIFY_LEDGER, "", "the ledger").await?);
        }
        match different.is_empty() {
            true => Ok(()),
            false => Err(attached.refusal(&different)),
        }
    }

    /// Table and difference, in words, from a script that checks one table or names the tables that it checked.
    async fn differences(
        &self,
        script: &str,
        table: &str,
        subject: &str,
    ) -> Result<Vec<(String, String)>, Cause> {
        let operation = format!("compare {subject} with what was staged");
        let mut different = Vec::new();
        for row in self.query(script, table, &[], &operation).await? {
            let first = usize::from(table.is_empty());
            let read = || {
                let name = if table.is_empty() { row.try_get(0)? } else { table.to_owned() };
                Ok::<_, tokio_postgres::Error>((name, row.try_get(first)?, row.try_get(first + 1)?))
            };
            let (name, missing, unexpected): (String, i64, i64) =
                read().map_err(|e| failed(e, &operation))?;
            if missing > 0 || unexpected > 0 {
                let what = format!(
                    "{} of this batch not there as staged, and {} there but not staged",
                    counted(missing as u64, "row"),
                    counted(unexpected as u64, "row")
                );
                different.push((name, what));
            }
        }
        Ok(different)
    }
}
