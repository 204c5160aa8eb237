//! Compares the production tables with the dataset's own definition of them.
//!
//! The dataset's own scripts make its tables in `pg_temp`, inside a transaction that is rolled back; both sides
//! are then compared in the server's catalogue. So there is only one definition of the tables, and the comparison is
//! invisible to others.

mod attached;
mod views;

use tokio_postgres::types::ToSql;
use tokio_postgres::{GenericClient, Transaction};

use crate::clients::postgres::{self, PgError, Watch, classify};
use crate::dataset::{Dataset, Table};
use crate::error::Cause;
use crate::sql;

/// Is there a table of this name? `operation` is what the question is for.
///
/// # Errors
/// Any error of the server.
pub async fn has_table(
    client: &impl GenericClient,
    watch: &Watch,
    (schema, table): (&str, &str),
    operation: &str,
) -> Result<bool, PgError> {
    let values: [&(dyn ToSql + Sync); 2] = [&schema, &table];
    let row = watch.answer(operation, client.query_one(sql::LEDGER_EXISTS, &values)).await?;
    row.try_get(0).map_err(|error| classify(error, operation))
}

pub use attached::{Attachment, attached, describe, explain};
pub use views::{Grants, View, ViewState, definition, ready, view};

/// The result of the comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    schema: String,
    dataset: &'static str,
    /// How many there must be.
    own: usize,
    /// How many there are.
    found: usize,
    missing: Vec<&'static str>,
    unmade: Vec<&'static str>,
    stale: Vec<&'static str>,
    differences: Vec<String>,
    remarks: Vec<String>,
    additions: Vec<Addition>,
}

/// Something missing from a table that can be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addition {
    pub table: String,
    /// In words: `primary key (id)`.
    pub what: String,
    /// The statement that adds it.
    pub statement: String,
    key: Key,
}

/// What an added key requires of the rows.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Key {
    Unique { columns: String },
    HasParent { columns: String, parent: String },
    Nothing,
}

/// One column on both sides.
struct ColumnPair {
    table: String,
    /// `None`: nothing has that name.
    relation_kind: Option<String>,
    name: String,
    wanted: Option<String>,
    found: Option<String>,
    is_out_of_order: bool,
    is_computed: bool,
    needs_value: bool,
    /// Adds it.
    statement: String,
}

/// Compares the tables of the dataset in a schema with its own definition. Changes nothing.
pub async fn compare(
    transaction: &mut Transaction<'_>,
    dataset: &'static Dataset,
    schema: &str,
) -> Result<Comparison, PgError> {
    let savepoint = make_wanted(transaction, dataset).await?;
    let names = names(dataset);
    let columns = read_columns(&savepoint, schema, &names).await?;
    let (additions, impossible) = read_additions(&savepoint, schema, &names).await?;
    savepoint.rollback().await.map_err(|e| failed(e, "compare the schema"))?;
    let mut found = Comparison::new(dataset, schema, &columns, additions);
    found.remarks.extend(impossible);
    Ok(found)
}

/// The tables of the dataset, derived ones too, that are compared.
fn names(dataset: &'static Dataset) -> Vec<&'static str> {
    let derived = dataset.derived.iter().filter(|derived| !derived.is_view());
    dataset.own_tables().chain(derived.map(|derived| &derived.table)).map(|table| table.name).collect()
}

/// Makes the tables of the dataset in `pg_temp`; they disappear with the savepoint.
async fn make_wanted<'a>(
    transaction: &'a mut Transaction<'_>,
    dataset: &'static Dataset,
) -> Result<Transaction<'a>, PgError> {
    let savepoint = transaction.savepoint("schema").await.map_err(|e| failed(e, "compare the schema"))?;
    let derived = dataset.derived.iter().filter_map(|derived| Some([derived.make, derived.keys()?]));
    for script in [dataset.scripts.tables, dataset.scripts.keys].into_iter().chain(derived.flatten()) {
        let text = sql::render(script, &[("schema", "pg_temp")]);
        savepoint.batch_execute(&text).await.map_err(|e| failed(e, "make the tables to compare with"))?;
    }
    Ok(savepoint)
}

