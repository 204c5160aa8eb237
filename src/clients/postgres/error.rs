//! What can go wrong with a database, split by what a caller can do about it.
//!
//! A server's DETAIL may hold a whole row, its CONTEXT a line of a file, and the message of a data
//! error the value: none of them is kept, so that no log can show them. For the same reason the
//! server's error is not kept as a source but copied without them.

use std::error::Error;
use std::fmt;
use std::io;

use tokio_postgres::error::{DbError, SqlState};

use super::url::PgUrlError;

use crate::clients::BoxedError;

/// An operation on a database that failed.
#[derive(Debug, thiserror::Error)]
pub enum PgError {
    /// The URL cannot be used.
    #[error(transparent)]
    Url(#[from] PgUrlError),
    /// No server answers there: the name is unknown, the port is closed or nothing comes back.
    #[error(transparent)]
    Unreachable(FailedOperation),
    /// The server does not let this user in.
    #[error(transparent)]
    Auth(FailedOperation),
    /// TLS cannot be spoken, or the server's certificate is not trusted.
    #[error(transparent)]
    Tls(FailedOperation),
    /// The database does not exist.
    #[error(transparent)]
    NoDatabase(FailedOperation),
    /// The user lacks a right.
    #[error(transparent)]
    Rights(FailedOperation),
    /// The connection broke, or the server ended it.
    #[error(transparent)]
    ConnectionLost(FailedOperation),
    /// A lock or a statement took longer than its limit, or was cancelled.
    #[error(transparent)]
    Timeout(FailedOperation),
    /// The server's disk is full.
    #[error(transparent)]
    DiskFull(FailedOperation),
    /// The server has no connection left.
    #[error(transparent)]
    TooMany(FailedOperation),
    /// The server or the session is read-only.
    #[error(transparent)]
    ReadOnly(FailedOperation),
    /// There is a pooler in between that does not keep a session for us.
    #[error(transparent)]
    Pooled(FailedOperation),
    /// Any other error, with its SQLSTATE if it is the server's.
    #[error(transparent)]
    Other(FailedOperation),
}

/// The operation, and what went wrong.
#[derive(Debug)]
pub struct FailedOperation {
    operation: String,
    server: Option<Box<ServerError>>,
    cause: Option<BoxedError>,
    /// The session that held the lock we waited for.
    holder: Option<String>,
}

/// The server's error, without what could be a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerError {
    /// SQLSTATE, five characters.
    pub code: String,
    pub severity: String,
    pub message: String,
    pub schema: Option<String>,
    pub table: Option<String>,
    pub column: Option<String>,
    pub constraint: Option<String>,
    /// For a COPY: table, line and column (`COPY people, line 3, column born`).
    pub copy_at: Option<String>,
    /// What the server advises.
    pub hint: Option<String>,
}

impl FailedOperation {
    pub(super) fn new(operation: impl Into<String>, cause: BoxedError) -> Self {
        Self { operation: operation.into(), server: None, cause: Some(cause), holder: None }
    }

    /// What was being done.
    pub fn operation(&self) -> &str {
        &self.operation
    }

    /// The server's error, if there is one.
    pub fn server(&self) -> Option<&ServerError> {
        self.server.as_deref()
    }

    fn io_kind(&self) -> Option<io::ErrorKind> {
        let mut next: Option<&(dyn Error + 'static)> = self.source();
        while let Some(error) = next {
            if let Some(io) = error.downcast_ref::<io::Error>() {
                return Some(io.kind());
            }
            next = error.source();
        }
        None
    }
}

impl fmt::Display for FailedOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed", self.operation)?;
        if let Some(server) = &self.server {
            write!(f, ": {server}")?;
            return match &self.holder {
                Some(holder) => write!(f, ", held up by {holder}"),
                None => Ok(()),
            };
        }
        let mut next = self.source();
        while let Some(error) = next {
            write!(f, ": {error}")?;
            next = error.source();
        }
        Ok(())
    }
}

impl Error for FailedOperation {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.message, self.code)?;
        for (what, name) in
            [("table", &self.table), ("column", &self.column), ("constraint", &self.constraint)]
        {
            if let Some(name) = name {
                write!(f, ", {what} {name}")?;
            }
        }
        if let Some(place) = &self.copy_at {
            write!(f, ", {place}")?;
        }
        Ok(())
    }
}

