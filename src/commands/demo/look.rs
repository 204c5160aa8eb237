//! A look at what a demo has made: the rows of a query as a table.

use tokio_postgres::SimpleQueryMessage;

use crate::clients::postgres::{self, PgUrl};
use crate::commands::show::TextTable;
use crate::error::Cause;
use crate::sql;

/// The rows under these headings, as the server writes their values; `-` where there is none. The query's variable is the schema.
///
/// # Errors
/// What the server answers.
pub async fn look(url: &PgUrl, schema: &str, query: &str, headings: &[&str]) -> Result<String, Cause> {
    let failed = |error| postgres::classify(error, "look at the result");
    let connection = postgres::connect(url, "demo").await?;
    let query = sql::render(query, &[("schema", schema)]);
    let mut table = TextTable::new(headings);
    for message in connection.simple_query(&query).await.map_err(failed)? {
        if let SimpleQueryMessage::Row(row) = message {
            let cell = |at| Ok(row.try_get(at).map_err(failed)?.unwrap_or("-").to_owned());
            table.row((0..headings.len()).map(cell).collect::<Result<Vec<_>, Cause>>()?);
        }
    }
    connection.close().await;
    Ok(table.render(3))
}
