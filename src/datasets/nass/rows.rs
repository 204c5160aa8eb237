//! Good records as Arrow batches with the columns of the table.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Builder, Int32Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::record_batch::RecordBatch;

use super::facts::FACTS;
use crate::dataset::records::{RecordPlace, RecordsWriter};
use crate::dataset::{ColumnType, ParseInput, RowBatch, Sink, SinkClosed};

/// A cell of a good record.
#[derive(Debug)]
pub(super) enum Fact<'a> {
    None,
    Text(&'a str),
    Owned(String),
    Year(i32),
    Day(i32),
    Time(i64),
}

enum Builder {
    Text(StringBuilder),
    Int(Int32Builder),
    Date(Date32Builder),
    Time(TimestampMicrosecondBuilder),
}

/// Collects records and passes them to a sink in batches.
pub(super) struct FactsWriter {
    schema: SchemaRef,
    record_no: Int64Builder,
    columns: Vec<Builder>,
    records: RecordsWriter,
    batch_records: usize,
    /// The table's name in this run.
    table: &'static str,
}

impl FactsWriter {
    pub(super) fn new(input: &ParseInput<'_>) -> Self {
        let kind = |kind: ColumnType| match kind {
            ColumnType::Int => DataType::Int32,
            ColumnType::Date => DataType::Date32,
            ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            _ => DataType::Utf8,
        };
        let fields = FACTS.columns.iter().map(|column| Field::new(column.name, kind(column.kind), true));
        let number = Field::new("record_no", DataType::Int64, false);
        let builder = |kind: ColumnType| match kind {
            ColumnType::Int => Builder::Int(Int32Builder::new()),
            ColumnType::Date => Builder::Date(Date32Builder::new()),
            ColumnType::Timestamp => Builder::Time(TimestampMicrosecondBuilder::new()),
            _ => Builder::Text(StringBuilder::new()),
        };
        Self {
            schema: Arc::new(Schema::new(std::iter::once(number).chain(fields).collect::<Vec<_>>())),
            record_no: Int64Builder::new(),
            columns: FACTS.columns.iter().map(|column| builder(column.kind)).collect(),
            records: RecordsWriter::default(),
            batch_records: input.batch_records,
            table: input.tables.first().map_or(FACTS.name, |table| table.name),
        }
    }

    /// Adds a record, with a cell for each column of the table.
    pub(super) fn add(
        &mut self,
        place: RecordPlace,
        record_id: &str,
        cells: &[Fact<'_>],
        sink: &mut dyn Sink,
    ) -> Result<(), SinkClosed> {
        self.record_no.append_value(place.record_no);
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            match (column, cell) {
                (Builder::Text(texts), Fact::Text(text)) if !text.is_empty() => texts.append_value(text),
                (Builder::Text(texts), Fact::Owned(text)) => texts.append_value(text),
                (Builder::Int(numbers), Fact::Year(year)) => numbers.append_value(*year),
                (Builder::Date(days), Fact::Day(day)) => days.append_value(*day),
                (Builder::Time(times), Fact::Time(time)) => times.append_value(*time),
                (Builder::Text(texts), _) => texts.append_null(),
                (Builder::Int(numbers), _) => numbers.append_null(),
                (Builder::Date(days), _) => days.append_null(),
                (Builder::Time(times), _) => times.append_null(),
            }
        }
        self.records.live(place, record_id);
        if self.records.rows() >= self.batch_records {
            self.flush(sink)?;
        }
        Ok(())
    }

    /// Passes the collected records to the sink.
    pub(super) fn flush(&mut self, sink: &mut dyn Sink) -> Result<(), SinkClosed> {
        if self.records.rows() == 0 {
            return Ok(());
        }
        let number: ArrayRef = Arc::new(self.record_no.finish());
        let columns = self.columns.iter_mut().map(|column| -> ArrayRef {
            match column {
                Builder::Text(texts) => Arc::new(texts.finish()),
                Builder::Int(numbers) => Arc::new(numbers.finish()),
                Builder::Date(days) => Arc::new(days.finish()),
                Builder::Time(times) => Arc::new(times.finish()),
            }
        });
        let arrays = std::iter::once(number).chain(columns).collect();
        let rows = RecordBatch::try_new(self.schema.clone(), arrays);
        let rows = rows.expect("every column got one cell a record");
        sink.rows(RowBatch { table: self.table, rows })?;
        sink.rows(self.records.finish())
    }
}
