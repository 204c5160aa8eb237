//! Reads the content of a site in one snapshot, and a fingerprint of each table.

use tokio_postgres::Transaction;

use super::facts::SiteFacts;
use super::state::Contents;
use crate::clients::postgres::{self, PgUrl, Watch};
use crate::datasets::metrics::site::{FINGERPRINT, LINES};
use crate::error::Cause;
use crate::schema::has_table;
use crate::sql;

/// The fingerprint of a missing table.
pub const NOT_THERE: &str = "not there";

/// The content, and the fingerprints of the tables it was read from, in the same snapshot.
#[derive(Debug)]
pub struct SiteRead {
    pub facts: SiteFacts,
    pub tables: Contents,
}

/// Reads everything.
///
/// # Errors
/// [`Cause::Refused`] if one of the tables is missing; any error of the server.
pub async fn read(url: &PgUrl, schema: &str, tables: &[&str]) -> Result<SiteRead, Cause> {
    let what = "read what the site shows";
    let mut connection = postgres::connect(url, "site").await?;
    let (transaction, watch) = connection.snapshot().await?;
    let printed = prints(&transaction, &watch, schema, tables).await?;
    if let Some((missing, _)) = printed.iter().find(|(_, print)| print.is_none()) {
        return Err(Cause::Refused {
            message: format!("schema {schema} has no table {missing}: there is nothing to show yet"),
            hint: Some(
                "site.toml names where the sheets are: [catalog] source; another schema: --schema".into(),
            ),
        });
    }
    let text = sql::render(LINES, &[("schema", schema)]);
    let rows = watch.answer(what, transaction.query(&text, &[])).await?;
    let mut facts = SiteFacts::default();
    for row in rows {
        let failed = |error| postgres::classify(error, what);
        let (section, fields): (String, _) =
            (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
        facts.take(&section, fields)?;
    }
    watch.answer("end the snapshot", transaction.rollback()).await?;
    connection.close().await;
    Ok(SiteRead { facts: facts.finish(), tables: joined(&printed) })
}

/// The fingerprints of these tables: for each a text that is the same for the same rows. A missing table has a
/// fingerprint too.
///
/// # Errors
/// Any error of the server.
pub async fn fingerprint(url: &PgUrl, schema: &str, tables: &[&str]) -> Result<Contents, Cause> {
    let mut connection = postgres::connect(url, "site").await?;
    let (transaction, watch) = connection.snapshot().await?;
    let printed = prints(&transaction, &watch, schema, tables).await?;
    watch.answer("end the snapshot", transaction.rollback()).await?;
    connection.close().await;
    Ok(joined(&printed))
}

/// A table and its fingerprint; `None`: the table is missing.
type Print<'t> = (&'t str, Option<String>);

async fn prints<'t>(
    transaction: &Transaction<'_>,
    watch: &Watch,
    schema: &str,
    tables: &[&'t str],
) -> Result<Vec<Print<'t>>, Cause> {
    let mut printed = Vec::new();
    for table in tables {
        let is_there = has_table(transaction, watch, (schema, table), "look for the site's tables").await?;
        printed.push((
            *table,
            if is_there { Some(print(transaction, watch, schema, table).await?) } else { None },
        ));
    }
    Ok(printed)
}

async fn print(
    transaction: &Transaction<'_>,
    watch: &Watch,
    schema: &str,
    table: &str,
) -> Result<String, Cause> {
    let what = "see what a table holds";
    let text = sql::render(FINGERPRINT, &[("schema", schema), ("table", table)]);
    let row = watch.answer(what, transaction.query_one(&text, &[])).await?;
    let failed = |error| postgres::classify(error, what);
    let (rows, sum): (String, String) = (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
    Ok(format!("{rows} {sum}"))
}

fn joined(printed: &[Print<'_>]) -> Contents {
    let content = |print: &Option<String>| print.clone().unwrap_or_else(|| NOT_THERE.to_owned());
    printed.iter().map(|(table, print)| ((*table).to_owned(), content(print))).collect()
}
