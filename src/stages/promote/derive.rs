//! What is made of the tables, in the same transaction: derived tables and their rows, views, and the comments of all.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tokio_postgres::types::ToSql;

use super::{Transfer, failed};
use crate::clients::postgres::PgError;
use crate::dataset::derived::Derived;
use crate::error::Cause;
use crate::schema::{self, Comparison, Grants, View, ViewState};
use crate::{fault, sql};

/// What the server says when other things depend on one that is dropped: `dependent_objects_still_exist`.
const DEPENDED_ON: &str = "2BP01";
/// And when a lock was not to be had in time: `lock_not_available`.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// What this promotion has made of tables, which have no keys yet.
#[derive(Debug, Default)]
pub(super) struct New {
    /// All of the dataset's own.
    pub tables: bool,
    /// Of the derived ones these, by name.
    pub derived: Vec<&'static str>,
}

impl Transfer<'_> {
    /// Makes the derived tables that are not there, without the keys of those that get rows, and makes those anew of
    /// which the columns are others now; gives the names of all.
    pub(super) async fn make_derived(&self, found: &Comparison) -> Result<Vec<&'static str>, Cause> {
        let database = &self.context.target.database;
        let mut made = Vec::new();
        for derived in self.context.dataset().derived.iter().filter(|derived| !derived.is_view()) {
            let name = derived.table.name;
            let operation = format!("make {name}");
            let grants = match found.stale().contains(&name) {
                true => {
                    self.admit_stale(name).await?;
                    let grants = self.grants(name).await?;
                    self.drop_derived(derived).await?;
                    Some(grants)
                }
                false if found.unmade().contains(&name) => None,
                false => continue,
            };
            let make = schema::definition(derived, &database.schema, &database.schema);
            self.execute(&make, &operation).await?;
            if let Some(grants) = grants {
                self.restore(&grants, derived).await?;
            }
            if derived.fill().is_none()
                && let Some(keys) = derived.keys()
            {
                self.run(keys, name, &format!("make the keys of {name}")).await?;
            }
            made.push(name);
        }
        fault::point!("promote.derived");
        Ok(made)
    }

    /// A table of that name that the ledger does not know is somebody else's.
    async fn admit_stale(&self, name: &str) -> Result<(), Cause> {
        let (context, operation) = (self.context, "find out whose table it is");
        let schema = &context.target.database.schema;
        let dataset = context.dataset().name;
        let rows = self.query(sql::LEDGER_REMEMBERED, "", &[&dataset, schema], operation).await?;
        let known = rows.iter().map(|row| row.try_get::<_, String>(0)).collect::<Result<Vec<_>, _>>();
        if known.map_err(|e| failed(e, operation))?.iter().any(|known| known == name) {
            return Ok(());
        }
        Err(Cause::Refused {
            message: format!(
                "schema {schema} has a table {name} with other columns than {dataset}'s, and this ledger has never \
                 written to it"
            ),
            hint: Some(format!(
                "alter table {schema}.{name} rename to another name; the next run makes its own"
            )),
        })
    }

    /// Derived tables that do not follow from what production holds, by name: an older program has promoted without them, or
    /// somebody took rows out of one, or the tables from under it. They are made as a whole.
    pub(super) async fn outdated(
        &self,
        before: &BTreeMap<&'static str, i64>,
        new: &New,
    ) -> Result<Vec<&'static str>, Cause> {
        let (dataset, operation) = (self.context.dataset(), "look whether what is derived is up to date");
        let derived = dataset.derived_tables().map(|derived| derived.table.name);
        let there: Vec<_> = derived.filter(|name| !new.derived.contains(name)).collect();
        if there.is_empty() {
            return Ok(there);
        }
        let (schema, parent) = (&self.context.target.database.schema, dataset.parent().name);
        let values: [&(dyn ToSql + Sync); 4] = [&dataset.name, schema, &parent, &there];
        let rows = self.query(sql::PROMOTE_LEFT_BEHIND, "", &values, operation).await?;
        let passed_over = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>();
        let passed_over = passed_over.map_err(|e| failed(e, operation))?;
        let is_outdated = |name: &&'static str| {
            before[name] != before[parent]
                || before[name] > 0 && passed_over.iter().any(|passed| passed == name)
        };
        Ok(there.into_iter().filter(is_outdated).collect())
    }

    /// Makes the rows of the batch's records of a derived table; gives how many it was to take and how many the server put
    /// into it.
    pub(super) async fn fill(&self, derived: &Derived, fill: &str) -> Result<(i64, i64), Cause> {
        let (name, staging) = (derived.table.name, self.staging());
        let text = self.render_with(fill, name, &[("source", staging), ("into", staging)]);
        let rows = self.change(&text, &format!("make the rows of {name}")).await?;
        let insert = self.render(sql::PROMOTE_INSERT, name);
        Ok((rows, self.change(&insert, &format!("insert into {name}")).await?))
    }

    /// Makes all rows of a derived table that is new, where they belong; gives how many.
    pub(super) async fn fill_whole(&self, derived: &Derived, fill: &str, new: &New) -> Result<i64, Cause> {
        let (name, database) = (derived.table.name, &self.context.target.database);
        if !new.derived.contains(&name) {
            // What the batch alone comes to is shown by a dry run, and held against the table where something stands on it.
            let staging = self.staging();
            let text = self.render_with(fill, name, &[("source", staging), ("into", staging)]);
            self.change(&text, &format!("make the rows of {name}")).await?;
        }
        // In new tables there is nothing but the batch, and the planner knows the staging tables better.
        let source = if new.tables { self.staging() } else { &database.schema };
        let text = self.render_with(fill, name, &[("source", source), ("into", &database.schema)]);
        let rows = self.change(&text, &format!("make the rows of {name}")).await?;
        let why = match new.derived.contains(&name) {
            true => "is new",
            false => {
                "was out of date (an older program promoted without it, or somebody wrote to a table that it is \
                 made of)"
            }
        };
        if !new.tables {
            tracing::info!(run_id = %self.context.run_id, table = name, rows, "{name} {why}: it is made from all rows");
        }
        Ok(rows)
    }

    /// Looks at the views as they are; the tables that they read are there.
    ///
    /// # Errors
    /// [`Cause::Refused`] if ours must come in the place of something that we may not replace.
    pub(super) async fn look_at_views(&self) -> Result<Vec<(&'static Derived, View)>, Cause> {
        let schema = &self.context.target.database.schema;
        let mut views = Vec::new();
        for derived in self.context.dataset().views() {
            let looked = schema::view(self.transaction, derived, schema);
            let found =
                self.watch.answers(&format!("compare the view {}", derived.table.name), looked).await?;
            found.admit(derived, schema)?;
            views.push((derived, found));
        }
        Ok(views)
    }

    /// Makes the views that are not there, and those anew that say something else than ours; gives what those said. One that is
    /// as it should be is not touched: who reads it is not waited for.
    ///
    /// # Errors
    /// [`Cause::Refused`] if something depends on a view that must go.
    pub(super) async fn make_views(
        &self,
        views: &[(&'static Derived, View)],
    ) -> Result<Map<String, Value>, Cause> {
        let schema = &self.context.target.database.schema;
        let mut replaced = Map::new();
        for (derived, found) in views {
            let name = derived.table.name;
            let make = schema::definition(derived, schema, schema);
            let operation = format!("make the view {name}");
            match found.state {
                ViewState::Same | ViewState::NoView => continue,
                ViewState::Missing => {
                    self.execute(&make, &operation).await?;
                    tracing::info!(run_id = %self.context.run_id, view = name, "the view {name} is missing: it is made with this batch");
                    continue;
                }
                ViewState::Replaceable | ViewState::Other => {}
            }
            let grants = self.grants(name).await?;
            if found.state == ViewState::Other {
                self.drop_derived(derived).await?;
            }
            self.execute(&make, &operation).await?;
            self.restore(&grants, derived).await?;
            let definition = found.definition.as_deref().unwrap_or_default();
            replaced.insert(name.into(), definition.into());
            tracing::warn!(
                run_id = %self.context.run_id,
                view = name,
                definition,
                "the view {name} differed from merganser's and is {}; its old definition is kept in the ledger, in \
                 the details of this run's step promote",
                if found.state == ViewState::Other { "rebuilt, because its columns have changed" } else { "replaced" }
            );
        }
        fault::point!("promote.views");
        Ok(replaced)
    }

    /// Sets the comments that say something else than the dictionary. Who holds a table against that, a vacuum for example,
    /// is not waited for long: the next promotion sets them.
    pub(super) async fn comment(&self) -> Result<(), Cause> {
        let (schema, dataset) = (&self.context.target.database.schema, self.context.dataset());
        if dataset.dictionary.is_empty() {
            return Ok(());
        }
        let operation = "set the comments";
        let rows = self.query(sql::PROMOTE_COMMENTS, "", &[schema, &dataset.said()], operation).await?;
        let statements = rows.iter().map(|row| row.try_get::<_, String>(0)).collect::<Result<Vec<_>, _>>();
        let statements = statements.map_err(|e| failed(e, operation))?;
        if statements.is_empty() {
            return Ok(());
        }
        self.execute(sql::PROMOTE_COMMENTS_BEGIN, operation).await?;
        match self.execute(&statements.join("\n"), operation).await {
            Ok(()) => self.execute(sql::PROMOTE_COMMENTS_END, operation).await,
            Err(Cause::Postgres(error)) if error.sqlstate() == Some(LOCK_NOT_AVAILABLE) => {
                self.execute(sql::PROMOTE_COMMENTS_GIVE_UP, operation).await?;
                tracing::info!(
                    run_id = %self.context.run_id,
                    "the comments of tables and columns are not set: {error}; the next promotion sets them"
                );
                Ok(())
            }
            Err(cause) => Err(cause),
        }
    }

    async fn grants(&self, name: &str) -> Result<Grants, PgError> {
        let read = Grants::of(self.transaction, &self.context.target.database.schema, name);
        self.watch.answers("read who may read it", read).await
    }

    /// Lets in those that were let in before.
    async fn restore(&self, grants: &Grants, derived: &Derived) -> Result<(), Cause> {
        let name = derived.table.name;
        let text = grants.restore(&self.grants(name).await?, derived);
        self.execute(&text, &format!("give back the rights in {name}")).await
    }

    async fn drop_derived(&self, derived: &Derived) -> Result<(), Cause> {
        let (schema, name) = (&self.context.target.database.schema, derived.table.name);
        let script = if derived.is_view() { sql::PROMOTE_DROP_VIEW } else { sql::PROMOTE_DROP_TABLE };
        match self.run(script, name, &format!("drop {name}, to make it anew")).await {
            Err(Cause::Postgres(error)) if error.sqlstate() == Some(DEPENDED_ON) => Err(Cause::Refused {
                message: format!(
                    "{schema}.{name} must be rebuilt, because its columns have changed: {error}"
                ),
                hint: Some(format!(
                    "psql's error names what depends on it (begin; drop view {schema}.{name}; rollback;): keep its \
                     definition, drop it, run again, and make it again"
                )),
            }),
            dropped => dropped,
        }
    }
}
