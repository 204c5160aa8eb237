//! One run, at a glance.

use crate::error::Cause;
use crate::fault;
use crate::run::{Progress, RunOutcome};
use crate::stages::check::{self, Checked};
use crate::stages::fetch::{self, Fetched};
use crate::stages::promote::{self, Outcome};
use crate::stages::select::{self, Batch};
use crate::stages::{Context, export, load, parse, publish, upload};

/// Loads what is new, batch by batch, then publishes. `progress` is kept up to date, so that the caller knows what was
/// committed when this fails half-way.
pub async fn run(context: &Context, progress: &mut Progress) -> Result<RunOutcome, Cause> {
    let config = &context.config;
    progress.step("select");
    let selected = select::select(context).await?;
    let nothing_new = selected.is_empty();
    for batch in selected.into_batches(config.batch_bytes, config.is_one_batch()) {
        one_batch(context, progress, batch).await?;
    }
    if progress.nothing_readable() {
        // Not in the step that kept them for later.
        progress.step("parse");
        return Err(Cause::Refused {
            message: "no file could be read".into(),
            hint: Some(format!("merganser status {}", context.run_id)),
        });
    }
    let wanted = !config.dry_run && !config.skip_publish;
    if wanted && (progress.promoted() || context.ledger.publish_pending().await?) {
        progress.step("publish");
        progress.published(publish::publish(context).await?);
    }
    Ok(if nothing_new { RunOutcome::NothingNew } else { RunOutcome::Loaded })
}

/// Takes the files of one batch from the source into production.
async fn one_batch(context: &Context, progress: &mut Progress, batch: Batch) -> Result<(), Cause> {
    progress.step("fetch");
    let fetched = fetch::fetch(context, batch).await?;
    let checked = to_local_store(context, progress, fetched).await?;
    progress.checked(&checked);
    progress.step("upload");
    upload::keep_unreadable(context, &checked).await?;
    if checked.is_unreadable() {
        return Ok(());
    }
    let mut outcome = to_production(context, progress, checked).await?;
    // The others come once more, from the files on the local disk, without those that the database refuses.
    while let Outcome::Refused(refused) = outcome {
        progress.refused(&refused);
        let checked = to_local_store(context, progress, refused.into_rest()).await?;
        outcome = to_production(context, progress, checked).await?;
    }
    if let Outcome::Promoted(promoted) = outcome {
        progress.add(promoted);
    }
    fault::point!("promote.after_commit");
    Ok(())
}

async fn to_local_store(
    context: &Context,
    progress: &mut Progress,
    fetched: Fetched,
) -> Result<Checked, Cause> {
    progress.step("parse");
    let staged = parse::parse(context, fetched).await?;
    progress.step("check");
    check::check(context, staged).await
}

async fn to_production(
    context: &Context,
    progress: &mut Progress,
    checked: Checked,
) -> Result<Outcome, Cause> {
    progress.step("export");
    let exported = export::export(context, checked).await?;
    progress.step("upload");
    let uploaded = upload::upload(context, exported).await?;
    progress.step("load");
    let loaded = load::load(context, uploaded).await?;
    progress.step("promote");
    promote::promote(context, loaded).await
}
