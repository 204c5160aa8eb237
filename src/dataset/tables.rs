//! The tables of a dataset: names, columns, types, and where each value comes from.

/// The type of a production column, as PostgreSQL names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    Text,
    TextArray,
    Date,
    Timestamp,
    Numeric,
    Int,
    BigInt,
    Boolean,
    Real,
}

/// Where the value of a column comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellSource {
    /// The identity of the record that the row belongs to.
    RecordId,
    /// An element, its path relative to the element of the row; for an array, every such element.
    Element(&'static str),
    /// An element of the row's parent row.
    Parent(&'static str),
    /// Computed by the parser.
    Made,
    /// Not in the source: an enrichment fills it.
    Enriched,
}

/// One column of a production table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub name: &'static str,
    pub kind: ColumnType,
    pub source: CellSource,
}

impl Column {
    /// A column with its name, type and source.
    pub const fn new(name: &'static str, kind: ColumnType, source: CellSource) -> Self {
        Self { name, kind, source }
    }
}

/// One production table; the position of its columns is their order in the database.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    pub name: &'static str,
    /// Path of the element that makes a row, relative to the record's element; empty: the record.
    pub element: &'static str,
    /// Columns whose values together may occur only once in a record, unless one is null; empty: no such rule.
    pub unique: &'static [&'static str],
    pub columns: &'static [Column],
}

impl Table {
    /// The columns that the parser fills.
    pub fn parsed(&self) -> impl Iterator<Item = &'static Column> + use<> {
        self.columns.iter().filter(|c| c.source != CellSource::Enriched)
    }
}
