//! One run, at a glance.

use crate::error::Cause;
use crate::fault;
use crate::run::{Progress, RunOutcome};
use crate::stages::{
    Context, check, export, fetch, load, parse, promote, publish, select, select::Batch, upload,
};

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
    progress.step("parse");
    let staged = parse::parse(context, fetched).await?;
    progress.step("check");
    let checked = check::check(context, staged).await?;
    progress.checked(&checked);
    progress.step("upload");
    upload::keep_unreadable(context, &checked).await?;
    if checked.is_unreadable() {
        return Ok(());
    }
    progress.step("export");
    let exported = export::export(context, checked).await?;
    progress.step("upload");
    let uploaded = upload::upload(context, exported).await?;
    progress.step("load");
    let loaded = load::load(context, uploaded).await?;
    progress.step("promote");
    let promoted = promote::promote(context, loaded).await?;
    progress.add(promoted);
    fault::point!("promote.after_commit");
    Ok(())
}
