//! Loading a dataset into another table than its own: a separate target with its own lock, staging tables, rows of the
//! ledger and published objects. The archive is shared with the dataset.

use super::{Dataset, Promotion, PublishedTable, Scripts, Table};
use crate::dataset::derived::Described;
use crate::dataset::map::MapOf;

/// The longest name of a table: staging tables have longer names.
const LONGEST: usize = 40;
/// The schema of the tables if none is named.
pub const DEFAULT_SCHEMA: &str = "public";
/// The tables that the staging store has beside those of a dataset.
const STAGED: [&str; 5] = ["files", "records", "sealed", "failed", "losers"];

impl Dataset {
    /// How it is typed in a command: with the table that it goes into, if that is not its own.
    pub fn typed(&self) -> String {
        match self.target.trim_end_matches('/') {
            "" => self.name.to_owned(),
            table => format!("{} --table {table}", self.family()),
        }
    }

    /// The same with the schema of that table, unless it is the default.
    pub fn typed_in(&self, schema: &str) -> String {
        match self.target.trim_end_matches('/') {
            "" => self.typed(),
            _ if ["", DEFAULT_SCHEMA].contains(&schema) => self.typed(),
            table => format!("{} --table {schema}.{table}", self.family()),
        }
    }

    /// Whether it may be loaded into another table than its own: it has one, and nothing is made from it.
    pub fn fits_another_table(&self) -> bool {
        let is_of_slices = matches!(self.promotion, Promotion::ReplaceSlices { .. });
        is_of_slices && self.tables.len() == 1 && self.derived.is_empty()
    }

    /// The same dataset, with another name of its one table. The copy lives as long as the process.
    ///
    /// # Errors
    /// An invalid name, or a dataset of several tables; in words for people.
    pub fn into_table(&'static self, name: &str) -> Result<&'static Dataset, String> {
        let own = match self.tables {
            [table] if self.fits_another_table() => table,
            _ => return Err(format!("{} has tables of its own", self.name)),
        };
        let is_name = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_')
            && name.len() <= LONGEST;
        if !is_name {
            return Err(format!(
                "`{name}` cannot be the name of a table here: a name has small letters, digits and _, begins with a \
                 letter, and is at most {LONGEST} long"
            ));
        }
        if STAGED.contains(&name) {
            return Err(format!("`{name}` is the name of a table of the staging store: choose another one"));
        }
        if name == own.name {
            return Ok(self);
        }
        let name = leaked(name);
        let script = |text: &str| leaked(&text.replace(own.name, name));
        let tables = Box::leak(Box::new([Table { name, ..*own }]));
        let dictionary: Vec<_> =
            self.dictionary.iter().map(|said| Described { table: name, ..*said }).collect();
        let published: Vec<_> = self
            .published
            .iter()
            .map(|published| PublishedTable {
                name: leaked(&published.name.replace(own.name, name)),
                table: name,
                ..*published
            })
            .collect();
        let Scripts { stage, check, export, tables: made, staging, known, keys, complete, guards, newest } =
            self.scripts;
        Ok(Box::leak(Box::new(Dataset {
            name: leaked(&format!("{}_{name}", self.name)),
            target: leaked(&format!("{name}/")),
            map: self.map.map(|map| &*Box::leak(Box::new(MapOf { count: script(map.count), ..*map }))),
            tables,
            dictionary: dictionary.leak(),
            published: published.leak(),
            scripts: Scripts {
                stage: script(stage),
                check: check.map(script),
                export: script(export),
                tables: script(made),
                staging: staging.map(script),
                known,
                keys: script(keys),
                complete: complete.map(script),
                guards: guards.map(script),
                newest: newest.map(script),
            },
            ..*self
        })))
    }
}

fn leaked(text: &str) -> &'static str {
    text.to_owned().leak()
}
