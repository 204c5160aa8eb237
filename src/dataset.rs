//! What a dataset is: tables, a file-name rule, a parser that writes rows to a sink, SQL files and
//! a named way of promotion. A dataset is a `const` value; it touches no network, store or database.

pub mod ask;
pub mod asked;
pub mod derived;
pub mod enrichment;
mod inputs;
mod kept;
pub mod links;
pub mod map;
mod parsing;
mod published;
pub mod records;
pub mod reference;
pub mod rows;
pub mod served;
pub mod slice;
mod tables;
mod target;
pub mod walked;

use jiff::civil::Date;

use asked::Asked;
use derived::{Derived, Described};
use enrichment::Enrichment;
use links::Links;
use map::MapOf;
use reference::Reference;
use served::Served;
use walked::HistoryFeed;

pub use inputs::TableInput;
pub use kept::NOT_ARCHIVED;
pub use parsing::{
    FailedRecord, Limits, Options, ParseError, ParseInput, Parsed, RowBatch, SecretInput, Sink, SinkClosed,
    Unknown, Unseen, WrongOption,
};
pub use published::{PublishedColumns, PublishedForm, PublishedTable, Reach, SplitBy};
pub use tables::{CellSource, Column, ColumnType, Table};

/// What the name of a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName {
    /// The date that the file is about; `None`: the name does not say.
    pub run_date: Option<Date>,
    /// Sorts files by the order in which they count; kept in the ledger.
    pub order_key: String,
}

