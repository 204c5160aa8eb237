//! Compares the production tables with the dataset's own definition of them.
//!
//! The dataset's own scripts make its tables in `pg_temp`, inside a transaction that is rolled back; both sides
//! are then compared in the server's catalogue. So there is only one definition of the tables, and the comparison is
//! invisible to others.

mod attached;
mod comparison;
mod views;

use tokio_postgres::types::ToSql;
use tokio_postgres::{GenericClient, Transaction};

use crate::clients::postgres::{self, PgError, Watch, classify};
use crate::dataset::Dataset;
use crate::sql;
use crate::words::counted;

use comparison::{ColumnPair, Key};

pub use attached::{Attachment, attached, describe, explain};
pub use comparison::{Addition, Comparison};
pub use views::{Grants, View, ViewState, definition, ready, view};

/// Is there a table of this name? `operation` is what the question is for.
///
/// # Errors
/// Any error of the server.
pub async fn has_table(
    client: &impl GenericClient,
    watch: &Watch,
    (schema, table): (&str, &str),
    operation: &str,
) -> Result<bool, PgError> {
    let values: [&(dyn ToSql + Sync); 2] = [&schema, &table];
    let row = watch.answer(operation, client.query_one(sql::LEDGER_EXISTS, &values)).await?;
    row.try_get(0).map_err(|error| classify(error, operation))
}

/// Compares the tables of the dataset in a schema with its own definition. Changes nothing.
pub async fn compare(
    transaction: &mut Transaction<'_>,
    dataset: &'static Dataset,
    schema: &str,
) -> Result<Comparison, PgError> {
    let savepoint = make_wanted(transaction, dataset).await?;
    let names = names(dataset);
    let columns = read_columns(&savepoint, schema, &names).await?;
    let (additions, impossible) = read_additions(&savepoint, schema, &names).await?;
    savepoint.rollback().await.map_err(|e| failed(e, "compare the schema"))?;
    let mut found = Comparison::new(dataset, schema, &columns, additions);
    found.remarks.extend(impossible);
    Ok(found)
}

/// The tables of the dataset, derived ones too, that are compared.
fn names(dataset: &'static Dataset) -> Vec<&'static str> {
    let derived = dataset.derived.iter().filter(|derived| !derived.is_view());
    dataset.own_tables().chain(derived.map(|derived| &derived.table)).map(|table| table.name).collect()
}

/// Makes the tables of the dataset in `pg_temp`; they disappear with the savepoint.
async fn make_wanted<'a>(
    transaction: &'a mut Transaction<'_>,
    dataset: &'static Dataset,
) -> Result<Transaction<'a>, PgError> {
    let savepoint = transaction.savepoint("schema").await.map_err(|e| failed(e, "compare the schema"))?;
    let derived = dataset.derived.iter().filter_map(|derived| Some([derived.make, derived.keys()?]));
    for script in [dataset.scripts.tables, dataset.scripts.keys].into_iter().chain(derived.flatten()) {
        let text = sql::render(script, &[("schema", "pg_temp")]);
        savepoint.batch_execute(&text).await.map_err(|e| failed(e, "make the tables to compare with"))?;
    }
    Ok(savepoint)
}

/// A rule on our columns that the dataset does not make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub table: String,
    /// In words: `not null on name`.
    pub what: String,
    /// The statement that takes it away.
    pub statement: String,
}

/// Rules that others have put on the rows: a row that breaks one is refused. Changes nothing.
pub async fn rules(
    transaction: &mut Transaction<'_>,
    dataset: &'static Dataset,
    schema: &str,
) -> Result<Vec<Rule>, PgError> {
    let what = "look for rules of others";
    let savepoint = make_wanted(transaction, dataset).await?;
    let rows = savepoint.query(sql::SCHEMA_CONSTRAINTS, &[&schema, &names(dataset)]).await;
    let rows = rows.map_err(|e| failed(e, what))?;
    let read = |row: &tokio_postgres::Row| {
        Ok(Rule { table: row.try_get(0)?, what: row.try_get(1)?, statement: row.try_get(2)? })
    };
    let rules = rows.iter().map(read).collect::<Result<_, tokio_postgres::Error>>();
    let rules = rules.map_err(|e| failed(e, what))?;
    savepoint.rollback().await.map_err(|e| failed(e, what))?;
    Ok(rules)
}

