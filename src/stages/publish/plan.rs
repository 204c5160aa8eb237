//! How the rows of what is published are asked for: in one statement, or a large table in ranges of its blocks, whose answers
//! are the bytes of the one statement, in the order in which the table has its rows.

use std::collections::HashMap;

use tokio_postgres::Transaction;

use crate::clients::postgres::{self, PgError};
use crate::dataset::{PublishedColumns, PublishedTable};
use crate::run::context::Context;
use crate::sql;

/// Blocks of one range: of 8 KiB each. An answer fits into what may wait, and costs far more than its statement.
const RANGE_BLOCKS: i64 = 1024;
/// No block has this number.
const BEHIND_ALL: i64 = u32::MAX as i64;

/// How a table keeps its rows.
pub(super) struct Storage {
    /// In other tables.
    has_parts: bool,
    /// All its columns, as a list of identifiers.
    columns: String,
    /// 0: ranges of them cannot be taken.
    blocks: i64,
}

/// How the dataset's tables keep their rows, by name.
pub(super) async fn kept(
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

/// The columns of a CSV; `None`: all that the table has.
pub(super) fn names(context: &Context, csv: &PublishedTable) -> Option<Vec<&'static str>> {
    let dataset = context.dataset();
    match csv.columns {
        PublishedColumns::Named => {
            let derived = dataset.derived.iter().map(|derived| &derived.table);
            let table = dataset.own_tables().chain(derived).find(|known| known.name == csv.table);
            let table = table.expect("a published table is one of the dataset");
            Some(table.columns.iter().map(|column| column.name).collect())
        }
        PublishedColumns::Only(names) => Some(names.to_vec()),
        PublishedColumns::All => None,
    }
}

/// The statements whose answers, one behind the other, are the CSV. Plain COPY is the fastest; a query is only for what it
/// cannot take whole.
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
                // Rows that this snapshot sees are in no block that came later; the last range is open all the same.
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

/// What gives the dictionary of the dataset.
pub(super) fn dictionary(context: &Context) -> String {
    let said = context.dataset().said().to_string();
    let variables = [("schema", context.target.database.schema.as_str()), ("dictionary", &said)];
    sql::render(sql::PUBLISH_DICTIONARY, &variables)
}
