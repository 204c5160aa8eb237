//! Undo: reverts what runs have committed, in one transaction.

use std::fmt::Write as _;

use uuid::Uuid;

use super::summary;
use super::terminal::say;
use crate::cli::UndoArgs;
use crate::config::{TargetConfig, UndoConfig};
use crate::datasets;
use crate::error::{Cause, Exit, Failure};
use crate::ledger::inspect::{Reader, RunToUndo};
use crate::ledger::unknown_run;
use crate::log::Report;
use crate::run::context::Context;
use crate::run::opened::Opened;
use crate::run::progress::Progress;
use crate::run::server::Server;
use crate::stages::promote::{self, Guard, Sample, TableChange, Undone};
use crate::stages::publish;
use crate::words::{counted, plural};

/// A finished undo, for its caller.
#[derive(Debug)]
pub struct UndoneRuns {
    pub run_id: Uuid,
    pub runs: Vec<Uuid>,
    /// The name of the dataset.
    pub dataset: &'static str,
    /// How the dataset is typed in a command.
    pub typed: String,
    /// The word for a record, as people read it.
    pub record: &'static str,
    /// The archive has every file that a run has taken.
    pub is_archived: bool,
    pub undone: Undone,
    pub changes: Vec<TableChange>,
    pub guards: Vec<Guard>,
    pub samples: Vec<Sample>,
    pub dry_run: bool,
    pub published: bool,
}

/// Reverts what the runs committed, then publishes.
///
/// # Errors
/// A run that cannot be undone, before anything is opened for it; [`Cause::Refused`] if a later run has changed the
/// same records.
pub async fn undo(config: UndoConfig, report: &Report) -> Result<UndoneRuns, Failure> {
    let (target, runs) = find(&config).await?;
    let (dataset, dry_run, typed) = (target.dataset, target.dry_run, target.typed());
    let (options, processing) = (config.for_ledger(&target, &runs), config.processing());
    let opened = Opened::open(target, options, async |context| Ok(context), report).await?;
    let run_id = opened.context().run_id;
    let work = async |context: &Context, progress: &mut Progress| {
        progress.step("promote");
        let (promoted, undone) = promote::undo(context, &processing, &runs).await?;
        progress.add(promoted);
        crate::fault::point!("promote.after_commit");
        if context.target.dry_run {
            return Ok(undone);
        }
        promote::expire(context).await;
        if !context.target.skip_publish {
            progress.step("publish");
            progress.published(publish::publish(context).await?);
        }
        Ok(undone)
    };
    let (undone, progress) = opened.run(work).await?;
    let Progress { changes, guards, samples, published, .. } = progress;
    let published = published.is_some();
    Ok(UndoneRuns {
        run_id,
        runs,
        dataset: dataset.name,
        typed,
        record: dataset.record,
        is_archived: dataset.asked.is_none() && dataset.walked.is_none(),
        undone,
        changes,
        guards,
        samples,
        dry_run,
        published,
    })
}

/// The runs that are meant, and their target.
async fn find(config: &UndoConfig) -> Result<(TargetConfig, Vec<Uuid>), Cause> {
    let database = config.database();
    let server = Server::open(&database.url).await?;
    let found = async {
        let reader = Reader::open(&server.url, &database.ledger_schema).await?;
        let mut runs: Vec<RunToUndo> = Vec::new();
        for name in &config.runs {
            let run = match name.as_str() {
                "last" => last(&reader.loaded_runs().await?)?,
                name => {
                    let found = reader.run_to_undo(reader.run_id(name).await?).await?;
                    found.ok_or_else(|| unknown_run(name))?
                }
            };
            if !runs.iter().any(|known| known.run_id == run.run_id) {
                runs.push(run);
            }
        }
        Ok::<_, Cause>(runs)
    }
    .await;
    server.close().await;
    let runs = found?;
    let Some(first) = runs.first() else {
        return Err(Cause::usage("no run was given"));
    };
    if let Some(other) =
        runs.iter().find(|run| (&run.dataset, &run.schema) != (&first.dataset, &first.schema))
    {
        return Err(Cause::Usage {
            message: format!(
                "run {} is of {} in schema {}, and run {} of {} in schema {}",
                first.run_id, first.dataset, first.schema, other.run_id, other.dataset, other.schema
            ),
            hint: Some("undo them one by one".into()),
        });
    }
    for run in &runs {
        admit(run).map_err(|cause| with_those_that_can(cause, &runs))?;
    }
    let target = config.aimed(&first.dataset, &first.schema)?;
    Ok((target, runs.iter().map(|run| run.run_id).collect()))
}

/// The last run that has loaded something. With runs of several datasets, a person may mean another one.
///
/// # Errors
/// No run has loaded anything; or the last one cannot be undone, with the newest one that can.
fn last(loaded: &[RunToUndo]) -> Result<RunToUndo, Cause> {
    let Some(newest) = loaded.first() else {
        return Err(Cause::Usage {
            message: "no run has loaded anything: there is nothing to take back".into(),
            hint: Some("merganser status lists the runs".into()),
        });
    };
    let shown = |run: &RunToUndo| {
        format!("{} of {} in schema {} ({}, {})", run.run_id, run.dataset, run.schema, run.kind, run.started)
    };
    if let Err(cause) = admit(newest) {
        let other = match loaded.iter().find(|run| admit(run).is_ok()) {
            Some(other) => format!("the newest run that can be undone is {}", shown(other)),
            None => "no other run that has loaded something can be undone".to_owned(),
        };
        let with = |message| format!("`last` is {}: {message}; {other}", shown(newest));
        return Err(match cause {
            Cause::Usage { message, hint } => Cause::Usage { message: with(message), hint },
            Cause::Refused { message, hint } => Cause::Refused { message: with(message), hint },
            cause => cause,
        });
    }
    let is_other = |run: &RunToUndo| (&run.dataset, &run.schema) != (&newest.dataset, &newest.schema);
    match loaded.iter().any(is_other) {
        // Shown with --quiet, too.
        true => {
            tracing::warn!("`last` is run {}; to undo a run of another dataset, give its id", shown(newest));
        }
        false => tracing::info!("`last` is run {}", shown(newest)),
    }
    Ok(newest.clone())
}

