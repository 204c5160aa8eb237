//! Values that must occur only once in a case: people who load the public files rely on that.

use super::cells::{Case, Cell};
use super::fields::Fault;
use super::plan::{Plan, Slot, TablePlan};

/// The first value that occurs twice in a case, as the reason why it fails.
pub(super) fn repeated(plan: &Plan, case: &Case<'_>) -> Option<Fault> {
    plan.tables.iter().enumerate().find_map(|(index, table)| {
        let few = table.unique.is_empty() || case.tables[index].parents.len() < 2;
        if few { None } else { repeated_in(plan, table, index, case) }
    })
}

fn repeated_in(plan: &Plan, table: &TablePlan, index: usize, case: &Case<'_>) -> Option<Fault> {
    let rows = 0..case.tables[index].parents.len();
    let mut keys: Vec<_> = rows.filter_map(|row| key(table, index, row, case)).collect();
    keys.sort_unstable();
    let twice = keys.windows(2).find(|pair| pair[0] == pair[1])?;
    let (number, text) = &twice[0];
    Some(Fault {
        table: Some(table.name),
        field: Some(plan.nodes[table.node].path.clone() + "/Sequence"),
        value: Some(if text.is_empty() { number.to_string() } else { format!("{number}/{text}") }),
        reason: "occurs more than once in the case".into(),
    })
}

/// The values of the unique columns of a row: numbers and texts. A null is unlike any other.
fn key<'c>(table: &TablePlan, index: usize, row: usize, case: &'c Case<'_>) -> Option<(i64, &'c str)> {
    let (mut number, mut text) = (0, "");
    for slot in &table.unique {
        let cell = match *slot {
            Slot::Cell(cell) => at(case, index, row, cell),
            Slot::ParentCell(cell) => at(case, table.parent?, case.tables[index].parents[row], cell),
            Slot::RecordId | Slot::Made | Slot::ParentMade => continue,
        };
        match cell {
            Cell::Int(value) => number = i64::from(value),
            cell => text = case.text(cell)?,
        }
    }
    Some((number, text))
}

fn at<'a>(case: &Case<'a>, table: usize, row: usize, cell: usize) -> Cell<'a> {
    let rows = &case.tables[table];
    rows.cells[row * rows.width + cell]
}
