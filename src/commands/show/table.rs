//! Tables on the terminal: no frame, columns as wide as what is in them, numbers on the right.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// Blanks between two columns.
const GAP: u16 = 2;

/// A table that is being built.
pub struct TextTable {
    table: Table,
    has_headings: bool,
}

impl TextTable {
    /// Begins a table. A heading that starts with `>` is for a column of numbers, which is right-aligned. If all
    /// headings are empty but for that, there is no line of headings.
    pub fn new(headings: &[&str]) -> Self {
        let mut table = Table::new();
        // Lines are not wrapped: a program may read them, and a person can widen the window.
        table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        let names = headings.iter().map(|heading| heading.trim_start_matches('>'));
        let has_headings = names.clone().any(|name| !name.is_empty());
        table.set_header(names);
        for (column, heading) in table.column_iter_mut().zip(headings) {
            column.set_padding((0, GAP));
            if heading.starts_with('>') {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        Self { table, has_headings }
    }

    /// Adds a row, with a cell for each heading.
    pub fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.table.add_row(cells.into_iter().map(Into::<String>::into));
    }

    /// The lines, each indented by `indent` blanks and ended by a line break.
    pub fn render(&self, indent: usize) -> String {
        // The library makes a line of empty headings, too.
        let lines = self.table.lines().skip(usize::from(!self.has_headings));
        lines.map(|line| format!("{:indent$}{}\n", "", line.trim_end())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::TextTable;

    #[test]
    fn numbers_stand_on_the_right_and_nothing_stands_behind_a_line() {
        let mut table = TextTable::new(&["table", ">rows", "state"]);
        table.row(["oca_index", "5,180", "done"]);
        table.row(["a", "1", ""]);
        assert_eq!(table.render(1), " table       rows  state\n oca_index  5,180  done\n a              1\n");
    }

    #[test]
    fn rows_stand_alone_without_headings() {
        let mut table = TextTable::new(&["", ">"]);
        assert_eq!(table.render(2), "");
        table.row(["matched", "5,180"]);
        table.row(["no_match", "1"]);
        assert_eq!(table.render(2), "  matched   5,180\n  no_match      1\n");
    }
}
