//! Rules 1 to 5 and 9 of the court extract in memory, as its description states them.

use std::collections::BTreeMap;

/// When a file counts (rule 4): by run date, initial before incremental.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order {
    pub week: u8,
    pub is_weekly: bool,
}

impl Order {
    pub fn run_date(&self) -> String {
        run_date(self.week)
    }
}

/// A file of the feed.
#[derive(Clone, Debug)]
pub struct File {
    pub order: Order,
    pub records: Vec<Record>,
    /// The document ends after the last record.
    pub breaks_off: bool,
}

/// A record of a case, or of none.
#[derive(Clone, Debug)]
pub struct Record {
    pub case: Option<u8>,
    pub word: Word,
}

/// The content of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Word {
    /// The whole case, with this many rows in each table.
    Live {
        rows: usize,
    },
    Delete,
    /// A delete whose other fields are broken.
    BadDelete,
    /// A case with a value that does not parse.
    Bad,
}

impl File {
    /// Rule 9: whether any record of it fails.
    pub fn has_failures(&self) -> bool {
        self.breaks_off || self.records.iter().any(|record| record.good().is_none())
    }
}

impl Record {
    /// Rules 6 and 9: a failed record changes nothing.
    fn good(&self) -> Option<(u8, &Word)> {
        self.case.map(|case| (case, &self.word)).filter(|(_, word)| **word != Word::Bad)
    }
}

/// The expected content of the database for a case.
#[derive(Clone, Debug)]
struct Known {
    initial: u8,
    update: Option<u8>,
    delete: Option<u8>,
    /// The mark of its rows, and the number of rows in each table.
    rows: Option<(Order, String, usize)>,
}

/// Every case ever seen.
#[derive(Clone, Debug, Default)]
pub struct Model {
    cases: BTreeMap<u8, Known>,
}

impl Model {
    /// One run over these files, each with the mark of its rows.
    pub fn take(&mut self, files: &[(&File, &str)], overwrite_newer: bool) {
        let mut files = files.to_vec();
        files.sort_by_key(|(file, _)| file.order);
        // Rule 4: within a run, the last record of a case counts.
        let mut last = BTreeMap::new();
        let held: BTreeMap<_, _> = self.cases.iter().map(|(case, known)| (*case, known.update)).collect();
        for (file, mark) in files {
            for (number, record) in file.records.iter().enumerate() {
                let Some((case, word)) = record.good() else { continue };
                let week = file.order.week;
                let known = Known { initial: week, update: None, delete: None, rows: None };
                let known = self.cases.entry(case).or_insert(known);
                // Rule 3.
                known.initial = known.initial.min(week);
                match word {
                    Word::Live { rows } => {
                        known.update = known.update.max(Some(week));
                        last.insert(case, (file.order, format!("{mark}.{number}"), *rows));
                    }
                    _ => known.delete = Some(known.delete.map_or(week, |delete| delete.min(week))),
                }
            }
        }
        for (case, rows) in last {
            let known = self.cases.get_mut(&case).expect("it was just seen");
            // Rule 5; on the same run date an initial extract is older.
            let is_late = held.get(&case).copied().flatten() > Some(rows.0.week)
                || known.rows.as_ref().is_some_and(|(order, ..)| *order > rows.0);
            if overwrite_newer || !is_late {
                // Rule 1.
                known.rows = Some(rows);
            }
        }
        // Rule 2.
        for known in self.cases.values_mut().filter(|known| known.delete.is_some()) {
            known.rows = None;
        }
    }

    /// The state before runs that are undone, except for cases that were deleted permanently since.
    pub fn undo(&mut self, before: &Model) {
        let sealed = self.cases.iter().filter(|(_, known)| known.delete.is_some());
        let sealed: Vec<_> = sealed.map(|(case, known)| (*case, known.clone())).collect();
        self.cases = before.cases.clone();
        self.cases.extend(sealed);
    }

    /// The rows of oca_metadata, sorted.
    pub fn metadata(&self) -> Vec<String> {
        let date = |week: Option<u8>| week.map_or("-".into(), run_date);
        let row = |(case, known): (&u8, &Known)| {
            format!("case {case} {} {} {}", run_date(known.initial), date(known.update), date(known.delete))
        };
        self.cases.iter().map(row).collect()
    }

    /// The rows of the other tables, counted by case and mark, sorted.
    pub fn rows(&self, tables: &[&str]) -> Vec<String> {
        let mut all = Vec::new();
        for (case, known) in &self.cases {
            let Some((_, mark, rows)) = &known.rows else { continue };
            let counted = tables.iter().map(|table| (table, if *table == "oca_index" { 1 } else { *rows }));
            let there = counted.filter(|(_, rows)| *rows > 0);
            all.extend(there.map(|(table, rows)| format!("{table} case {case} {mark} {rows}")));
        }
        all.sort();
        all
    }
}

fn run_date(week: u8) -> String {
    format!("2024-01-{:02}", week * 7)
}
