//! The result of comparing the tables, and what follows from it.

use crate::dataset::{Dataset, Table};
use crate::error::Cause;

/// The result of the comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    schema: String,
    dataset: &'static str,
    /// How the dataset is typed in a command.
    typed: String,
    /// Where its rows could go instead, as a clause.
    elsewhere: &'static str,
    /// How many there must be.
    own: usize,
    /// How many there are.
    found: usize,
    missing: Vec<&'static str>,
    unmade: Vec<&'static str>,
    stale: Vec<&'static str>,
    differences: Vec<String>,
    pub(super) remarks: Vec<String>,
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
    pub(super) key: Key,
}

/// What an added key requires of the rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Unique {
        columns: String,
    },
    HasParent {
        columns: String,
        parent: String,
    },
    /// It is an index.
    Nothing,
    /// It is a column, which requires nothing.
    Column,
}

impl Addition {
    /// Is it a column? The others are keys and indexes.
    pub fn is_column(&self) -> bool {
        self.key == Key::Column
    }
}

/// One column on both sides.
pub(super) struct ColumnPair {
    pub(super) table: String,
    /// `None`: nothing has that name.
    pub(super) relation_kind: Option<String>,
    pub(super) name: String,
    pub(super) wanted: Option<String>,
    pub(super) found: Option<String>,
    pub(super) is_out_of_order: bool,
    pub(super) is_computed: bool,
    pub(super) needs_value: bool,
    /// Adds it.
    pub(super) statement: String,
}

impl Comparison {
    pub(super) fn new(
        dataset: &'static Dataset,
        schema: &str,
        columns: &[ColumnPair],
        keys: Vec<Addition>,
    ) -> Self {
        let elsewhere = match dataset.fits_another_table() {
            true => "choose another --table",
            false => "name another schema with --schema",
        };
        let (typed, name) = (dataset.typed_in(schema), dataset.name);
        let mut found = Self { schema: schema.into(), dataset: name, typed, elsewhere, ..Self::default() };
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
                key: Key::Column,
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
        let Self { schema, dataset, typed, elsewhere, .. } = self;
        if !self.differences.is_empty() {
            return Err(Cause::Refused {
                message: format!(
                    "the tables of schema {schema} are not those of {dataset}:\n    {}",
                    self.differences.join("\n    ")
                ),
                hint: Some(format!("change the columns, or {elsewhere}")),
            });
        }
        if !self.missing.is_empty() && !self.is_empty() {
            return Err(Cause::Refused {
                message: format!(
                    "schema {schema} has some tables of {dataset} but not {}",
                    self.missing.join(", ")
                ),
                hint: Some(format!(
                    "restore them; merganser adopt {typed} --fix makes empty ones; or {elsewhere}"
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
