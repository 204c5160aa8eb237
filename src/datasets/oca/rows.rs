//! Good cases as Arrow batches, in the columns of the tables.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanBuilder, Date32Builder, Int32Builder, Int64Builder, ListBuilder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::record_batch::RecordBatch;
use sha2::{Digest, Sha256};

use super::cells::{Case, Cell, NO_ITEM};
use super::plan::{Plan, Slot};
use crate::dataset::records::{RecordPlace, RecordsWriter};
use crate::dataset::{ColumnType, RowBatch, Sink, SinkClosed};

/// Bytes, roughly, that the batches may hold before they are handed on.
const FLUSH_BYTES: usize = 8 << 20;

/// Collects cases and passes them to a sink in batches.
pub(super) struct Writer<'p> {
    plan: &'p Plan,
    tables: Vec<TableWriter>,
    records: RecordsWriter,
    batch_records: usize,
    /// Rough size of what is gathered.
    bytes: usize,
    /// For each table that makes ids, those of the current case.
    made: Vec<Vec<i64>>,
}

struct TableWriter {
    schema: SchemaRef,
    record_no: Int64Builder,
    columns: Vec<ColumnWriter>,
    rows: usize,
}

enum ColumnWriter {
    Text(StringBuilder),
    TextArray(ListBuilder<StringBuilder>),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
    Int(Int32Builder),
    BigInt(Int64Builder),
    Boolean(BooleanBuilder),
}

impl<'p> Writer<'p> {
    /// A writer that passes on batches of `batch_records` records.
    pub fn new(plan: &'p Plan, batch_records: usize) -> Self {
        let record_no = || Field::new("record_no", DataType::Int64, false);
        let tables = plan.tables.iter().map(|table| {
            let columns = table.columns.iter().map(|(c, _)| Field::new(c.name, arrow_type(c.kind), true));
            TableWriter {
                schema: Arc::new(Schema::new([record_no()].into_iter().chain(columns).collect::<Vec<_>>())),
                record_no: Int64Builder::new(),
                columns: table.columns.iter().map(|(c, _)| ColumnWriter::new(c.kind)).collect(),
                rows: 0,
            }
        });
        Self {
            plan,
            tables: tables.collect(),
            records: RecordsWriter::default(),
            batch_records: batch_records.max(1),
            bytes: 0,
            made: vec![Vec::new(); plan.tables.len()],
        }
    }

    /// Adds a record that deletes its case: it has no rows of its own. `has_data`: they were left out.
    pub fn delete(
        &mut self,
        place: RecordPlace,
        record_id: &str,
        has_data: bool,
        sink: &mut dyn Sink,
    ) -> Result<(), SinkClosed> {
        self.records.delete(place, record_id, has_data);
        self.bytes += record_id.len() + 24;
        self.flush_if_full(sink)
    }

    /// Adds the rows of a live case.
    pub fn live(
        &mut self,
        place: RecordPlace,
        case: &Case<'_>,
        sink: &mut dyn Sink,
    ) -> Result<(), SinkClosed> {
        self.records.live(place, &case.record_id);
        self.bytes += case.record_id.len() + 24;
        for (index, planned) in self.plan.tables.iter().enumerate() {
            let rows = &case.tables[index];
            let count = rows.parents.len();
            if count == 0 {
                continue;
            }
            if planned.columns.iter().any(|(_, slot)| *slot == Slot::Made) {
                self.made[index].clear();
                self.made[index].extend((0..count).map(|row| made_id(&case.record_id, row)));
            }
            let writer = &mut self.tables[index];
            writer.rows += count;
            writer.record_no.append_value_n(place.record_no, count);
            for ((_, slot), column) in planned.columns.iter().zip(&mut writer.columns) {
                let parent = planned.parent.unwrap_or_default();
                let bytes = match *slot {
                    Slot::RecordId => column.repeat(&case.record_id, count),
                    Slot::Cell(cell) => column.cells(case, rows.column(cell)),
                    Slot::ParentCell(cell) => {
                        let from = &case.tables[parent];
                        let cell_of = |row: &usize| from.cells[row * from.width + cell];
                        column.cells(case, rows.parents.iter().map(cell_of))
                    }
                    Slot::Made => column.cells(case, self.made[index].iter().map(|id| Cell::BigInt(*id))),
                    Slot::ParentMade => {
                        let id_of = |row: &usize| Cell::BigInt(self.made[parent][*row]);
                        column.cells(case, rows.parents.iter().map(id_of))
                    }
                };
                self.bytes += bytes;
            }
        }
        self.flush_if_full(sink)
    }

    /// Passes on the collected rows.
    pub fn flush(&mut self, sink: &mut dyn Sink) -> Result<(), SinkClosed> {
        self.bytes = 0;
        for (table, planned) in self.tables.iter_mut().zip(&self.plan.tables) {
            if table.rows > 0 {
                sink.rows(RowBatch { table: planned.name, rows: table.finish() })?;
            }
        }
        if self.records.rows() > 0 {
            sink.rows(self.records.finish())?;
        }
        Ok(())
    }

    fn flush_if_full(&mut self, sink: &mut dyn Sink) -> Result<(), SinkClosed> {
        if self.records.rows() >= self.batch_records || self.bytes >= FLUSH_BYTES {
            return self.flush(sink);
        }
        Ok(())
    }
}

