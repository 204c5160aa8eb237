//! The transaction of one promotion: what it knows, and how its scripts are run.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use tokio_postgres::types::ToSql;
use tokio_postgres::{SimpleQueryMessage, Transaction};

use super::super::fetch::FetchedFile;
use super::derive::New;
use super::images::Images;
use super::slices::Slices;
use super::{Promoted, Records, Sample, TableChange, failed};
use crate::catalogue;
use crate::clients::postgres::{PgError, Watch};
use crate::config::{ProcessingConfig, SourceConfig};
use crate::dataset::Table;
use crate::dataset::served::Served;
use crate::error::Cause;
use crate::run::context::{Context, RunContext};
use crate::run::fence::fence;
use crate::schema::Comparison;
use crate::system::machine;
use crate::{ledger, sql, words};

/// The transaction of one promotion.
pub(super) struct Transfer<'a> {
    pub(super) context: &'a Context,
    pub(super) processing: &'a ProcessingConfig,
    /// `None`: nothing comes from anywhere.
    pub(super) from: Option<&'a SourceConfig>,
    /// What comes is posted by a sender whose server keeps it for some days.
    pub(super) is_feed: bool,
    pub(super) batch: i32,
    pub(super) transaction: &'a Transaction<'a>,
    pub(super) watch: &'a Watch,
    /// `None`: no slices are replaced.
    pub(super) slices: Option<Slices>,
    /// Where before-images go; set when the tables are there.
    pub(super) images: OnceLock<Images>,
    /// What is promoted are rows as they were: it is staged in the transaction's own tables.
    pub(super) is_undo: bool,
    /// All columns of a table that take a value, where not those of the dataset alone are written.
    pub(super) columns: OnceLock<BTreeMap<&'static str, Vec<String>>>,
}

impl<'a> Transfer<'a> {
    /// With nothing looked at yet.
    pub(super) fn new(
        (context, processing, from): (&'a Context, &'a ProcessingConfig, Option<&'a SourceConfig>),
        batch: i32,
        transaction: &'a Transaction<'a>,
        watch: &'a Watch,
    ) -> Self {
        Self {
            context,
            processing,
            from,
            is_feed: false,
            batch,
            transaction,
            watch,
            slices: None,
            images: OnceLock::new(),
            is_undo: false,
            columns: OnceLock::new(),
        }
    }

    /// Sees that the run may still write, and which slices the files of the batch replace.
    pub(super) async fn begin(
        context: &'a RunContext,
        (batch, files): (i32, &[FetchedFile]),
        transaction: &'a Transaction<'a>,
        watch: &'a Watch,
    ) -> Result<Self, Cause> {
        fence(context, transaction, watch).await?;
        let of = (&**context, &context.processing, Some(&context.from));
        let mut transfer = Self::new(of, batch, transaction, watch);
        transfer.is_feed = context.url().is_feed();
        if context.dataset().is_sliced() {
            transfer.slices = Some(transfer.find_slices(files).await?);
        }
        Ok(transfer)
    }
}

impl Transfer<'_> {
    /// Proves that the staging tables hold what was loaded into them, and keeps others from writing to them: a server
    /// that crashed meanwhile has emptied them, and a run that was declared dead may not know it yet.
    pub(super) async fn verify_staged(&self, staged: &[(String, u64)]) -> Result<(), Cause> {
        for (table, loaded) in staged {
            let operation = format!("look at the staging table {table}");
            self.run(sql::PROMOTE_STAGED_LOCK, table, &operation).await?;
            let rows = self.query(sql::PROMOTE_STAGED_COUNT, table, &[], &operation).await?;
            let found: i64 = rows[0].try_get(0).map_err(|e| failed(e, &operation))?;
            if found as u64 != *loaded {
                return Err(Cause::Refused {
                    message: format!(
                        "the staging table {table} has {}, and the run loaded {}: the server crashed \
                         meanwhile, or another run was at work there",
                        words::counted(found as u64, "row"),
                        words::count(*loaded)
                    ),
                    hint: Some("run again".into()),
                });
            }
        }
        Ok(())
    }

