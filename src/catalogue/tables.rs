//! What others have done with our tables: partitioned them, published them, referred to them.

use tokio_postgres::{GenericClient, Row};

use super::{Remark, Topic, Weight, failed};
use crate::clients::postgres::PgError;
use crate::config::DatabaseConfig;
use crate::dataset::Dataset;
use crate::schema::{Attachment, attached};
use crate::sql;
use crate::words::counted;

/// Tables of the ledger in which rows are changed, and how.
const LEDGER: [(&str, &str); 5] = [
    ("runs", "update"),
    ("steps", "update"),
    ("parts", "update"),
    ("failed_records", "update"),
    ("record_origins", "both"),
];

/// Checks the tables of a dataset and those of the ledger, as far as they exist.
pub async fn tables(
    client: &impl GenericClient,
    database: &DatabaseConfig,
    dataset: &'static Dataset,
) -> Result<Vec<Remark>, PgError> {
    let mut remarks = policies(client, database, dataset).await?;
    remarks.extend(triggers(client, &database.schema, dataset).await?);
    remarks.extend(parts(client, &database.schema, dataset).await?);
    remarks.extend(publications(client, database, dataset).await?);
    remarks.extend(foreign_keys(client, &database.schema, dataset).await?);
    Ok(remarks)
}

/// A policy that hides rows hides them from a delete too: rows that should have gone would stay, silently.
async fn policies(
    client: &impl GenericClient,
    database: &DatabaseConfig,
    dataset: &'static Dataset,
) -> Result<Vec<Remark>, PgError> {
    let ours = dataset.table_names().map(|table| (database.schema.as_str(), table));
    let ledger = LEDGER.map(|(table, _)| (database.ledger_schema.as_str(), table));
    let (schemas, names): (Vec<_>, Vec<_>) = ours.chain(ledger).unzip();
    let rows = client.query(sql::CHECK_ROW_SECURITY, &[&schemas, &names]).await.map_err(failed)?;
    rows.iter().map(policy).collect::<Result<_, _>>().map_err(failed)
}

fn policy(row: &Row) -> Result<Remark, tokio_postgres::Error> {
    let (table, policies, role): (String, String, String) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let (owner, is_forced): (String, bool) = (row.try_get(3)?, row.try_get(4)?);
    let which = match policies.as_str() {
        "" => "no policy, so that no row is seen".to_owned(),
        policies => format!("policies: {policies}"),
    };
    let forced = if is_forced && owner == role { ", although it owns the table" } else { "" };
    Ok(Remark::new(
        Topic::Policies,
        Weight::Refusal,
        format!(
            "row security on {table} applies to {role}{forced} ({which}): what it hides would stay behind"
        ),
        format!(
            "have an administrator run: alter role {0} bypassrls; (a role that owns the tables sees all of them, too, \
             unless row security is forced on it)",
            sql::identifier(&role)
        ),
    ))
}

async fn triggers(
    client: &impl GenericClient,
    schema: &str,
    dataset: &'static Dataset,
) -> Result<Vec<Remark>, PgError> {
    let names: Vec<_> = dataset.table_names().collect();
    let found = attached(client, schema, &names).await?;
    let remark = |Attachment { table, kind, name, .. }: Attachment| {
        let (place, quoted) =
            (format!("{}.{}", sql::identifier(schema), sql::identifier(&table)), sql::identifier(&name));
        let statement = match kind.as_str() {
            "trigger" => format!("alter table {place} disable trigger {quoted};"),
            "rule" => format!("alter table {place} disable rule {quoted};"),
            // Policies and children have lines of their own.
            _ => return None,
        };
        Some(Remark::new(
            Topic::Triggers,
            Weight::Warning,
            format!("{kind} {name} on {table}: it may change, keep or bring back what a run writes"),
            format!(
                "a run compares the rows with what it wrote, and rolls back if they differ; if it is in the way: \
                 {statement}"
            ),
        ))
    };
    Ok(found.into_iter().filter_map(remark).collect())
}

async fn parts(
    client: &impl GenericClient,
    schema: &str,
    dataset: &'static Dataset,
) -> Result<Vec<Remark>, PgError> {
    let names: Vec<_> = dataset.table_names().collect();
    let rows = client.query(sql::CHECK_PARTS, &[&schema, &names]).await.map_err(failed)?;
    let mut remarks = Vec::new();
    for row in &rows {
        remarks.extend(part(row).map_err(failed)?);
    }
    Ok(remarks)
}

