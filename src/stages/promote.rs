//! Promote: every production table and the ledger's rows in one transaction, which rolls back on any failure.
//!
//! In: [`Loaded`]. Out: [`Promoted`]. After a failure production is as it was. Only rows are locked, never a table
//! that exists, so readers see the old state or the new and do not wait. This is the only place that commits
//! to production.

mod derive;
mod golden;
mod guards;
mod merge;
mod proof;
mod refused;
mod slices;

pub use golden::truths;
pub use guards::Guard;
pub use refused::Refused;

use serde_json::json;
use tokio_postgres::types::ToSql;
use tokio_postgres::{SimpleQueryMessage, Transaction};

use self::derive::New;
use self::slices::Slices;
use super::fetch::FetchedFile;
use super::load::Loaded;
use crate::catalogue;
use crate::clients::postgres::{self, PgError, Watch};
use crate::dataset::Table;
use crate::error::Cause;
use crate::run::commit::commit;
use crate::run::context::RunContext;
use crate::run::fence::fence;
use crate::schema::{self, Comparison};
use crate::system::machine;
use crate::words;
use crate::{fault, ledger, sql};

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
        self.after = later.after;
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
    let changes = promotion.changes().await?;
    let records = promotion.records().await?;
    if let Some(folder) = &context.processing.golden {
        promotion.compare_with(folder).await?;
    }
    let guards = promotion.guard().await?;
    let breaches: Vec<_> = guards.iter().filter(|guard| guard.stops()).collect();
    // A dry run is there to show them.
    if !breaches.is_empty() && !context.target.dry_run {
        watch.answer("roll back", transaction.rollback()).await?;
        context.ledger.add_guards(batch, &json!(guards)).await?;
        return Err(guards::refusal(&breaches));
    }
    let what = format!(
        "{} {record}s loaded, {} record(s) superseded, {} record(s) of deleted {record}s",
        words::count(records.loaded),
        words::count(records.superseded),
        words::count(records.deleted),
        record = context.dataset().record
    );
    let rows: i64 = changes.iter().map(|change| change.inserted + change.replaced + change.deleted).sum();
    let mut samples = Vec::new();
    if context.target.dry_run {
        samples = promotion.samples().await?;
        watch.answer("roll back", transaction.rollback()).await?;
        context.ledger.add_guards(batch, &json!(guards)).await?;
        context.ledger.add_changes(batch, &json!(changes)).await?;
        step.done(&format!("{what}; rolled back: a dry run"), rows as u64, 0, json!({})).await?;
    } else {
        let details = match replaced_views.is_empty() {
            true => json!({}),
            false => json!({ "replaced_views": replaced_views }),
        };
        let _committing =
            commit(context, (batch, &watch), transaction, (rows, &step.details(details))).await?;
        step.say(&what, rows as u64, 0);
    }
    Ok(Outcome::Promoted(Promoted { changes, records, guards, samples }))
}

fn failed(error: tokio_postgres::Error, operation: &str) -> PgError {
    postgres::classify(error, operation)
}

/// The transaction of one promotion.
struct Transfer<'a> {
    context: &'a RunContext,
    batch: i32,
    transaction: &'a Transaction<'a>,
    watch: &'a Watch,
    /// `None`: no slices are replaced.
    slices: Option<Slices>,
}

impl<'a> Transfer<'a> {
    /// Sees that the run may still write, and which slices the files of the batch replace.
    async fn begin(
        context: &'a RunContext,
        (batch, files): (i32, &[FetchedFile]),
        transaction: &'a Transaction<'a>,
        watch: &'a Watch,
    ) -> Result<Self, Cause> {
        fence(context, transaction, watch).await?;
        let mut transfer = Self { context, batch, transaction, watch, slices: None };
        if context.dataset().is_sliced() {
            transfer.slices = Some(transfer.find_slices(files).await?);
        }
        Ok(transfer)
    }
}

