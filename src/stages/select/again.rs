//! Takes files or records of the archive again that a person names.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use globset::GlobMatcher;

use super::done::{leave_out_archived, say_undone, undone};
use super::{SelectedFile, shorten};
use crate::dataset::NOT_ARCHIVED;
use crate::error::Cause;
use crate::run::context::RunContext;
use crate::words;

/// Takes the files whose names match, those without a failure only if `force`.
pub(super) async fn only_matching(
    context: &RunContext,
    files: &mut Vec<SelectedFile>,
    glob: &GlobMatcher,
    force: bool,
) -> Result<(), Cause> {
    let all: Vec<_> = files.iter().map(|file| file.name.clone()).collect();
    let known: Vec<_> = context.ledger.known_parts().await?.into_iter().filter(|file| file.is_done).collect();
    let gone: BTreeSet<_> = known.iter().map(|file| file.name.clone()).collect();
    let gone = gone.into_iter().filter(|name| glob.is_match(name) && !all.contains(name));
    let gone: Vec<_> = gone.collect();
    files.retain(|file| glob.is_match(&file.name));
    // Parts that are never kept are mentioned only if nothing else matches.
    let (lost, unkept): (Vec<_>, Vec<_>) =
        gone.into_iter().partition(|name| context.dataset().is_archived(name));
    let gone = if lost.is_empty() && files.is_empty() { unkept } else { lost };
    if !gone.is_empty() {
        no_longer_there(context, &gone, files.is_empty(), "it is not processed again")?;
    }
    leave_out_uncommitted(context, files, |name| name == glob.glob().glob()).await?;
    if files.is_empty() {
        return Err(Cause::Refused {
            message: format!("no file of {} matches {}", context.url(), glob.glob()),
            hint: Some(match all.len() {
                0 => "run without a pattern first: the archive has no files yet".into(),
                _ => format!("choose from what the archive has: {}", shorten(&all)),
            }),
        });
    }
    let undone = undone(files, &known);
    if force {
        if !undone.is_empty() {
            tracing::warn!(
                run_id = %context.run_id,
                "taken again, although {} data was undone: {}",
                if undone.len() == 1 { "its" } else { "their" },
                shorten(&undone)
            );
        }
        return Ok(());
    }
    let names: Vec<_> = files.iter().map(|file| file.name.clone()).collect();
    // Failures in an older posting of an undone file are open again, but do not bring the file back.
    let clean: Vec<_> = known.into_iter().filter(|file| file.is_undone || !file.has_failures).collect();
    leave_out_archived(files, &clean);
    let taken: HashSet<_> = files.iter().map(|file| &file.name).collect();
    let skipped: Vec<_> =
        names.into_iter().filter(|name| !taken.contains(name) && !undone.contains(name)).collect();
    say_undone(
        context,
        undone.iter().filter(|name| !taken.contains(name)).cloned().collect(),
        "not taken, since its data was undone",
    );
    if !skipped.is_empty() {
        tracing::info!(
            run_id = %context.run_id,
            "{} skipped, already done without a failure, see --force: {}",
            words::counted(skipped.len() as u64, "file"),
            shorten(&skipped)
        );
    }
    Ok(())
}

/// Takes the unresolved failed records.
pub(super) async fn only_failed(
    context: &RunContext,
    files: &mut Vec<SelectedFile>,
    run: Option<&str>,
    record: Option<i64>,
) -> Result<(), Cause> {
    let run = match run {
        Some(name) => Some(context.ledger.run_named(name).await?),
        None => None,
    };
    if let Some(record) = record {
        may_be_retried(context, record).await?;
    }
    let is_choice = run.is_some() || record.is_some();
    // A place is only valid in a file of that name and size.
    let mut places: BTreeMap<(String, u64), Vec<u64>> = BTreeMap::new();
    for place in context.ledger.unresolved(run, record).await? {
        places.entry((place.file, place.size_bytes)).or_default().push(place.ordinal);
    }
    files.retain_mut(|file| match places.remove(&(file.name.clone(), file.size_bytes)) {
        Some(ordinals) => {
            // Single records would replace everything.
            if !context.dataset().is_replaced() {
                file.only_ordinals = ordinals;
            }
            true
        }
        None => false,
    });
    let missing: Vec<_> = places.into_keys().map(|(name, _)| name).collect();
    if !missing.is_empty() {
        no_longer_there(context, &missing, files.is_empty(), "its failed records stay as they are")?;
    }
    leave_out_uncommitted(context, files, |_| is_choice).await
}

