//! The reason why a record is refused: a table and its constraint, and none of the record's values.

use tokio_postgres::types::ToSql;

use super::super::{Transfer, failed};
use crate::clients::postgres::{PgError, ServerError};
use crate::error::Cause;
use crate::sql;

/// The codes of foreign keys; the second for `restrict`, from PostgreSQL 18 on.
const FOREIGN_KEY: [&str; 2] = ["23503", "23001"];

/// A constraint that is broken.
#[derive(Clone, Debug, Default)]
pub(super) struct Breach {
    /// The production table; `None`: the server does not name it.
    pub ours: Option<String>,
    /// The table that the server names, which may be a partition or one that a trigger writes to.
    pub table: Option<String>,
    pub constraint: Option<String>,
    /// The column of a NOT NULL constraint.
    pub column: Option<String>,
    pub code: String,
}

impl Breach {
    /// In words.
    pub fn reason(&self) -> String {
        let of = self.table.as_ref().map_or(String::new(), |table| format!(" of {table}"));
        match (&self.constraint, &self.column, &self.table) {
            (Some(constraint), _, _) => format!("constraint {constraint}{of} refuses it"),
            (None, Some(column), _) => format!("column {column}{of} takes no NULL"),
            (None, None, Some(table)) if self.code == "23514" => format!("no partition of {table} takes it"),
            (None, None, Some(table)) => format!("{table} refuses it (SQLSTATE {})", self.code),
            (None, None, None) => format!("the database refuses it (SQLSTATE {})", self.code),
        }
    }
}

/// The server's error, if it reports a violated constraint.
pub(super) fn server(error: &PgError) -> Option<&ServerError> {
    error.failure()?.server().filter(|server| server.code.starts_with("23"))
}

impl Transfer<'_> {
    /// The production table that has the constraint of an error.
    async fn owner(&self, server: &ServerError) -> Result<Option<String>, Cause> {
        let (Some(schema), Some(table)) = (&server.schema, &server.table) else { return Ok(None) };
        let names: Vec<_> = self.context.dataset().table_names().collect();
        self.name(sql::REFUSED_OWNER, &[schema, table, &self.context.target.database.schema, &names]).await
    }

    /// The production table that the foreign key of an error refers to.
    async fn referred(&self, server: &ServerError) -> Result<Option<String>, Cause> {
        let (Some(schema), Some(table), Some(constraint)) =
            (&server.schema, &server.table, &server.constraint)
        else {
            return Ok(None);
        };
        let names: Vec<_> = self.context.dataset().table_names().collect();
        let production = &self.context.target.database.schema;
        self.name(sql::REFUSED_REFERRED, &[schema, table, constraint, production, &names]).await
    }

    /// The answer to a query for a name, if there is one.
    async fn name(&self, query: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Option<String>, Cause> {
        let operation = "find the table that refuses a record";
        let rows = self.query(query, "", values, operation).await?;
        let name = rows.first().map(|row| row.try_get(0)).transpose();
        Ok(name.map_err(|e| failed(e, operation))?)
    }

    /// The constraint that an error names.
    pub(super) async fn breach(&self, server: &ServerError) -> Result<Breach, Cause> {
        Ok(Breach {
            ours: self.owner(server).await?,
            table: server.table.clone(),
            constraint: server.constraint.clone(),
            column: server.column.clone(),
            code: server.code.clone(),
        })
    }

    /// Returns the error, unless somebody else's foreign key refers to rows that must be deleted. That is never the
    /// fault of a record: leaving it out would keep it in production.
    ///
    /// # Errors
    /// [`Cause::DeleteRefused`] for those. The server always names the table that has the foreign key.
    pub(super) async fn unless_delete(&self, error: PgError) -> Result<PgError, Cause> {
        let Some(server) = server(&error).filter(|server| FOREIGN_KEY.contains(&server.code.as_str())) else {
            return Ok(error);
        };
        if self.owner(server).await?.is_some() || self.referred(server).await?.is_none() {
            return Ok(error);
        }
        let name = |name: &Option<String>| name.clone().unwrap_or_default();
        Err(Cause::DeleteRefused {
            constraint: name(&server.constraint),
            table: format!("{}.{}", name(&server.schema), name(&server.table)),
            source: Box::new(error),
        })
    }
}
