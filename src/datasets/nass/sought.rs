//! The values that filters name, looked for in the lines of a bulk file: a name that is misspelt finds nothing, and would say
//! nothing.

use std::collections::HashSet;

use csv::ByteRecord;

use super::plan::is_listed;
use crate::dataset::Unseen;
use crate::dataset::slice::{Comparator, SliceTest};

/// So many values of a column are remembered, to find one that may have been meant.
const MOST: usize = 20_000;

/// What is still looked for.
#[derive(Default)]
pub(super) struct ValueSearch {
    columns: Vec<SoughtColumn>,
}

struct SoughtColumn {
    name: String,
    /// Where it stands in a line.
    at: usize,
    missing: Vec<String>,
    /// The cell of the line before: neighbours are mostly alike.
    last: String,
    others: HashSet<String>,
}

impl ValueSearch {
    /// Looks for the values of these tests, each with the place of its column in a line. What is in a built-in list was looked
    /// up before.
    pub(super) fn of(tests: &[(usize, &SliceTest)]) -> Self {
        let is_sought = |test: &SliceTest| {
            matches!(test.how, Comparator::In | Comparator::NotIn) && !is_listed(&test.column)
        };
        let columns = tests.iter().filter(|(_, test)| is_sought(test)).map(|(at, test)| SoughtColumn {
            name: test.column.clone(),
            at: *at,
            missing: test.values.clone(),
            last: String::new(),
            others: HashSet::new(),
        });
        Self { columns: columns.collect() }
    }

    /// Looks at a line.
    pub(super) fn see(&mut self, record: &ByteRecord) {
        for column in self.columns.iter_mut().filter(|column| !column.missing.is_empty()) {
            let cell = text_of(record, column.at);
            if cell == column.last {
                continue;
            }
            column.last.clear();
            column.last.push_str(cell);
            column.missing.retain(|value| value != cell);
            if column.others.len() < MOST && !column.others.contains(cell) {
                column.others.insert(cell.to_owned());
            }
        }
    }

    /// The values that no line had.
    pub(super) fn unseen(self) -> Vec<Unseen> {
        let missing = self.columns.into_iter().filter(|column| !column.missing.is_empty());
        missing
            .map(|column| Unseen {
                column: column.name,
                values: column.missing,
                others: column.others.into_iter().collect(),
            })
            .collect()
    }
}

/// The text of a cell of a line; empty if it is not text.
pub(super) fn text_of(record: &ByteRecord, at: usize) -> &str {
    std::str::from_utf8(record.get(at).unwrap_or_default()).unwrap_or_default()
}