/// How the rows of a dataset reach production.
#[derive(Clone, Copy, Debug)]
pub enum Promotion {
    /// A record is one row of the first table, known by `key`, and any number of rows of the others. The dataset's plan
    /// decides which records are loaded, superseded or deleted; the ledger knows where each came from.
    Merge { key: &'static str, plan: &'static str, tombstones: Tombstones },
    /// The one table holds the content of the newest part, one row per record, known by `key`: rows that the part does
    /// not name are deleted, equal rows are not touched, and the row of a failed record stays. A part that cannot be
    /// read to its end, or is older than what the table came from, changes nothing.
    Replace { key: &'static str },
    /// As `Replace`, but each part replaces only its own slice of the table, and a run only what it asked for: no other
    /// row is touched.
    ReplaceSlices { key: &'static str },
    /// The tables hold what all the `parts` say together: rows that none of them names are deleted, equal rows are not
    /// touched. A record is one row of the first table, known by `key`, which says everything that its rows in the
    /// other tables say; the row of a failed record is deleted, and rows that refer to it are not loaded either. If one
    /// part has changed, all are taken; if one is missing or cannot be read, nothing changes.
    ReplaceAll { key: &'static str, parts: &'static [&'static str] },
}

/// Permanent deletions.
#[derive(Clone, Copy, Debug)]
pub struct Tombstones {
    /// The tables that the plan maintains itself: what is known of a record, including its deletion.
    pub tables: &'static [Table],
    /// PostgreSQL: where a batch's plan contradicts these tables; no rows: passed.
    pub check: &'static str,
    /// PostgreSQL: `pg_temp.sealed_records`, the deleted records.
    pub sealed: &'static str,
    /// PostgreSQL: removes the remains of deleted records.
    pub purge: &'static str,
    /// PostgreSQL: the remains of deleted records; no rows: passed.
    pub proof: &'static str,
}

/// The SQL of a dataset: files of `sql/<dataset>/`. The tables `files`, `records` and `failed` of the staging store, and
/// the staging table of the records, are the engine's.
#[derive(Clone, Copy, Debug)]
pub struct Scripts {
    /// DuckDB: makes a table in the staging store for each table that the parser fills.
    pub stage: &'static str,
    /// DuckDB: adds offending rows to the table `failed`; `:is_undecided` says that nobody asked for these files.
    /// They are new, or what failed in them is tried again.
    pub check: Option<&'static str>,
    /// DuckDB: writes the CSVs, in statements that run in parallel.
    pub export: &'static str,
    /// PostgreSQL: makes the tables, in production or in staging.
    pub tables: &'static str,
    /// PostgreSQL: makes the staging tables, where they differ: a partitioned table is not partitioned there.
    pub staging: Option<&'static str>,
    /// A table whose production rows the checks need: `stage` makes `known_NAME`, with its columns as texts, which gets them.
    pub known: Option<&'static str>,
    /// PostgreSQL: keys, foreign keys and indexes of the production tables.
    pub keys: &'static str,
    /// PostgreSQL: fills columns that are computed from other production rows, for the records in `pg_temp.completed`.
    pub complete: Option<&'static str>,
    /// PostgreSQL: the dataset's own guards, run before the commit.
    pub guards: Option<&'static str>,
    /// PostgreSQL: the newest date in production, one row and column; `None`: the ledger knows it.
    pub newest: Option<&'static str>,
}

/// One source of data: all that the engine must know of it.
#[derive(Clone, Copy, Debug)]
pub struct Dataset {
    pub name: &'static str,
    /// What it is, in a few words for the help.
    pub about: &'static str,
    /// What a record is called where people read it.
    pub record: &'static str,
    /// The format of a document, as people read it: `XML`.
    pub format: &'static str,
    /// The part of it that nobody else may read, worded to complete "and hold …": `street lines`.
    pub private: Option<&'static str>,
    /// Where its objects are, below `public/` and `private/` of the store: its name with a slash. Empty for the dataset
    /// that was there first.
    pub folder: &'static str,
    /// The folder of its public objects below that, with a slash, if it loads another table than its own. Empty: its
    /// own.
    pub target: &'static str,
    /// The tables that the parser fills, the parent first.
    pub tables: &'static [Table],
    /// What a file's name says; `None`: not a file of this dataset.
    pub file_name: fn(&str) -> Option<FileName>,
    /// Names do not tell which file is newer: files with an order key count in the order in which they were posted, and by that key
    /// only among those that one run took. A file that is read again keeps its place.
    pub counts_as_posted: bool,
    /// Why a name that looks like one of the feed's is not accepted; `None`: it does not look like one.
    pub near_name: fn(&str) -> Option<&'static str>,
    /// The service that is asked for its parts; `None`: they are files of a source.
    pub asked: Option<&'static Asked>,
    /// Its parts are histories; `None`: files, or answers.
    pub walked: Option<&'static HistoryFeed>,
    pub parse: fn(&ParseInput<'_>, &mut dyn Sink) -> Result<Parsed, ParseError>,
    /// What is added to its rows before they are exported.
    pub enrichment: Option<Enrichment>,
    /// Addresses in its rows that can be looked at; `None`: it has none.
    pub links: Option<&'static Links>,
    /// What it looks things up in; `None`: it looks nothing up.
    pub reference: Option<&'static Reference>,
    pub promotion: Promotion,
    /// How many days the sender's server keeps a file; an older one cannot come from there.
    pub feed_days: Option<u32>,
    /// The names of its own guards, besides those of every dataset.
    pub guards: &'static [&'static str],
    /// The variables of its PostgreSQL scripts besides the engine's, made from its own options.
    pub variables: fn(&Options) -> Vec<(&'static str, String)>,
    pub scripts: Scripts,
    /// The tables and views that the promotion derives, each after those it is derived from.
    pub derived: &'static [Derived],
    /// Descriptions of tables, views and columns for people.
    pub dictionary: &'static [Described],
    /// What `merganser map` can draw of it.
    pub map: Option<&'static MapOf>,
    /// What `merganser serve` can tell of it.
    pub served: Option<&'static Served>,
    pub published: &'static [PublishedTable],
    /// The forms that are published by default.
    pub forms: &'static [PublishedForm],
    /// The notice that the data's provider requires for everybody who gets the data from here.
    pub notice: Option<&'static str>,
    /// Its parts are sheets that people keep by hand: they are told of file, row and column what is wrong there, and of
    /// addresses on the web they may say where each sheet is.
    pub has_sheets: bool,
    /// `merganser demo` can show it.
    pub has_demo: bool,
    /// The tables of the database that it is made of; empty: it is made of files or answers.
    pub inputs: &'static [TableInput],
}

impl Dataset {
    /// The name of the dataset, whatever its table is called.
    pub fn family(&self) -> &'static str {
        let table = self.target.trim_end_matches('/');
        match self.name.strip_suffix(table) {
            Some(family) if !table.is_empty() => family.trim_end_matches('_'),
            _ => self.name,
        }
    }

    /// The parent of the others, or the only table.
    pub fn parent(&self) -> &'static Table {
        self.tables.first().expect("a dataset has tables")
    }

    /// The column of the parent by which a record is known.
    pub fn key(&self) -> &'static str {
        match self.promotion {
            Promotion::Merge { key, .. }
            | Promotion::Replace { key }
            | Promotion::ReplaceSlices { key }
            | Promotion::ReplaceAll { key, .. } => key,
        }
    }

    /// Can its runs be undone? Records whose key is not a text are loaded again from their files instead, and nothing
    /// of a history is undone: the commits that another one leads to would be missing.
    pub fn can_be_undone(&self) -> bool {
        if self.walked.is_some() {
            return false;
        }
        let key = self.parent().columns.iter().find(|column| column.name == self.key());
        key.is_none_or(|key| key.kind == ColumnType::Text)
    }

    /// Its permanent deletions; `None`: nothing is deleted permanently.
    pub fn tombstones(&self) -> Option<Tombstones> {
        match self.promotion {
            Promotion::Merge { tombstones, .. } => Some(tombstones),
            Promotion::Replace { .. } | Promotion::ReplaceSlices { .. } | Promotion::ReplaceAll { .. } => {
                None
            }
        }
    }

    /// The names of the parts that are taken together; `None`: each is taken by itself.
    pub fn together(&self) -> Option<&'static [&'static str]> {
        match self.promotion {
            Promotion::ReplaceAll { parts, .. } => Some(parts),
            _ => None,
        }
    }

    /// The tables that the promotion keeps itself.
    pub fn kept(&self) -> &'static [Table] {
        self.tombstones().map_or(&[], |tombstones| tombstones.tables)
    }

