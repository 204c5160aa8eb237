//! The closing words of a run: what happened, whether the database changed, what to type next.

use std::fmt::Write as _;

use crate::manifest::Kind;
use crate::report::{count, duration};
use crate::run::{RunOutcome, Summary};
use crate::show;
use crate::stages::promote::Guard;

/// The summary for a person, several lines.
pub fn render(summary: &Summary) -> String {
    let mut text = String::new();
    if !summary.changes.is_empty() {
        text += &table(summary);
    }
    if summary.dry_run {
        text += &samples(summary);
        for guard in &summary.guards {
            text += &check(guard);
        }
    }
    let _ = writeln!(text, "{}", outcome(summary));
    if let Some(published) = &summary.published {
        let newest = published.newest().unwrap_or("none");
        let _ = writeln!(text, "Published {} CSVs; the newest run date is {newest}.", published.objects());
    }
    let _ = writeln!(text, "Run {} took {}.", summary.run_id, duration(summary.duration));
    if let Some(timings) = &summary.timings {
        let _ = writeln!(text, "{}", show::shares(timings));
    }
    if summary.has_failures() {
        text += &failures(summary);
    }
    text
}

/// What failed, and the command that shows it: unreadable files are not among the failed records.
fn failures(summary: &Summary) -> String {
    let failures = summary.failures;
    let command = match failures.records {
        0 => format!("merganser status {}", summary.run_id),
        _ => format!("merganser failures --run {}", summary.run_id),
    };
    let outstanding = match failures.files {
        0 => String::new(),
        _ => format!(
            "What these files delete is outstanding: such {}s stay visible until a run has loaded them; the next one \
             tries.\n",
            summary.record
        ),
    };
    format!(
        "{} record(s) failed, {} file(s) could not be read, {} broke off.\n{outstanding}Next: {command}\n",
        count(failures.records),
        failures.files,
        failures.incomplete_files
    )
}

/// What a dry run would change, by some keys.
fn samples(summary: &Summary) -> String {
    let mut text = String::new();
    for sample in &summary.samples {
        let _ = writeln!(text, "{} {}, such as {}", sample.table, sample.change, sample.keys.join(" "));
    }
    text
}

/// One guard of a dry run.
fn check(guard: &Guard) -> String {
    let Guard { found, threshold, .. } = guard;
    match (guard.stops(), guard.passed) {
        (true, _) => format!("guard {}: STOPS the real run: {found} (allowed: {threshold})\n", guard.label()),
        (_, true) => format!("guard {}: passed, {found}\n", guard.label()),
        (_, false) => format!("guard {}: let through: {found} (allowed: {threshold})\n", guard.label()),
    }
}

fn outcome(summary: &Summary) -> String {
    let records = summary.records;
    let counts = format!(
        "{} {}s loaded from {} file(s); {} record(s) superseded, {} record(s) of deleted {}s",
        count(records.loaded),
        summary.record,
        summary.files,
        count(records.superseded),
        count(records.deleted),
        summary.record
    );
    match (summary.outcome, summary.dry_run) {
        (RunOutcome::NothingNew, _) => {
            let why = match summary.kind {
                Kind::Reprocess => {
                    "Nothing to do: these files are done without a failure (--force takes them too)"
                }
                Kind::Retry => "Nothing to retry: no such failed record is open",
                _ => "Nothing new: every file of the source is done",
            };
            format!("{why}. The database is unchanged.")
        }
        (RunOutcome::Loaded, true) => {
            let mut names: Vec<_> = summary.breaches().map(|guard| guard.name.as_str()).collect();
            names.dedup();
            let refused = match names.as_slice() {
                [] => String::new(),
                names => format!(
                    "\nThe real run would be refused; if the change is right: --allow {}",
                    names.join(",")
                ),
            };
            format!("A dry run, rolled back: {counts}. The database is unchanged.{refused}")
        }
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