/// Leaves out files that came from a source, and that no run has committed: they have been in the archive since a run that failed, and
/// may have been withdrawn at their source. A person may still choose one.
async fn leave_out_uncommitted(
    context: &RunContext,
    files: &mut Vec<SelectedFile>,
    is_chosen: impl Fn(&str) -> bool,
) -> Result<(), Cause> {
    // What a service answered is in the archive before any run takes it.
    if context.dataset().asked.is_some() || context.dataset().walked.is_some() {
        return Ok(());
    }
    let uncommitted = context.ledger.uncommitted().await?;
    let is_left_out = |file: &SelectedFile| uncommitted.contains(&file.name) && !is_chosen(&file.name);
    let names: Vec<_> = files.extract_if(.., |file| is_left_out(file)).map(|file| file.name).collect();
    let Some(first) = names.first() else { return Ok(()) };
    let typed = context.target.typed();
    let message = format!("no run has committed {}", shorten(&names));
    let hint = format!(
        "merganser run {typed} takes what is still at the source; merganser reprocess {typed} {} takes it as it came before",
        words::quoted(first)
    );
    if files.is_empty() {
        return Err(Cause::Refused { message, hint: Some(hint) });
    }
    tracing::warn!(run_id = %context.run_id, "not taken, because {message}: {hint}");
    Ok(())
}

/// Refuses a number that is not a failed record, or a record that cannot be read on its own; warns if it is settled
/// already.
async fn may_be_retried(context: &RunContext, record: i64) -> Result<(), Cause> {
    let Some(known) = context.ledger.failed_record(record).await? else {
        return Err(Cause::Usage {
            message: format!("the ledger knows no failed record {record} of {}", context.dataset().name),
            hint: Some("merganser failures lists them".into()),
        });
    };
    let schema = &context.target.database.schema;
    if let Some(resolution) = &known.resolution {
        tracing::info!(run_id = %context.run_id, "failed record {record} is settled already: {resolution}");
    } else if known.target_schema != *schema {
        return Err(Cause::Usage {
            message: format!("failed record {record} is of schema {}, not of {schema}", known.target_schema),
            hint: Some(format!("--schema {}", known.target_schema)),
        });
    } else if known.ordinal == 0 {
        return Err(Cause::Refused {
            message: format!(
                "failed record {record} is where {} breaks off: no record to try again",
                known.file
            ),
            hint: Some(format!(
                "merganser reprocess {} {}",
                context.target.typed(),
                words::quoted(&known.file)
            )),
        });
    }
    Ok(())
}

/// Handles files that the ledger knows but that the archive lacks, or has with other content: an error if there are no
/// others.
fn no_longer_there(context: &RunContext, names: &[String], all: bool, meanwhile: &str) -> Result<(), Cause> {
    let dataset = context.dataset();
    let (lost, unkept): (Vec<_>, Vec<_>) = names.iter().cloned().partition(|name| dataset.is_archived(name));
    let (message, hint) = match lost.is_empty() {
        false => (
            format!(
                "{} is in the ledger, but no longer as it was in the archive {}",
                shorten(&lost),
                context.url()
            ),
            "put it back there, then try again".to_owned(),
        ),
        true => {
            let (what, it) = match (dataset.walked.is_some(), unkept.len() == 1) {
                (true, true) => ("was read from a clone, which is", "it"),
                (true, false) => ("were read from clones, which are", "them"),
                (false, true) => ("is a bulk file, which is", "it"),
                (false, false) => ("are bulk files, which are", "them"),
            };
            let again = dataset.read_again(&context.target.database.schema);
            (format!("{} {what} {NOT_ARCHIVED}", shorten(&unkept)), format!("{again} reads {it} again"))
        }
    };
    if all {
        return Err(Cause::Refused { message, hint: Some(hint) });
    }
    tracing::warn!(run_id = %context.run_id, "{message}: {meanwhile}");
    Ok(())
}
