//! Failed records in words, and as CSV.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use super::{TextTable, errors, number, word};
use crate::datasets;
use crate::words::{count, counted};

/// How many records are shown for one reason.
const SHOWN: usize = 20;

/// Failed records grouped by reason, unresolved ones first, then the most frequent; and files of which nothing could be
/// read.
pub fn failures(rows: &[Value], unreadable: &[Value]) -> String {
    let mut groups: BTreeMap<(bool, &str), Vec<&Value>> = BTreeMap::new();
    for row in rows {
        groups.entry((is_settled(row), word(row, "reason"))).or_default().push(row);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|((settled, _), rows)| (*settled, Reverse(rows.len())));
    let several = rows.iter().any(|row| row["target_schema"] != rows[0]["target_schema"]);
    let mut text = String::new();
    for ((settled, reason), rows) in &groups {
        let state = if *settled { "settled" } else { "open" };
        let _ = writeln!(text, "{} {state}: {reason}", count(rows.len() as u64));
        for row in rows.iter().take(SHOWN) {
            let field = match (row["table_name"].as_str(), row["field"].as_str()) {
                (Some(table), Some(field)) => format!(" {table} {field}"),
                (None, Some(field)) => format!(" {field}"),
                _ => String::new(),
            };
            let value = row["value"].as_str().map_or(String::new(), |value| format!(" = {value:?}"));
            let how = row["resolution"].as_str().map_or(String::new(), |how| format!(" [{how}]"));
            let schema =
                if several { format!(", schema {}", word(row, "target_schema")) } else { String::new() };
            let _ = writeln!(
                text,
                "  {:>6}  {} record {} at byte {}{schema}, {}{field}{value}{how}",
                number(row, "failed_record_id"),
                word(row, "file"),
                number(row, "ordinal"),
                number(row, "offset_bytes"),
                row["record_id"].as_str().unwrap_or("without id")
            );
        }
        if rows.len() > SHOWN {
            let _ = writeln!(
                text,
                "          … and {} more: --csv and --json have all",
                count((rows.len() - SHOWN) as u64)
            );
        }
    }
    if let Some(first) = unreadable.first() {
        let _ = writeln!(text, "{} could not be read:", counted(unreadable.len() as u64, "file"));
        text += &errors(unreadable);
        let is_gone = |row: &Value| row["is_gone"] == true;
        if unreadable.iter().all(is_gone) {
            text += "They are gone from their source, so no run takes them any more.\n";
        } else if rows.iter().all(is_settled) {
            let typed = datasets::typed_in(word(first, "dataset"), word(first, "target_schema"));
            let dataset = datasets::known(word(first, "dataset"));
            // A service has no file to put right.
            let is_answer = dataset
                .is_some_and(|dataset| dataset.asked.is_some() && dataset.is_archived(word(first, "name")));
            return text
                + &match is_answer {
                    true => "Next: remove it from the archive, then run as before: it is requested again\n"
                        .to_owned(),
                    false => format!("Next: have it put right at the source, then merganser run {typed}\n"),
                };
        }
    }
    text + &next(rows)
}

fn is_settled(row: &Value) -> bool {
    !row["resolved_at"].is_null()
}

/// What to do about failed records.
fn next(rows: &[Value]) -> String {
    let open = || rows.iter().filter(|row| !is_settled(row));
    if open().next().is_none() {
        return match rows {
            [] => "No failed records.\n",
            _ => "All of these are settled.\n",
        }
        .into();
    }
    let look = "Next: merganser failures --show ID";
    // One record for each target: a retry takes all that is in the archive, so a record that is there goes first.
    let mut firsts: Vec<&Value> = Vec::new();
    for row in open().filter(|row| row["dry_run"] != true) {
        match firsts.iter_mut().find(|first| target(first) == target(row)) {
            None => firsts.push(row),
            Some(first) if !is_archived(first) && is_archived(row) => *first = row,
            Some(_) => {}
        }
    }
    let mut commands: Vec<String> = firsts.into_iter().map(again).collect();
    commands.dedup();
    match commands.is_empty() {
        true => format!("{look}; they failed in a dry run, and a real run will list them again.\n"),
        false => format!("{look}; when the cause is removed: {}\n", commands.join("; ")),
    }
}

