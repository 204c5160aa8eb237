//! One run, at a glance.

use crate::error::Cause;
use crate::run::context::RunContext;
use crate::run::gather::{self, Gathered};
use crate::run::inputs;
use crate::run::people;
use crate::run::progress::{Progress, RunOutcome};
use crate::run::walk;
use crate::stages::check::{self, Checked};
use crate::stages::fetch::{self, Fetched};
use crate::stages::promote::{self, Outcome, Refused};
use crate::stages::select::{self, Batch};
use crate::stages::{enrich, export, load, parse, publish, upload};
use crate::{archive, fault};

/// Loads what is new, batch by batch, then publishes. `progress` is kept up to date, so that the caller knows what was
/// committed when this fails half-way.
pub async fn run(context: &RunContext, progress: &mut Progress) -> Result<RunOutcome, Cause> {
    let target = &context.target;
    progress.step("select");
    // A table that cannot take the rows is refused before hours of requests, not after them.
    promote::admit_tables(context).await?;
    let removed = people::admit(context).await?;
    if !target.dry_run {
        archive::repair(&context.store, context.objects(), &context.ledger).await?;
    }
    progress.step("gather");
    let gathered = gather::gather(context).await?;
    progress.gathered(gathered.as_ref());
    if gathered.as_ref().is_some_and(Gathered::is_planned) {
        return Ok(RunOutcome::Planned);
    }
    progress.step("walk");
    progress.walked(walk::walk(context, removed).await?);
    let loaded = load_all(context, progress, gathered.as_ref()).await;
    gather::conclude(context, &loaded).await;
    loaded?;
    if progress.promoted() {
        promote::expire(context).await;
    }
    if progress.nothing_readable() {
        // A failure here must not be attributed to the step before.
        progress.step("parse");
        return Err(Cause::Refused {
            message: progress.no_file(),
            hint: Some(progress.to_type(context.target.kind, context.run_id)),
        });
    }
    let wanted = !target.dry_run && !target.skip_publish;
    if wanted && (progress.promoted() || context.ledger.publish_pending().await?) {
        progress.step("publish");
        progress.published(publish::publish(context).await?);
    }
    if !target.dry_run {
        load::analyze(context, &progress.grown).await;
    }
    Ok(progress.outcome())
}

/// Takes what is new from the source into production, batch by batch.
async fn load_all(
    context: &RunContext,
    progress: &mut Progress,
    gathered: Option<&Gathered>,
) -> Result<(), Cause> {
    inputs::copy(context).await?;
    progress.step("select");
    let selected = select::select(context, gathered).await?;
    progress.has_no_file = selected.has_none();
    progress.unchanged = selected.unchanged();
    let batch_bytes = context.processing.batch_bytes;
    for batch in selected.into_batches(batch_bytes, context.processing.is_one_batch(&context.target)) {
        load::analyze(context, &std::mem::take(&mut progress.grown)).await;
        one_batch(context, progress, batch).await?;
    }
    if progress.promoted() {
        load::clear(context).await;
    }
    Ok(())
}

/// Takes the files of one batch from the source into production.
async fn one_batch(context: &RunContext, progress: &mut Progress, batch: Batch) -> Result<(), Cause> {
    progress.step("fetch");
    let fetched = fetch::fetch(context, batch).await?;
    progress.fetched(&fetched);
    if fetched.is_empty() {
        return Ok(());
    }
    let checked = to_local_store(context, progress, fetched).await?;
    progress.checked(&checked);
    progress.step("upload");
    upload::keep_unreadable(context, &checked).await?;
    progress.step("check");
    checked.admit(context)?;
    if checked.is_unreadable() {
        return Ok(());
    }
    let mut refused = to_production(context, progress, checked).await?;
    // The other records are parsed again from the files on the local disk, without those that the database refuses.
    while let Some(records) = refused {
        progress.refused(&records);
        let checked = to_local_store(context, progress, records.into_rest()).await?;
        refused = to_production(context, progress, checked).await?;
    }
    Ok(())
}

async fn to_local_store(
    context: &RunContext,
    progress: &mut Progress,
    fetched: Fetched,
) -> Result<Checked, Cause> {
    progress.step("parse");
    let staged = parse::parse(context, fetched).await?;
    progress.step("check");
    check::check(context, staged).await
}

/// Records that the database refuses are rolled back, and nothing of the rest is in production yet.
async fn to_production(
    context: &RunContext,
    progress: &mut Progress,
    checked: Checked,
) -> Result<Option<Refused>, Cause> {
    progress.step("enrich");
    let enriched = enrich::enrich(context, checked).await?;
    progress.step("export");
    let exported = export::export(context, enriched).await?;
    progress.step("upload");
    let uploaded = upload::upload(context, exported).await?;
    let replacing = uploaded.replacing();
    progress.step("load");
    let loaded = load::load(context, uploaded).await?;
    progress.step("promote");
    match promote::promote(context, loaded).await? {
        Outcome::Refused(refused) => Ok(Some(refused)),
        Outcome::Promoted(promoted) => {
            progress.add(promoted);
            fault::point!("promote.after_commit");
            archive::replace(&context.store, context.objects(), &replacing).await;
            Ok(None)
        }
    }
}