    /// Makes the tables, without keys, where there are none, and derived ones that are missing; gives what it made. Tables of
    /// another shape are refused.
    pub(super) async fn make_missing_tables(&self, found: &Comparison) -> Result<New, Cause> {
        found.admit()?;
        if let Some(what) = found.lacks().filter(|_| self.batch == 1) {
            let typed = self.context.target.typed();
            tracing::warn!(
                run_id = %self.context.run_id,
                "the production tables lack {what}; the run goes on; merganser adopt {typed} --fix adds it"
            );
        }
        if !found.is_empty() {
            let new = New { tables: false, derived: self.make_derived(found).await? };
            let (dataset, database) = (self.context.dataset(), &self.context.target.database);
            let identified = catalogue::identify_those(self.transaction, dataset, database, &new.derived);
            self.watch.answers("give the tables an identity", identified).await?;
            self.prepare_images(false).await?;
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
        self.prepare_images(true).await?;
        Ok(New { tables: true, derived })
    }

    /// What the transaction would commit, and what the guards say to it.
    pub(super) async fn findings(&self, records: Records) -> Result<Promoted, Cause> {
        let changes = self.changes().await?;
        let guards = self.guard().await?;
        let samples = if self.context.target.dry_run { self.samples().await? } else { Vec::new() };
        Ok(Promoted { changes, records, guards, samples })
    }

    /// The schema of the tables that hold what is promoted.
    pub(super) fn staging(&self) -> &str {
        if self.is_undo { "pg_temp" } else { &self.context.target.database.staging_schema }
    }

    /// The columns of a table that are written, and their assignments.
    pub(super) fn written_columns(&self, table: &str) -> (String, String) {
        let dataset = self.context.dataset();
        let key = dataset.key();
        if let Some(names) = self.columns.get().and_then(|columns| columns.get(table)) {
            let names = || names.iter().map(String::as_str);
            return (sql::identifiers(names()), sql::assignments_of(names(), key));
        }
        let known = dataset.replaced_tables().find(|known| known.name == table);
        known.map(|table| (sql::columns(table), sql::assignments(table, key))).unwrap_or_default()
    }

    pub(super) async fn changes(&self) -> Result<Vec<TableChange>, Cause> {
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

    pub(super) async fn records(&self) -> Result<Records, Cause> {
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

    pub(super) async fn samples(&self) -> Result<Vec<Sample>, Cause> {
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

    pub(super) async fn run(&self, script: &str, table: &str, operation: &str) -> Result<(), Cause> {
        self.execute(&self.render(script, table), operation).await
    }

    /// Runs statements as they stand.
    pub(super) async fn execute(&self, text: &str, operation: &str) -> Result<(), Cause> {
        Ok(self.watch.answer(operation, self.transaction.batch_execute(text)).await?)
    }

    /// Runs a script; gives the number of rows that its last statement changed, as the server says.
    pub(super) async fn change(&self, text: &str, operation: &str) -> Result<i64, Cause> {
        let answer = self.watch.answer(operation, self.transaction.simple_query(text)).await?;
        let rows = answer.iter().rev().find_map(|message| match message {
            SimpleQueryMessage::CommandComplete(rows) => Some(*rows as i64),
            _ => None,
        });
        Ok(rows.unwrap_or_default())
    }

    pub(super) async fn query(
        &self,
        script: &str,
        table: &str,
        values: &[&(dyn ToSql + Sync)],
        operation: &str,
    ) -> Result<Vec<tokio_postgres::Row>, PgError> {
        let text = self.render(script, table);
        self.watch.answer(operation, self.transaction.query(&text, values)).await
    }

    pub(super) fn render(&self, script: &str, table: &str) -> String {
        self.render_with(script, table, &[])
    }

    /// `special` variables come before those that every script may use.
    pub(super) fn render_with(&self, script: &str, table: &str, special: &[(&str, &str)]) -> String {
        let (context, database) = (self.context, &self.context.target.database);
        let dataset = context.dataset();
        let key = dataset.key();
        let (columns, assignments) = self.written_columns(table);
        let known: Option<&Table> = dataset.replaced_tables().find(|known| known.name == table);
        let overwrite = self.processing.overwrite_newer.to_string();
        let failures_percent = self.processing.max_failures.percent.to_string();
        let failures_records = self.processing.max_failures.records.to_string();
        let feed_days = dataset.feed_days.filter(|_| self.is_feed);
        let feed_days = feed_days.map_or_else(|| "null".into(), |days| days.to_string());
        let kept: Vec<_> = dataset.kept().iter().map(|table| table.name).collect();
        let allowed_by = format!("{} at {}", machine::user(), machine::host());
        let images = self.images.get().map(|images| images.variables(&database.ledger_schema, table));
        let images = images.unwrap_or_default();
        let images: Vec<_> = images.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let own = (dataset.variables)(&self.processing.options);
        let own: Vec<_> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let variables = [
            ("schema", database.schema.as_str()),
            ("staging", self.staging()),
            ("ledger", &database.ledger_schema),
            ("dataset", dataset.name),
            ("record", dataset.record),
            ("records", &dataset.records_table()),
            ("parent", dataset.parent().name),
            ("kept", &kept.join(",")),
            ("is_replaced", &dataset.is_replaced().to_string()),
            ("is_sliced", &dataset.is_sliced().to_string()),
            ("is_together", &dataset.together().is_some().to_string()),
            // Of a merge, what goes goes for ever.
            ("keeps_deleted", &(dataset.is_replaced() || self.is_undo).to_string()),
            ("keeps_images", &self.keeps_images().to_string()),
            ("is_undo", &self.is_undo.to_string()),
            ("overriding", if self.is_undo { "overriding system value" } else { "" }),
            ("in_slices", self.slices.as_ref().map_or("false", |slices| slices.condition.as_str())),
            ("in_kept", self.slices.as_ref().map_or("false", |slices| slices.in_kept.as_str())),
            ("in_doubt", self.slices.as_ref().map_or("false", |slices| slices.doubted.as_str())),
            ("slice_rows", "null"),
            ("run_id", &context.run_id.to_string()),
            ("batch", &self.batch.to_string()),
            ("overwrite_newer", &overwrite),
            ("max_failures_percent", &failures_percent),
            ("max_failures_records", &failures_records),
            ("max_deletes_percent", &self.processing.max_deletes.percent.to_string()),
            ("max_deletes_records", &self.processing.max_deletes.records.to_string()),
            ("max_drop_percent", &self.processing.max_drop.percent.to_string()),
            ("max_drop_rows", &self.processing.max_drop.rows.to_string()),
            ("feed_days", &feed_days),
            ("allow", &self.processing.allow.join(",")),
            ("allowed_by", &allowed_by),
            ("table", table),
            ("key", key),
            ("columns", &columns),
            ("texts", &known.map(sql::texts).unwrap_or_default()),
            ("compared", &known.map(sql::compared).unwrap_or_default()),
            ("assignments", &assignments),
        ];
        let served = dataset.served.map(Served::variables).unwrap_or_default();
        let served: Vec<_> = served.iter().map(|(name, value)| (*name, value.as_str())).collect();
        sql::render(script, &[special, &own, &variables, &images, &served].concat())
    }
}