fn part(row: &Row) -> Result<Vec<Remark>, tokio_postgres::Error> {
    let (table, kind, definition): (String, String, Option<String>) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let definition = definition.unwrap_or_default();
    let (parts, gap): (i64, Option<String>) = (row.try_get(3)?, row.try_get(4)?);
    let (foreign, key): (Option<String>, Option<String>) = (row.try_get(5)?, row.try_get(6)?);
    let new = |weight, found: String, hint: String| Remark::new(Topic::Partitions, weight, found, hint);
    let mut remarks = vec![match kind.as_str() {
        "partitioned" => new(
            Weight::Fact,
            format!("{table} is partitioned by {definition}, {}", counted(parts as u64, "part")),
            String::new(),
        ),
        "parent" => new(
            Weight::Warning,
            format!(
                "{table} has {}: no key of {table} applies to the rows there; they are changed, deleted and \
                 published with its own rows, and new rows go into {table} itself",
                counted(parts as u64, "child table")
            ),
            format!("make each a partition, or take it out: alter table CHILD no inherit {table};"),
        ),
        _ => new(
            Weight::Warning,
            format!(
                "{table} is a part of {definition}: what is done to {definition} is done to it, too, and it may take \
                 no other rows than those of its part"
            ),
            format!(
                "take it out: alter table {definition} detach partition {table}; (or, if it inherits, alter table \
                 {table} no inherit {definition};)"
            ),
        ),
    }];
    if let Some(gap) = gap {
        remarks.push(new(
            Weight::Warning,
            format!("{gap} has no default partition: a row that fits no partition fails"),
            format!("create table NAME partition of {gap} default;"),
        ));
    }
    if let Some(foreign) = foreign {
        remarks.push(new(
            Weight::Warning,
            format!("{foreign}, a part of {table}, is on another server: its rows are not in one transaction with the others"),
            format!("move its rows to this server, or take it out: alter table {table} detach partition {foreign};"),
        ));
    }
    if let Some(key) = key {
        remarks.push(new(
            Weight::Warning,
            format!("the foreign key {key} does not find rows of the tables that inherit from {table}: rows that belong to them are refused"),
            format!("drop such keys, or move the rows into {table} itself"),
        ));
    }
    Ok(remarks)
}

async fn publications(
    client: &impl GenericClient,
    database: &DatabaseConfig,
    dataset: &'static Dataset,
) -> Result<Vec<Remark>, PgError> {
    let rows = published(client, database, dataset).await?;
    rows.iter().map(publication).collect::<Result<_, _>>().map_err(failed)
}

/// Published tables in which the server refuses to change rows, each with the statement that sets an identity.
pub async fn unidentified(
    client: &impl GenericClient,
    database: &DatabaseConfig,
    dataset: &'static Dataset,
) -> Result<Vec<(String, String)>, PgError> {
    let mut found = Vec::new();
    for row in published(client, database, dataset).await? {
        let statement: Option<String> = row.try_get(3).map_err(failed)?;
        if let Some(statement) = statement {
            found.push((row.try_get(1).map_err(failed)?, statement));
        }
    }
    Ok(found)
}

async fn published(
    client: &impl GenericClient,
    database: &DatabaseConfig,
    dataset: &'static Dataset,
) -> Result<Vec<Row>, PgError> {
    let schema = database.schema.as_str();
    let ours = dataset.tables.iter().enumerate().map(|(at, table)| {
        // Rows of the parent are updated in place; those of the other tables are deleted and inserted.
        (schema, table.name, if at == 0 { "both" } else { "delete" })
    });
    let ours = ours.chain(dataset.derived_tables().map(|derived| (schema, derived.table.name, "delete")));
    let kept = dataset.kept().iter().map(|table| (schema, table.name, "update"));
    let ledger = LEDGER.map(|(table, operation)| (database.ledger_schema.as_str(), table, operation));
    let all: Vec<_> = ours.chain(kept).chain(ledger).collect();
    let schemas: Vec<_> = all.iter().map(|(schema, _, _)| *schema).collect();
    let names: Vec<_> = all.iter().map(|(_, name, _)| *name).collect();
    let operations: Vec<_> = all.iter().map(|(_, _, operation)| *operation).collect();
    client.query(sql::CHECK_PUBLICATIONS, &[&schemas, &names, &operations]).await.map_err(failed)
}

fn publication(row: &Row) -> Result<Remark, tokio_postgres::Error> {
    let (schema, table, publications): (String, String, String) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let statement: Option<String> = row.try_get(3)?;
    Ok(match statement {
        Some(statement) => Remark::new(
            Topic::Publications,
            Weight::Refusal,
            format!(
                "{schema}.{table} is published ({publications}) and has no replica identity: the server refuses to \
                 update or delete its rows"
            ),
            statement,
        ),
        None => Remark::new(
            Topic::Publications,
            Weight::Warning,
            format!("{publications} publishes only some rows of {schema}.{table}"),
            "if its condition names a column that is not in the replica identity, the server refuses to update or \
             delete rows: alter publication NAME set table TABLE;",
        ),
    })
}

async fn foreign_keys(
    client: &impl GenericClient,
    schema: &str,
    dataset: &'static Dataset,
) -> Result<Vec<Remark>, PgError> {
    let names: Vec<_> = dataset.table_names().collect();
    let rows = client.query(sql::CHECK_FOREIGN_KEYS, &[&schema, &names]).await.map_err(failed)?;
    rows.iter().map(foreign_key).collect::<Result<_, _>>().map_err(failed)
}

fn foreign_key(row: &Row) -> Result<Remark, tokio_postgres::Error> {
    let (from, key, to): (String, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let (on_delete, is_indexed): (String, bool) = (row.try_get(3)?, row.try_get(4)?);
    let then = match on_delete.as_str() {
        "c" => "are deleted with ours",
        "n" | "d" => "lose what they refer to when ours is deleted",
        _ => "keep ours from being deleted: the run stops at the first that it has to delete",
    };
    let slow = if is_indexed { "" } else { "; no index finds them, so each delete reads the whole table" };
    Ok(Remark::new(
        Topic::ForeignKeys,
        Weight::Warning,
        format!("{from} refers to {to}: its rows {then}{slow}"),
        format!(
            "if that is not meant: alter table {from} drop constraint {key}; (add it again with on delete cascade \
             or on delete set null)"
        ),
    ))
}
