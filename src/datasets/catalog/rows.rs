//! Good rows of a sheet as Arrow batches, in the columns of its table, and a row of each in the table of all rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Builder, Int64Builder, StringBuilder};
use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use jiff::civil::{Date, date};

use super::sheets::{ROWS, Sheet};
use crate::dataset::records::{RecordPlace, RecordsWriter};
use crate::dataset::{ColumnType, RowBatch, Sink, SinkClosed, Table};

enum SheetCells {
    Text(StringBuilder),
    Day(Date32Builder),
}

impl SheetCells {
    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(texts) => Arc::new(texts.finish()),
            Self::Day(days) => Arc::new(days.finish()),
        }
    }
}

/// Gathers rows and hands them to a sink in batches.
pub(super) struct SheetWriter {
    sheet: &'static Sheet,
    schemas: [SchemaRef; 2],
    record_no: Int64Builder,
    record_id: StringBuilder,
    columns: Vec<SheetCells>,
    contents: StringBuilder,
    records: RecordsWriter,
    batch_records: usize,
}

impl SheetWriter {
    pub(super) fn new(sheet: &'static Sheet, batch_records: usize) -> Self {
        let columns = sheet.table.columns.iter().skip(1).map(|column| match column.kind {
            ColumnType::Date => SheetCells::Day(Date32Builder::new()),
            _ => SheetCells::Text(StringBuilder::new()),
        });
        Self {
            sheet,
            schemas: [schema(&ROWS), schema(&sheet.table)],
            record_no: Int64Builder::new(),
            record_id: StringBuilder::new(),
            columns: columns.collect(),
            contents: StringBuilder::new(),
            records: RecordsWriter::default(),
            batch_records,
        }
    }

    /// Adds a row: a cell for each field, and its day where it is one.
    pub(super) fn add(
        &mut self,
        place: RecordPlace,
        record_id: &str,
        cells: &[&str],
        days: &[Option<Date>],
        sink: &mut dyn Sink,
    ) -> Result<(), SinkClosed> {
        self.record_no.append_value(place.record_no);
        self.record_id.append_value(record_id);
        for ((column, cell), day) in self.columns.iter_mut().zip(cells).zip(days) {
            match column {
                SheetCells::Day(days) => days.append_option(day.map(days_since_1970)),
                SheetCells::Text(texts) if cell.is_empty() => texts.append_null(),
                SheetCells::Text(texts) => texts.append_value(cell),
            }
        }
        self.contents.append_value(serde_json::json!(cells).to_string());
        self.records.live(place, record_id);
        if self.records.rows() >= self.batch_records {
            self.flush(sink)?;
        }
        Ok(())
    }

    /// Hands on what is gathered.
    pub(super) fn flush(&mut self, sink: &mut dyn Sink) -> Result<(), SinkClosed> {
        let rows = self.records.rows();
        if rows == 0 {
            return Ok(());
        }
        let number: ArrayRef = Arc::new(self.record_no.finish());
        let identity: ArrayRef = Arc::new(self.record_id.finish());
        let sheets: ArrayRef = Arc::new(arrow::array::StringArray::from(vec![self.sheet.name; rows]));
        let all =
            vec![number.clone(), identity.clone(), sheets, Arc::new(self.contents.finish()) as ArrayRef];
        let own =
            [number, identity].into_iter().chain(self.columns.iter_mut().map(SheetCells::finish)).collect();
        for (table, (schema, arrays)) in
            [ROWS.name, self.sheet.table.name].into_iter().zip(self.schemas.iter().zip([all, own]))
        {
            let rows = RecordBatch::try_new(schema.clone(), arrays);
            sink.rows(RowBatch { table, rows: rows.expect("every column got one cell a row") })?;
        }
        sink.rows(self.records.finish())
    }
}

fn schema(table: &Table) -> SchemaRef {
    let field = |name: &str, kind: ColumnType| match kind {
        ColumnType::Date => ArrowField::new(name, DataType::Date32, true),
        _ => ArrowField::new(name, DataType::Utf8, true),
    };
    let number = ArrowField::new("record_no", DataType::Int64, false);
    let fields = table.columns.iter().map(|column| field(column.name, column.kind));
    Arc::new(Schema::new(std::iter::once(number).chain(fields).collect::<Vec<_>>()))
}

fn days_since_1970(day: Date) -> i32 {
    date(1970, 1, 1).until(day).map(|span| span.get_days()).unwrap_or_default()
}
