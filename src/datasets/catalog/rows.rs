//! Writes the good rows of a sheet to its table, and one row for each to the table of all rows.

use jiff::civil::Date;

use super::sheets::{ROWS, Sheet};
use crate::dataset::records::{RecordPlace, RecordsWriter};
use crate::dataset::rows::{RowCell, RowsWriter};
use crate::dataset::{Sink, SinkClosed};

/// Collects rows and passes them to a sink in batches.
pub(super) struct SheetWriter {
    sheet: &'static Sheet,
    all: RowsWriter,
    own: RowsWriter,
    records: RecordsWriter,
    batch_records: usize,
}

impl SheetWriter {
    pub(super) fn new(sheet: &'static Sheet, batch_records: usize) -> Self {
        let (all, own) = (RowsWriter::new(&ROWS), RowsWriter::new(&sheet.table));
        Self { sheet, all, own, records: RecordsWriter::default(), batch_records }
    }

    /// Adds a row: a cell for each field, and the parsed day of a day field.
    pub(super) fn add(
        &mut self,
        place: RecordPlace,
        record_id: &str,
        cells: &[&str],
        days: &[Option<Date>],
        sink: &mut dyn Sink,
    ) -> Result<(), SinkClosed> {
        let content = serde_json::json!(cells).to_string();
        let row = [record_id, self.sheet.name, &content].map(RowCell::Text);
        self.all.add(place.record_no, &row, sink)?;
        let own = cells.iter().zip(days).map(|(cell, day)| match day {
            Some(day) => RowCell::Day(*day),
            None if cell.is_empty() => RowCell::None,
            None => RowCell::Text(cell),
        });
        let own: Vec<_> = std::iter::once(RowCell::Text(record_id)).chain(own).collect();
        self.own.add(place.record_no, &own, sink)?;
        self.records.live(place, record_id);
        if self.records.rows() >= self.batch_records {
            self.flush(sink)?;
        }
        Ok(())
    }

    /// Passes on the collected rows.
    pub(super) fn flush(&mut self, sink: &mut dyn Sink) -> Result<(), SinkClosed> {
        self.all.flush(sink)?;
        self.own.flush(sink)?;
        match self.records.rows() {
            0 => Ok(()),
            _ => sink.rows(self.records.finish()),
        }
    }
}
