//! Errors as people make them, each in a row of its own.

use std::collections::BTreeSet;

use super::super::sheets::SHEETS;
use super::{SheetDice, SheetRows};

/// An error that was planted.
pub(super) struct Planted {
    sheet: usize,
    /// The row number as the sheet counts.
    row: usize,
    column: &'static str,
    value: String,
    error: &'static str,
}

impl Planted {
    /// As a row of the list.
    pub(super) fn cells(&self) -> Vec<String> {
        let row = self.row.to_string();
        vec![SHEETS[self.sheet].file.into(), row, self.column.into(), self.value.clone(), self.error.into()]
    }
}

/// How an error is planted in a cell or a row.
enum Mistake {
    /// The cell of this field becomes another.
    Cell(usize, fn(&str) -> String),
    /// The row is repeated at the end.
    Twice,
    /// An almost identical row is added at the end.
    Alike,
}

/// The sheet, the mistake, and its name.
const WAYS: &[(usize, Mistake, &str)] = &[
    (3, Mistake::Cell(4, |_| "Apache 2.0".into()), "a license that is not in the list"),
    (3, Mistake::Cell(5, |day| day.replace('-', "/")), "a date in another form"),
    (7, Mistake::Cell(2, |url| url.replace("https://", "")), "an address without its scheme"),
    (4, Mistake::Cell(1, |key| format!("{key}s")), "a reference to nothing"),
    (3, Mistake::Cell(1, |name| format!("{name} ")), "a blank at the end"),
    (3, Mistake::Cell(6, |text| format!("<b>{text}</b>")), "markup"),
    (7, Mistake::Cell(1, |kind| format!("={kind}")), "a formula"),
    (4, Mistake::Twice, "a double key"),
    (6, Mistake::Cell(1, |key| key.replacen('-', " ", 1)), "a look-alike of a key"),
    (3, Mistake::Alike, "a look-alike"),
    (7, Mistake::Cell(0, |_| String::new()), "a key that is missing"),
];

/// Plants `errors` errors, first one of each kind.
pub(super) fn plant(sheets: &mut [SheetRows], errors: usize, lot: &mut SheetDice) -> Vec<Planted> {
    let mut taken = BTreeSet::new();
    let before: Vec<_> = sheets.iter().map(Vec::len).collect();
    let mut planted = Vec::new();
    for n in 0..errors {
        let (sheet, way, error) = &WAYS[n % WAYS.len()];
        let error = *error;
        let (sheet, field) = (*sheet, if let Mistake::Cell(field, _) = way { *field } else { 0 });
        let row = loop {
            let row = lot.below(before[sheet]);
            if taken.insert((sheet, row)) {
                break row;
            }
        };
        let rows = &mut sheets[sheet];
        let at = match way {
            Mistake::Cell(_, change) => {
                rows[row][field] = change(&rows[row][field]);
                row
            }
            Mistake::Twice => {
                rows.push(rows[row].clone());
                rows.len() - 1
            }
            Mistake::Alike => {
                let mut twin = rows[row].clone();
                twin[0] = twin[0].replacen('-', "", 1);
                rows.push(twin);
                rows.len() - 1
            }
        };
        let (column, value) = (SHEETS[sheet].fields[field].name, rows[at][field].clone());
        planted.push(Planted { sheet, row: at + 2, column, value, error });
    }
    planted
}
