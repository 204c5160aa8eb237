//! The ledger in words: what happened, and what to type next.

mod answers;
mod failures;
mod next;
mod table;
mod timings;

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use next::next;

pub use failures::{failure, failures, failures_csv, sheets_csv};
pub use table::TextTable;
pub use timings::{shares, timing, timings};

use crate::datasets;
use crate::ledger::reload;
use crate::stages::promote::bound;
use crate::words::{count, counted, duration, size};

/// The last runs, one line each, their before-images, and what to do about them; `open`: the number of unresolved
/// failed records of all runs.
pub fn runs(runs: &[Value], open: u64, kept: &str) -> String {
    let mut table =
        TextTable::new(&["run", "dataset", "kind", "status", "started (UTC)", ">took", ">loaded", ">open"]);
    for run in runs {
        table.row([
            word(run, "run_id").to_owned(),
            word(run, "dataset").to_owned(),
            word(run, "kind").to_owned(),
            status_of(run, "status"),
            moment(run, "started_at"),
            took(run),
            count(number(run, "records_loaded")),
            count(number(run, "failures_open")),
        ]);
    }
    let text = table.render(0);
    let next = match runs.first() {
        None => "No run yet.\n".to_owned(),
        Some(run) => next(run, number(run, "failures_open"), open, true),
    };
    // The next command comes last.
    let (said, typed) = next.split_at(next.find("Next: ").unwrap_or(next.len()));
    text + said + kept + typed
}

/// The before-images: of how many runs, how many bytes, and until when they are kept.
pub fn before_images((runs, bytes, until): (u64, u64, Option<String>)) -> String {
    match until {
        Some(until) if runs > 0 => format!(
            "Before-images of {} take {}, the last until {until}; merganser undo RUN takes a run back.\n",
            counted(runs, "run"),
            size(bytes)
        ),
        _ => String::new(),
    }
}

/// One run with its steps, files, changes, guards and failures; `all_open`: the number of unresolved failed records of
/// all runs.
pub fn run(run: &Value, all_open: u64) -> String {
    let mut text = format!(
        "Run {} of {} ({}), schema {}\n  {}, started {} UTC on {} as {}, took {}\n",
        word(run, "run_id"),
        word(run, "dataset"),
        word(run, "kind"),
        word(run, "target_schema"),
        status_of(run, "status"),
        moment(run, "started_at"),
        word(run, "host"),
        word(run, "db_user"),
        took(run)
    );
    if let Some(error) = run["error"].as_str() {
        let _ = writeln!(text, "  error: {error}");
    }
    if let Some(by) = run["undone_by"].as_str() {
        let _ = writeln!(text, "  undone by run {by}");
    }
    let mut steps = TextTable::new(&["step", "batch", "status", ">took", ">rows"]);
    for step in list(run, "steps") {
        let batch = match number(step, "batch") {
            0 => String::new(),
            batch => batch.to_string(),
        };
        steps.row([
            word(step, "step").to_owned(),
            batch,
            match (word(run, "status"), word(step, "status")) {
                ("running", status) => status,
                (_, "running") => "cut off",
                (_, status) => status,
            }
            .to_owned(),
            took(step),
            count(number(step, "rows")),
        ]);
    }
    if !list(run, "steps").is_empty() {
        text += &format!("\nSteps\n{}{}", steps.render(2), answers::answers(list(run, "steps")));
    }
    let files = list(run, "files");
    if !files.is_empty() {
        text += &format!("\nFiles\n{}{}", files_of_run(files).render(2), errors(files));
    }
    let changes = list(run, "table_changes");
    if !changes.is_empty() {
        let changes = changes.iter().map(|change| {
            let number = |name| number(change, name);
            let numbers = ["rows_before", "inserted", "replaced", "deleted", "rows_after"].map(number);
            (word(change, "table_name"), numbers)
        });
        text += &format!("\nTables\n{}", table_changes(changes).render(2));
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
            "  {}: {} ({}){allowed}",
            format!("{} {}", word(guard, "name"), word(guard, "subject")).trim_end(),
            word(guard, "found"),
            bound(word(guard, "threshold"))
        );
    }
    let in_doubt: i64 =
        list(run, "steps").iter().filter_map(|step| step["details"]["rows_in_doubt"].as_i64()).sum();
    if in_doubt > 0 {
        let rows = counted(in_doubt as u64, "row");
        let _ = writeln!(
            text,
            "\n{rows} kept although not named by any record: a failed record has no key and may be such a row"
        );
    }
    text += &drift(list(run, "files"));
    let failures = &run["failures"];
    let open = number(failures, "open");
    let _ = write!(
        text,
        "\nFailed records: {} open, {} settled",
        count(open),
        count(number(failures, "settled"))
    );
    text += &match number(failures, "failed_again") {
        0 => "\n".to_owned(),
        again => format!(", {} failed again later and are listed there\n", count(again)),
    };
    text + &next(run, open, all_open, false)
}

