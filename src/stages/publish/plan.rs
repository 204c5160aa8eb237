//! How published rows are queried: in one statement, or for a large table in ranges of its blocks. The answers of the
//! ranges together are the same bytes as that of the one statement, in the physical order of the table.

use std::collections::HashMap;

use tokio_postgres::Transaction;

use crate::clients::postgres::{self, PgError};
use crate::dataset::{Column, PublishedColumns, PublishedTable, SplitBy};
use crate::run::context::Context;
use crate::sql;

/// How many blocks of 8 KiB a range has. Its answer fits into the buffer, and costs far more than the statement itself.
const RANGE_BLOCKS: i64 = 1024;
/// No block has this number.
const BEHIND_ALL: i64 = u32::MAX as i64;

/// How a table stores its rows.
pub(super) struct Storage {
    /// It is partitioned.
    has_parts: bool,
    /// All its columns, as a list of identifiers.
    columns: String,
    /// 0: it cannot be read in ranges.
    blocks: i64,
}

/// How the dataset's tables store their rows, by name.
pub(super) async fn storage(
    context: &Context,
    snapshot: &Transaction<'_>,
) -> Result<HashMap<String, Storage>, PgError> {
    let failed = |e| postgres::classify(e, "look at the tables");
    let names: Vec<_> = context.dataset().table_names().collect();
    let schema = &context.target.database.schema;
    let rows = snapshot.query(sql::PUBLISH_TABLES, &[schema, &names]).await.map_err(failed)?;
    let rows = rows.iter().map(|row| {
        let kept = Storage {
            has_parts: row.try_get(1)?,
            columns: row.try_get::<_, Option<String>>(2)?.unwrap_or_default(),
            blocks: row.try_get(3)?,
        };
        Ok((row.try_get(0)?, kept))
    });
    rows.collect::<Result<_, _>>().map_err(failed)
}

/// The names of a published table's columns; `None`: all columns of the production table.
pub(super) fn names(context: &Context, table: &PublishedTable) -> Option<Vec<&'static str>> {
    match table.columns {
        PublishedColumns::All => None,
        _ => Some(columns(context, table).into_iter().map(|column| column.name).collect()),
    }
}

/// The columns of a published table that the dataset names, in their order.
pub(super) fn columns(context: &Context, published: &PublishedTable) -> Vec<&'static Column> {
    let dataset = context.dataset();
    let derived = dataset.derived.iter().map(|derived| &derived.table);
    let table = dataset.own_tables().chain(derived).find(|known| known.name == published.table);
    let table = table.expect("a published table is one of the dataset");
    match published.columns {
        PublishedColumns::Named | PublishedColumns::All => table.columns.iter().collect(),
        PublishedColumns::Only(names) => {
            let named = |name: &&str| table.columns.iter().find(|column| column.name == *name);
            names.iter().map(|name| named(name).expect("a published column is one of its table")).collect()
        }
    }
}

/// The values by which a table is split.
pub(super) async fn values(
    context: &Context,
    snapshot: &Transaction<'_>,
    (table, split): (&PublishedTable, SplitBy),
) -> Result<Vec<Option<i64>>, PgError> {
    let failed = |e| postgres::classify(e, format!("look at what is in {}", table.table));
    let schema = context.target.database.schema.as_str();
    let variables = [("schema", schema), ("table", table.table), ("column", split.column)];
    let rows = snapshot.query(&sql::render(sql::PUBLISH_VALUES, &variables), &[]).await.map_err(failed)?;
    rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(failed)
}

/// The statement whose answer is the CSV of the rows with one value, or of all.
pub(super) fn sorted(
    context: &Context,
    (table, split): (&PublishedTable, SplitBy),
    value: Option<Option<i64>>,
) -> String {
    // By bytes, whatever the database's collation.
    let order: Vec<_> =
        split.order.iter().map(|name| format!("{} collate \"C\"", sql::identifier(name))).collect();
    let script = if value.is_some() { sql::PUBLISH_COPY_SLICE } else { sql::PUBLISH_COPY_SORTED };
    let variables = [
        ("schema", context.target.database.schema.as_str()),
        ("table", table.table),
        ("columns", &names(context, table).map(sql::identifiers).unwrap_or_else(|| "*".into())),
        ("column", split.column),
        ("is_value", &value.flatten().map_or_else(|| "is null".into(), |value| format!("= {value}"))),
        ("order", &order.join(", ")),
    ];
    sql::render(script, &variables)
}

/// The statements whose concatenated answers are the CSV of a whole table. A plain COPY is the fastest; queries are
/// used only where it cannot be.
pub(super) fn statements(
    context: &Context,
    csv: &PublishedTable,
    kept: &HashMap<String, Storage>,
) -> Vec<String> {
    let schema = &context.target.database.schema;
    let named = names(context, csv).map(sql::identifiers);
    let kept = kept.get(csv.table);
    let all = || kept.map(|kept| kept.columns.clone()).unwrap_or_default();
    let is_view = context.dataset().views().any(|view| view.table.name == csv.table);
    let whole = |script, columns: &str| {
        vec![sql::render(script, &[("schema", schema), ("table", csv.table), ("columns", columns)])]
    };
    let blocks = kept.map_or(0, |kept| kept.blocks);
    match named {
        named if is_view || kept.is_some_and(|kept| kept.has_parts) => {
            whole(sql::PUBLISH_COPY_PARTS, &named.unwrap_or_else(all))
        }
        named if blocks > RANGE_BLOCKS => {
            let columns = named.unwrap_or_else(all);
            let range = |first: i64| {
                let next = first + RANGE_BLOCKS;
                // Blocks that were added later hold no rows that this snapshot sees; the last range is open all the
                // same.
                let next = if next < blocks { next } else { BEHIND_ALL };
                let variables = [
                    ("schema", schema.as_str()),
                    ("table", csv.table),
                    ("columns", &columns),
                    ("from_tid", &format!("({first},0)")),
                    ("to_tid", &format!("({next},0)")),
                    ("header", if first == 0 { "true" } else { "false" }),
                ];
                sql::render(sql::PUBLISH_COPY_RANGE, &variables)
            };
            (0..blocks).step_by(RANGE_BLOCKS as usize).map(range).collect()
        }
        Some(columns) => whole(sql::PUBLISH_COPY, &columns),
        None => whole(sql::PUBLISH_COPY_ALL, ""),
    }
}

/// The query for the dataset's dictionary.
pub(super) fn dictionary(context: &Context) -> String {
    let said = context.dataset().said().to_string();
    let variables = [("schema", context.target.database.schema.as_str()), ("dictionary", &said)];
    sql::render(sql::PUBLISH_DICTIONARY, &variables)
}
