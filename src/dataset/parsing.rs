//! The interface of a parser: what it gets, where its rows go, and what it reports.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use arrow::record_batch::RecordBatch;
use jiff::civil::Date;

use super::slice::Slice;
use super::tables::Table;

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

/// A parser's secret, and the people whom its rows must not name.
#[derive(Clone, Copy, Debug)]
pub struct SecretInput<'a> {
    pub text: &'a str,
    /// Hashes under the secret, of addresses and names of people who were removed.
    pub removed: &'a HashSet<String>,
}

/// What is wrong with a dataset's own options, for the person who typed them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongOption {
    pub message: String,
    /// What to do, if the help of the command does not say it.
    pub hint: Option<String>,
}

impl From<String> for WrongOption {
    fn from(message: String) -> Self {
        Self { message, hint: None }
    }
}

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
    pub secret: Option<SecretInput<'a>>,
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