/// The changes of tables: rows before, inserted, replaced, deleted, and after.
pub fn table_changes<'t>(changes: impl Iterator<Item = (&'t str, [u64; 5])>) -> TextTable {
    let mut table = TextTable::new(&["table", ">before", ">inserted", ">replaced", ">deleted", ">after"]);
    for (name, numbers) in changes {
        table.row(std::iter::once(name.to_owned()).chain(numbers.map(count)));
    }
    table
}

/// A file in every run that took it.
pub fn file(rows: &[Value]) -> String {
    let mut table = TextTable::new(
        &[&["started (UTC)", "kind", "run", "schema", "run's status", "status"], &OF_RECORDS[..]].concat(),
    );
    for row in rows {
        let run = [
            moment(row, "started_at"),
            word(row, "kind").to_owned(),
            word(row, "run_id").to_owned(),
            word(row, "target_schema").to_owned(),
            status_of(row, "run_status"),
            word(row, "status").to_owned(),
        ];
        table.row(run.into_iter().chain(records(row)));
    }
    let name = rows.first().map_or("", |row| word(row, "name"));
    let mut text = format!("{name}\n{}{}", table.render(2), errors(rows));
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
            "{} in {}.{}: record {} of {}{}, loaded {} by run {}",
            word(row, "record_id"),
            word(row, "target_schema"),
            word(row, "dataset"),
            number(row, "ordinal"),
            word(row, "file"),
            row["run_date"].as_str().map_or(String::new(), |date| format!(" (run date {date})")),
            moment(row, "loaded_at"),
            word(row, "run_id")
        );
        if row["in_production"] == false {
            let _ = writeln!(
                text,
                "  production no longer has it: somebody else has deleted it.\nNext: {}",
                match datasets::known(word(row, "dataset")) {
                    Some(dataset) => reload(dataset, word(row, "file")),
                    None => "merganser status".to_owned(),
                }
            );
        }
    }
    text
}

/// The status of a run; marks dry runs.
fn status_of(run: &Value, name: &str) -> String {
    match run["dry_run"].as_bool() {
        Some(true) => format!("{} (dry run)", word(run, name)),
        _ if run["undone_by"].is_string() => format!("{} (undone)", word(run, name)),
        _ => word(run, name).to_owned(),
    }
}

/// What became of the records of a file: the headings of [`records`].
const OF_RECORDS: [&str; 5] = [">records", ">loaded", ">failed", ">superseded", ">deleted"];

fn records(file: &Value) -> [String; 5] {
    ["seen", "loaded", "failed", "superseded", "deleted"]
        .map(|what| count(number(file, &format!("records_{what}"))))
}

fn files_of_run(files: &[Value]) -> TextTable {
    let mut table = TextTable::new(&[&["file", "status"], &OF_RECORDS[..]].concat());
    for file in files {
        let own = ["name", "status"].map(|name| word(file, name).to_owned());
        table.row(own.into_iter().chain(records(file)));
    }
    table
}

/// Why files could not be read, a line each.
fn errors(files: &[Value]) -> String {
    let errors = files.iter().filter_map(|file| Some((word(file, "name"), file["error"].as_str()?)));
    errors
        .map(|(name, error)| match error.contains(name) {
            true => format!("  {error}\n"),
            false => format!("  {name}: {error}\n"),
        })
        .collect()
}

/// Elements that no column takes.
fn drift(files: &[Value]) -> String {
    let mut text = String::new();
    for file in files {
        for (path, seen) in file["unknown_elements"].as_object().into_iter().flatten() {
            let example = seen["example"].as_str().unwrap_or_default();
            let _ = writeln!(
                text,
                "  {} has {path} {}, for example {example:?}",
                word(file, "name"),
                counted(number(seen, "count"), "time")
            );
        }
    }
    if text.is_empty() { text } else { format!("\nElements that no column takes\n{text}") }
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

/// A time to the second, in UTC.
fn moment(value: &Value, name: &str) -> String {
    word(value, name).get(..19).unwrap_or("-").replace('T', " ")
}