/// Where the row of a failed record would be.
fn target(row: &Value) -> (&str, &str) {
    (word(row, "dataset"), word(row, "target_schema"))
}

fn is_archived(row: &Value) -> bool {
    let dataset = datasets::known(word(row, "dataset"));
    dataset.is_none_or(|dataset| dataset.is_archived(word(row, "file")))
}

/// The command that takes a failed record again.
fn again(row: &Value) -> String {
    let (name, schema) = target(row);
    match datasets::known(name) {
        Some(dataset) if !is_archived(row) => dataset.read_again(schema),
        _ => format!("merganser retry {}", datasets::typed_in(name, schema)),
    }
}

/// Failed records as CSV with a header row.
pub fn failures_csv(rows: &[Value]) -> String {
    const COLUMNS: [&str; 17] = [
        "failed_record_id",
        "target_schema",
        "run_id",
        "file",
        "run_date",
        "record_id",
        "ordinal",
        "offset_bytes",
        "table_name",
        "field",
        "value",
        "reason",
        "failed_at",
        "resolution",
        "resolved_by",
        "resolved_at",
        "suggestion",
    ];
    csv(rows, &COLUMNS.map(|name| (name, name)))
}

/// The errors in sheets, for the people who keep them: as CSV with a header row, in the order of the sheets.
pub fn sheets_csv(rows: &[Value]) -> String {
    const COLUMNS: [(&str, &str); 6] = [
        ("file", "file"),
        ("row", "ordinal"),
        ("column", "field"),
        ("value", "value"),
        ("reason", "reason"),
        ("suggestion", "suggestion"),
    ];
    let mut rows = rows.to_vec();
    rows.sort_by_key(|row| {
        (word(row, "file").to_owned(), row["ordinal"].as_u64(), row["failed_record_id"].as_u64())
    });
    csv(&rows, &COLUMNS)
}

/// Columns with their names. Every text is quoted and nulls are not, so that an empty text cannot be confused with
/// null; the crate `csv` quotes either all cells or only those that need it.
fn csv(rows: &[Value], columns: &[(&str, &str)]) -> String {
    let field = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => format!("\"{}\"", text.replace('"', "\"\"")),
        value => value.to_string(),
    };
    let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
    let mut text = names.join(",") + "\n";
    for row in rows {
        let fields: Vec<_> = columns.iter().map(|(_, column)| field(&row[column])).collect();
        text += &fields.join(",");
        text.push('\n');
    }
    text
}

/// One failed record, with the copy that was kept of it.
pub fn failure(row: &Value) -> String {
    let mut table = TextTable::new(&["", ""]);
    for name in [
        "failed_record_id",
        "dataset",
        "target_schema",
        "file",
        "run_date",
        "run_id",
        "record_id",
        "ordinal",
        "offset_bytes",
        "table_name",
        "field",
        "value",
        "reason",
        "suggestion",
        "failed_at",
        "resolution",
        "resolved_by",
        "resolved_at",
    ] {
        match &row[name] {
            Value::Null => {}
            Value::String(value) => table.row([name, value]),
            value => table.row([name, &value.to_string()]),
        }
    }
    let mut text = table.render(0);
    if let Some(fragment) = row["fragment"].as_str() {
        let _ = writeln!(text, "\n{fragment}");
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_requested_again_and_a_file_is_put_right_at_its_source() {
        for (dataset, name, next) in [
            ("nass", "2012-AL+1-46c0f0a1.20261126T102030Z.csv.gz", "remove it from the archive"),
            ("nass_mine", "qs.crops_20260102.txt.gz", "have it put right at the source"),
            ("oca", "LandlordTenant.Incr.2024-11-09.zip", "have it put right at the source"),
        ] {
            let unreadable =
                json!({"dataset": dataset, "name": name, "error": "it is cut", "is_gone": false});
            let text = failures(&[], &[unreadable]);
            assert!(text.contains(&format!("\nNext: {next}")), "{text}");
        }
    }
}
