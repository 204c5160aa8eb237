//! Settings of the server, the database and the role under which a run cannot finish, or not with the intended result.

use tokio_postgres::GenericClient;

use super::{Remark, Topic, Weight, failed};
use crate::clients::postgres::PgError;
use crate::sql;
use crate::words::counted;

/// The state of the server and of the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerState {
    database: String,
    role: String,
    encoding: String,
    read_only_from: Option<String>,
    standbys_wanted: i64,
    standbys_there: i64,
    replication_role: String,
}

/// Asks the server. To be called before anything is set in the session.
pub async fn server(client: &impl GenericClient) -> Result<ServerState, PgError> {
    let row = client.query_one(sql::CHECK_SERVER, &[]).await.map_err(failed)?;
    let read = || {
        Ok(ServerState {
            database: row.try_get(0)?,
            role: row.try_get(1)?,
            encoding: row.try_get(2)?,
            read_only_from: row.try_get(3)?,
            standbys_wanted: row.try_get(4)?,
            standbys_there: row.try_get(5)?,
            replication_role: row.try_get(6)?,
        })
    };
    read().map_err(failed)
}

impl ServerState {
    /// Everything that differs from what a run needs.
    pub fn remarks(&self) -> Vec<Remark> {
        [self.read_only(), self.encoding(), self.standby(), self.replication_role()]
            .into_iter()
            .flatten()
            .collect()
    }

    /// The encoding of the database, as PostgreSQL calls it.
    pub fn encoding_name(&self) -> &str {
        &self.encoding
    }

    /// What to do about read-only transactions, if a setting is the reason for them.
    pub fn read_only(&self) -> Option<Remark> {
        let from = self.read_only_from.as_deref()?;
        let (database, role) = (sql::identifier(&self.database), sql::identifier(&self.role));
        let reset = "reset default_transaction_read_only;";
        let (whose, hint) = match from {
            "database" => (
                format!("the database {}", self.database),
                format!("have its owner run: alter database {database} {reset}"),
            ),
            "user" => (
                format!("the role {}", self.role),
                format!("have an administrator run: alter role {role} {reset}"),
            ),
            "database user" => (
                format!("the role {} in the database {}", self.role, self.database),
                format!("have an administrator run: alter role {role} in database {database} {reset}"),
            ),
            "client" => (
                "this connection".into(),
                "take default_transaction_read_only out of the options of DATABASE_URL".into(),
            ),
            _ => (
                "the whole server".into(),
                "ask who runs the server; RDS makes a database that has no room left read only".into(),
            ),
        };
        let found = format!("transactions are read-only: default_transaction_read_only is set for {whose}");
        Some(Remark::new(Topic::Server, Weight::Refusal, found, hint))
    }

    fn encoding(&self) -> Option<Remark> {
        match self.encoding.as_str() {
            "UTF8" => None,
            "SQL_ASCII" => Some(Remark::new(
                Topic::Server,
                Weight::Warning,
                format!(
                    "the database {} has the encoding SQL_ASCII: it takes any bytes for text and counts bytes, not \
                     characters",
                    self.database
                ),
                "our texts are UTF-8; have everybody else write UTF-8, or move to a database that sees to it: create \
                 database NAME encoding 'UTF8' template template0;",
            )),
            other => Some(Remark::new(
                Topic::Server,
                Weight::Refusal,
                format!(
                    "the database {} has the encoding {other}: one character that is not in it would fail every run",
                    self.database
                ),
                "make a database that takes every character, move the tables there with pg_dump and pg_restore, and \
                 name it in DATABASE_URL: create database NAME encoding 'UTF8' template template0;",
            )),
        }
    }

    fn standby(&self) -> Option<Remark> {
        let (wanted, there) = (self.standbys_wanted, self.standbys_there);
        (there < wanted).then(|| {
            Remark::new(
                Topic::Server,
                Weight::Standstill,
                format!(
                    "a COMMIT waits for {}, with {there} connected: a run hangs at its first COMMIT",
                    counted(wanted as u64, "synchronous standby server")
                ),
                "start the standby (pg_stat_replication shows who is there), or have an administrator run: alter \
                 system set synchronous_standby_names = ''; select pg_reload_conf();",
            )
        })
    }

    fn replication_role(&self) -> Option<Remark> {
        (self.replication_role != "origin").then(|| {
            Remark::new(
                Topic::Server,
                Weight::Warning,
                format!(
                    "session_replication_role is {} for {}: no foreign key and no trigger works in its sessions",
                    self.replication_role, self.role
                ),
                format!(
                    "have an administrator run: alter role {} reset session_replication_role; (and alter database {} \
                     reset session_replication_role;)",
                    sql::identifier(&self.role),
                    sql::identifier(&self.database)
                ),
            )
        })
    }
}
