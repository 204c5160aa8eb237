//! The table that every staging store has besides a dataset's own: one row for each good record, live or deleted.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanBuilder, Int64Builder, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;

use super::RowBatch;

/// Its name in the staging store.
pub const RECORDS: &str = "records";

/// Where a record is.
#[derive(Clone, Copy, Debug)]
pub struct RecordPlace {
    /// `file_no << 32 | ordinal`: what its rows in all tables begin with.
    pub record_no: i64,
    /// Its first byte in the unpacked document.
    pub offset_bytes: i64,
}

impl RecordPlace {
    /// The place of a record in a file: its position from 1, which has 32 bits, and its first byte.
    pub fn new(file_no: u32, ordinal: u64, offset_bytes: u64) -> Self {
        let record_no = i64::from(file_no) << 32 | (ordinal & 0xFFFF_FFFF) as i64;
        Self { record_no, offset_bytes: offset_bytes as i64 }
    }
}

/// Collects rows of that table.
pub struct RecordsWriter {
    schema: SchemaRef,
    record_no: Int64Builder,
    record_id: StringBuilder,
    is_delete: BooleanBuilder,
    has_data: BooleanBuilder,
    offset_bytes: Int64Builder,
    rows: usize,
}

impl Default for RecordsWriter {
    fn default() -> Self {
        let schema = Schema::new(vec![
            Field::new("record_no", DataType::Int64, false),
            Field::new("record_id", DataType::Utf8, true),
            Field::new("is_delete", DataType::Boolean, true),
            Field::new("has_data", DataType::Boolean, true),
            Field::new("offset_bytes", DataType::Int64, true),
        ]);
        Self {
            schema: Arc::new(schema),
            record_no: Int64Builder::new(),
            record_id: StringBuilder::new(),
            is_delete: BooleanBuilder::new(),
            has_data: BooleanBuilder::new(),
            offset_bytes: Int64Builder::new(),
            rows: 0,
        }
    }
}

impl RecordsWriter {
    /// Adds a record with rows.
    pub fn live(&mut self, place: RecordPlace, record_id: &str) {
        self.record(place, record_id, false, true);
    }

    /// Adds a record that deletes. `has_data`: it has rows, and they are left out.
    pub fn delete(&mut self, place: RecordPlace, record_id: &str, has_data: bool) {
        self.record(place, record_id, true, has_data);
    }

    fn record(&mut self, place: RecordPlace, record_id: &str, is_delete: bool, has_data: bool) {
        self.record_no.append_value(place.record_no);
        self.record_id.append_value(record_id);
        self.is_delete.append_value(is_delete);
        self.has_data.append_value(has_data);
        self.offset_bytes.append_value(place.offset_bytes);
        self.rows += 1;
    }

    /// The number of collected rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns the collected rows and starts again.
    pub fn finish(&mut self) -> RowBatch {
        self.rows = 0;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.record_no.finish()),
            Arc::new(self.record_id.finish()),
            Arc::new(self.is_delete.finish()),
            Arc::new(self.has_data.finish()),
            Arc::new(self.offset_bytes.finish()),
        ];
        let rows = RecordBatch::try_new(self.schema.clone(), columns);
        RowBatch { table: RECORDS, rows: rows.expect("every column got one value per row") }
    }
}
