//! A small reader of CSV as PostgreSQL writes it: NULL is nothing between the commas, empty text is `""`.

/// A cell: `None` is NULL.
pub type Cell = Option<String>;

/// A table as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Csv {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Cell>>,
}

impl Csv {
    /// Reads a file with a header row.
    ///
    /// # Panics
    /// If the text is not CSV, or a row does not have as many cells as the header.
    pub fn parse(text: &str) -> Self {
        let mut rows = rows(text).into_iter();
        let header = rows.next().expect("a header row");
        let columns: Vec<_> = header.into_iter().map(|name| name.expect("a name")).collect();
        let rows: Vec<_> = rows.collect();
        for row in &rows {
            assert_eq!(row.len(), columns.len(), "{row:?}");
        }
        Self { columns, rows }
    }

    /// The same with its rows sorted.
    pub fn sorted(mut self) -> Self {
        self.rows.sort();
        self
    }

    /// The cells of one column.
    pub fn column(&self, name: &str) -> Vec<Cell> {
        let at = self.columns.iter().position(|column| column == name).expect("a column of that name");
        self.rows.iter().map(|row| row[at].clone()).collect()
    }
}

fn rows(text: &str) -> Vec<Vec<Cell>> {
    assert!(text.ends_with('\n'), "the last line has no end");
    let mut rows = Vec::new();
    let mut row = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (cell, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_cell(quoted),
            None => {
                let end = rest.find([',', '\n']).expect("an end");
                let cell = &rest[..end];
                assert!(!cell.contains(['"', '\r']), "these must be quoted: {cell:?}");
                ((!cell.is_empty()).then(|| cell.to_owned()), &rest[end..])
            }
        };
        row.push(cell);
        match after.as_bytes()[0] {
            b',' => {}
            b'\n' => rows.push(std::mem::take(&mut row)),
            other => panic!("{:?} after a closing quote", char::from(other)),
        }
        rest = &after[1..];
    }
    assert!(row.is_empty(), "the last row ends with a comma");
    rows
}

/// The cell that opens the text, whose first quote is gone, and what follows its last one.
fn quoted_cell(text: &str) -> (Cell, &str) {
    let mut cell = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('"').expect("a closing quote");
        cell.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                cell.push('"');
                rest = after;
            }
            None => return (Some(cell), rest),
        }
    }
}

#[test]
fn cells_are_read_as_written() {
    let csv = Csv::parse("a,b\n,\"\"\n\"x\n,\"\"y\"\"\", z \n");
    assert_eq!(csv.columns, ["a", "b"]);
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(csv.rows, [[None, text("")], [text("x\n,\"y\""), text(" z ")]]);
}
