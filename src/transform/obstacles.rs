//! What stands in the way of replacing a table, or the partitions in it: checked by the plan, and again in the transaction
//! that writes, because somebody may have made it since.

use tokio_postgres::types::ToSql;

use super::job::{Job, TableName};
use super::session::{JobSession, decode};
use crate::clients::postgres::PgError;
use crate::error::Cause;
use crate::sql;

/// The beginning of a line that names something with the row type of the table.
const ROW_TYPE: &str = "row type in ";

/// What depends on a table and would not depend on `version` in its place, a line for each.
async fn to_swap(
    session: &JobSession,
    target: &TableName,
    version: &TableName,
) -> Result<Vec<String>, PgError> {
    let values: [&(dyn ToSql + Sync); 3] = [&target.schema, &target.table, &version.table];
    lines(session, sql::TRANSFORM_OBSTACLES, &values).await
}

/// What makes a delete from a table do less or more than it says, a line for each.
async fn in_place(session: &JobSession, table: &TableName) -> Result<Vec<String>, PgError> {
    lines(session, sql::TRANSFORM_OBSTACLES_IN_PLACE, &[&table.schema, &table.table]).await
}

/// # Errors
/// [`Cause::Refused`] if something would be left behind by a table that takes the place of `target`.
pub async fn refuse_to_swap(
    session: &JobSession,
    job: &Job,
    target: &TableName,
    version: &TableName,
) -> Result<(), Cause> {
    let found = to_swap(session, target, version).await?;
    if found.is_empty() {
        return Ok(());
    }
    let keeps = match found.iter().any(|line| line.starts_with(ROW_TYPE)) {
        true => " (a column of the table's row type keeps its values as jsonb)",
        false => "",
    };
    Err(Cause::Refused {
        message: format!(
            "a table that takes the place of {target} would leave behind what depends on it:\n    {}",
            found.join("\n    ")
        ),
        hint: Some(format!(
            "let the script make what belongs to the table, drop the rest{keeps} and make it again afterwards; or replace \
             the partitions: merganser transform plan {} --anew --in-place",
            job.folder.display()
        )),
    })
}

/// # Errors
/// [`Cause::Refused`] if a delete from the table would do something else than it says.
pub async fn refuse_in_place(session: &JobSession, table: &TableName) -> Result<(), Cause> {
    let found = in_place(session, table).await?;
    if found.is_empty() {
        return Ok(());
    }
    Err(Cause::Refused {
        message: format!(
            "the partitions of {table} cannot be replaced in place, because a delete would do less or more than it says:\n    {}",
            found.join("\n    ")
        ),
        hint: Some("drop them, start again, and make them again afterwards".into()),
    })
}

async fn lines(
    session: &JobSession,
    statement: &str,
    values: &[&(dyn ToSql + Sync)],
) -> Result<Vec<String>, PgError> {
    let rows = session.all("look what depends on the clean table", statement, values).await?;
    let line = |row: &tokio_postgres::Row| {
        let (kind, name): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        Ok(format!("{kind} {name}"))
    };
    rows.iter().map(line).collect::<Result<_, tokio_postgres::Error>>().map_err(decode)
}
