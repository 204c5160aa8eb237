//! A connection that works for a job, and the ledger's place in it.

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::catalogue;
use crate::clients::postgres::{self, Connection, PgError, PgUrl, Watch};
use crate::config::DatabaseConfig;
use crate::error::Cause;
use crate::ledger;
use crate::sql;

/// A connection, and how to ask over it.
pub struct JobSession {
    pub connection: Connection,
    pub watch: Watch,
    ledger: String,
}

/// Parameters of a statement.
pub type Values<'v> = [&'v (dyn ToSql + Sync)];

impl JobSession {
    /// Connects.
    pub async fn open(url: &PgUrl, database: &DatabaseConfig, purpose: &str) -> Result<Self, Cause> {
        let connection = postgres::connect(url, purpose).await?;
        let watch = connection.watch();
        Ok(Self { connection, watch, ledger: database.ledger_schema.clone() })
    }

    /// Connects, and brings the ledger's tables up to date.
    ///
    /// # Errors
    /// A server on which nothing can end; a ledger of a newer version; any database error.
    pub async fn open_ledger(url: &PgUrl, database: &DatabaseConfig) -> Result<Self, Cause> {
        let mut session = Self::open(url, database, "transform").await?;
        let watch = session.watch.clone();
        watch.answers("look at the server", catalogue::admit_server(&*session.connection)).await?;
        let migrated = ledger::migrate(&mut session.connection, &database.ledger_schema);
        watch.answers("bring the ledger up to date", migrated).await?;
        Ok(session)
    }

    /// A script or statement with the ledger's schema put in.
    pub fn text(&self, script: &str) -> String {
        sql::render(script, &[("ledger", &self.ledger)])
    }

    /// A script with the ledger's schema and other variables put in.
    pub fn text_with(&self, script: &str, variables: &[(&str, &str)]) -> String {
        sql::render(script, &[variables, &[("ledger", self.ledger.as_str())]].concat())
    }

    /// A statement without rows; gives how many it changed.
    pub async fn execute(&self, what: &str, statement: &str, values: &Values<'_>) -> Result<u64, PgError> {
        let text = self.text(statement);
        self.watch.answer(what, self.connection.execute(&text, values)).await
    }

    /// All rows of a statement.
    pub async fn all(&self, what: &str, statement: &str, values: &Values<'_>) -> Result<Vec<Row>, PgError> {
        let text = self.text(statement);
        self.watch.answer(what, self.connection.query(&text, values)).await
    }

    /// The row of a statement, if it has one.
    pub async fn maybe(
        &self,
        what: &str,
        statement: &str,
        values: &Values<'_>,
    ) -> Result<Option<Row>, PgError> {
        let text = self.text(statement);
        self.watch.answer(what, self.connection.query_opt(&text, values)).await
    }

    /// Does some work in one transaction: all of it, or nothing.
    pub async fn transaction<T, E: From<PgError>>(
        &self,
        what: &str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.run(what, "begin").await?;
        // On the heap: some of it is whole commands.
        match Box::pin(work).await {
            Ok(value) => {
                self.run(what, "commit").await?;
                Ok(value)
            }
            Err(error) => {
                // A connection that is lost rolls back by itself, and locks are lost with it: what else went wrong may
                // come of that.
                match self.run(what, "rollback").await {
                    Err(lost) if self.connection.is_closed() => Err(lost.into()),
                    _ => Err(error),
                }
            }
        }
    }

    /// Runs text as it is, of one statement or several.
    pub async fn run(&self, what: &str, text: &str) -> Result<(), PgError> {
        self.watch.answer(what, self.connection.batch_execute(text)).await
    }

    /// All rows of a query that was put together already.
    pub async fn query(&self, what: &str, text: &str) -> Result<Vec<Row>, PgError> {
        self.watch.answer(what, self.connection.query(text, &[])).await
    }
}

/// An answer of another shape than our own statement asks for.
pub fn decode(error: tokio_postgres::Error) -> PgError {
    postgres::classify(error, "read an answer about the job")
}
