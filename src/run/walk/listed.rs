//! The list of wanted histories, if a table of the database holds it.

use crate::clients::postgres::{self, PgUrl};
use crate::config::SourceConfig;
use crate::dataset::Options;
use crate::dataset::walked::HistoryFeed;
use crate::error::Cause;
use crate::schema::has_table;
use crate::sql;

/// Reads the list, if the options name a table for it, and passes its histories on to their source.
///
/// # Errors
/// A table that does not exist, with the command that makes it; one that names no history; any error of the database.
pub async fn take_list(
    walked: Option<&HistoryFeed>,
    (database, schema): (&PgUrl, &str),
    from: &mut SourceConfig,
    options: &mut Options,
) -> Result<(), Cause> {
    let Some(walked) = walked else { return Ok(()) };
    let list = walked.list;
    if !(list.is_wanted)(options) {
        return Ok(());
    }
    let operation = "read the list of histories";
    let connection = postgres::connect(database, "list").await?;
    let watch = connection.watch();
    let (table, makes) = list.needs;
    if !has_table(&*connection, &watch, (schema, table), operation).await? {
        return Err(Cause::Refused {
            message: format!("the list of histories is a table, and there is no {schema}.{table}"),
            hint: Some(makes.to_owned()),
        });
    }
    let statement = sql::render(list.query, &[("schema", schema)]);
    let rows = watch.answer(operation, connection.query(&statement, &[])).await?;
    let rows = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    let rows = rows.collect::<Result<Vec<_>, tokio_postgres::Error>>();
    let rows = rows.map_err(|e| postgres::classify(e, operation))?;
    let refused = |message| Cause::Refused {
        message,
        hint: Some(format!("put {schema}.{table} right, then run again")),
    };
    for left_out in (list.add)(options, rows).map_err(refused)? {
        tracing::warn!("{schema}.{table}: {left_out}");
    }
    from.name_histories(walked, options)
}
