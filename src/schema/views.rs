//! Compares views with the dataset's own definition of them, and preserves the rights on a relation that is made again.

use std::collections::HashSet;

use tokio_postgres::{GenericClient, Transaction};

use crate::clients::postgres::{self, PgError};
use crate::dataset::Dataset;
use crate::dataset::derived::Derived;
use crate::error::Cause;
use crate::sql;

/// What was found of a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    pub state: ViewState,
    /// Its owner, if our role cannot act as that owner.
    stranger: Option<String>,
    me: String,
    /// Its definition, if it is a view.
    pub definition: Option<String>,
}

/// The state of a view in the schema, compared with the dataset's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewState {
    /// Nothing has that name.
    Missing,
    Same,
    /// Its columns are the first ones of ours, so it can be replaced.
    Replaceable,
    /// Its columns differ, so it must be dropped first.
    Other,
    /// Something else has its name.
    NoView,
}

/// Examines a view. The tables that it reads must exist; for the comparison it is made in `pg_temp` for a moment.
pub async fn view(transaction: &Transaction<'_>, derived: &Derived, schema: &str) -> Result<View, PgError> {
    let name = derived.table.name;
    let what = format!("compare the view {name}");
    let failed = |e| postgres::classify(e, what.as_str());
    transaction.batch_execute("savepoint look").await.map_err(failed)?;
    transaction.batch_execute(&definition(derived, schema, "pg_temp")).await.map_err(failed)?;
    let row = transaction.query_one(sql::SCHEMA_VIEW, &[&schema, &name]).await.map_err(failed)?;
    transaction.batch_execute("rollback to savepoint look; release savepoint look").await.map_err(failed)?;
    let (kind, is_same, is_replaceable): (Option<String>, bool, bool) =
        (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?, row.try_get(2).map_err(failed)?);
    let state = match (kind.as_deref(), is_same, is_replaceable) {
        (None, _, _) => ViewState::Missing,
        (Some("v"), true, _) => ViewState::Same,
        (Some("v"), false, true) => ViewState::Replaceable,
        (Some("v"), false, false) => ViewState::Other,
        _ => ViewState::NoView,
    };
    Ok(View {
        state,
        stranger: row.try_get(3).map_err(failed)?,
        me: row.try_get(4).map_err(failed)?,
        definition: row.try_get(5).map_err(failed)?,
    })
}

impl View {
    /// Fails if our view must not take its place.
    pub fn admit(&self, derived: &Derived, schema: &str) -> Result<(), Cause> {
        let name = derived.table.name;
        let place = format!("{}.{}", sql::identifier(schema), sql::identifier(name));
        let (message, hint) = match (self.state, &self.stranger) {
            (ViewState::NoView, _) => (
                format!("{schema}.{name} is not a view"),
                "give it another name; the next run makes the view".into(),
            ),
            (ViewState::Replaceable | ViewState::Other, Some(owner)) => (
                format!("the view {schema}.{name} differs from merganser's, and belongs to {owner}"),
                format!("alter view {place} owner to {};", sql::identifier(&self.me)),
            ),
            _ => return Ok(()),
        };
        Err(Cause::Refused { message, hint: Some(hint) })
    }
}

/// The statement that makes a view of the tables of `schema` in the schema `into`, or a table there.
pub fn definition(derived: &Derived, schema: &str, into: &str) -> String {
    let place = if derived.is_view() { schema } else { into };
    sql::render(derived.make, &[("schema", place), ("into", into)])
}

/// The derived tables and views that may be published: tables with all our columns, and views with our current
/// definition. A view made by somebody else, or by an older program, may show data that must not be public.
pub async fn ready(
    transaction: &Transaction<'_>,
    dataset: &'static Dataset,
    schema: &str,
) -> Result<HashSet<&'static str>, PgError> {
    let failed = |e| postgres::classify(e, "look at what is derived of the tables");
    let derived: Vec<_> =
        dataset.derived.iter().filter(|derived| !derived.is_view()).map(|derived| &derived.table).collect();
    let columns = dataset.own_tables().chain(derived.iter().copied());
    let columns = columns.flat_map(|table| table.columns.iter().map(move |column| (table.name, column.name)));
    let (names, columns): (Vec<_>, Vec<_>) = columns.unzip();
    let rows = transaction.query(sql::PUBLISH_THERE, &[&schema, &names, &columns]).await.map_err(failed)?;
    let there = rows.iter().map(|row| row.try_get(0)).collect::<Result<HashSet<String>, _>>();
    let there = there.map_err(failed)?;
    let mut ready: HashSet<_> =
        derived.iter().map(|table| table.name).filter(|name| there.contains(*name)).collect();
    // A view can be made for the comparison only if everything that it reads exists.
    if names.iter().all(|name| there.contains(*name)) {
        for derived in dataset.views() {
            if view(transaction, derived, schema).await?.state == ViewState::Same {
                ready.insert(derived.table.name);
            }
        }
    }
    Ok(ready)
}

/// The rights on a table or a view, and the options of a view: each as the statement that grants it and the one that
/// revokes it. Rights to single columns are named with their column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants(Vec<Grant>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Grant {
    column: Option<String>,
    grant: String,
    revoke: String,
    /// Each new table of the schema gets it.
    is_default: bool,
}

impl Grants {
    /// Reads them, including the owner. Empty if the relation does not exist.
    pub async fn of(client: &impl GenericClient, schema: &str, name: &str) -> Result<Self, PgError> {
        let failed = |e| postgres::classify(e, format!("read who may read {name}").as_str());
        let rows = client.query(sql::SCHEMA_GRANTS, &[&schema, &name]).await.map_err(failed)?;
        let read = |row: &tokio_postgres::Row| {
            let (column, grant, revoke) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            Ok(Grant { column, grant, revoke, is_default: row.try_get(3)? })
        };
        let grants = rows.iter().map(read).collect::<Result<_, tokio_postgres::Error>>();
        Ok(Self(grants.map_err(failed)?))
    }

    /// The statements that turn the rights in `there` into these, for the columns that still exist.
    pub fn restore(&self, there: &Self, derived: &Derived) -> String {
        self.restore_for(there, |name| derived.table.columns.iter().any(|column| column.name == name))
    }

    /// The same; `has` tells whether a column exists.
    pub fn restore_for(&self, there: &Self, has: impl Fn(&str) -> bool) -> String {
        // The schema's default privileges may grant more than there was before.
        self.turned(there, has, |_| true)
    }

    /// The statements that add these rights to those in `there`, which somebody gave on purpose; only what the schema's default
    /// privileges gave is revoked. `has` tells whether a column exists.
    pub fn add_to(&self, there: &Self, has: impl Fn(&str) -> bool) -> String {
        self.turned(there, has, |grant| grant.is_default)
    }

    fn turned(
        &self,
        there: &Self,
        has: impl Fn(&str) -> bool,
        may_revoke: impl Fn(&Grant) -> bool,
    ) -> String {
        let known = |grant: &&Grant| grant.column.as_deref().is_none_or(&has);
        let missing = |of: &Self, from: &Self| -> Vec<Grant> {
            of.0.iter().filter(|grant| !from.0.contains(grant)).filter(known).cloned().collect()
        };
        let revoked =
            missing(there, self).into_iter().filter(|grant| may_revoke(grant)).map(|grant| grant.revoke);
        let granted = missing(self, there).into_iter().map(|grant| grant.grant);
        revoked.chain(granted).collect::<Vec<_>>().join("\n")
    }
}
