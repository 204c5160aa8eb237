//! A database connection for a job, with the name of the ledger's schema.

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::catalogue;
use crate::clients::postgres::{self, Connection, PgError, PgUrl, Watch};
use crate::config::DatabaseConfig;
use crate::error::Cause;
use crate::ledger;
use crate::sql;

/// A connection with the watch that limits the wait for answers.
pub struct JobSession {
    pub connection: Connection,
    pub watch: Watch,
    ledger: String,
}

/// The parameters of a statement.
pub type Values<'v> = [&'v (dyn ToSql + Sync)];

impl JobSession {
    /// Connects to the database.
    pub async fn open(url: &PgUrl, database: &DatabaseConfig, purpose: &str) -> Result<Self, Cause> {
        let connection = postgres::connect(url, purpose).await?;
        let watch = connection.watch();
        Ok(Self { connection, watch, ledger: database.ledger_schema.clone() })
    }

    /// Connects, and brings the ledger's tables up to date.
    ///
    /// # Errors
    /// The server cannot be used, the ledger belongs to a newer version, or any other database error.
    pub async fn open_ledger(url: &PgUrl, database: &DatabaseConfig) -> Result<Self, Cause> {
        let mut session = Self::open(url, database, "transform").await?;
        let watch = session.watch.clone();
        watch.answers("look at the server", catalogue::admit_server(&*session.connection)).await?;
        let migrated = ledger::migrate(&mut session.connection, &database.ledger_schema);
        watch.answers("bring the ledger up to date", migrated).await?;
        Ok(session)
    }

    /// Fills the ledger's schema into a script or statement.
    pub fn text(&self, script: &str) -> String {
        sql::render(script, &[("ledger", &self.ledger)])
    }

    /// Fills the ledger's schema and other variables into a script.
    pub fn text_with(&self, script: &str, variables: &[(&str, &str)]) -> String {
        sql::render(script, &[variables, &[("ledger", self.ledger.as_str())]].concat())
    }

    /// Runs a statement and returns the number of rows that it changed.
    pub async fn execute(&self, what: &str, statement: &str, values: &Values<'_>) -> Result<u64, PgError> {
        let text = self.text(statement);
        self.watch.answer(what, self.connection.execute(&text, values)).await
    }

    /// Returns all rows of a statement.
    pub async fn all(&self, what: &str, statement: &str, values: &Values<'_>) -> Result<Vec<Row>, PgError> {
        let text = self.text(statement);
        self.watch.answer(what, self.connection.query(&text, values)).await
    }

    /// Returns the row of a statement, or `None` if it returns none.
    pub async fn maybe(
        &self,
        what: &str,
        statement: &str,
        values: &Values<'_>,
    ) -> Result<Option<Row>, PgError> {
        let text = self.text(statement);
        self.watch.answer(what, self.connection.query_opt(&text, values)).await
    }

    /// Limits how many seconds each statement of this transaction waits for a lock.
    pub async fn limit_lock_wait(&self, seconds: u32) -> Result<(), PgError> {
        self.run("limit the wait for locks", &format!("set local lock_timeout = '{seconds}s'")).await
    }

    /// Runs some work in a transaction: commits it, or rolls it back if the work fails.
    pub async fn transaction<T, E: From<PgError>>(
        &self,
        what: &str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.run(what, "begin").await?;
        // On the heap, because the future may be as large as a whole command.
        match Box::pin(work).await {
            Ok(value) => {
                self.run(what, "commit").await?;
                Ok(value)
            }
            Err(error) => {
                // A lost connection rolls back by itself and loses its locks, so it may be the cause of the other error.
                match self.run(what, "rollback").await {
                    Err(lost) if self.connection.is_closed() => Err(lost.into()),
                    _ => Err(error),
                }
            }
        }
    }

    /// Runs one or several statements without parameters.
    pub async fn run(&self, what: &str, text: &str) -> Result<(), PgError> {
        self.watch.answer(what, self.connection.batch_execute(text)).await
    }

    /// Returns all rows of a statement that needs nothing filled in.
    pub async fn query(&self, what: &str, text: &str) -> Result<Vec<Row>, PgError> {
        self.watch.answer(what, self.connection.query(text, &[])).await
    }
}

/// An answer that does not have the shape that our statement asks for.
pub fn decode(error: tokio_postgres::Error) -> PgError {
    postgres::classify(error, "read an answer about the job")
}
