//! Views as they are, held against what the dataset makes of them; and who may read something that is made anew.

use std::collections::HashSet;

use tokio_postgres::Transaction;

use crate::clients::postgres::{self, PgError};
use crate::dataset::Dataset;
use crate::dataset::derived::Derived;
use crate::error::Cause;
use crate::sql;

/// What was found of a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    pub state: ViewState,
    /// Its owner, if our role cannot act as it.
    stranger: Option<String>,
    me: String,
    /// What it says, if it is a view.
    pub definition: Option<String>,
}

/// A view of the schema beside the dataset's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewState {
    /// There is nothing of that name.
    Missing,
    Same,
    /// Its columns are the first ones of ours: ours can take its place.
    Replaceable,
    /// Its columns are others: it must go before ours comes.
    Other,
    /// Something else has its name.
    NoView,
}

/// Looks at a view. The tables that it reads must be there, and for a moment it is made in `pg_temp`.
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
    /// May ours come in its place, if it is not there already?
    pub fn admit(&self, derived: &Derived, schema: &str) -> Result<(), Cause> {
        let name = derived.table.name;
        let place = format!("{}.{}", sql::identifier(schema), sql::identifier(name));
        let (message, hint) = match (self.state, &self.stranger) {
            (ViewState::NoView, _) => (
                format!("{schema}.{name} is no view"),
                "give it another name; the next run makes the view".into(),
            ),
            (ViewState::Replaceable | ViewState::Other, Some(owner)) => (
                format!("the view {schema}.{name} says something else than ours, and belongs to {owner}"),
                format!("alter view {place} owner to {};", sql::identifier(&self.me)),
            ),
            _ => return Ok(()),
        };
        Err(Cause::Refused { message, hint: Some(hint) })
    }
}

/// What makes a view of the tables of `schema`, in `into`; or a table there.
pub fn definition(derived: &Derived, schema: &str, into: &str) -> String {
    let place = if derived.is_view() { schema } else { into };
    sql::render(derived.make, &[("schema", place), ("into", into)])
}

/// What of the derived may be published: tables with all our columns, and views that are as we make them now. A view that
/// somebody else has made, an older program for example, may show more than may be public.
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
    // A view can be made to compare with only where all that it reads is there.
    if names.iter().all(|name| there.contains(*name)) {
        for derived in dataset.views() {
            if view(transaction, derived, schema).await?.state == ViewState::Same {
                ready.insert(derived.table.name);
            }
        }
    }
    Ok(ready)
}

/// Who may do what with a table or a view, and the options of a view: each as the statement that grants it, and the one
/// that takes it away. Rights to single columns are named with their column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants(Vec<Grant>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Grant {
    column: Option<String>,
    grant: String,
    revoke: String,
}

impl Grants {
    /// Reads them, the owner among them. Of something that is not there: none.
    pub async fn of(transaction: &Transaction<'_>, schema: &str, name: &str) -> Result<Self, PgError> {
        let failed = |e| postgres::classify(e, format!("read who may read {name}").as_str());
        let rows = transaction.query(sql::SCHEMA_GRANTS, &[&schema, &name]).await.map_err(failed)?;
        let read = |row: &tokio_postgres::Row| {
            Ok(Grant { column: row.try_get(0)?, grant: row.try_get(1)?, revoke: row.try_get(2)? })
        };
        let grants = rows.iter().map(read).collect::<Result<_, tokio_postgres::Error>>();
        Ok(Self(grants.map_err(failed)?))
    }

    /// The statements that make these rights of the ones that are `there`, for the columns that are there still.
    pub fn restore(&self, there: &Self, derived: &Derived) -> String {
        self.restore_for(there, |name| derived.table.columns.iter().any(|column| column.name == name))
    }

    /// The same, for columns of which `has` tells whether they are there.
    pub fn restore_for(&self, there: &Self, has: impl Fn(&str) -> bool) -> String {
        let known = |grant: &&Grant| grant.column.as_deref().is_none_or(&has);
        let missing = |of: &Self, from: &Self| -> Vec<Grant> {
            of.0.iter().filter(|grant| !from.0.contains(grant)).filter(known).cloned().collect()
        };
        // What comes by itself to everything that is made in this schema may be more than there was.
        let revoked = missing(there, self).into_iter().map(|grant| grant.revoke);
        let granted = missing(self, there).into_iter().map(|grant| grant.grant);
        revoked.chain(granted).collect::<Vec<_>>().join("\n")
    }
}
