//! Undo: batches that were committed are taken back, in the same transaction as any promotion: what comes back is staged in
//! tables of the transaction's own, made of the before-images, and is merged as what is loaded is.
//!
//! In: the runs. Out: [`Promoted`] and [`Undone`]. After a failure production is as it was.

mod staged;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, json};
use uuid::Uuid;

use super::derive::New;
use super::images::all_images;
use super::proof::Attached;
use super::{Promoted, Records, Transfer, conclude, failed, sums};
use crate::clients::postgres;
use crate::config::ProcessingConfig;
use crate::dataset::slice::Slice;
use crate::error::Cause;
use crate::run::context::Context;
use crate::run::fence::fence;
use crate::{fault, schema, sql, words};

/// What an undo did, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Undone {
    pub files: u64,
    /// Records that have their rows of before.
    pub restored: u64,
    /// Records that are gone: the runs had brought them.
    pub vanished: u64,
    /// Records of which nothing but what is kept beside the rows, or the origin, is as it was.
    pub noted: u64,
    /// Records in the files that sealed a record, or belong to a sealed one: all of these stay sealed.
    pub sealed: u64,
    /// Of a dry run: rows that somebody wrote by hand since and that are lost, by table.
    pub edited: Vec<(String, u64)>,
}

/// Takes the batches of these runs back.
///
/// # Errors
/// [`Cause::Refused`] if a later run has changed what they changed, or if what was there is not known any more.
pub async fn undo(
    context: &Context,
    processing: &ProcessingConfig,
    runs: &[Uuid],
) -> Result<(Promoted, Undone), Cause> {
    const BATCH: i32 = 1;
    let step = context.begin(BATCH, "promote").await?;
    fault::point!("promote.begin");
    let mut connection = postgres::connect(&context.database, "undo").await?;
    let doing = context.report.doing("promote", context.dataset().table_names().collect());
    let watch = connection.watch().showing(doing.shower());
    let mut transaction = watch.answer("begin", connection.transaction()).await?;
    let schema = &context.target.database.schema;
    let compared = schema::compare(&mut transaction, context.dataset(), schema);
    let found = watch.answers("compare the columns", compared).await?;
    fence(context, &transaction, &watch).await?;
    found.admit()?;
    if found.is_empty() {
        return Err(Cause::Refused {
            message: format!(
                "schema {schema} has no table of {}: nothing to undo there",
                context.dataset().name
            ),
            hint: Some(match context.dataset().inputs {
                [] => format!(
                    "if the tables were removed, load the archive again: merganser reprocess {} '*' --force",
                    context.target.typed()
                ),
                _ => format!(
                    "if the tables were removed, make them again: merganser run {}",
                    context.target.typed()
                ),
            }),
        });
    }
    let mut undoing = Transfer::new((context, processing, None), BATCH, &transaction, &watch);
    undoing.is_undo = true;
    fault::point!("promote.fenced");
    let new = undoing.make_missing_tables(&found).await?;
    let views = undoing.look_at_views().await?;
    undoing.find_batches(runs).await?;
    let mut undone = undoing.count_undone().await?;
    undoing.refuse_changed(runs, &undone).await?;
    if context.target.dry_run {
        undone.edited = undoing.edited().await?;
    }
    let attached = undoing.look_for_attached().await?;
    undoing.take_back(&new, &attached).await.map_err(|cause| attached.explain(cause))?;
    undoing.verify(&attached).await?;
    let replaced_views = undoing.make_views(&views).await?;
    undoing.comment().await?;
    let records = Records {
        seen: undone.restored + undone.vanished,
        loaded: undone.restored,
        deleted: undone.vanished,
        ..Records::default()
    };
    let findings = undoing.findings(records).await?;
    let record = context.dataset().record;
    let what = format!(
        "{} restored, {} removed",
        words::counted(undone.restored, record),
        words::counted(undone.vanished, record)
    );
    let mut details = Map::from_iter([("undone".into(), json!(runs)), ("counts".into(), json!(undone))]);
    if !replaced_views.is_empty() {
        details.insert("replaced_views".into(), replaced_views.into());
    }
    sums::note(context.dataset(), &mut details);
    let (what, details) = (what.as_str(), details.into());
    let promoted = conclude(context, (BATCH, &watch), transaction, step, findings, (what, details)).await?;
    Ok((promoted, undone))
}

