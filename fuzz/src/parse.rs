//! One file through the parser, from memory, with limits that a small input can reach.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use merganser::dataset::{
    Dataset, FailedRecord, Limits, Options, ParseError, ParseInput, Parsed, RowBatch, SecretInput, Sink,
    SinkClosed,
};
use merganser::datasets::oca::OCA;
use merganser::datasets::oca::options::of_level;
use rustix::fs::{MemfdFlags, memfd_create};

pub const LIMITS: Limits = Limits {
    record_bytes: 2 << 10,
    text_bytes: 200,
    depth: 12,
    rows: 20,
    list_bytes: 4 << 10,
    unpacked_bytes: 1 << 20,
    unpacked_ratio: 20,
    ratio_free_bytes: 64 << 10,
    fragment_bytes: 200,
};

/// The output of the parser.
#[derive(Debug, Default)]
pub struct Written {
    /// The record numbers of a table's rows, in order of arrival.
    pub rows: BTreeMap<&'static str, Vec<i64>>,
    pub failed: Vec<FailedRecord>,
    /// The number of rows that must not be stored at this level but were.
    pub streets: usize,
}

impl Written {
    pub fn of(&self, table: &str) -> &[i64] {
        self.rows.get(table).map_or(&[], Vec::as_slice)
    }
}

impl Sink for Written {
    fn rows(&mut self, batch: RowBatch) -> Result<(), SinkClosed> {
        let numbers = batch.rows.column_by_name("record_no").expect("every table has it");
        self.rows.entry(batch.table).or_default().extend(numbers.as_primitive::<Int64Type>().values());
        for column in ["street1", "street2"].iter().filter_map(|name| batch.rows.column_by_name(name)) {
            self.streets += column.len() - column.null_count();
        }
        Ok(())
    }

    fn failed(&mut self, record: FailedRecord) -> Result<(), SinkClosed> {
        self.failed.push(record);
        Ok(())
    }
}

/// Parses the bytes of a court's file.
pub fn parse(bytes: &[u8], level: u8, batch_records: usize) -> (Written, Result<Parsed, ParseError>) {
    parse_as(&OCA, "a.zip", &of_level(level), bytes, batch_records)
}

/// Parses the bytes of a dataset's file with this name.
pub fn parse_as(
    dataset: &Dataset,
    name: &str,
    options: &Options,
    bytes: &[u8],
    batch_records: usize,
) -> (Written, Result<Parsed, ParseError>) {
    // A file that exists nowhere, so a process that libFuzzer ends leaves nothing behind.
    let mut file = File::from(memfd_create("fuzz", MemfdFlags::CLOEXEC).expect("memory"));
    file.write_all(bytes).expect("memory");
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let removed = HashSet::new();
    let input = ParseInput {
        path: path.as_ref(),
        name,
        tables: dataset.tables,
        file_no: 0,
        options,
        secret: Some(SecretInput { text: "fuzz", removed: &removed }),
        batch_records,
        limits: LIMITS,
        only_ordinals: &[],
        slice: None,
        holds_more: false,
    };
    let mut written = Written::default();
    let parsed = (dataset.parse)(&input, &mut written);
    (written, parsed)
}
