//! The closing words of a run: what happened, whether the database changed, what to type next.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use crate::error::Exit;
use crate::stages::check::Failures;
use crate::stages::promote::{Records, Sample, TableChange};
use crate::stages::publish::Published;

use crate::commands::show;
use crate::ledger::Kind;
use crate::run::gather::GatheredPlan;
use crate::run::progress::RunOutcome;
use crate::run::walk::WalkedSoFar;
use crate::stages::promote::{self, Guard};
use crate::words::{count, counted, duration, plural};

/// A finished run, for its caller.
#[derive(Debug)]
pub struct Summary {
    pub run_id: Uuid,
    pub dataset: &'static str,
    /// How the dataset is typed in a command.
    pub typed: String,
    pub kind: Kind,
    /// The word for a record, as people read it.
    pub record: &'static str,
    pub outcome: RunOutcome,
    pub dry_run: bool,
    /// The command as it is typed again for a real run.
    pub again: String,
    /// A retry of some failed records.
    pub is_choice: bool,
    pub files: usize,
    pub failures: Failures,
    pub records: Records,
    pub changes: Vec<TableChange>,
    pub guards: Vec<Guard>,
    /// Samples of a dry run's changes.
    pub samples: Vec<Sample>,
    /// Elements that no column takes and no earlier run saw, with the number of their occurrences.
    pub new_elements: BTreeMap<String, u64>,
    /// The number of deleted records that came with data as well, which is not loaded.
    pub deleted_with_data: u64,
    pub published: Option<Published>,
    /// The cost of the steps, from the ledger.
    pub timings: Option<Value>,
    /// The cost of asking a service, planned or actual.
    pub plan: Option<GatheredPlan>,
    /// The cost of asking for histories, and what is left.
    pub walked: Option<WalkedSoFar>,
    /// The source has no file of the dataset, done or not.
    pub has_no_file: bool,
    /// How many questions outside services have left without an answer; `None`: no service is asked.
    pub unanswered: Option<u64>,
    /// The number of rows of each table.
    pub rows: BTreeMap<String, i64>,
    /// Nothing new has arrived for this many days, and this run reports it.
    pub quiet_days: Option<u32>,
    pub duration: Duration,
    pub peak_memory_bytes: Option<u64>,
}

impl Summary {
    /// The exit code; for a dry run, the one that the real run would have.
    pub fn exit(&self) -> Exit {
        match self.has_failures() {
            _ if self.breaches().next().is_some() => Exit::Failed,
            true => Exit::SomeFailed,
            false => Exit::Done,
        }
    }

    /// The guards that would stop the real run; only a dry run gets past them.
    pub fn breaches(&self) -> impl Iterator<Item = &Guard> {
        self.guards.iter().filter(|guard| guard.stops())
    }

    /// Are there failures to resolve?
    pub fn has_failures(&self) -> bool {
        self.failures != Failures::default()
    }
}

/// The summary for a person, several lines.
pub fn render(summary: &Summary) -> String {
    let mut text = String::new();
    if let Some(plan) = summary.plan.as_ref().filter(|_| summary.dry_run) {
        text += &asking(plan);
    }
    if !summary.changes.is_empty() {
        text += &table(&summary.changes);
    }
    if summary.dry_run {
        text += &samples(&summary.samples);
        for guard in &summary.guards {
            text += &check(guard);
        }
    }
    let _ = writeln!(text, "{}", outcome(summary));
    if summary.has_no_file {
        let _ = writeln!(
            text,
            "Next: check that --source is right; merganser check {} says what is there",
            summary.typed
        );
    }
    if let Some(published) = &summary.published {
        let newest = published.newest().map(|newest| format!("; the newest run date is {newest}"));
        let _ = writeln!(text, "Published {}{}.", published.what(), newest.unwrap_or_default());
    }
    if let Some(walked) = &summary.walked {
        let _ = writeln!(text, "{}", walked.words());
    }
    let _ = writeln!(text, "Run {} took {}.", summary.run_id, duration(summary.duration));
    if let Some(timings) = &summary.timings {
        let _ = writeln!(text, "{}", show::shares(timings, summary.duration));
    }
    if summary.has_failures() {
        text += &failures(summary);
    }
    text + &next_of_guards(&summary.guards, &summary.again)
}

/// The failures, and the command that shows them: unreadable files are not among the failed records.
fn failures(summary: &Summary) -> String {
    let outstanding = match summary.failures.files {
        0 => String::new(),
        _ => format!(
            "The {} of these files stay as they are until a run has loaded them; the next run tries again.\n",
            plural(summary.record)
        ),
    };
    let (what, command) = what_failed(summary);
    let next = match summary.breaches().next() {
        None => format!("Next: {command}\n"),
        // The guards come first: without them nothing is loaded.
        Some(_) => String::new(),
    };
    format!("{what}.\n{outstanding}{next}")
}

