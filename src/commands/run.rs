//! `merganser run`, `reprocess` and `retry`.

use std::time::{Instant, SystemTime};

use super::summary::{self, Summary};
use super::terminal::{end, say, start};
use super::told::{Ending, Listeners};
use crate::config::RunConfig;
use crate::error::{Cause, Exit, Failure};
use crate::etl;
use crate::ledger::Kind;
use crate::log::Report;
use crate::run::context::{Context, RunContext};
use crate::run::enriching::Enriching;
use crate::run::opened::Opened;
use crate::run::progress::{Progress, RunOutcome};
use crate::run::walk;
use crate::stages::promote;
use crate::system::machine;
use crate::words;

/// Runs a dataset from its source into production.
///
/// # Errors
/// [`Failure`] says what failed, where, and whether the database changed; the ledger has it too.
pub async fn run(config: RunConfig, report: &Report) -> Result<Summary, Failure> {
    // The future of a run takes a lot of stack in an unoptimised build.
    Box::pin(told(config, None, report)).await
}

/// The same, including data that only listeners need.
async fn told(config: RunConfig, others: Option<&Listeners>, report: &Report) -> Result<Summary, Failure> {
    let started = Instant::now();
    if let Some(folder) = &config.processing.golden {
        // Checked now, and not only when all the work is done.
        promote::truths(config.target.dataset, folder)?;
    }
    let options = config.for_ledger();
    let asked = &options["asked_for"];
    let is_choice = !asked["run"].is_null() || !asked["record"].is_null();
    let RunConfig { target, mut from, mut processing } = config;
    let more = async |context: Context| {
        let place = (&context.database, context.target.database.schema.as_str());
        walk::take_list(context.dataset().walked, place, &mut from, &mut processing.options).await?;
        RunContext::open(context, from, processing).await
    };
    let opened = Opened::open(target, options, more, report).await?;
    let (run_id, dry_run, dataset) =
        (opened.context().run_id, opened.context().target.dry_run, opened.context().dataset());
    let (kind, typed) = (opened.context().target.kind, opened.context().target.typed());
    let (outcome, progress) = opened
        .run(async |context: &RunContext, progress: &mut Progress| {
            let outcome = etl::run(context, progress).await?;
            if let Some(others) = others {
                ask_for(others, context, outcome, progress).await;
            }
            Ok(outcome)
        })
        .await?;
    Ok(Summary {
        run_id,
        dataset: dataset.name,
        typed,
        kind,
        record: dataset.record,
        outcome,
        dry_run,
        again: report.typed().to_owned(),
        is_choice,
        files: progress.files,
        failures: progress.failures,
        records: progress.records,
        changes: progress.changes,
        guards: progress.guards,
        samples: progress.samples,
        new_elements: progress.new_elements,
        deleted_with_data: progress.deleted_with_data,
        published: progress.published,
        timings: progress.timings,
        plan: progress.plan,
        walked: progress.walked,
        has_no_file: progress.has_no_file,
        unanswered: progress.unanswered,
        rows: progress.rows,
        quiet_days: progress.quiet_days,
        duration: started.elapsed(),
        peak_memory_bytes: machine::peak_memory_bytes(),
    })
}

/// Collects data about a finished run for the listeners; a failure here does not fail the run.
async fn ask_for(others: &Listeners, context: &RunContext, outcome: RunOutcome, progress: &mut Progress) {
    if others.counts() {
        progress.rows = context.ledger.remembered_rows().await.unwrap_or_default();
        progress.unanswered = context.enriching.as_ref().map(Enriching::unanswered);
    }
    let is_quiet = is_fed(context) && outcome == RunOutcome::NothingNew;
    if let Some(days) = others.quiet_days().filter(|_| is_quiet) {
        let found = context.ledger.quiet_days().await.ok();
        progress.quiet_days = found.and_then(|(quiet, is_told)| (quiet >= days && !is_told).then_some(quiet));
    }
}

/// Does the run take whatever is new at a source? For a service that is asked for certain years, nothing new is normal.
fn is_fed(context: &RunContext) -> bool {
    context.target.kind == Kind::Run && context.dataset().asked.is_none() && !context.target.dry_run
}

/// A variable that was set once and forgotten would keep new files out, week after week.
pub fn warn_of_reprocessing(glob: Option<&str>) {
    if let Some(glob) = glob {
        tracing::warn!(
            "--reprocess (REPROCESS_GLOB) is set: only files of the archive like {glob} are taken, nothing new"
        );
    }
}

/// Runs a run of any kind; shows its error, and notifies the listeners that the environment names.
pub fn process(config: Result<RunConfig, Cause>, report: &Report) -> Exit {
    let read = config.and_then(|config| Ok((config, Listeners::from_env()?)));
    let (config, others) = match read {
        Ok(read) => read,
        Err(cause) => return end(&Err(cause.into()), report),
    };
    let (dataset, dry_run, began) = (config.target.dataset.name, config.target.dry_run, SystemTime::now());
    let name = format!("{} {dataset}", config.target.kind.as_str());
    let mut done = None;
    let result = start(async {
        let summary = Box::pin(told(config, Some(&others), report)).await?;
        finished(report, &summary);
        say(&summary::render(&summary));
        Ok(done.insert(summary).exit())
    });
    let exit = end(&result, report);
    if !others.is_nobody() {
        // Only the start of the runtime can fail here, and then the run has reported it.
        let _ = start(async {
            let result = match (&done, &result) {
                (Some(done), _) => Ok(done),
                (None, Err(failure)) => Err(failure),
                (None, Ok(_)) => return Ok(exit),
            };
            others.tell(&Ending { name, dataset, dry_run, began, timeline: report.timeline(), result }).await;
            Ok(exit)
        });
    }
    exit
}

/// Logs the last events of a run that did not fail.
fn finished(report: &Report, summary: &Summary) {
    if !summary.new_elements.is_empty() {
        let elements = summary.new_elements.iter().take(10);
        let elements: Vec<_> = elements.map(|(path, count)| format!("{path} ({count})")).collect();
        tracing::warn!(
            run_id = %summary.run_id,
            elements = summary.new_elements.len(),
            "elements that no column takes and no earlier run saw: {}; merganser status {} has examples",
            elements.join(", "),
            summary.run_id
        );
    }
    if summary.deleted_with_data > 0 {
        tracing::warn!(
            run_id = %summary.run_id,
            records = summary.deleted_with_data,
            "{} came as a delete that also carries data, which is not loaded; ordinary deletes carry no data, \
             so ask the sender whether that is intended",
            words::counted(summary.deleted_with_data, summary.record)
        );
    }
    if !report.is_json() {
        return;
    }
    tracing::info!(
        run_id = %summary.run_id,
        dataset = summary.dataset,
        dry_run = summary.dry_run,
        files = summary.files,
        records_seen = summary.records.seen,
        records_loaded = summary.records.loaded,
        records_superseded = summary.records.superseded,
        records_deleted = summary.records.deleted,
        records_failed = summary.failures.records,
        files_unreadable = summary.failures.files,
        files_incomplete = summary.failures.incomplete_files,
        duration_ms = summary.duration.as_millis() as u64,
        peak_memory_bytes = summary.peak_memory_bytes,
        requests = summary.walked.as_ref().map(|walked| walked.requests),
        more_requests = summary.walked.as_ref().and_then(|walked| Some(walked.more.as_ref()?.requests)),
        exit_code = summary.exit() as u8,
        "run finished"
    );
}
