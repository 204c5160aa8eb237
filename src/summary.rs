//! The closing words of a run: what happened, whether the database changed, what to type next.

use std::fmt::Write as _;

use crate::report::{count, duration, size};
use crate::run::{RunOutcome, Summary};

/// The summary for a person, several lines.
pub fn render(summary: &Summary) -> String {
    let mut text = String::new();
    if !summary.changes.is_empty() {
        text += &table(summary);
    }
    for sample in &summary.samples {
        let _ = writeln!(text, "{} {}, for example: {}", sample.table, sample.change, sample.keys.join(" "));
    }
    if summary.dry_run {
        for guard in &summary.guards {
            let verdict = if guard.passed { "passed" } else { "let through" };
            let subject =
                if guard.subject.is_empty() { String::new() } else { format!(" {}", guard.subject) };
            let _ = writeln!(
                text,
                "guard {}{subject}: {verdict}: {} ({})",
                guard.name, guard.found, guard.threshold
            );
        }
    }
    let _ = writeln!(text, "{}", outcome(summary));
    if let Some(published) = &summary.published {
        let newest = published.newest().unwrap_or("none");
        let _ = writeln!(text, "Published {} CSVs; the newest run date is {newest}.", published.objects());
    }
    if let Some(peak) = summary.peak_memory_bytes {
        let _ = writeln!(
            text,
            "Run {} took {} and {} of memory.",
            summary.run_id,
            duration(summary.duration),
            size(peak)
        );
    }
    if summary.has_failures() {
        let failures = summary.failures;
        let _ = writeln!(
            text,
            "{} record(s) failed, {} file(s) could not be read, {} broke off.\nNext: merganser failures --run {}",
            count(failures.records),
            failures.files,
            failures.incomplete_files,
            summary.run_id
        );
    }
    text
}

fn outcome(summary: &Summary) -> String {
    let records = summary.records;
    let counts = format!(
        "{} {}s loaded from {} file(s), {} superseded, {} deleted",
        count(records.loaded),
        summary.record,
        summary.files,
        count(records.superseded),
        count(records.deleted)
    );
    match (summary.outcome, summary.dry_run) {
        (RunOutcome::NothingNew, _) => {
            "Nothing new: every file of the source is done. The database is unchanged.".into()
        }
        (RunOutcome::Loaded, true) => format!("A dry run, rolled back: {counts}. The database is unchanged."),
        (RunOutcome::Loaded, false) => format!("Committed: {counts}."),
    }
}

/// The exact change of every table.
fn table(summary: &Summary) -> String {
    let mut text = String::new();
    let width = summary.changes.iter().map(|change| change.table.len()).max().unwrap_or(0);
    let _ = writeln!(
        text,
        "{:width$} {:>12} {:>10} {:>10} {:>10} {:>12}",
        "table", "before", "inserted", "replaced", "deleted", "after"
    );
    for change in &summary.changes {
        let number = |value: i64| count(value as u64);
        let _ = writeln!(
            text,
            "{:width$} {:>12} {:>10} {:>10} {:>10} {:>12}",
            change.table,
            number(change.before),
            number(change.inserted),
            number(change.replaced),
            number(change.deleted),
            number(change.after)
        );
    }
    text
}