    /// Does each part replace the earlier content, either all of it or its slice?
    pub fn is_replaced(&self) -> bool {
        !matches!(self.promotion, Promotion::Merge { .. })
    }

    /// Does each part replace only its slice?
    pub fn is_sliced(&self) -> bool {
        matches!(self.promotion, Promotion::ReplaceSlices { .. })
    }

    /// The production tables without which there is no promotion, in the order of loading.
    pub fn own_tables(&self) -> impl Iterator<Item = &'static Table> + use<> {
        self.tables.iter().chain(self.kept())
    }

    /// The tables in which a batch replaces rows: those that the parser fills, and those derived from them.
    pub fn replaced_tables(&self) -> impl Iterator<Item = &'static Table> + use<> {
        self.tables.iter().chain(self.derived_tables().map(|derived| &derived.table))
    }

    /// Every production table that a promotion writes to, by name, in the order of loading.
    pub fn table_names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.own_tables().chain(self.derived_tables().map(|derived| &derived.table)).map(|table| table.name)
    }

    /// The derived tables that the promotion keeps.
    pub fn derived_tables(&self) -> impl Iterator<Item = &'static Derived> + use<> {
        self.derived.iter().filter(|derived| derived.fill().is_some())
    }

    /// The derived tables that are created if missing and that the promotion updates in place.
    pub fn sum_tables(&self) -> Vec<&'static str> {
        let served = self.served.map(Served::all_tables).unwrap_or_default();
        let derived = self.derived.iter().map(|derived| derived.table.name);
        derived.filter(|name| served.iter().any(|(_, table)| table == name)).collect()
    }

    /// The derived views.
    pub fn views(&self) -> impl Iterator<Item = &'static Derived> + use<> {
        self.derived.iter().filter(|derived| derived.is_view())
    }

    /// What the dictionary says, as a list of objects: `table`, `column` (null: the table itself) and `about`.
    pub fn said(&self) -> serde_json::Value {
        let said = self.dictionary.iter().flat_map(|described| {
            let column = |column: Option<&str>, about: &str| {
                serde_json::json!({ "table": described.table, "column": column, "about": about })
            };
            let columns = described.columns.iter().map(move |(name, about)| column(Some(name), about));
            std::iter::once(column(None, described.about)).chain(columns)
        });
        said.collect()
    }

    /// The staging table (and CSV) that has one row for each good record.
    pub fn records_table(&self) -> String {
        format!("{}_records", self.name)
    }

    /// The names of all its guards, in order: those that can be let through.
    pub fn guard_names(&self) -> Vec<&'static str> {
        let mut names = [GUARDS, self.guards].concat();
        names.sort_unstable();
        names
    }
}

/// The guards of every dataset; see `sql/promote/guards.pg.sql`.
const GUARDS: &[&str] = &["deletes", "drop", "failures", "run_date", "short"];
