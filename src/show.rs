//! The ledger in words: what happened, and what to type next.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use crate::report::{count, duration};

/// The last runs, a line each.
pub fn runs(runs: &[Value]) -> String {
    let mut text = format!(
        "{:<36}  {:<9} {:<24} {:<20} {:>9} {:>10} {:>8}\n",
        "run", "kind", "status", "started", "took", "loaded", "failed"
    );
    for run in runs {
        let status = match run["dry_run"].as_bool() {
            Some(true) => format!("{} (dry run)", word(run, "status")),
            _ => word(run, "status").to_owned(),
        };
        let _ = writeln!(
            text,
            "{:<36}  {:<9} {:<24} {:<20} {:>9} {:>10} {:>8}",
            word(run, "run_id"),
            word(run, "kind"),
            status,
            moment(run, "started_at"),
            took(run),
            count(number(run, "records_loaded")),
            count(number(run, "failures_open"))
        );
    }
    match runs.first() {
        None => text += "No run yet.\n",
        Some(run) => text += &next(run, number(run, "failures_open")),
    }
    text
}

/// One run with its steps, files, changes, guards and failures.
pub fn run(run: &Value) -> String {
    let mut text = format!(
        "Run {} of {} ({}), schema {}\n  {}, started {} on {} as {}, took {}\n",
        word(run, "run_id"),
        word(run, "dataset"),
        word(run, "kind"),
        word(run, "target_schema"),
        word(run, "status"),
        moment(run, "started_at"),
        word(run, "host"),
        word(run, "db_user"),
        took(run)
    );
    if let Some(error) = run["error"].as_str() {
        let _ = writeln!(text, "  error: {error}");
    }
    text += "\nSteps\n";
    for step in list(run, "steps") {
        let batch = match number(step, "batch") {
            0 => String::new(),
            batch => format!("batch {batch}"),
        };
        let _ = writeln!(
            text,
            "  {:<8} {:<10} {:<10} {:>9} {:>12} rows",
            word(step, "step"),
            batch,
            word(step, "status"),
            took(step),
            count(number(step, "rows"))
        );
    }
    text += "\nFiles\n";
    for file in list(run, "files") {
        text += &file_line(file);
    }
    let changes = list(run, "table_changes");
    if !changes.is_empty() {
        let _ = writeln!(
            text,
            "\n{:<26} {:>12} {:>10} {:>10} {:>10} {:>12}",
            "Table", "before", "inserted", "replaced", "deleted", "after"
        );
    }
    for change in changes {
        let _ = writeln!(
            text,
            "  {:<24} {:>12} {:>10} {:>10} {:>10} {:>12}",
            word(change, "table_name"),
            count(number(change, "rows_before")),
            count(number(change, "inserted")),
            count(number(change, "replaced")),
            count(number(change, "deleted")),
            count(number(change, "rows_after"))
        );
    }
    let breaches: Vec<_> = list(run, "guards").iter().filter(|guard| guard["passed"] == false).collect();
    if !breaches.is_empty() {
        text += "\nGuards\n";
    }
    for guard in breaches {
        let allowed =
            guard["allowed_by"].as_str().map_or(String::new(), |who| format!("; let through by {who}"));
        let _ = writeln!(
            text,
            "  {} {}: {} (allowed: {}){allowed}",
            word(guard, "name"),
            word(guard, "subject"),
            word(guard, "found"),
            word(guard, "threshold")
        );
    }
    text += &drift(list(run, "files"));
    let open = number(&run["failures"], "open");
    let _ = writeln!(
        text,
        "\nFailed records: {} open, {} settled",
        count(open),
        count(number(&run["failures"], "settled"))
    );
    text + &next(run, open)
}

/// A file in every run that took it up.
pub fn file(rows: &[Value]) -> String {
    let mut text = String::new();
    for row in rows {
        let _ = writeln!(
            text,
            "{} {} run {} ({})",
            moment(row, "started_at"),
            word(row, "kind"),
            word(row, "run_id"),
            word(row, "run_status")
        );
        text += &file_line(row);
    }
    if let Some(newest) = rows.first() {
        text += &drift(std::slice::from_ref(newest));
        let open: u64 = rows.iter().map(|row| number(row, "failures_open")).sum();
        if open > 0 {
            let _ = writeln!(text, "Next: merganser failures --file {}", word(newest, "name"));
        }
    }
    text
}

/// Where a record came from.
pub fn origin(rows: &[Value]) -> String {
    let mut text = String::new();
    for row in rows {
        let _ = writeln!(
            text,
            "{} in {}.{}: record {} of {} (run date {}), loaded {} by run {}",
            word(row, "record_id"),
            word(row, "target_schema"),
            word(row, "dataset"),
            number(row, "ordinal"),
            word(row, "file"),
            word(row, "run_date"),
            moment(row, "loaded_at"),
            word(row, "run_id")
        );
    }
    text
}

