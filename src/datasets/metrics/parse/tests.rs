use std::io::Write;

use arrow::array::StringArray;

use super::*;
use crate::dataset::{FailedRecord, Limits, Options, RowBatch, SinkClosed};

/// The texts of the rows, by table.
#[derive(Debug, Default)]
struct TakenRows(HashMap<&'static str, Vec<Vec<String>>>);

impl Sink for TakenRows {
    fn rows(&mut self, batch: RowBatch) -> Result<(), SinkClosed> {
        let rows = self.0.entry(batch.table).or_default();
        for at in 0..batch.rows.num_rows() {
            let cells = batch.rows.columns().iter().filter_map(|column| {
                let texts = column.as_any().downcast_ref::<StringArray>()?;
                Some(if arrow::array::Array::is_null(texts, at) {
                    "-".to_owned()
                } else {
                    texts.value(at).to_owned()
                })
            });
            rows.push(cells.collect());
        }
        Ok(())
    }

    fn failed(&mut self, _: FailedRecord) -> Result<(), SinkClosed> {
        unreachable!("no record of a graph fails")
    }
}

/// Two projects of a category; the first has a repository of its own, a commit of which the second has, too.
const INPUT: &[&str] = &[
    "0,,,,,,0,0,24000,0,0",
    "1,category,all,All,,,0,0,0,0,0",
    "1,project,a,A,,,0,0,0,0,0",
    "1,project,b,B,,,0,0,0,0,0",
    "2,project,a,in_category,category,all,0,0,0,1,0",
    "3,category,all,,,,1,0,0,0,0",
    "3,project,a,,,,1,0,0,0,0",
    "3,category,all,,,,2,0,0,0,0",
    "3,project,b,,,,3,0,0,0,0",
    "4,,,,,,1,7,23998,3,1",
    "4,,,,,,2,9,24000,1,0",
    "4,,,,,,3,9,24000,1,0",
];

fn parsed(lines: &[&str]) -> Result<TakenRows, String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
    let options = Options::new();
    let input = ParseInput {
        path: file.path(),
        name: "graph.csv",
        tables: &[],
        file_no: 1,
        options: &options,
        batch_records: 2,
        limits: Limits::default(),
        only_ordinals: &[],
        slice: None,
        holds_more: false,
        secret: None,
    };
    let mut taken = TakenRows::default();
    parse(&input, &mut taken).map(|_| taken).map_err(|error| error.to_string())
}

#[test]
fn work_counts_for_each_project_and_group_of_its_place() {
    let taken = parsed(INPUT).unwrap();
    let values = |key: &str, metric: &str| {
        let rows = taken.0["site_metrics"].iter().filter(|row| row[1] == key && row[2] == metric);
        rows.map(|row| row[3].clone()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(values("all", "commits"), "3 0 1");
    assert_eq!(values("a", "commits"), "3 0 0");
    assert_eq!(values("b", "commits"), "1", "from its first commit on");
    assert_eq!(values("all", "newcomers"), "1 0 1");
    assert_eq!(values("all", "bus_factor"), "1 1 1");
    assert!(values("a", "merge_share").starts_with("0.333") && values("a", "merge_share").ends_with(" - -"));
    assert_eq!(taken.0["graph_nodes"].len(), 3);
    assert_eq!(taken.0["graph_edges"].len(), 1);
}

#[test]
fn what_the_database_does_not_say_is_not_guessed() {
    for (at, line) in [
        (0, "0,,,,,,0,0,then,0,0"),
        (4, "2,project,a,in_category,category,none,0,0,0,1,0"),
        (5, "3,category,none,,,,1,0,0,0,0"),
        (9, "4,,,,,,8,7,23998,3,1"),
        (9, "4,,,,,,1,7,24001,3,1"),
        (9, "4,,,,,,1,-7,23998,3,1"),
        (11, "4,,,,,,3,9,23999,1,0"),
    ] {
        let mut lines = INPUT.to_vec();
        lines[at] = line;
        let said = parsed(&lines).unwrap_err();
        assert!(said.contains("is not what was asked for"), "{line}: {said}");
    }
}