impl From<&DbError> for ServerError {
    fn from(error: &DbError) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Self {
            code: error.code().code().to_owned(),
            severity: error.severity().to_owned(),
            message: match error.detail().filter(|_| error.code().code() == DEPENDED_ON) {
                Some(detail) => format!("{}: {}", error.message(), detail.replace('\n', "; ")),
                None => without_values(error.code().code(), error.message()),
            },
            schema: owned(error.schema()),
            table: owned(error.table()),
            column: owned(error.column()),
            constraint: owned(error.constraint()),
            copy_at: error.where_().and_then(copy_place),
            hint: owned(error.hint()),
        }
    }
}

/// Messages of class 22 (data exceptions) quote the value, after a colon or the word `value`; all
/// others quote names only.
fn without_values(code: &str, message: &str) -> String {
    if !code.starts_with("22") {
        return message.to_owned();
    }
    let cut = [": \"", "value \""].into_iter().filter_map(|mark| message.find(mark).map(|i| (i, mark))).min();
    let Some((start, mark)) = cut else { return message.to_owned() };
    // The value may contain quotes itself, so it extends to the last one.
    let end = message.rfind('"').unwrap_or(message.len() - 1);
    let rest = if end > start + mark.len() { &message[end + 1..] } else { "" };
    format!("{}{}…\"{rest}", &message[..start], mark)
}

/// `COPY table, line 3, column name: "value"` without the value, which may also be a whole line.
fn copy_place(context: &str) -> Option<String> {
    let line = context.lines().next()?;
    let place = line.split(": ").next()?;
    (place.starts_with("COPY ") && !place.contains('"')).then(|| place.to_owned())
}

/// Classifies an error of tokio-postgres; `operation` says in a word or two what was being done.
pub fn classify(error: tokio_postgres::Error, operation: impl Into<String>) -> PgError {
    let operation = operation.into();
    if let Some(db) = error.as_db_error() {
        let sort = sort(db.code());
        return sort(FailedOperation {
            operation,
            server: Some(Box::new(db.into())),
            cause: None,
            holder: None,
        });
    }
    let closed = error.is_closed();
    // Only the text tells the kind of an error; these texts have no parameters.
    let words = error.to_string();
    let failure = FailedOperation::new(operation, Box::new(error));
    match words.as_str() {
        _ if closed => PgError::ConnectionLost(failure),
        // The message when `target_session_attrs=read-write` finds no such server.
        "error connecting to server" if failure.to_string().ends_with("does not allow writes") => {
            PgError::ReadOnly(failure)
        }
        "error connecting to server" => PgError::Unreachable(failure),
        "error performing TLS handshake" => PgError::Tls(failure),
        // A missing password gives `invalid configuration`.
        "authentication error" | "invalid configuration" => PgError::Auth(failure),
        "error communicating with the server" => PgError::ConnectionLost(failure),
        "timeout waiting for server" => PgError::Timeout(failure),
        _ => PgError::Other(failure),
    }
}

fn sort(code: &SqlState) -> fn(FailedOperation) -> PgError {
    match code.code() {
        "3D000" => PgError::NoDatabase,
        "42501" => PgError::Rights,
        "55P03" | "57014" | "25P03" | "25P04" => PgError::Timeout,
        "53100" => PgError::DiskFull,
        "53300" => PgError::TooMany,
        "25006" => PgError::ReadOnly,
        // The server is starting or stopping, or a database was dropped under us.
        "57P01" | "57P02" | "57P03" | "57P04" | "57P05" => PgError::ConnectionLost,
        code if code.starts_with("28") => PgError::Auth,
        code if code.starts_with("08") => PgError::ConnectionLost,
        _ => PgError::Other,
    }
}

/// The SQLSTATE of a drop of something that others depend on. The detail names these, and no values.
const DEPENDED_ON: &str = "2BP01";

/// The beginning of the server's message about a missing right on a database.
const OF_DATABASE: &str = "permission denied for database";

/// The server's message about a language that somebody has dropped.
const PLPGSQL: &str = "language \"plpgsql\" does not exist";