/// Failed records, grouped by reason.
pub fn failures(rows: &[Value]) -> String {
    let mut groups: BTreeMap<(bool, String), Vec<&Value>> = BTreeMap::new();
    for row in rows {
        let settled = !row["resolved_at"].is_null();
        groups.entry((settled, word(row, "reason").to_owned())).or_default().push(row);
    }
    let mut text = String::new();
    for ((settled, reason), rows) in &groups {
        let state = if *settled { "settled" } else { "open" };
        let _ = writeln!(text, "{} {state}: {reason}", count(rows.len() as u64));
        for row in rows {
            let field = match (row["table_name"].as_str(), row["field"].as_str()) {
                (Some(table), Some(field)) => format!(" {table} {field}"),
                (None, Some(field)) => format!(" {field}"),
                _ => String::new(),
            };
            let value = row["value"].as_str().map_or(String::new(), |value| format!(" = {value:?}"));
            let how = row["resolution"].as_str().map_or(String::new(), |how| format!(" [{how}]"));
            let _ = writeln!(
                text,
                "  {:>6}  {} record {} at byte {}, {}{field}{value}{how}",
                number(row, "failed_record_id"),
                word(row, "file"),
                number(row, "ordinal"),
                number(row, "offset_bytes"),
                row["record_id"].as_str().unwrap_or("without id")
            );
        }
    }
    match rows.iter().filter(|row| row["resolved_at"].is_null()).count() {
        0 if rows.is_empty() => text += "No failed records.\n",
        0 => text += "All of these are settled.\n",
        _ => {
            text += "Next: merganser failures --show ID; when the cause is mended: merganser retry oca\n";
        }
    }
    text
}

/// Failed records as CSV with a header row.
pub fn failures_csv(rows: &[Value]) -> String {
    const COLUMNS: [&str; 13] = [
        "failed_record_id",
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
    ];
    let field = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => format!("\"{}\"", text.replace('"', "\"\"")),
        value => value.to_string(),
    };
    let mut text = COLUMNS.join(",") + "\n";
    for row in rows {
        text += &COLUMNS.map(|column| field(&row[column])).join(",");
        text.push('\n');
    }
    text
}

/// One failed record, with what was kept of it.
pub fn failure(row: &Value) -> String {
    let mut text = String::new();
    for name in [
        "failed_record_id",
        "dataset",
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
        "failed_at",
        "resolution",
        "resolved_by",
        "resolved_at",
    ] {
        match &row[name] {
            Value::Null => {}
            Value::String(value) => drop(writeln!(text, "{name:<17} {value}")),
            value => drop(writeln!(text, "{name:<17} {value}")),
        }
    }
    if let Some(fragment) = row["fragment"].as_str() {
        let _ = writeln!(text, "\n{fragment}");
    }
    text
}

fn file_line(file: &Value) -> String {
    let mut text = format!(
        "  {:<52} {:<19} {} seen, {} loaded, {} failed, {} superseded, {} deleted\n",
        word(file, "name"),
        word(file, "status"),
        count(number(file, "records_seen")),
        count(number(file, "records_loaded")),
        count(number(file, "records_failed")),
        count(number(file, "records_superseded")),
        count(number(file, "records_deleted"))
    );
    if let Some(error) = file["error"].as_str() {
        let _ = writeln!(text, "    {error}");
    }
    text
}

/// Elements that no column takes.
fn drift(files: &[Value]) -> String {
    let mut text = String::new();
    for file in files {
        for (path, seen) in file["unknown_elements"].as_object().into_iter().flatten() {
            let example = seen["example"].as_str().unwrap_or_default();
            let _ = writeln!(
                text,
                "  {} has {path} {} time(s), for example {example:?}",
                word(file, "name"),
                number(seen, "count")
            );
        }
    }
    if text.is_empty() { text } else { format!("\nElements that no column takes\n{text}") }
}

/// What to do about a run.
fn next(run: &Value, open: u64) -> String {
    let (id, dataset) = (word(run, "run_id"), word(run, "dataset"));
    match word(run, "status") {
        "running" => "It is still running.\n".into(),
        "failed" => format!(
            "The database is as the run found it, or as its last whole batch left it.\nNext: merganser status {id}; mend the cause, then run again.\n"
        ),
        "interrupted" | "abandoned" => {
            format!("Next: run {dataset} again; it goes on where this one stopped.\n")
        }
        _ if open > 0 => format!("Next: merganser failures --run {id}\n"),
        "rolled_back" => "A dry run: nothing was changed.\n".into(),
        _ => "Nothing to do.\n".into(),
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or("")
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().or_else(|| value[name].as_f64().map(|number| number as u64)).unwrap_or(0)
}

fn took(value: &Value) -> String {
    match value["duration_ms"].as_f64() {
        Some(ms) => duration(Duration::from_millis(ms as u64)),
        None => "-".into(),
    }
}

/// A moment to the second, in UTC.
fn moment(value: &Value, name: &str) -> String {
    word(value, name).get(..19).unwrap_or("-").replace('T', " ")
}