/// A rule on our columns that the dataset does not make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub table: String,
    /// In words: `not null on name`.
    pub what: String,
    /// The statement that takes it away.
    pub statement: String,
}

/// Rules that others have put on the rows: a row that breaks one is refused. Changes nothing.
pub async fn rules(
    transaction: &mut Transaction<'_>,
    dataset: &'static Dataset,
    schema: &str,
) -> Result<Vec<Rule>, PgError> {
    let what = "look for rules of others";
    let savepoint = make_wanted(transaction, dataset).await?;
    let rows = savepoint.query(sql::SCHEMA_CONSTRAINTS, &[&schema, &names(dataset)]).await;
    let rows = rows.map_err(|e| failed(e, what))?;
    let read = |row: &tokio_postgres::Row| {
        Ok(Rule { table: row.try_get(0)?, what: row.try_get(1)?, statement: row.try_get(2)? })
    };
    let rules = rows.iter().map(read).collect::<Result<_, tokio_postgres::Error>>();
    let rules = rules.map_err(|e| failed(e, what))?;
    savepoint.rollback().await.map_err(|e| failed(e, what))?;
    Ok(rules)
}

/// Rows that prevent an addition, in words; `None`: it can be added. Reads the whole table.
pub async fn obstacle(
    transaction: &Transaction<'_>,
    schema: &str,
    addition: &Addition,
) -> Result<Option<String>, PgError> {
    let operation = format!("look for rows of {} that have no place in a key", addition.table);
    let table = addition.table.as_str();
    let (text, words): (String, &[&str]) = match &addition.key {
        Key::Nothing => return Ok(None),
        Key::Unique { columns } => (
            sql::render(
                sql::SCHEMA_DUPLICATES,
                &[("schema", schema), ("table", table), ("columns", columns)],
            ),
            &["value(s) that occur more than once", "row(s) without a value"],
        ),
        Key::HasParent { columns, parent } => (
            sql::render(
                sql::SCHEMA_ORPHANS,
                &[("schema", schema), ("table", table), ("columns", columns), ("parent", parent)],
            ),
            &["row(s) whose parent is not there"],
        ),
    };
    let row = transaction.query_one(&text, &[]).await.map_err(|e| failed(e, &operation))?;
    let mut found = Vec::new();
    for (column, words) in words.iter().enumerate() {
        let count: i64 = row.try_get(column).map_err(|e| failed(e, &operation))?;
        if count > 0 {
            found.push(format!("{count} {words}"));
        }
    }
    Ok((!found.is_empty()).then(|| found.join(", ")))
}

async fn read_columns(
    transaction: &Transaction<'_>,
    schema: &str,
    names: &[&str],
) -> Result<Vec<ColumnPair>, PgError> {
    let what = "compare the columns";
    let rows =
        transaction.query(sql::SCHEMA_COLUMNS, &[&schema, &names]).await.map_err(|e| failed(e, what))?;
    let read = |row: &tokio_postgres::Row| {
        Ok(ColumnPair {
            table: row.try_get(0)?,
            relation_kind: row.try_get(1)?,
            name: row.try_get(2)?,
            wanted: row.try_get(3)?,
            found: row.try_get(4)?,
            is_out_of_order: row.try_get(5)?,
            is_computed: row.try_get(6)?,
            needs_value: row.try_get(7)?,
            statement: row.try_get(8)?,
        })
    };
    rows.iter().map(read).collect::<Result<_, tokio_postgres::Error>>().map_err(|e| failed(e, what))
}

