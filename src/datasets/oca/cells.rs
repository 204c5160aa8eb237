//! The rows of one case before it is known to be good: a case that fails leaves no row behind.

use super::plan::Plan;

/// A value, or where its text is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    /// There was no element.
    Unset,
    /// There was an element without a value.
    Null,
    /// Text exactly as in the document.
    Text(&'a str),
    /// Text that had to be assembled, by its place in [`Case::arena`].
    Arena(usize, usize),
    Date(i32),
    Timestamp(i64),
    Int(i32),
    BigInt(i64),
    Boolean(bool),
    /// The first and last of the texts of an array, by their places in [`Case::items`].
    Array(usize, usize),
}

/// Marks the last text of an array.
pub(super) const NO_ITEM: usize = usize::MAX;

/// One case: its identity and its rows. Made once and filled again for each case.
#[derive(Debug, Default)]
pub(super) struct Case<'a> {
    /// Empty until it is read.
    pub record_id: String,
    /// In the order of the plan's tables.
    pub tables: Vec<Rows<'a>>,
    /// Texts of arrays, each with the place of the next one of its array.
    pub items: Vec<(Cell<'a>, usize)>,
    pub arena: String,
    pub row_count: usize,
}

/// Rows of one table.
#[derive(Debug, Default)]
pub(super) struct Rows<'a> {
    /// Cells, row by row.
    pub cells: Vec<Cell<'a>>,
    /// Cells in a row.
    pub width: usize,
    /// For each row the number of its parent row.
    pub parents: Vec<usize>,
}

impl<'a> Case<'a> {
    /// A case without rows.
    pub fn new(plan: &Plan) -> Self {
        let tables = plan.tables.iter().map(|table| Rows { width: table.cells, ..Rows::default() });
        Self { tables: tables.collect(), ..Self::default() }
    }

    /// Clears the case but keeps the allocated memory.
    pub fn clear(&mut self) {
        self.record_id.clear();
        self.items.clear();
        self.arena.clear();
        self.row_count = 0;
        for rows in &mut self.tables {
            rows.cells.clear();
            rows.parents.clear();
        }
    }

    /// Whether anything was read but its identity: a value, or a row of another table.
    pub fn has_data(&self) -> bool {
        let Some((own, others)) = self.tables.split_first() else { return false };
        own.cells.iter().any(|cell| !matches!(cell, Cell::Unset | Cell::Null))
            || others.iter().any(|rows| !rows.parents.is_empty())
    }

    /// Starts a row and gives its number.
    pub fn start_row(&mut self, table: usize, parent: usize) -> usize {
        let rows = &mut self.tables[table];
        rows.parents.push(parent);
        rows.cells.resize(rows.cells.len() + rows.width, Cell::Unset);
        self.row_count += 1;
        rows.parents.len() - 1
    }

    /// The cell of a row.
    pub fn cell(&mut self, table: usize, row: usize, cell: usize) -> &mut Cell<'a> {
        let rows = &mut self.tables[table];
        &mut rows.cells[row * rows.width + cell]
    }

    /// Adds a text to an array.
    pub fn push_item(&mut self, table: usize, row: usize, cell: usize, text: Cell<'a>) {
        let place = self.items.len();
        self.items.push((text, NO_ITEM));
        let array = self.cell(table, row, cell);
        match *array {
            Cell::Array(first, last) => {
                *array = Cell::Array(first, place);
                self.items[last].1 = place;
            }
            _ => *array = Cell::Array(place, place),
        }
    }

    /// The text of a cell that holds one.
    pub fn text(&self, cell: Cell<'a>) -> Option<&str> {
        match cell {
            Cell::Text(text) => Some(text),
            Cell::Arena(start, end) => Some(&self.arena[start..end]),
            _ => None,
        }
    }
}

impl<'a> Rows<'a> {
    /// The cells of a column, row by row.
    pub fn column(&self, cell: usize) -> impl Iterator<Item = Cell<'a>> {
        self.cells.iter().skip(cell).step_by(self.width.max(1)).copied()
    }
}