/// The amount of failures in words, and the command that shows them.
pub fn what_failed(summary: &Summary) -> (String, String) {
    let failures = summary.failures;
    let command = match failures.records {
        0 => format!("merganser status {}", summary.run_id),
        _ => format!("merganser failures --run {}", summary.run_id),
    };
    let what = format!(
        "{} failed, {} could not be read, {} cut off",
        counted(failures.records, "record"),
        counted(failures.files as u64, "file"),
        match failures.incomplete_files {
            1 => "1 was".to_owned(),
            files => format!("{} were", count(files as u64)),
        }
    );
    (what, command)
}

/// The plan of the requests to a service, as a tree, and its cost.
fn asking(plan: &GatheredPlan) -> String {
    let mut text = plan.tree.join("\n");
    if let Some((url, requests)) = &plan.files {
        let _ = writeln!(
            text,
            "\nAsking would take about {} requests: a run takes the files of {url} instead (--via api asks nevertheless).",
            count(*requests)
        );
        return text;
    }
    let _ = writeln!(
        text,
        "\nRequests sent to plan: {}; a run sends them again and {} more for records, which takes at least {}.",
        plan.requests,
        plan.unsent,
        duration(plan.run_for)
    );
    text
}

/// A sample of what a dry run would change, by key.
pub(super) fn samples(samples: &[Sample]) -> String {
    let mut text = String::new();
    for sample in samples {
        let _ = writeln!(text, "{} {}, such as {}", sample.table, sample.change, sample.keys.join(" "));
    }
    text
}

/// One guard of a dry run.
pub(super) fn check(guard: &Guard) -> String {
    match (guard.stops(), guard.passed) {
        (true, _) => format!("guard {}: STOPS the real run: {}\n", guard.label(), guard.finding()),
        (_, true) => format!("guard {}: passed, {}\n", guard.label(), guard.found),
        (_, false) => format!("guard {}: let through: {}\n", guard.label(), guard.finding()),
    }
}

/// The outcome for the database, in a sentence or two.
pub fn outcome(summary: &Summary) -> String {
    let records = summary.records;
    let counts = format!(
        "{} loaded from {}; {} superseded, {} of deleted {}",
        counted(records.loaded, summary.record),
        counted(summary.files.saturating_sub(summary.failures.files) as u64, "file"),
        counted(records.superseded, "record"),
        counted(records.deleted, "record"),
        plural(summary.record)
    );
    match (summary.outcome, summary.dry_run) {
        (RunOutcome::NothingNew, _) => {
            let why = match summary.kind {
                Kind::Reprocess => {
                    "Nothing to do: these files are done without a failure (--force takes them too)"
                }
                Kind::Retry if summary.is_choice => "Nothing to retry: no such failed record is open",
                Kind::Retry => "Nothing to retry: no failed record is open",
                _ if summary.has_no_file => "Nothing was loaded: the source has no file of the dataset",
                _ if summary.walked.as_ref().is_some_and(|walked| walked.more.is_some()) => {
                    "Nothing new so far, and there is more to ask for"
                }
                _ if summary.failures.files > 0 => "Nothing new: every other file of the source is done",
                _ => "Nothing new: every file of the source is done",
            };
            format!("{why}. The database is unchanged.")
        }
        (RunOutcome::Loaded, true) => {
            let refused = would_be_refused("run", &summary.guards);
            format!("A dry run, rolled back: {counts}. The database is unchanged.{refused}")
        }
        (RunOutcome::Loaded, false) => format!("Committed: {counts}."),
        (RunOutcome::Planned, _) => {
            "A dry run: no records were asked for, and nothing was loaded. The database is unchanged."
                .to_owned()
        }
    }
}

/// The exact change of every table.
pub(super) fn table(changes: &[TableChange]) -> String {
    let changes = changes.iter().map(|change| {
        let TableChange { table, before, inserted, replaced, deleted, after } = change;
        (table.as_str(), [before, inserted, replaced, deleted, after].map(|rows| *rows as u64))
    });
    show::table_changes(changes).render(0)
}

/// A line about the guards that would stop the real run; empty if none would.
pub(super) fn would_be_refused(what: &str, guards: &[Guard]) -> String {
    match guards.iter().any(Guard::stops) {
        true => format!("\nThe real {what} would be refused."),
        false => String::new(),
    }
}

/// What to type next if guards would stop the real run; empty if none would.
pub(super) fn next_of_guards(guards: &[Guard], command: &str) -> String {
    let names: Vec<_> =
        guards.iter().filter(|guard| guard.stops()).map(|guard| guard.name.as_str()).collect();
    match names.as_slice() {
        [] => String::new(),
        names => format!("Next: if the change is right: {command} {}\n", promote::allow_option(names)),
    }
}
