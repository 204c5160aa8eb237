//! Rows of texts and days as Arrow batches.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Builder, Int64Builder, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use jiff::civil::{Date, date};

use super::{ColumnType, RowBatch, Sink, SinkClosed, Table};

/// A cell.
#[derive(Clone, Copy, Debug)]
pub enum RowCell<'a> {
    None,
    Text(&'a str),
    Figure(f64),
    Day(Date),
}

impl From<Option<f64>> for RowCell<'_> {
    fn from(value: Option<f64>) -> Self {
        value.map_or(Self::None, Self::Figure)
    }
}

enum GatheredCells {
    Text(StringBuilder),
    Day(Date32Builder),
}

/// Collects rows of one table and passes them on in batches.
pub struct RowsWriter {
    table: Table,
    schema: SchemaRef,
    record_no: Int64Builder,
    columns: Vec<GatheredCells>,
    rows: usize,
}

/// The number of rows of a batch.
pub const BATCH: usize = 8192;

impl RowsWriter {
    /// A writer for a table; the first column is the record number, which is not among the table's columns.
    pub fn new(table: &Table) -> Self {
        let field = |name: &str, kind| match kind {
            ColumnType::Date => Field::new(name, DataType::Date32, true),
            _ => Field::new(name, DataType::Utf8, true),
        };
        let number = Field::new("record_no", DataType::Int64, false);
        let fields = table.columns.iter().map(|column| field(column.name, column.kind));
        let columns = table.columns.iter().map(|column| match column.kind {
            ColumnType::Date => GatheredCells::Day(Date32Builder::new()),
            _ => GatheredCells::Text(StringBuilder::new()),
        });
        Self {
            table: *table,
            schema: Arc::new(Schema::new(std::iter::once(number).chain(fields).collect::<Vec<_>>())),
            record_no: Int64Builder::new(),
            columns: columns.collect(),
            rows: 0,
        }
    }

    /// Adds a row: a cell for each column.
    ///
    /// # Errors
    /// Fails if the sink is closed.
    pub fn add(
        &mut self,
        record_no: i64,
        cells: &[RowCell<'_>],
        sink: &mut dyn Sink,
    ) -> Result<(), SinkClosed> {
        self.record_no.append_value(record_no);
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            match (column, cell) {
                (GatheredCells::Text(texts), RowCell::Text(text)) => texts.append_value(text),
                // The shortest text that identifies this number.
                (GatheredCells::Text(texts), RowCell::Figure(figure)) => {
                    texts.append_value(figure.to_string());
                }
                (GatheredCells::Day(days), RowCell::Day(day)) => days.append_value(days_since_1970(*day)),
                (GatheredCells::Text(texts), _) => texts.append_null(),
                (GatheredCells::Day(days), _) => days.append_null(),
            }
        }
        self.rows += 1;
        if self.rows >= BATCH { self.flush(sink) } else { Ok(()) }
    }

    /// Passes on the collected rows.
    ///
    /// # Errors
    /// Fails if the sink is closed.
    pub fn flush(&mut self, sink: &mut dyn Sink) -> Result<(), SinkClosed> {
        if self.rows == 0 {
            return Ok(());
        }
        self.rows = 0;
        let number: ArrayRef = Arc::new(self.record_no.finish());
        let columns = self.columns.iter_mut().map(|column| -> ArrayRef {
            match column {
                GatheredCells::Text(texts) => Arc::new(texts.finish()),
                GatheredCells::Day(days) => Arc::new(days.finish()),
            }
        });
        let rows =
            RecordBatch::try_new(self.schema.clone(), std::iter::once(number).chain(columns).collect());
        let rows = rows.expect("every column got one cell a row");
        sink.rows(RowBatch { table: self.table.name, rows })
    }
}

/// A day as Arrow has it.
pub fn days_since_1970(day: Date) -> i32 {
    date(1970, 1, 1).until(day).map(|span| span.get_days()).unwrap_or_default()
}
