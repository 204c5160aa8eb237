//! The merge by key, with children where there are some: old rows go, known parents are updated, new rows come, and each
//! number of rows is held against the plan. A replacement is a merge whose plan deletes what is no longer named.

use std::collections::BTreeMap;

use super::Transfer;
use super::derive::New;
use super::proof::{Attached, Count};
use crate::dataset::{Promotion, Table};
use crate::error::Cause;
use crate::{catalogue, fault, sql};

impl Transfer<'_> {
    /// Merges what is staged, so many rows of each table, and makes the rows of derived tables anew; `new` tables have no
    /// keys yet.
    ///
    /// # Errors
    /// [`Cause::Refused`] if production is not what was meant then; any error of the database.
    pub(super) async fn merge(&self, staged: &[(String, u64)], new: &New) -> Result<(), Cause> {
        let attached = self.look_for_attached().await?;
        self.write(staged, new, &attached).await.map_err(|cause| attached.explain(cause))?;
        self.verify(&attached).await
    }

    async fn write(&self, staged: &[(String, u64)], new: &New, attached: &Attached) -> Result<(), Cause> {
        let dataset = self.context.dataset();
        let parent = dataset.parent();
        let before = self.rows_before().await?;
        let outdated = self.outdated(&before, new).await?;
        self.run(sql::PROMOTE_IDENTIFY, "", "find failed records again").await?;
        self.run(self.plan(), parent.name, "plan the merge").await?;
        fault::point!("promote.planned");
        self.run(sql::PROMOTE_BEGIN, parent.name, "find what is replaced").await?;
        self.note_records().await?;
        let summing = self.begin_sums(new).await?;
        let counts = self.replace(staged, new, (&before, &outdated), attached).await?;
        fault::point!("promote.before_ledger");
        self.run(sql::PROMOTE_LEDGER, "", "write the ledger").await?;
        if dataset.is_replaced() {
            self.run(sql::IMAGES_SLICES_BEFORE, "", "write the ledger").await?;
            match &self.slices {
                Some(slices) => self.note_slices(slices).await?,
                None => self.run(sql::PROMOTE_SLICE_ORIGIN, "", "write the ledger").await?,
            }
            self.run(sql::IMAGES_SLICES_AFTER, "", "write the ledger").await?;
        }
        fault::point!("promote.after_ledger");
        self.hold_counts(attached, counts).await?;
        // Built over the rows at once, which is several times faster than row by row.
        self.make_keys(new).await?;
        if let Some(script) = dataset.scripts.complete {
            // Once per run, all rows are looked at: a column that was added since is empty in the old ones.
            let (completed, table) = match dataset.enrichment.filter(|_| self.batch == 1 && !self.is_undo) {
                Some(enrichment) => {
                    self.run(enrichment.backfill.unfinished, "", "complete the rows").await?;
                    (sql::PROMOTE_COMPLETED_TOO, enrichment.backfill.table)
                }
                None => (sql::PROMOTE_COMPLETED, ""),
            };
            self.run(completed, table, "complete the rows").await?;
            let names = sql::array_of(&self.names_to_leave_out().await?);
            let text = self.render_with(script, "", &[("removed_names", &names)]);
            self.execute(&text, "complete the rows").await?;
        }
        self.end_sums(summing, attached).await?;
        self.run(sql::PROMOTE_CONSTRAINTS, "", "look at deferred constraints").await
    }

    /// Puts the staged rows into the place of those of the touched records, makes what is derived of them, and notes the change of
    /// every table; gives what is to be held against the plan.
    pub(super) async fn replace(
        &self,
        staged: &[(String, u64)],
        new: &New,
        (before, outdated): (&BTreeMap<&'static str, i64>, &[&'static str]),
        attached: &Attached,
    ) -> Result<Vec<Count>, Cause> {
        let dataset = self.context.dataset();
        let (parent, children) = dataset.tables.split_first().expect("a dataset has tables");
        // What is staged and is to be loaded.
        let mut wanted: BTreeMap<_, _> =
            staged.iter().map(|(table, rows)| (table.as_str(), *rows as i64)).collect();
        let mut block = |table: &Table, blocked: i64| {
            if let Some(rows) = wanted.get_mut(table.name) {
                *rows -= blocked;
            }
        };
        // Of derived tables that are made as a whole, the rows that go.
        let mut cleared = BTreeMap::new();
        for table in dataset.replaced_tables().skip(1) {
            let operation = format!("replace rows of {}", table.name);
            if outdated.contains(&table.name) {
                let rows = self.change(&self.render(sql::PROMOTE_CLEAR, table.name), &operation).await?;
                cleared.insert(table.name, rows);
                continue;
            }
            // What is derived is made of what is kept.
            let is_kept = self.keeps_images() && dataset.tables.iter().any(|own| own.name == table.name);
            let remove = if is_kept { sql::PROMOTE_TAKE } else { sql::PROMOTE_REMOVE };
            block(table, self.change(&self.render(remove, table.name), &operation).await?);
            fault::point!("promote.removed");
        }
        let operation = format!("merge {}", parent.name);
        let (remove, update) = match self.keeps_images() {
            true => (sql::PROMOTE_TAKE_PARENT, sql::PROMOTE_TAKE_UPDATE),
            false => (sql::PROMOTE_PARENT, sql::PROMOTE_PARENT_UPDATE),
        };
        block(parent, self.change(&self.render(remove, parent.name), &operation).await?);
        let updated = self.change(&self.render(update, parent.name), &operation).await?;
        let inserted = self.change(&self.render(sql::PROMOTE_PARENT_INSERT, parent.name), &operation).await?;
        let numbers = [("staged", wanted[parent.name]), ("updated", updated), ("inserted", inserted)];
        self.run_with(sql::PROMOTE_PARENT_COUNTED, parent, &numbers, &operation).await?;
        // A parent that is not there would be taken for a fault of its children.
        self.hold_counts(attached, Vec::new()).await?;
        fault::point!("promote.parent");
        let mut counts = Vec::new();
        for table in children {
            let operation = format!("insert into {}", table.name);
            let found = self.change(&self.render(sql::PROMOTE_INSERT, table.name), &operation).await?;
            let (name, expected) = (table.name.to_owned(), wanted[table.name]);
            counts.push(Count { table: name, change: "insert".into(), expected, found });
            fault::point!("promote.inserted");
        }
        // Of these, how many rows come.
        let mut whole = BTreeMap::new();
        for derived in dataset.derived_tables() {
            let (Some(fill), name) = (derived.fill(), derived.table.name) else { continue };
            if new.derived.contains(&name) || outdated.contains(&name) {
                whole.insert(name, self.fill_whole(derived, fill, new).await?);
            } else {
                let (expected, found) = self.fill(derived, fill).await?;
                counts.push(Count { table: name.into(), change: "insert".into(), expected, found });
            }
            fault::point!("promote.filled");
        }
        let replaced = dataset.replaced_tables().map(|table| match whole.contains_key(table.name) {
            true => (sql::PROMOTE_WHOLE, table),
            false => (sql::PROMOTE_CHANGES, table),
        });
        let kept = dataset.kept().iter().map(|table| (sql::PROMOTE_KEPT, table));
        for (script, table) in replaced.chain(kept) {
            let operation = format!("count the change of {}", table.name);
            let number = |of: &BTreeMap<_, _>| of.get(table.name).copied().unwrap_or_default();
            let (inserted, removed) = (number(&whole), number(&cleared));
            let numbers = [("rows_before", before[table.name]), ("inserted", inserted), ("removed", removed)];
            self.run_with(script, table, &numbers, &operation).await?;
        }
        Ok(counts)
    }

    /// What decides what becomes of each record.
    pub(super) fn plan(&self) -> &'static str {
        match self.context.dataset().promotion {
            Promotion::Merge { plan, .. } => plan,
            Promotion::Replace { .. } => sql::PROMOTE_REPLACE,
            Promotion::ReplaceSlices { .. } => sql::PROMOTE_SLICE_PLAN,
            Promotion::ReplaceAll { .. } => sql::PROMOTE_REPLACE_ALL,
        }
    }

    /// The keys and indexes of new tables; what a publication tells of a row is its key from then on.
    pub(super) async fn make_keys(&self, new: &New) -> Result<(), Cause> {
        let dataset = self.context.dataset();
        let names: Vec<_> = match new.tables {
            true => dataset.table_names().collect(),
            false => new.derived.clone(),
        };
        if names.is_empty() {
            return Ok(());
        }
        if new.tables {
            for statement in sql::each_statement(dataset.scripts.keys) {
                let operation = format!("make the keys of the production tables: {}", sql::gist(statement));
                self.run(statement, "", &operation).await?;
            }
        }
        for derived in dataset.derived_tables().filter(|derived| new.derived.contains(&derived.table.name)) {
            let name = derived.table.name;
            self.run(derived.keys().unwrap_or_default(), name, &format!("make the keys of {name}")).await?;
        }
        let schema = &self.context.target.database.schema;
        let keyed = catalogue::identify_by_key(self.transaction, &names, schema);
        Ok(self.watch.answers("give the tables their identity", keyed).await?)
    }

    /// Runs a script with numbers of its own.
    pub(super) async fn run_with(
        &self,
        script: &str,
        table: &Table,
        numbers: &[(&str, i64)],
        operation: &str,
    ) -> Result<(), Cause> {
        let numbers: Vec<_> = numbers.iter().map(|(name, number)| (*name, number.to_string())).collect();
        let special: Vec<_> = numbers.iter().map(|(name, number)| (*name, number.as_str())).collect();
        self.execute(&self.render_with(script, table.name, &special), operation).await
    }
}
