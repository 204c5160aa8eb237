use std::fs;
use std::sync::{Arc, Mutex};

use arrow::array::{
    ArrayRef, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder, new_null_array,
};
use arrow::datatypes::DataType;
use merganser::clients::duckdb::{DuckLimits, Staging};
use merganser::datasets::oca::OCA;
use merganser::sql;
use merganser::stages::{enrich, parse};
use tempfile::TempDir;

#[allow(dead_code)]
#[path = "../../tests/it/support/csv.rs"]
mod reader;

/// The store is made anew after this many inputs, because deleted rows take space until then.
const INPUTS: usize = 200;

/// A store with its tables, and the number of its uses.
struct Store {
    staging: Staging,
    folder: TempDir,
    uses: usize,
}

/// Not a thread-local value: that would be dropped while the process ends, after DuckDB's library is gone.
static STORE: Mutex<Option<Store>> = Mutex::new(None);

/// Any texts and arrays, through the export: a reader of PostgreSQL's CSV and of its array literals gets the same back.
///
/// # Panics
/// If the texts differ.
pub fn csv(data: &[u8]) {
    // Text cannot hold a NUL, so a NUL separates the cells, three in a row of the table. A missing cell is NULL.
    let text: Vec<_> = data.split(|byte| *byte == 0).map(|cell| std::str::from_utf8(cell).ok()).collect();
    let rows: Vec<[Option<&str>; 3]> =
        text.chunks(3).map(|cells| [0, 1, 2].map(|at| cells.get(at).copied().flatten())).collect();
    let csv = {
        let mut slot = STORE.lock().expect("no input has failed before");
        if slot.as_ref().is_none_or(|store| store.uses >= INPUTS) {
            *slot = Some(Store::new());
        }
        slot.as_mut().expect("it was just made").export(&rows)
    };
    let csv = reader::Csv::parse(&csv);
    assert_eq!(csv.rows.len(), rows.len());
    let (names, fees, roles) =
        (csv.column("eventname"), csv.column("feetype"), csv.column("filingpartiesroles"));
    for (row, cells) in rows.iter().enumerate() {
        assert_eq!((names[row].as_deref(), fees[row].as_deref()), (cells[0], cells[1]), "row {row}");
        assert_eq!(roles[row].as_deref().map(elements), array(cells[2]), "row {row}");
    }
}

/// Removes the store and its folder.
#[cfg(test)]
pub fn close() {
    *STORE.lock().expect("no input has failed") = None;
}

/// The array of a cell: its lines, with NULL for those without a text.
fn array(cell: Option<&str>) -> Option<Vec<Option<String>>> {
    let lines = cell?.split('\n');
    Some(lines.map(|line| (line != "\u{FFFD}").then(|| line.to_owned())).collect())
}

impl Store {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let limits = DuckLimits { memory_mib: 256, threads: 1 };
        let staging = Staging::create(folder.path(), limits).expect("a store");
        parse::make_tables(&staging, &OCA).expect("tables");
        enrich::find_winners(&staging, &OCA).expect("a macro and a table");
        Self { staging, folder, uses: 0 }
    }

    fn export(&mut self, rows: &[[Option<&str>; 3]]) -> String {
        self.uses += 1;
        self.staging.execute("empty it", "delete from oca_events", &[]).expect("an empty table");
        let mut load = self.staging.load().expect("a transaction");
        load.append("oca_events", events(rows)).expect("rows");
        load.commit().expect("a commit");
        let dir = self.folder.path().to_string_lossy();
        // All twelve tables for each input would take ten times as long.
        let copy = sql::statements(OCA.scripts.export).find(|part| part.contains("/oca_events.csv"));
        self.staging.execute("export", copy.expect("it is there"), &[("dir", &dir)]).expect("an export");
        fs::read_to_string(self.folder.path().join("oca_events.csv")).expect("UTF-8")
    }
}

fn events(rows: &[[Option<&str>; 3]]) -> RecordBatch {
    let texts = |at: usize| -> ArrayRef { Arc::new(StringArray::from_iter(rows.iter().map(|row| row[at]))) };
    let mut roles = ListBuilder::new(StringBuilder::new());
    for row in rows {
        let array = array(row[2]);
        array.iter().flatten().for_each(|text| roles.values().append_option(text.as_deref()));
        roles.append(array.is_some());
    }
    let columns: [(&str, ArrayRef); 7] = [
        ("record_no", Arc::new(Int64Array::from_iter_values(1..=rows.len() as i64))),
        ("indexnumberid", Arc::new(StringArray::from(vec!["a"; rows.len()]))),
        ("eventname", texts(0)),
        ("fileddate", new_null_array(&DataType::Date32, rows.len())),
        ("feetype", texts(1)),
        ("filingpartiesroles", Arc::new(roles.finish())),
        ("answertype", new_null_array(&DataType::Utf8, rows.len())),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
        .expect("columns")
}

/// The elements of an array literal, read as PostgreSQL's `array_in` does, except for blanks between them.
fn elements(literal: &str) -> Vec<Option<String>> {
    let mut rest = literal.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).expect("braces");
    let mut elements = Vec::new();
    while !rest.is_empty() {
        let (element, after) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let (text, after) = quoted_element(quoted);
                (Some(text), after)
            }
            None => {
                let (word, after) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
                assert_eq!(word, "NULL", "all other texts are quoted");
                (None, after)
            }
        };
        elements.push(element);
        rest = match after.strip_prefix(',') {
            Some(more) => {
                assert!(!more.is_empty(), "a comma ends {literal:?}");
                more
            }
            None => {
                assert!(after.is_empty(), "{after:?} after a closing quote");
                after
            }
        };
    }
    elements
}

fn quoted_element(text: &str) -> (String, &str) {
    let mut element = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (element, &text[at + 1..]),
            '\\' => element.push(chars.next().expect("something is escaped").1),
            c => element.push(c),
        }
    }
    panic!("no closing quote in {text:?}")
}