impl Transfer<'_> {
    /// Finds the batches of the runs and what they touched.
    ///
    /// # Errors
    /// [`Cause::Refused`] if one of them is not to be undone any more: somebody else was faster.
    async fn find_batches(&self, runs: &[Uuid]) -> Result<(), Cause> {
        let operation = "find what the runs changed";
        for run_id in runs {
            let rows = self.query(sql::UNDO_RUN, "", &[run_id], operation).await?;
            let row = rows.first().ok_or_else(|| crate::ledger::unknown_run(&run_id.to_string()))?;
            let read = || Ok((row.try_get(4)?, row.try_get(5)?, row.try_get(6)?));
            let (committed, kept, undone_by): (i64, i64, Option<String>) =
                read().map_err(|e| failed(e, operation))?;
            if undone_by.is_some() || kept < committed {
                return Err(Cause::Refused {
                    message: format!(
                        "run {run_id} cannot be undone any more: its before-images are gone, or it is undone"
                    ),
                    hint: Some(format!("merganser status {run_id}")),
                });
            }
        }
        let sealed = self.context.dataset().tombstones().map_or(sql::UNDO_NONE_SEALED, |known| known.sealed);
        self.run(sealed, "", operation).await?;
        self.run(sql::UNDO_UNDOING, "", operation).await?;
        self.query(sql::UNDO_BATCHES, "", &[&runs], operation).await?;
        self.run(sql::UNDO_UNDONE, "", operation).await
    }

    /// Refuses what a later run has changed.
    async fn refuse_changed(&self, runs: &[Uuid], undone: &Undone) -> Result<(), Cause> {
        let operation = "look whether a later run changed the same";
        self.run(sql::UNDO_LATER, "", operation).await?;
        let later = self.query("select from pg_temp.later limit 1", "", &[], operation).await?;
        if !later.is_empty() {
            for (table, image) in self.images_there().await? {
                if self.context.dataset().tables.iter().any(|own| own.name == table) {
                    let text = self.render_with(sql::UNDO_IMAGES_THEN, &table, &[("image", &image)]);
                    self.change(&text, operation).await?;
                }
            }
            for table in self.context.dataset().tables {
                self.run(sql::UNDO_ROWS_NOW, table.name, operation).await?;
            }
        }
        let mut changed: BTreeMap<Uuid, i64> = BTreeMap::new();
        for row in self.query(sql::UNDO_CHANGED, "", &[], operation).await? {
            let read = || Ok((row.try_get(0)?, row.try_get(1)?));
            let (run_id, records) = read().map_err(|e| failed(e, operation))?;
            changed.insert(run_id, records);
        }
        if self.context.dataset().is_replaced() {
            for run_id in self.later_slices().await? {
                changed.entry(run_id).or_insert((undone.restored + undone.vanished) as i64);
            }
        }
        if changed.is_empty() {
            return Ok(());
        }
        let record = self.context.dataset().record;
        let lines = changed
            .iter()
            .map(|(run_id, records)| format!("run {run_id}: {}", words::counted(*records as u64, record)));
        let ids =
            |runs: &mut dyn Iterator<Item = &Uuid>| runs.map(Uuid::to_string).collect::<Vec<_>>().join(" ");
        Err(Cause::Refused {
            message: format!(
                "later runs have changed {record}s that this would restore:\n    {}",
                lines.collect::<Vec<_>>().join("\n    ")
            ),
            hint: Some(format!(
                "take them back, too: merganser undo {} {} --dry-run",
                ids(&mut runs.iter()),
                ids(&mut changed.keys())
            )),
        })
    }

    /// Later runs whose parts tell of the same slices, and not by the same bytes.
    async fn later_slices(&self) -> Result<BTreeSet<Uuid>, Cause> {
        let operation = "look whether a later run changed the same";
        let (dataset, schema) = (self.context.dataset().name, &self.context.target.database.schema);
        let mut ours: Vec<(Slice, Option<String>)> = Vec::new();
        let mut later = Vec::new();
        for row in self.query(sql::UNDO_LATER_PARTS, "", &[&dataset, schema], operation).await? {
            let read = || Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?));
            let (run_id, slice, sha256, is_later): (Uuid, Option<String>, Option<String>, bool) =
                read().map_err(|e| failed(e, operation))?;
            // What nobody asked for in particular is of the whole table.
            let slice: Slice = slice.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
            match is_later {
                true => later.push((run_id, slice, sha256)),
                false => ours.push((slice, sha256)),
            }
        }
        let is_other = |slice: &Slice, sha256: &Option<String>| {
            let mut same = ours.iter().filter(|(ours, _)| ours.overlaps(slice));
            same.any(|(_, ours)| ours != sha256)
        };
        let others = later.into_iter().filter(|(_, slice, sha256)| is_other(slice, sha256));
        Ok(others.map(|(run_id, ..)| run_id).collect())
    }

    async fn count_undone(&self) -> Result<Undone, Cause> {
        let operation = "count what comes back";
        let rows = self.query(sql::UNDO_COUNTS, "", &[], operation).await?;
        let read = |column: usize| rows[0].try_get::<_, i64>(column).map(|count| count as u64);
        let undone = || {
            Ok(Undone {
                restored: read(0)?,
                vanished: read(1)?,
                noted: read(2)?,
                files: read(3)?,
                sealed: read(4)?,
                edited: Vec::new(),
            })
        };
        undone().map_err(|e| failed(e, operation).into())
    }

    /// Rows that nobody knows who wrote them, by table: what is written by hand since is lost.
    async fn edited(&self) -> Result<Vec<(String, u64)>, Cause> {
        let operation = "look for rows that were written by hand";
        let (mut edited, dataset) = (Vec::new(), self.context.dataset());
        for table in dataset.own_tables() {
            let is_kept = dataset.kept().iter().any(|kept| kept.name == table.name);
            let touched = [("touched_no", if is_kept { "kept_no" } else { "rows_no" })];
            let mut scripts = vec![self.render_with(sql::UNDO_EDITED, table.name, &touched)];
            if !is_kept {
                scripts.push(self.render(sql::UNDO_WRITTEN, table.name));
            }
            let mut most = 0;
            for script in scripts {
                let rows = self.watch.answer(operation, self.transaction.query(&script, &[])).await?;
                let count: Option<i64> = rows[0].try_get(0).map_err(|e| failed(e, operation))?;
                most = most.max(count.unwrap_or_default());
            }
            if most > 0 {
                edited.push((table.name.to_owned(), most as u64));
            }
        }
        Ok(edited)
    }

    /// The merge of what was there, and the ledger's side of it.
    async fn take_back(&self, new: &New, attached: &Attached) -> Result<(), Cause> {
        let dataset = self.context.dataset();
        let parent = dataset.parent();
        let before = self.rows_before().await?;
        let outdated = self.outdated(&before, new).await?;
        let staged = self.stage_images().await?;
        self.refuse_lost().await?;
        self.run(sql::UNDO_PLAN, "", "plan what comes back").await?;
        fault::point!("promote.planned");
        self.run(sql::PROMOTE_BEGIN, parent.name, "find what is replaced").await?;
        self.run(sql::UNDO_RECORDS, parent.name, "note which records change").await?;
        fault::point!("promote.noted");
        for table in dataset.kept() {
            self.run(sql::UNDO_KEPT, table.name, &format!("bring {} back", table.name)).await?;
        }
        let summing = self.begin_sums(new).await?;
        let counts = self.replace(&staged, new, (&before, &outdated), attached).await?;
        fault::point!("promote.before_ledger");
        self.run(sql::UNDO_LEDGER, "", "write the ledger").await?;
        fault::point!("promote.after_ledger");
        self.hold_counts(attached, counts).await?;
        self.make_keys(new).await?;
        self.end_sums(summing, attached).await?;
        self.run(sql::PROMOTE_CONSTRAINTS, "", "look at deferred constraints").await
    }

    /// Refuses if records that are to have their rows again have none staged.
    async fn refuse_lost(&self) -> Result<(), Cause> {
        let parent = self.context.dataset().parent().name;
        let operation = "look whether all that comes back is there";
        let rows = self.query(sql::UNDO_LOST, parent, &[], operation).await?;
        let lost: i64 = rows[0].try_get(0).map_err(|e| failed(e, operation))?;
        if lost == 0 {
            return Ok(());
        }
        Err(Cause::Refused {
            message: format!(
                "{} would come back without a before-image of {parent}: a table before_… of the ledger was \
                 emptied or dropped",
                words::counted(lost as u64, self.context.dataset().record)
            ),
            hint: Some("restore what was there from a backup of the database".into()),
        })
    }

    /// The tables of before-images, each behind the table whose rows it holds.
    async fn images_there(&self) -> Result<Vec<(String, String)>, Cause> {
        let looking = all_images(self.context, self.transaction);
        self.watch.answers("look for the tables of before-images", looking).await
    }
}
