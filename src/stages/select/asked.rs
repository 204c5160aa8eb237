//! For a dataset that asks a service: which answers of the archive, or which bulk files, a run takes, and which request
//! each answers.

use std::collections::HashMap;

use super::{AskedFor, SelectedFile, leave_out_archived, shorten};
use crate::dataset::slice::Slice;
use crate::error::Cause;
use crate::run::context::RunContext;
use crate::run::gather::{self, Gathered};

/// Takes the answers that were gathered.
pub(super) fn only_gathered(gathered: Option<&Gathered>, files: &mut Vec<SelectedFile>) -> Result<(), Cause> {
    let mut parts: HashMap<_, _> = gathered
        .into_iter()
        .flat_map(Gathered::parts)
        .filter_map(|planned| Some((planned.part.as_ref()?.name.as_str(), planned)))
        .collect();
    files.retain_mut(|file| match parts.remove(file.name.as_str()) {
        Some(planned) => {
            file.asked = Some(AskedFor {
                slice: planned.slice.clone(),
                records: Some(planned.records),
                holds_more: planned.part.as_ref().is_some_and(|part| part.slice != planned.slice),
                ..AskedFor::default()
            });
            true
        }
        None => false,
    });
    match parts.into_keys().next() {
        None => Ok(()),
        Some(name) => Err(Cause::Refused {
            message: format!("{name} is no longer in the archive"),
            hint: Some("run again: it will be requested again".into()),
        }),
    }
}

/// Takes the newest file of each kind of content that is wanted, with what it has of the slice. What is missing would be
/// taken for what is gone, so all of them must be there.
pub(super) async fn only_bulk(context: &RunContext, files: &mut Vec<SelectedFile>) -> Result<(), Cause> {
    let (Some(asked), Some(asking)) = (context.dataset().asked, &context.from.asking) else { return Ok(()) };
    let mut newest = HashMap::new();
    // They are sorted by their day.
    for file in files.drain(..) {
        if let Some(content) = (asked.content)(&file.name) {
            newest.insert(content.to_owned(), file);
        }
    }
    let mut missing = Vec::new();
    for (content, slice) in (asked.contents)(&asking.want) {
        match newest.remove(content) {
            Some(mut file) => {
                file.asked = Some(AskedFor { slice, holds_more: true, ..AskedFor::default() });
                files.push(file);
            }
            None => missing.push(content),
        }
    }
    super::sort(files);
    let folder = context.url();
    if !missing.is_empty() {
        return Err(Cause::Refused {
            message: format!("{folder} has no bulk file of {}", missing.join(", ")),
            hint: Some(format!(
                "see that the folder is the right one and complete, or {}",
                asked.fewer_contents
            )),
        });
    }
    if files.is_empty() {
        return Err(Cause::Usage {
            message: "the filters leave nothing of what the bulk files hold".into(),
            hint: Some("remove or widen a --filter, then run again".into()),
        });
    }
    admit_undone(context, files).await
}

/// Refuses files whose result was undone: an older one in their place would be taken for what is true now.
async fn admit_undone(context: &RunContext, files: &mut Vec<SelectedFile>) -> Result<(), Cause> {
    let mut undone = context.ledger.known_parts().await?;
    undone.retain(|known| known.is_undone);
    let names = super::done::undone(files, &undone);
    let wanted = files.len();
    leave_out_archived(files, &undone);
    match files.len() == wanted {
        true => Ok(()),
        false => Err(Cause::Refused {
            message: format!("the data of {} was undone, and no newer file is there", shorten(&names)),
            hint: Some(format!(
                "run again when there is one, or with --via api, which asks the service; {}",
                super::done::BRINGS_BACK
            )),
        }),
    }
}

/// Adds to the parts of the archive what they were asked for. A part for which that is not recorded is not taken, nor one that
/// a newer one covers. One that newer ones cover in part comes after them, in another batch: so at each commit a row has what
/// it had before, or what the newest part that covers it says.
pub(super) async fn say_what_was_asked(
    context: &RunContext,
    files: &mut Vec<SelectedFile>,
) -> Result<(), Cause> {
    let names: Vec<_> = files.iter().map(|file| file.name.clone()).collect();
    let known = gather::asked_for(context, &names).await?;
    let mut known: HashMap<_, _> = known.into_iter().map(|part| (part.name.clone(), part)).collect();
    let mut newer: Vec<(Slice, u32)> = Vec::new();
    let (mut unknown, mut covered) = (Vec::new(), Vec::new());
    // The newest first: they are sorted by age.
    for file in files.iter_mut().rev() {
        let Some(part) = known.remove(&file.name) else {
            unknown.push(file.name.clone());
            continue;
        };
        if newer.iter().any(|(slice, _)| part.slice.is_within(slice)) {
            covered.push(file.name.clone());
            continue;
        }
        let over = || newer.iter().filter(|(slice, _)| slice.overlaps(&part.slice));
        let turn = over().map(|(_, turn)| turn + 1).max().unwrap_or(0);
        let told = over().map(|(slice, _)| slice.clone()).collect();
        newer.push((part.slice.clone(), turn));
        let (slice, records) = (part.slice, Some(part.records));
        file.asked = Some(AskedFor { slice, records, holds_more: false, turn, newer: told });
    }
    files.retain(|file| file.asked.is_some());
    files.sort_by_key(SelectedFile::turn);
    let run_id = &context.run_id;
    if !covered.is_empty() {
        tracing::info!(run_id = %run_id, "not taken, because newer parts cover them: {}", shorten(&covered));
    }
    if !unknown.is_empty() {
        tracing::warn!(
            run_id = %run_id,
            "not taken, because it is not known which request they answer: {}", shorten(&unknown)
        );
    }
    match files.last().map_or(0, SelectedFile::turn) {
        0 => Ok(()),
        turns => in_turns(context, turns + 1),
    }
}

/// Says that files come in several batches; refuses it where only one batch keeps what was promised.
fn in_turns(context: &RunContext, batches: u32) -> Result<(), Cause> {
    let what = format!("some of these files cover the same records, so they come in {batches} batches");
    let (fail_fast, golden) = (context.processing.fail_fast, context.processing.golden.is_some());
    let option = if fail_fast { "--fail-fast" } else { "--golden" };
    if (fail_fast || golden) && !context.target.dry_run {
        return Err(Cause::Refused {
            message: format!("{what}, and {option} needs one"),
            hint: Some(format!("leave out {option}, or name fewer files")),
        });
    }
    tracing::info!(run_id = %context.run_id, "{what}, the newer first");
    Ok(())
}