impl PgError {
    /// The operation and what went wrong; `None` for a URL that cannot be used.
    pub fn failure(&self) -> Option<&FailedOperation> {
        match self {
            Self::Url(_) => None,
            Self::Unreachable(f)
            | Self::Auth(f)
            | Self::Tls(f)
            | Self::NoDatabase(f)
            | Self::Rights(f)
            | Self::ConnectionLost(f)
            | Self::Timeout(f)
            | Self::DiskFull(f)
            | Self::TooMany(f)
            | Self::ReadOnly(f)
            | Self::Pooled(f)
            | Self::Other(f) => Some(f),
        }
    }

    /// An answer that did not come in time.
    pub fn no_answer(operation: &str, limit: std::time::Duration) -> Self {
        let words = format!("no answer within {} s", limit.as_secs());
        let cause = io::Error::new(io::ErrorKind::TimedOut, words);
        Self::ConnectionLost(FailedOperation::new(operation, Box::new(cause)))
    }

    /// Adds the holder of the lock, if the error is a lock that was not granted in time.
    pub(super) fn held_up_by(self, holder: Option<String>) -> Self {
        match self {
            Self::Timeout(failure) => Self::Timeout(FailedOperation { holder, ..failure }),
            other => other,
        }
    }

    /// SQLSTATE of the server's error.
    pub fn sqlstate(&self) -> Option<&str> {
        self.failure()?.server().map(|server| server.code.as_str())
    }

    /// What a person can do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Url(_) => {
                "write it as postgresql://USER@HOST:PORT/DATABASE?sslmode=verify-full, the password in PGPASSWORD"
            }
            Self::Unreachable(f) => match f.io_kind() {
                Some(io::ErrorKind::ConnectionRefused) => {
                    "nothing listens there: check host and port, and that the server runs"
                }
                Some(io::ErrorKind::NotFound) => "there is no such socket: check its directory and the port",
                Some(io::ErrorKind::TimedOut) => {
                    "check the network and the firewall, or raise connect_timeout"
                }
                _ => "check the host's name and the network",
            },
            Self::Auth(_) if self.sqlstate() == Some("28000") => {
                "check the user's name, sslmode, and the server's pg_hba.conf"
            }
            Self::Auth(_) => "check user and password; PGPASSWORD is used when the URL has none",
            Self::Tls(_) => {
                "a server that is not on this machine has to prove who it is: name the authorities of its certificate \
                 in the URL (sslrootcert=FILE), or say how far you trust the network (sslmode=require: encrypted, \
                 not checked; sslmode=prefer: as the server likes)"
            }
            Self::NoDatabase(_) => "create the database, or check its name in the URL",
            // The session is set to raise an error where a policy would hide rows.
            Self::Rights(f)
                if f.server().is_some_and(|server| server.message.contains("row-level security")) =>
            {
                "rows that a policy hides would be missing everywhere: let the user own the tables, or have an \
                 administrator run: alter role … bypassrls"
            }
            Self::Rights(f) if f.server().is_some_and(|server| server.message.starts_with(OF_DATABASE)) => {
                "have the database's owner run: grant connect, create on database … to … (create: for a schema that is not \
                 there yet)"
            }
            Self::Rights(_) => "grant the right to the user, or use another user",
            Self::ConnectionLost(_) => "look into the server's log, then run again",
            Self::Timeout(_) => "another session may hold a lock: look into pg_stat_activity, then run again",
            Self::DiskFull(_) => "make room on the database server, then run again",
            Self::TooMany(_) => "end other sessions or raise max_connections, then run again",
            Self::ReadOnly(_) => "connect to the primary server (target_session_attrs=read-write finds it)",
            Self::Other(f) if f.server().is_some_and(|server| server.message.contains(PLPGSQL)) => {
                "the database has no PL/pgSQL, which every session needs; have its owner run there: create extension \
                 plpgsql;"
            }
            Self::Pooled(_) => {
                "connect to the server itself, at its own port (not the pooler's), or to a pool with pool_mode = session \
                 and room for six sessions of ours"
            }
            // The server advises CASCADE, which drops what somebody else has made.
            Self::Other(_) if self.sqlstate() == Some(DEPENDED_ON) => {
                "change or drop what depends on it (a column goes with its values), then run the same command again"
            }
            Self::Other(f) => return f.server()?.hint.clone(),
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests;
