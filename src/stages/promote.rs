//! Promote: every production table and the ledger's rows in one transaction, which rolls back on any failure.
//!
//! In: [`Loaded`]. Out: [`Promoted`]. After a failure production is as it was. Only rows are locked, never a table
//! that exists, so readers see the old state or the new and do not wait. This is the only place that commits what is loaded, or taken
//! back ([`mod@undo`]), to production.

mod derive;
mod golden;
mod guards;
mod images;
mod merge;
mod people;
mod proof;
mod refused;
mod slices;
mod sums;
mod transfer;
mod undo;

pub use golden::truths;
pub use guards::{Guard, allow_option, bound, let_through};
pub use images::{expire, forget_sealed, sealed_left};
pub use refused::Refused;
pub use sums::sum_anew;
pub use undo::{Undone, undo};

use serde_json::{Map, Value, json};
use tokio_postgres::Transaction;

use self::transfer::Transfer;
use super::load::Loaded;
use crate::clients::postgres::{self, PgError, Watch};
use crate::error::Cause;
use crate::run::commit::commit;
use crate::run::context::{Context, RunContext, Step};
use crate::words;
use crate::{fault, schema};

/// What became of a promotion that did not fail.
#[derive(Debug)]
pub enum Outcome {
    Promoted(Promoted),
    /// Rolled back: the database refuses some records, which are entered as failed ones.
    Refused(Refused),
}

/// A batch in production.
#[derive(Debug)]
pub struct Promoted {
    changes: Vec<TableChange>,
    records: Records,
    guards: Vec<Guard>,
    samples: Vec<Sample>,
}

/// Some keys of what a dry run would change in one table.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Sample {
    pub table: &'static str,
    /// inserted, replaced or deleted
    pub change: String,
    pub keys: Vec<String>,
}

/// What became of the records of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Records {
    pub seen: u64,
    pub loaded: u64,
    pub superseded: u64,
    /// Those that delete, and all others of what is deleted.
    pub deleted: u64,
    pub failed: u64,
}

/// The exact change of one table.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TableChange {
    pub table: String,
    pub before: i64,
    pub inserted: i64,
    pub replaced: i64,
    pub deleted: i64,
    pub after: i64,
}

impl Records {
    /// Adds those of another batch.
    pub fn add(&mut self, other: Records) {
        self.seen += other.seen;
        self.loaded += other.loaded;
        self.superseded += other.superseded;
        self.deleted += other.deleted;
        self.failed += other.failed;
    }
}

impl TableChange {
    /// More than a tenth of the table changed, which is when the server looks at it anew.
    fn is_large(&self) -> bool {
        (self.inserted + self.replaced + self.deleted) * 10 > self.before
    }

    /// Adds the change that a later batch made to the same table.
    pub fn add(&mut self, later: &TableChange) {
        self.inserted += later.inserted;
        self.replaced += later.replaced;
        self.deleted += later.deleted;
        // A dry run rolls back each batch, so the next one begins with the same rows.
        self.after += later.after - later.before;
    }
}

impl Promoted {
    /// Each table's change, in the order of loading.
    pub fn changes(&self) -> &[TableChange] {
        &self.changes
    }

    /// Tables of which so much changed that the planner should be told.
    pub fn grown(&self) -> impl Iterator<Item = &str> {
        self.changes.iter().filter(|change| change.is_large()).map(|change| change.table.as_str())
    }

    /// What became of the records.
    pub fn records(&self) -> Records {
        self.records
    }

    /// What the guards found.
    pub fn guards(&self) -> &[Guard] {
        &self.guards
    }

    /// Some keys of what a dry run would change.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }
}

/// Refuses tables that no rows can be promoted into, before any are requested. A promotion looks again.
///
/// # Errors
/// [`Cause::Refused`] with all that differs.
pub async fn admit_tables(context: &RunContext) -> Result<(), Cause> {
    let mut connection = postgres::connect(&context.database, "select").await?;
    let watch = connection.watch();
    let mut transaction = watch.answer("begin", connection.transaction()).await?;
    let compared = schema::compare(&mut transaction, context.dataset(), &context.target.database.schema);
    watch.answers("compare the columns", compared).await?.admit()
}