impl TableWriter {
    fn finish(&mut self) -> RecordBatch {
        self.rows = 0;
        let mut columns: Vec<ArrayRef> = vec![Arc::new(self.record_no.finish())];
        columns.extend(self.columns.iter_mut().map(ColumnWriter::finish));
        batch(&self.schema, columns)
    }
}

fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>) -> RecordBatch {
    RecordBatch::try_new(schema.clone(), columns).expect("every column got one value per row")
}

impl ColumnWriter {
    fn new(kind: ColumnType) -> Self {
        match kind {
            // A number keeps its digits: as text, until it is in a numeric column.
            ColumnType::Text | ColumnType::Numeric => Self::Text(StringBuilder::new()),
            ColumnType::TextArray => Self::TextArray(ListBuilder::new(StringBuilder::new())),
            ColumnType::Date => Self::Date(Date32Builder::new()),
            ColumnType::Timestamp => Self::Timestamp(TimestampMicrosecondBuilder::new()),
            ColumnType::Int => Self::Int(Int32Builder::new()),
            ColumnType::BigInt => Self::BigInt(Int64Builder::new()),
            ColumnType::Boolean => Self::Boolean(BooleanBuilder::new()),
            ColumnType::Real => panic!("no staged column is real"),
        }
    }

    /// Appends the same text so many times; gives the bytes added, roughly.
    fn repeat(&mut self, text: &str, count: usize) -> usize {
        let Self::Text(texts) = self else { panic!("an identity is text") };
        (0..count).for_each(|_| texts.append_value(text));
        count * (text.len() + 4)
    }

    /// Appends a cell for each row; gives the bytes added, roughly.
    fn cells<'a>(&mut self, case: &Case<'_>, cells: impl Iterator<Item = Cell<'a>>) -> usize {
        let mut bytes = 0;
        /// Cells of a fixed width: the value if the cell has this type, else null.
        macro_rules! fixed {
            ($builder:expr, $kind:path) => {
                for cell in cells {
                    bytes += 8;
                    $builder.append_option(match cell {
                        $kind(value) => Some(value),
                        _ => None,
                    })
                }
            };
        }
        match self {
            Self::Text(texts) => {
                for cell in cells {
                    let text = text_of(case, cell);
                    bytes += 4 + text.map_or(0, str::len);
                    texts.append_option(text);
                }
            }
            Self::TextArray(arrays) => {
                for cell in cells {
                    bytes += 4;
                    let Cell::Array(first, _) = cell else {
                        arrays.append(false);
                        continue;
                    };
                    let mut place = first;
                    while place != NO_ITEM {
                        let (item, next) = case.items[place];
                        let text = text_of(case, item);
                        bytes += 4 + text.map_or(0, str::len);
                        arrays.values().append_option(text);
                        place = next;
                    }
                    arrays.append(true);
                }
            }
            Self::Date(values) => fixed!(values, Cell::Date),
            Self::Timestamp(values) => fixed!(values, Cell::Timestamp),
            Self::Int(values) => fixed!(values, Cell::Int),
            Self::BigInt(values) => fixed!(values, Cell::BigInt),
            Self::Boolean(values) => fixed!(values, Cell::Boolean),
        }
        bytes
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(builder) => {
                let array = builder.finish();
                // The next batch is much like this one.
                *builder = StringBuilder::with_capacity(array.len(), array.value_data().len());
                Arc::new(array)
            }
            Self::TextArray(builder) => Arc::new(builder.finish()),
            Self::Date(builder) => Arc::new(builder.finish()),
            Self::Timestamp(builder) => Arc::new(builder.finish()),
            Self::Int(builder) => Arc::new(builder.finish()),
            Self::BigInt(builder) => Arc::new(builder.finish()),
            Self::Boolean(builder) => Arc::new(builder.finish()),
        }
    }
}

fn text_of<'t>(case: &'t Case<'_>, cell: Cell<'t>) -> Option<&'t str> {
    match cell {
        Cell::Text(text) => Some(text),
        Cell::Arena(start, end) => Some(&case.arena[start..end]),
        _ => None,
    }
}

fn arrow_type(kind: ColumnType) -> DataType {
    match kind {
        ColumnType::Text | ColumnType::Numeric => DataType::Utf8,
        ColumnType::TextArray => DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))),
        ColumnType::Date => DataType::Date32,
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        ColumnType::Int => DataType::Int32,
        ColumnType::BigInt => DataType::Int64,
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Real => DataType::Float32,
    }
}

/// An id for a row that has none in the feed: positive, and always the same for the same case and
/// position, so that a replay changes nothing. 63 bits of a hash: with ten million rows, two are
/// the same with a chance of some five in a million.
fn made_id(record_id: &str, position: usize) -> i64 {
    let hash =
        Sha256::new().chain_update(record_id).chain_update("/").chain_update(position.to_string()).finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    (i64::from_be_bytes(first) & i64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_ids_never_change() {
        // printf 'abc/0' | sha256sum, and so on
        assert_eq!(made_id("abc", 0), 1_571_946_675_098_402_023);
        assert_eq!(made_id("abc", 11), 8_793_477_565_808_436_725);
        assert!((0..1000).all(|row| made_id("a", row) > 0));
    }
}
