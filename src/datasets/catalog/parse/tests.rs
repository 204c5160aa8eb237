use std::io::Write;

use super::*;
use crate::dataset::{Limits, RowBatch, SinkClosed};

#[derive(Debug, Default)]
struct Taken {
    rows: Vec<(&'static str, usize)>,
    failed: Vec<FailedRecord>,
}

impl Sink for Taken {
    fn rows(&mut self, batch: RowBatch) -> Result<(), SinkClosed> {
        self.rows.push((batch.table, batch.rows.num_rows()));
        Ok(())
    }

    fn failed(&mut self, record: FailedRecord) -> Result<(), SinkClosed> {
        self.failed.push(record);
        Ok(())
    }
}

fn parsed(name: &str, bytes: &[u8]) -> Result<(Parsed, Taken), String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let options = crate::dataset::Options::new();
    let input = ParseInput {
        path: file.path(),
        name,
        tables: super::super::sheets::TABLES,
        file_no: 1,
        options: &options,
        secret: None,
        batch_records: 2,
        limits: Limits::default(),
        only_ordinals: &[],
        slice: None,
        holds_more: false,
    };
    let mut taken = Taken::default();
    parse(&input, &mut taken).map(|parsed| (parsed, taken)).map_err(|error| error.to_string())
}

#[test]
fn good_rows_are_rows_of_two_tables_and_a_record() {
    let text = "project,category\na,b\n\nc,d\ne,f\n";
    let (parsed, taken) = parsed("project_categories.csv", text.as_bytes()).unwrap();
    assert_eq!((parsed.records_seen, parsed.records_failed, parsed.complete), (3, 0, true));
    let sum =
        |table: &str| taken.rows.iter().filter(|(of, _)| *of == table).map(|(_, rows)| rows).sum::<usize>();
    assert_eq!([sum("catalog_rows"), sum("catalog_project_categories"), sum("records")], [3, 3, 3]);
}

#[test]
fn all_that_is_wrong_with_a_row_is_told() {
    let text = "project,kind,url\nA B, x,nothing\n";
    let (parsed, taken) = parsed("links.csv", text.as_bytes()).unwrap();
    assert_eq!(parsed.records_failed, 1);
    let fields: Vec<_> = taken.failed.iter().map(|failed| failed.field.as_deref().unwrap()).collect();
    // A reference is checked later, when all keys are known.
    assert_eq!(fields, ["kind", "url"]);
    assert!(
        taken
            .failed
            .iter()
            .all(|failed| failed.ordinal == 2 && failed.fragment.as_deref() == Some("A B, x,nothing"))
    );
}

#[test]
fn further_columns_are_counted_and_others_must_be_there() {
    let (parsed_rows, _) = parsed("backers.csv", b"notes,backer,name,kind,url\nx,a,A,,\n,b,B,,\n").unwrap();
    assert_eq!((parsed_rows.unknown["notes"].count, parsed_rows.unknown["notes"].example.as_str()), (1, "x"));
    let missing = parsed("backers.csv", b"backer,nam,kind\n").unwrap_err();
    assert!(
        missing.contains("the column name is missing (`nam` may be meant for it); the column url is missing"),
        "{missing}"
    );
    assert!(parsed("other.csv", b"").unwrap_err().contains("no sheet of this name"));
}
