//! Objects that somebody else put on our tables: with a trigger, a rule, a row policy or a child table, a statement may
//! do more or less than it says, and its own count proves nothing.

use tokio_postgres::GenericClient;

use crate::clients::postgres::{self, PgError};
use crate::error::Cause;
use crate::sql;

/// The server's error for a rule that it cannot combine with a statement of ours: `feature_not_supported`.
const NOT_SUPPORTED: &str = "0A000";
/// How many characters of a definition are shown.
const SHOWN: usize = 200;

/// One object attached to a table that is in force.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Attachment {
    pub table: String,
    /// trigger, rule, policy or child
    pub kind: String,
    pub name: String,
    /// As the server shows it.
    pub definition: String,
}

/// Finds the objects attached to tables of a schema; missing tables are left out. Reads only the catalogue.
pub async fn attached(
    client: &impl GenericClient,
    schema: &str,
    tables: &[&str],
) -> Result<Vec<Attachment>, PgError> {
    let failed = |e| postgres::classify(e, "list triggers and rules");
    let rows = client.query(sql::SCHEMA_ATTACHED, &[&schema, &tables]).await.map_err(failed)?;
    let read = |row: &tokio_postgres::Row| {
        Ok(Attachment {
            table: row.try_get(0)?,
            kind: row.try_get(1)?,
            name: row.try_get(2)?,
            definition: row.try_get(3)?,
        })
    };
    rows.iter().map(read).collect::<Result<_, tokio_postgres::Error>>().map_err(failed)
}

/// The objects attached to one table, in words.
pub fn describe(attachments: &[Attachment], table: &str) -> String {
    let on_it = attachments.iter().filter(|attachment| attachment.table == table);
    let words = on_it.map(|Attachment { kind, name, definition, .. }| {
        let definition: String = definition.split_whitespace().collect::<Vec<_>>().join(" ");
        let shown: String = definition.chars().take(SHOWN).collect();
        let more = if shown.len() < definition.len() { "…" } else { "" };
        format!("{kind} {name} ({shown}{more})")
    });
    let words: Vec<_> = words.collect();
    match words.is_empty() {
        true => format!("{table} has no trigger or rule of others"),
        false => format!("{table} has {}", words.join("; ")),
    }
}

/// An error as a caller shows it; if a rule blocks the statement, with the name of that rule.
pub fn explain(error: PgError, attachments: &[Attachment]) -> Cause {
    let rules = attachments.iter().filter(|attachment| attachment.kind == "rule");
    let mut tables: Vec<_> = rules.map(|rule| rule.table.as_str()).collect();
    tables.dedup();
    if error.sqlstate() != Some(NOT_SUPPORTED) || tables.is_empty() {
        return error.into();
    }
    let found: Vec<_> = tables.iter().map(|table| describe(attachments, table)).collect();
    Cause::Refused {
        message: format!("{error}\n    {}", found.join("\n    ")),
        hint: Some("drop the rule, then run again; a trigger can do the same".into()),
    }
}
