//! What the server's role may do with the tables that are served: what is missing is said in the log, with the grant.

use tokio_postgres::ToStatement;

use super::pool::PoolReader;
use super::texts::ServedTexts;
use crate::sql;

/// Tables that the role may not read.
#[derive(Debug)]
pub(super) struct MissingGrant {
    /// Their names.
    pub tables: String,
    /// The statement that grants them.
    pub remedy: String,
}

/// Those of these tables that are there and that the role may not read; `None`: it may read all of them. `statement` is
/// [`sql::SERVE_UNREADABLE`], prepared or not.
pub(super) async fn unreadable(
    reader: &PoolReader,
    statement: &(impl ToStatement + ?Sized),
    tables: &[&str],
    schema: &str,
) -> Result<Option<MissingGrant>, tokio_postgres::Error> {
    let row = reader.connection.query_opt(statement, &[&tables, &schema]).await?;
    row.map(|row| Ok(MissingGrant { tables: row.try_get(0)?, remedy: row.try_get(1)? })).transpose()
}

/// Says in the log which tables are missing to answer questions about a dataset. Returns whether any is.
pub(super) async fn say_unreadable(reader: &PoolReader, texts: &ServedTexts) -> bool {
    let Ok(Some(found)) = unreadable(reader, sql::SERVE_UNREADABLE, &texts.needed(), &texts.schema).await
    else {
        return false;
    };
    let (name, MissingGrant { tables, remedy }) = (texts.dataset.name, found);
    tracing::warn!(
        "questions about {name} cannot be answered, because this role may not read {tables}. Next: `{remedy}`, unless \
         nobody should ask about it"
    );
    true
}

/// Looks at the rights once for each dataset that has something loaded.
#[derive(Debug, Default)]
pub(super) struct RightsLook {
    looked: Vec<&'static str>,
    has_warned_of_writing: bool,
}

impl RightsLook {
    /// Warns if the role lacks a right to read, or may write: the sessions are read-only, but a role without the right is safer.
    pub(super) async fn look(&mut self, reader: &PoolReader, texts: &ServedTexts) {
        if self.looked.contains(&texts.dataset.name) {
            return;
        }
        self.looked.push(texts.dataset.name);
        say_unreadable(reader, texts).await;
        let tables = texts.served.tables().map(|(_, table)| table);
        let row =
            reader.connection.query_one(sql::SERVE_MAY_WRITE, &[&tables.as_slice(), &texts.schema]).await;
        if !self.has_warned_of_writing && row.and_then(|row| row.try_get(0)).unwrap_or(false) {
            self.has_warned_of_writing = true;
            tracing::warn!(
                "this role may write to the tables that are served; a role that may only read them is safer (docs/serve.md)"
            );
        }
    }
}