impl Transfer<'_> {
    /// Proves that the staging tables hold what was loaded into them, and keeps others from writing to them: a server
    /// that crashed meanwhile has emptied them, and a run that was declared dead may not know it yet.
    async fn verify_staged(&self, staged: &[(String, u64)]) -> Result<(), Cause> {
        for (table, loaded) in staged {
            let operation = format!("look at the staging table {table}");
            self.run(sql::PROMOTE_STAGED_LOCK, table, &operation).await?;
            let rows = self.query(sql::PROMOTE_STAGED_COUNT, table, &[], &operation).await?;
            let found: i64 = rows[0].try_get(0).map_err(|e| failed(e, &operation))?;
            if found as u64 != *loaded {
                return Err(Cause::Refused {
                    message: format!(
                        "the staging table {table} has {found} row(s), and {loaded} were loaded: the server crashed \
                         meanwhile, or another run was at work there"
                    ),
                    hint: Some("run again".into()),
                });
            }
        }
        Ok(())
    }

    /// Makes the tables, without keys, where there are none, and derived ones that are missing; gives what it made. Tables of
    /// another shape are refused.
    async fn make_missing_tables(&self, found: &Comparison) -> Result<New, Cause> {
        found.admit()?;
        if let Some(what) = found.lacks().filter(|_| self.batch == 1) {
            let dataset = self.context.dataset().name;
            tracing::warn!(
                run_id = %self.context.run_id,
                "the production tables lack {what}; the run goes on; merganser adopt {dataset} --fix adds it"
            );
        }
        if !found.is_empty() {
            let new = New { tables: false, derived: self.make_derived(found).await? };
            let (dataset, database) = (self.context.dataset(), &self.context.target.database);
            let identified = catalogue::identify_those(self.transaction, dataset, database, &new.derived);
            self.watch.answers("give the tables an identity", identified).await?;
            return Ok(new);
        }
        let schema = &self.context.target.database.schema;
        let exists = self.query(sql::LEDGER_SCHEMA_EXISTS, "", &[schema], "look for the schema").await?;
        if !exists[0].try_get::<_, bool>(0).map_err(|e| failed(e, "look for the schema"))? {
            let script = sql::render(sql::LEDGER_CREATE_SCHEMA, &[("name", schema)]);
            self.transaction.batch_execute(&script).await.map_err(|e| failed(e, "make the schema"))?;
        }
        self.run(self.context.dataset().scripts.tables, "", "make the production tables").await?;
        let derived = self.make_derived(found).await?;
        // Before the first update: there are no keys yet.
        let identified =
            catalogue::identify(self.transaction, self.context.dataset(), &self.context.target.database);
        self.watch.answers("give the tables an identity", identified).await?;
        Ok(New { tables: true, derived })
    }

    async fn changes(&self) -> Result<Vec<TableChange>, Cause> {
        let run_id = self.context.run_id;
        let rows =
            self.query(sql::PROMOTE_READ_CHANGES, "", &[&run_id, &self.batch], "read the change").await?;
        let read = |row: &tokio_postgres::Row| {
            Ok(TableChange {
                table: row.try_get(0)?,
                before: row.try_get(1)?,
                inserted: row.try_get(2)?,
                replaced: row.try_get(3)?,
                deleted: row.try_get(4)?,
                after: row.try_get(5)?,
            })
        };
        let mut changes: Vec<_> = rows
            .iter()
            .map(read)
            .collect::<Result<_, tokio_postgres::Error>>()
            .map_err(|e| failed(e, "read the change"))?;
        let order: Vec<_> = self.context.dataset().table_names().collect();
        ledger::confirm_written("table_changes", order.len() as u64, changes.len() as u64)?;
        changes.sort_by_key(|change: &TableChange| order.iter().position(|name| *name == change.table));
        Ok(changes)
    }

    async fn records(&self) -> Result<Records, Cause> {
        let run_id = self.context.run_id;
        let rows =
            self.query(sql::PROMOTE_READ_RECORDS, "", &[&run_id, &self.batch], "count the records").await?;
        let read = |column: usize| rows[0].try_get::<_, i64>(column).map(|count| count as u64);
        let records = || {
            Ok(Records {
                seen: read(0)?,
                loaded: read(1)?,
                superseded: read(2)?,
                deleted: read(3)?,
                failed: read(4)?,
            })
        };
        records().map_err(|e| failed(e, "count the records").into())
    }

    async fn samples(&self) -> Result<Vec<Sample>, Cause> {
        let mut samples = Vec::new();
        for table in self.context.dataset().replaced_tables() {
            for row in self.query(sql::PROMOTE_SAMPLES, table.name, &[], "look at the change").await? {
                let read =
                    || Ok(Sample { table: table.name, change: row.try_get(0)?, keys: row.try_get(1)? });
                samples.push(read().map_err(|e| failed(e, "look at the change"))?);
            }
        }
        Ok(samples)
    }

    async fn run(&self, script: &str, table: &str, operation: &str) -> Result<(), Cause> {
        let text = self.render(script, table);
        Ok(self.watch.answer(operation, self.transaction.batch_execute(&text)).await?)
    }

    /// Runs a script; gives the number of rows that its last statement changed, as the server says.
    async fn change(&self, text: &str, operation: &str) -> Result<i64, Cause> {
        let answer = self.watch.answer(operation, self.transaction.simple_query(text)).await?;
        let rows = answer.iter().rev().find_map(|message| match message {
            SimpleQueryMessage::CommandComplete(rows) => Some(*rows as i64),
            _ => None,
        });
        Ok(rows.unwrap_or_default())
    }

    async fn query(
        &self,
        script: &str,
        table: &str,
        values: &[&(dyn ToSql + Sync)],
        operation: &str,
    ) -> Result<Vec<tokio_postgres::Row>, PgError> {
        let text = self.render(script, table);
        self.watch.answer(operation, self.transaction.query(&text, values)).await
    }

    fn render(&self, script: &str, table: &str) -> String {
        self.render_with(script, table, &[])
    }

    /// `special` variables come before those that every script may use.
    fn render_with(&self, script: &str, table: &str, special: &[(&str, &str)]) -> String {
        let (context, database) = (self.context, &self.context.target.database);
        let dataset = context.dataset();
        let key = dataset.key();
        let known: Option<&Table> = dataset.replaced_tables().find(|known| known.name == table);
        let overwrite = context.processing.overwrite_newer.to_string();
        let failures_percent = context.processing.max_failures.percent.to_string();
        let failures_records = context.processing.max_failures.records.to_string();
        let feed_days = dataset.feed_days.filter(|_| context.url().is_feed());
        let feed_days = feed_days.map_or_else(|| "null".into(), |days| days.to_string());
        let kept: Vec<_> = dataset.kept().iter().map(|table| table.name).collect();
        let allowed_by = format!("{} at {}", machine::user(), machine::host());
        let own = (dataset.variables)(&context.processing.options);
        let own: Vec<_> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let variables = [
            ("schema", database.schema.as_str()),
            ("staging", &database.staging_schema),
            ("ledger", &database.ledger_schema),
            ("dataset", dataset.name),
            ("record", dataset.record),
            ("records", &dataset.records_table()),
            ("parent", dataset.parent().name),
            ("kept", &kept.join(",")),
            ("is_replaced", &dataset.is_replaced().to_string()),
            ("is_sliced", &dataset.is_sliced().to_string()),
            ("in_slices", self.slices.as_ref().map_or("false", |slices| slices.condition.as_str())),
            ("slice_rows", "null"),
            ("run_id", &context.run_id.to_string()),
            ("batch", &self.batch.to_string()),
            ("overwrite_newer", &overwrite),
            ("max_failures_percent", &failures_percent),
            ("max_failures_records", &failures_records),
            ("max_deletes_percent", &context.processing.max_deletes.percent.to_string()),
            ("max_deletes_records", &context.processing.max_deletes.records.to_string()),
            ("max_drop_percent", &context.processing.max_drop.percent.to_string()),
            ("max_drop_rows", &context.processing.max_drop.rows.to_string()),
            ("feed_days", &feed_days),
            ("allow", &context.processing.allow.join(",")),
            ("allowed_by", &allowed_by),
            ("table", table),
            ("key", key),
            ("columns", &known.map(sql::columns).unwrap_or_default()),
            ("texts", &known.map(sql::texts).unwrap_or_default()),
            ("compared", &known.map(sql::compared).unwrap_or_default()),
            ("assignments", &known.map(|table| sql::assignments(table, key)).unwrap_or_default()),
        ];
        sql::render(script, &[special, &own, &variables].concat())
    }
}
