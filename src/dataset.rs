//! What a dataset is: tables, a file-name rule, a parser that writes rows to a sink, SQL files and
//! a named way of promotion. A dataset is a `const` value; it touches no network, store or database.

pub mod ask;
pub mod asked;
pub mod derived;
pub mod enrichment;
mod inputs;
pub mod links;
pub mod map;
mod published;
pub mod records;
pub mod reference;
pub mod rows;
pub mod served;
pub mod slice;
mod tables;
mod target;
pub mod walked;

use std::collections::BTreeMap;
use std::path::Path;

use arrow::record_batch::RecordBatch;
use jiff::civil::Date;

use asked::Asked;
use derived::{Derived, Described};
use enrichment::Enrichment;
use links::Links;
use map::MapOf;
use reference::Reference;
use served::Served;
use slice::Slice;
use walked::HistoryFeed;

pub use inputs::TableInput;
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
    /// DuckDB: adds offending rows to the table `failed`; `:is_new` says that no file is read again.
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
        derived.filter(|name| served.contains(name)).collect()
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

/// Rows of one table on their way into the staging store.
#[derive(Debug)]
pub struct RowBatch {
    pub table: &'static str,
    pub rows: RecordBatch,
}

/// A record, or a part of a document, that could not be loaded, with its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailedRecord {
    /// The record's identity, where it could be read.
    pub record_id: Option<String>,
    /// Position of the record in the document, from 1; 0: outside any record.
    pub ordinal: u64,
    /// Offset of the record's first byte in the unpacked document.
    pub offset_bytes: u64,
    pub table: Option<&'static str>,
    /// The field as the source names it (a path of elements).
    pub field: Option<String>,
    /// The offending value, cut to 500 characters.
    pub value: Option<String>,
    pub reason: String,
    /// What may have been meant.
    pub suggestion: Option<String>,
    /// The record as it came, cut to [`Limits::fragment_bytes`].
    pub fragment: Option<String>,
}

/// The destination of a parser's output. An error of a sink ends the parse.
pub trait Sink {
    /// Takes rows of one table. Batches of one table arrive in document order.
    fn rows(&mut self, batch: RowBatch) -> Result<(), SinkClosed>;
    /// Takes a failed record.
    fn failed(&mut self, record: FailedRecord) -> Result<(), SinkClosed>;
    /// Called now and then with the parser's progress: records seen, document bytes read since the start, and the
    /// document's size in bytes (0: not known).
    fn progress(&mut self, _records: u64, _bytes: u64, _total_bytes: u64) {}
}

/// The receiver of the rows is gone; its own error says why.
#[derive(Debug, thiserror::Error)]
#[error("the staging store stopped taking rows")]
pub struct SinkClosed;

/// Bounds on what a document may ask of us.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one record in the document; a larger one is a failed record.
    pub record_bytes: usize,
    /// Bytes of the text of one field; a longer one fails its record.
    pub text_bytes: usize,
    /// Depth of elements inside one record.
    pub depth: usize,
    /// Rows that one record may make, over all tables.
    pub rows: usize,
    /// Bytes that are read to find out what an archive holds: its list of files.
    pub list_bytes: u64,
    /// Unpacked bytes of one archive.
    pub unpacked_bytes: u64,
    /// Unpacked bytes for one packed byte, of an archive that unpacks to more than `ratio_free_bytes`.
    pub unpacked_ratio: u64,
    /// A document of up to this many bytes may have any compression ratio: reading it costs little.
    pub ratio_free_bytes: u64,
    /// Bytes of a failed record that are kept; 0 keeps none.
    pub fragment_bytes: usize,
}

impl Limits {
    /// The part of a failed record's text that is kept: its start, cut at a character boundary; `None`: nothing.
    pub fn fragment(&self, text: &str) -> Option<String> {
        let most = self.fragment_bytes.min(text.len());
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        (self.fragment_bytes > 0).then(|| text[..end].to_owned())
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            record_bytes: 16 << 20,
            text_bytes: 1 << 20,
            depth: 64,
            rows: 100_000,
            list_bytes: 4 << 20,
            unpacked_bytes: 64 << 30,
            unpacked_ratio: 250,
            ratio_free_bytes: 1 << 30,
            fragment_bytes: 16 << 10,
        }
    }
}

/// A dataset's own options, as the ledger keeps them: names and values.
pub type Options = serde_json::Map<String, serde_json::Value>;

/// One file for a parser.
#[derive(Clone, Copy, Debug)]
pub struct ParseInput<'a> {
    pub path: &'a Path,
    /// The file's name at its source, which differs from that in `path`.
    pub name: &'a str,
    /// What to fill: the dataset's own tables.
    pub tables: &'static [Table],
    /// Number of the file within the run. Record number = `file_no << 32 | ordinal`.
    pub file_no: u32,
    /// The dataset's own options.
    pub options: &'a Options,
    /// A secret that the dataset needs besides them, which must never be shown.
    pub secret: Option<&'a str>,
    /// Records that a batch of rows holds.
    pub batch_records: usize,
    pub limits: Limits,
    /// Only these records (by ordinal) are parsed into rows; empty: all.
    pub only_ordinals: &'a [u64],
    /// The slice that was asked for, to which every record must belong; `None`: a file that is not an answer.
    pub slice: Option<&'a Slice>,
    /// The file holds more than the slice, and other records are skipped silently; otherwise a record outside the slice
    /// is an error.
    pub holds_more: bool,
}

/// What a parser found in a file that it could read to its end.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    pub records_seen: u64,
    pub records_deleted: u64,
    /// How many deleted records came with data as well, which is not loaded.
    pub deleted_with_data: u64,
    pub records_failed: u64,
    /// The run date that the document itself states.
    pub run_date: Option<Date>,
    /// False: the document broke off; what came before the break is good.
    pub complete: bool,
    pub document_bytes: u64,
    /// Elements, attributes and texts that no column names: path below the record -> count and one example.
    pub unknown: BTreeMap<String, Unknown>,
    /// Values that the slice of a file names and no record of the file has. An answer has none: the plan of a service looks
    /// them up.
    pub unseen: Vec<Unseen>,
}

/// Values of a column that a filter names and no record has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unseen {
    pub column: String,
    pub values: Vec<String>,
    /// What the records have there instead, or some of it.
    pub others: Vec<String>,
}

/// How often something occurred that the dataset does not name.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Unknown {
    pub count: u64,
    pub example: String,
}

/// Why nothing at all could be read from a file.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    #[error("cannot read {file}: {source}")]
    Io { file: String, source: std::io::Error },
    /// The archive or its document cannot be used; `reason` is a full sentence part.
    #[error("{file}: {reason}")]
    Unreadable { file: String, reason: String },
    #[error(transparent)]
    Sink(#[from] SinkClosed),
}