/// Promotes what is staged.
pub async fn promote(context: &RunContext, loaded: Loaded) -> Result<Outcome, Cause> {
    let batch = loaded.batch();
    let step = context.begin(batch, "promote").await?;
    fault::point!("promote.begin");
    let mut connection = postgres::connect(&context.database, "promote").await?;
    let doing = context.report.doing("promote", context.dataset().table_names().collect());
    let doing = doing.with_rows(loaded.rows());
    let watch = connection.watch().showing(doing.shower()).following(context.report.shows_bars());
    let mut transaction = watch.answer("begin", connection.transaction()).await?;
    let schema = &context.target.database.schema;
    let compared = schema::compare(&mut transaction, context.dataset(), schema);
    let found = watch.answers("compare the columns", compared).await?;
    let promotion = Transfer::begin(context, (batch, loaded.files()), &transaction, &watch).await?;
    promotion.verify_staged(loaded.rows()).await?;
    fault::point!("promote.fenced");
    let new = promotion.make_missing_tables(&found).await?;
    let views = promotion.look_at_views().await?;
    if let Err(cause) = promotion.merge(loaded.rows(), &new).await {
        if !refused::is_refusal(context, &cause) {
            return Err(cause);
        }
        watch.answer("roll back", transaction.rollback()).await?;
        return refused::find(context, &mut connection, loaded, &found, cause).await.map(Outcome::Refused);
    }
    let replaced_views = promotion.make_views(&views).await?;
    promotion.comment().await?;
    let records = promotion.records().await?;
    if let Some(folder) = &context.processing.golden {
        promotion.compare_with(folder).await?;
    }
    let findings = promotion.findings(records).await?;
    let what = format!(
        "{} loaded, {} superseded, {} of deleted {}",
        words::counted(records.loaded, context.dataset().record),
        words::counted(records.superseded, "record"),
        words::counted(records.deleted, "record"),
        words::plural(context.dataset().record)
    );
    let mut details = Map::new();
    if !replaced_views.is_empty() {
        details.insert("replaced_views".into(), replaced_views.into());
    }
    let in_doubt = promotion.rows_in_doubt().await?;
    if in_doubt > 0 {
        details.insert("rows_in_doubt".into(), in_doubt.into());
    }
    sums::note(context.dataset(), &mut details);
    conclude(context, (batch, &watch), transaction, step, findings, (&what, details.into()))
        .await
        .map(Outcome::Promoted)
}

/// Rolls back what a guard stops, or a dry run, and commits all else; `what` says in a few words what it is.
///
/// # Errors
/// [`Cause::Refused`] with each breach; nothing is committed, but for [`Cause::CommitUnknown`].
async fn conclude(
    context: &Context,
    (batch, watch): (i32, &Watch),
    transaction: Transaction<'_>,
    step: Step<'_>,
    promoted: Promoted,
    (what, details): (&str, Value),
) -> Result<Promoted, Cause> {
    let Promoted { changes, guards, .. } = &promoted;
    let breaches: Vec<_> = guards.iter().filter(|guard| guard.stops()).collect();
    // A dry run is there to show them.
    if !breaches.is_empty() && !context.target.dry_run {
        watch.answer("roll back", transaction.rollback()).await?;
        context.ledger.add_guards(batch, &json!(guards)).await?;
        return Err(guards::refusal(context, &breaches));
    }
    let rows: i64 = changes.iter().map(|change| change.inserted + change.replaced + change.deleted).sum();
    if context.target.dry_run {
        watch.answer("roll back", transaction.rollback()).await?;
        context.ledger.add_guards(batch, &json!(guards)).await?;
        context.ledger.add_changes(batch, &json!(changes)).await?;
        step.done(&format!("{what}; a dry run, rolled back"), rows as u64, 0, json!({})).await?;
    } else {
        let _committing =
            commit(context, (batch, watch), transaction, (rows, &step.details(details))).await?;
        step.say(what, rows as u64, 0);
    }
    Ok(promoted)
}

fn failed(error: tokio_postgres::Error, operation: &str) -> PgError {
    postgres::classify(error, operation)
}