/// The possible additions, and the impossible ones in words.
async fn read_additions(
    transaction: &Transaction<'_>,
    schema: &str,
    names: &[&str],
) -> Result<(Vec<Addition>, Vec<String>), PgError> {
    let what = "compare the keys";
    let rows = transaction.query(sql::SCHEMA_KEYS, &[&schema, &names]).await.map_err(|e| failed(e, what))?;
    let read = |row: &tokio_postgres::Row| {
        let obstacle: Option<String> = row.try_get(6)?;
        let (table, kind, columns): (String, String, String) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let (parent, flaw): (Option<String>, Option<String>) = (row.try_get(3)?, row.try_get(4)?);
        let to = parent.as_ref().map_or(String::new(), |parent| format!(" to {parent}"));
        let but = flaw.map_or(String::new(), |flaw| format!(": {flaw}"));
        let addition = Addition {
            what: format!("{kind} ({columns}){to}{but}"),
            key: match (kind.as_str(), parent) {
                (_, Some(parent)) => Key::HasParent { columns, parent },
                ("primary key", None) => Key::Unique { columns },
                _ => Key::Nothing,
            },
            table,
            statement: row.try_get(5)?,
        };
        Ok((addition, obstacle))
    };
    let (mut additions, mut impossible) = (Vec::new(), Vec::new());
    for row in &rows {
        match read(row).map_err(|e: tokio_postgres::Error| failed(e, what))? {
            (addition, None) => additions.push(addition),
            (Addition { table, what, .. }, Some(obstacle)) => {
                impossible.push(format!("{table} can have no {what}: {obstacle}; runs go on without it"));
            }
        }
    }
    Ok((additions, impossible))
}

fn failed(error: tokio_postgres::Error, operation: &str) -> PgError {
    postgres::classify(error, operation)
}

impl Comparison {
    fn new(dataset: &'static Dataset, schema: &str, columns: &[ColumnPair], keys: Vec<Addition>) -> Self {
        let mut found = Self { schema: schema.into(), dataset: dataset.name, ..Self::default() };
        for table in dataset.own_tables() {
            found.own += 1;
            if !found.table(table, columns) {
                found.missing.push(table.name);
            }
        }
        for derived in dataset.derived.iter().filter(|derived| !derived.is_view()) {
            let before = found.differences.len();
            let is_table = |name| {
                let of_it = columns.iter().filter(|column| column.table == name);
                of_it
                    .filter_map(|column| column.relation_kind.as_deref())
                    .any(|kind| ["r", "p"].contains(&kind))
            };
            if !found.table(&derived.table, columns) {
                found.unmade.push(derived.table.name);
            } else if derived.fill().is_some()
                && found.differences.len() > before
                && is_table(derived.table.name)
            {
                found.differences.truncate(before);
                found.stale.push(derived.table.name);
            }
        }
        found.additions.extend(keys);
        // New tables get their keys when they are made.
        let is_made = |table: &str| !found.unmade.iter().chain(&found.stale).any(|name| *name == table);
        found.additions.retain(|addition| is_made(&addition.table));
        found
    }

    /// Compares one table; false: nothing has that name.
    fn table(&mut self, table: &Table, columns: &[ColumnPair]) -> bool {
        let columns: Vec<_> = columns.iter().filter(|column| column.table == table.name).collect();
        match columns.first().and_then(|column| column.relation_kind.as_deref()) {
            None => return false,
            Some("r" | "p") => {
                // A column that the dataset does not name (a geometry) is optional.
                let is_named = |name: &str| table.columns.iter().any(|column| column.name == name);
                for column in columns {
                    self.column(column, is_named(&column.name));
                }
            }
            Some(kind) => self.differences.push(format!("{} is {}", table.name, relation(kind))),
        }
        self.found += 1;
        true
    }