/// Rows that prevent an addition, in words; `None`: it can be added. Reads the whole table.
pub async fn obstacle(
    transaction: &Transaction<'_>,
    schema: &str,
    addition: &Addition,
) -> Result<Option<String>, PgError> {
    let operation = format!("look for rows of {} that have no place in a key", addition.table);
    let table = addition.table.as_str();
    let (text, words): (String, &[(&str, &str)]) = match &addition.key {
        Key::Nothing | Key::Column => return Ok(None),
        Key::Unique { columns } => (
            sql::render(
                sql::SCHEMA_DUPLICATES,
                &[("schema", schema), ("table", table), ("columns", columns)],
            ),
            &[("value", "found more than once"), ("row", "without a value")],
        ),
        Key::HasParent { columns, parent } => (
            sql::render(
                sql::SCHEMA_ORPHANS,
                &[("schema", schema), ("table", table), ("columns", columns), ("parent", parent)],
            ),
            &[("row", "whose parent is not there")],
        ),
    };
    let row = transaction.query_one(&text, &[]).await.map_err(|e| failed(e, &operation))?;
    let mut found = Vec::new();
    for (column, (noun, words)) in words.iter().enumerate() {
        let count: i64 = row.try_get(column).map_err(|e| failed(e, &operation))?;
        if count > 0 {
            found.push(format!("{} {words}", counted(count as u64, noun)));
        }
    }
    Ok((!found.is_empty()).then(|| found.join(", ")))
}

async fn read_columns(
    transaction: &Transaction<'_>,
    schema: &str,
    names: &[&str],
) -> Result<Vec<ColumnPair>, PgError> {
    let what = "compare the columns";
    let rows =
        transaction.query(sql::SCHEMA_COLUMNS, &[&schema, &names]).await.map_err(|e| failed(e, what))?;
    let read = |row: &tokio_postgres::Row| {
        Ok(ColumnPair {
            table: row.try_get(0)?,
            relation_kind: row.try_get(1)?,
            name: row.try_get(2)?,
            wanted: row.try_get(3)?,
            found: row.try_get(4)?,
            is_out_of_order: row.try_get(5)?,
            is_computed: row.try_get(6)?,
            needs_value: row.try_get(7)?,
            statement: row.try_get(8)?,
        })
    };
    rows.iter().map(read).collect::<Result<_, tokio_postgres::Error>>().map_err(|e| failed(e, what))
}

/// The possible additions, and the impossible ones in words.
async fn read_additions(
    transaction: &Transaction<'_>,
    schema: &str,
    names: &[&str],
) -> Result<(Vec<Addition>, Vec<String>), PgError> {
    let what = "compare the keys";
    let rows = transaction.query(sql::SCHEMA_KEYS, &[&schema, &names]).await.map_err(|e| failed(e, what))?;
    let read = |row: &tokio_postgres::Row| {
        let obstacle: Option<String> = row.try_get(6)?;
        let (table, kind, columns): (String, String, String) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let (parent, flaw): (Option<String>, Option<String>) = (row.try_get(3)?, row.try_get(4)?);
        let to = parent.as_ref().map_or(String::new(), |parent| format!(" to {parent}"));
        let but = flaw.map_or(String::new(), |flaw| format!(": {flaw}"));
        let addition = Addition {
            what: format!("{kind} ({columns}){to}{but}"),
            key: match (kind.as_str(), parent) {
                (_, Some(parent)) => Key::HasParent { columns, parent },
                ("primary key", None) => Key::Unique { columns },
                _ => Key::Nothing,
            },
            table,
            statement: row.try_get(5)?,
        };
        Ok((addition, obstacle))
    };
    let (mut additions, mut impossible) = (Vec::new(), Vec::new());
    for row in &rows {
        match read(row).map_err(|e: tokio_postgres::Error| failed(e, what))? {
            (addition, None) => additions.push(addition),
            (Addition { table, what, .. }, Some(obstacle)) => {
                impossible.push(format!("{table} can have no {what}: {obstacle}; runs go on without it"));
            }
        }
    }
    Ok((additions, impossible))
}

fn failed(error: tokio_postgres::Error, operation: &str) -> PgError {
    postgres::classify(error, operation)
}