/// The reason why one of several runs cannot be undone, with those that can.
fn with_those_that_can(cause: Cause, runs: &[RunToUndo]) -> Cause {
    let able: Vec<_> =
        runs.iter().filter(|run| admit(run).is_ok()).map(|run| run.run_id.to_string()).collect();
    let ours = match able.is_empty() {
        true => None,
        false => Some(format!("leave it out: merganser undo {}", able.join(" "))),
    };
    let with = |own: Option<String>| match (ours, own) {
        (None, None) => "merganser status lists the runs".to_owned(),
        (Some(hint), None) | (None, Some(hint)) => hint,
        (Some(ours), Some(own)) => ours + "; " + &own,
    };
    match cause {
        Cause::Usage { message, hint } => Cause::Usage { message, hint: Some(with(hint)) },
        Cause::Refused { message, hint } => Cause::Refused { message, hint: Some(with(hint)) },
        cause => cause,
    }
}

/// Fails if this run cannot be undone.
fn admit(run: &RunToUndo) -> Result<(), Cause> {
    let RunToUndo { run_id, kind, .. } = run;
    let usage = |message: String, hint: Option<String>| Err(Cause::Usage { message, hint });
    if run.dry_run {
        return usage(format!("run {run_id} was a dry run: there is nothing to take back"), None);
    }
    if !["run", "reprocess", "retry", "undo", "backfill"].contains(&kind.as_str()) {
        return usage(format!("run {run_id} was of the kind {kind}, which cannot be undone"), None);
    }
    if run.committed == 0 {
        return usage(format!("run {run_id} has committed nothing: there is nothing to take back"), None);
    }
    if let Some(by) = &run.undone_by {
        return usage(
            format!("run {run_id} is undone already, by run {by}"),
            Some(format!("merganser undo {by} brings it back")),
        );
    }
    let dataset = datasets::named(&run.dataset);
    if dataset.is_some_and(|dataset| dataset.walked.is_some()) {
        return Err(Cause::Refused {
            message: format!(
                "runs of {} cannot be undone: commits of other runs refer to theirs",
                run.dataset
            ),
            hint: Some(
                "run again: it marks what no head leads to any more, and removes marks that are out of date"
                    .into(),
            ),
        });
    }
    if run.kept == run.committed {
        return Ok(());
    }
    if dataset.is_some_and(|dataset| !dataset.can_be_undone()) {
        return Err(Cause::Refused {
            message: format!(
                "no before-images of {} are kept, whatever --keep-undo says: none of its runs can be undone",
                run.dataset
            ),
            hint: Some(format!(
                "merganser reprocess {} NAME --force --overwrite-newer, with the name of an earlier file",
                datasets::typed_in(&run.dataset, &run.schema)
            )),
        });
    }
    let message = match &run.kept_until {
        Some(until) => format!("the before-images of run {run_id} were kept until {until} and are gone"),
        None => format!(
            "no before-images of run {run_id} were kept: it is of an older merganser or of a command that keeps none, or \
             --keep-undo was 0"
        ),
    };
    Err(Cause::Refused { message, hint: Some("restore what was there from a backup of the database".into()) })
}

/// `merganser undo`.
pub async fn run(args: UndoArgs, report: &Report) -> Result<Exit, Failure> {
    let done = undo(UndoConfig::from_undo(&args)?, report).await?;
    say(&render(&done));
    Ok(match done.guards.iter().any(Guard::stops) {
        true => Exit::Failed,
        false => Exit::Done,
    })
}

/// The text for a person, several lines: what changed, what is lost, what to type next.
pub fn render(done: &UndoneRuns) -> String {
    let UndoneRuns { undone, record, .. } = done;
    let mut text = summary::table(&done.changes);
    if done.dry_run {
        text += &summary::samples(&done.samples);
        for guard in &done.guards {
            text += &summary::check(guard);
        }
    }
    for (table, rows) in &undone.edited {
        let _ = writeln!(
            text,
            "{table}: {} written by hand since, or restored from a dump; that is lost",
            counted(*rows, "row")
        );
    }
    let sealed = match undone.sealed {
        0 => String::new(),
        sealed => format!("; {} of deleted {}, which stay sealed", counted(sealed, "record"), plural(record)),
    };
    let what = format!(
        "{} restored, {} removed; {} undone{sealed}",
        counted(undone.restored, record),
        counted(undone.vanished, record),
        counted(undone.files, "file")
    );
    if done.dry_run {
        let refused = summary::would_be_refused("undo", &done.guards);
        let _ = writeln!(text, "A dry run, rolled back: {what}. The database is unchanged.{refused}");
        let runs: Vec<_> = done.runs.iter().map(Uuid::to_string).collect();
        let command = format!("merganser undo {}", runs.join(" "));
        return text + &summary::next_of_guards(&done.guards, &command);
    }
    let _ = writeln!(text, "Committed: {what}.");
    if done.published {
        let _ = writeln!(text, "The public files are written again.");
    }
    if undone.files > 0 {
        let _ = match done.is_archived {
            true => writeln!(
                text,
                "No run takes these files again; merganser reprocess {} NAME --force does.",
                done.typed
            ),
            false => writeln!(text, "No run takes these files again."),
        };
    }
    let _ = writeln!(text, "merganser undo {} brings all of it back.", done.run_id);
    text
}
