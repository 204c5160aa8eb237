//! The rows of a sheet, numbered as a spreadsheet numbers them: the header is row 1, blank rows count, and a cell of
//! several lines is in one row.

use std::borrow::Cow;

/// One row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct GridRow<'a> {
    /// From 1.
    pub number: u64,
    /// Its first byte.
    pub offset_bytes: u64,
    pub text: &'a str,
    pub cells: Vec<Cow<'a, str>>,
    /// There is text after a closing quote.
    pub has_odd_quote: bool,
}

impl GridRow<'_> {
    /// Does it contain only blanks?
    pub fn is_blank(&self) -> bool {
        self.cells.iter().all(|cell| cell.trim().is_empty())
    }
}

/// The row with an unclosed quote, which makes everything after it one cell.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OpenQuote(pub u64);

/// Reads rows, one after the other.
pub(super) struct Grid<'a> {
    text: &'a str,
    at: usize,
    number: u64,
}

impl<'a> Grid<'a> {
    /// A reader of comma-separated text; any line ending is accepted.
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0, number: 0 }
    }

    /// The next row; `None` after the last one.
    ///
    /// # Errors
    /// [`OpenQuote`]: the rest of the sheet cannot be read.
    pub fn next_row(&mut self) -> Result<Option<GridRow<'a>>, OpenQuote> {
        if self.at >= self.text.len() {
            return Ok(None);
        }
        self.number += 1;
        let start = self.at;
        let (mut cells, mut has_odd_quote) = (Vec::new(), false);
        let end = loop {
            let (cell, is_odd) = self.cell()?;
            has_odd_quote |= is_odd;
            cells.push(cell);
            let here = self.at;
            match self.text.as_bytes().get(self.at) {
                Some(b',') => self.at += 1,
                Some(b'\r') if self.text[self.at..].starts_with("\r\n") => {
                    self.at += 2;
                    break here;
                }
                Some(_) => {
                    self.at += 1;
                    break here;
                }
                None => break here,
            }
        };
        let text = &self.text[start..end];
        Ok(Some(GridRow { number: self.number, offset_bytes: start as u64, text, cells, has_odd_quote }))
    }

    /// A cell up to the next comma or line end, and whether there is text after its closing quote.
    fn cell(&mut self) -> Result<(Cow<'a, str>, bool), OpenQuote> {
        let rest = &self.text[self.at..];
        let Some(quoted) = rest.strip_prefix('"') else {
            let length = end_of(rest);
            self.at += length;
            return Ok((Cow::Borrowed(&rest[..length]), false));
        };
        let mut length = 0;
        loop {
            length += quoted[length..].find('"').ok_or(OpenQuote(self.number))?;
            if !quoted[length + 1..].starts_with('"') {
                break;
            }
            length += 2;
        }
        let cell = &quoted[..length];
        let behind = &quoted[length + 1..];
        let more = end_of(behind);
        self.at += 1 + length + 1 + more;
        let cell =
            if cell.contains('"') { Cow::Owned(cell.replace("\"\"", "\"")) } else { Cow::Borrowed(cell) };
        Ok(match more {
            0 => (cell, false),
            _ => (Cow::Owned(format!("{cell}{}", &behind[..more])), true),
        })
    }
}

fn end_of(text: &str) -> usize {
    text.find([',', '\n', '\r']).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<(u64, Vec<String>, bool)> {
        let mut grid = Grid::new(text);
        let mut rows = Vec::new();
        while let Some(row) = grid.next_row().unwrap() {
            rows.push((row.number, row.cells.iter().map(ToString::to_string).collect(), row.has_odd_quote));
        }
        rows
    }

    fn cells(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| (*cell).to_owned()).collect()
    }

    #[test]
    fn rows_are_counted_as_the_sheet_counts_them() {
        let found = rows("a,b\r\n\r\n\"one\ntwo\",\"say \"\"hi\"\"\"\n,\nlast,");
        let expected = [
            (1, cells(&["a", "b"]), false),
            (2, cells(&[""]), false),
            (3, cells(&["one\ntwo", "say \"hi\""]), false),
            (4, cells(&["", ""]), false),
            (5, cells(&["last", ""]), false),
        ];
        assert_eq!(found, expected);
        assert_eq!(rows("a\rb\r").len(), 2, "lines of an old Macintosh");
    }

    #[test]
    fn odd_quotes_are_told() {
        assert_eq!(rows("\"a\"b,c"), [(1, cells(&["ab", "c"]), true)]);
        assert_eq!(rows("5\" disk,c"), [(1, cells(&["5\" disk", "c"]), false)]);
        let mut grid = Grid::new("a,b\n\"open,b\nc,d");
        assert!(grid.next_row().is_ok());
        assert_eq!(grid.next_row(), Err(OpenQuote(2)));
    }

    proptest::proptest! {
        /// Everything that a CSV writer writes is read back unchanged.
        #[test]
        fn what_is_written_is_read(table in proptest::collection::vec(
            proptest::collection::vec("[a-z\",\\n\u{e9} ]{0,6}", 2..4), 1..5))
        {
            let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
            for row in &table {
                writer.write_record(row).unwrap();
            }
            let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            let found: Vec<_> = rows(&text).into_iter().map(|(_, cells, _)| cells).collect();
            proptest::prop_assert_eq!(found, table);
        }

        #[test]
        fn anything_can_be_read(text in "[a\",\\r\\n]{0,20}") {
            let mut grid = Grid::new(&text);
            while let Ok(Some(_)) = grid.next_row() {}
        }
    }
}