    fn column(&mut self, column: &ColumnPair, is_named: bool) {
        let ColumnPair { table, name, .. } = column;
        match (&column.wanted, &column.found) {
            (Some(wanted), None) if is_named => {
                self.differences.push(format!("{table}.{name} ({wanted}) is not there"));
            }
            (Some(wanted), None) => self.additions.push(Addition {
                table: table.clone(),
                what: format!("column {name} ({wanted})"),
                statement: column.statement.clone(),
                key: Key::Nothing,
            }),
            (Some(wanted), Some(found)) if wanted != found => {
                self.differences.push(format!("{table}.{name} is {found}, expected {wanted}"));
            }
            (Some(_), Some(_)) if column.is_computed => {
                self.differences.push(format!("{table}.{name} takes no value: the server makes it"));
            }
            (Some(_), Some(_)) if column.is_out_of_order => {
                self.remarks.push(format!("{table}.{name} is in another position, which does not matter"));
            }
            (None, Some(found)) if column.needs_value => self.differences.push(format!(
                "{table}.{name} ({found}) is not one of ours and has no default: rows without it are refused"
            )),
            _ => {}
        }
    }

    /// Are all of the tables missing?
    pub fn is_empty(&self) -> bool {
        self.missing.len() == self.own
    }

    /// The number of existing tables.
    pub fn tables(&self) -> usize {
        self.found
    }

    /// Missing derived tables: the next promotion makes them.
    pub fn unmade(&self) -> &[&'static str] {
        &self.unmade
    }

    /// Derived tables with other columns than ours. They are made again if the ledger knows them, which shows that
    /// nobody else put them there.
    pub fn stale(&self) -> &[&'static str] {
        &self.stale
    }

    /// The tables that the next promotion will make, in words; `None`: none.
    pub fn to_make(&self) -> Option<String> {
        let unmade = self.unmade.iter().map(|name| format!("{name} is not there yet"));
        let stale = self.stale.iter().map(|name| format!("{name} has other columns"));
        let what: Vec<_> = unmade.chain(stale).collect();
        (!what.is_empty() && !self.is_empty())
            .then(|| format!("{}: the next promotion makes it", what.join("; ")))
    }

    /// Missing tables.
    pub fn missing(&self) -> &[&'static str] {
        &self.missing
    }

    /// Differences that prevent writing to the tables, in words.
    pub fn differences(&self) -> &[String] {
        &self.differences
    }

    /// Differences that do not matter, in words.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// What is missing and can be added, in a working order.
    pub fn additions(&self) -> &[Addition] {
        &self.additions
    }

    /// Fails if the tables must not be written to, with all reasons in one message.
    pub fn admit(&self) -> Result<(), Cause> {
        let (schema, dataset) = (&self.schema, self.dataset);
        if !self.differences.is_empty() {
            return Err(Cause::Refused {
                message: format!(
                    "the tables of schema {schema} are not those of {dataset}:\n    {}",
                    self.differences.join("\n    ")
                ),
                hint: Some("change the columns, or name another schema with --schema".into()),
            });
        }
        if !self.missing.is_empty() && !self.is_empty() {
            return Err(Cause::Refused {
                message: format!(
                    "schema {schema} has some tables of {dataset} but not {}",
                    self.missing.join(", ")
                ),
                hint: Some(format!(
                    "restore them; merganser adopt {dataset} --fix makes empty ones; or name another schema with --schema"
                )),
            });
        }
        Ok(())
    }

    /// What the tables lack, in one line; `None`: nothing.
    pub fn lacks(&self) -> Option<String> {
        let what = self.additions.iter().map(|addition| format!("{} {}", addition.table, addition.what));
        let what: Vec<_> = what.collect();
        (!what.is_empty() && !self.is_empty()).then(|| what.join("; "))
    }
}

/// The kind of a relation, in words.
fn relation(kind: &str) -> &'static str {
    match kind {
        "v" => "a view, not a table",
        "m" => "a materialized view, not a table",
        "f" => "a foreign table",
        "i" | "I" => "an index, not a table",
        "S" => "a sequence, not a table",
        _ => "something else than a table",
    }
}
