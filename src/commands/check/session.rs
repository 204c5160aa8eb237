//! The login to the database, and the state of the server.

use jiff::Timestamp;
use tokio_postgres::Row;

use super::Finding;
use crate::catalogue::{ServerState, server};
use crate::clients::postgres::{self, Connection, PgError, PgUrl, SslMode};
use crate::error::Cause;
use crate::sql;

/// Oldest version that the pipeline's SQL is written for.
const OLDEST_VERSION: i32 = 140_000;

/// A session, and the state of the server.
pub(super) struct ProbedServer {
    pub(super) connection: Connection,
    pub(super) server: ServerState,
    pub(super) postgis: Option<String>,
    pub(super) aws_s3: Option<String>,
    pub(super) clock_ahead_seconds: f64,
}

/// Reports our role, the kind of connection, and whether the server accepts writes.
pub(super) async fn log_in(url: &PgUrl) -> Result<(ProbedServer, Finding), Cause> {
    let failed = |e| postgres::classify(e, "look at the session");
    let connection = postgres::connect(url, "check").await?;
    let of_server = server(&*connection).await?;
    let before = Timestamp::now();
    let row = connection.query_one(sql::CHECK_SESSION, &[]).await.map_err(failed)?;
    let after = Timestamp::now();

    let (version, number, user): (String, i32, String) = (get(&row, 0)?, get(&row, 1)?, get(&row, 2)?);
    let tls: Option<String> = get(&row, 3)?;
    let (is_standby, is_read_only): (bool, bool) = (get(&row, 4)?, get(&row, 5)?);
    let server: f64 = get(&row, 6)?;
    let ours = (before.as_millisecond() + after.as_millisecond()) as f64 / 2000.0;
    let (postgis, aws_s3) = (get(&row, 7)?, get(&row, 8)?);
    let way = if connection.is_pooled() { ", by way of a pooler that keeps sessions," } else { "" };
    let read_only = of_server.read_only();
    let session =
        ProbedServer { connection, server: of_server, postgis, aws_s3, clock_ahead_seconds: server - ours };

    let is_verified = url.ssl_mode() >= SslMode::VerifyCa;
    let encryption = match (&tls, is_verified) {
        (Some(tls), true) => format!("{tls}, the server's certificate is verified"),
        (Some(tls), false) => format!("{tls}, the server's certificate is not verified"),
        (None, _) => "no TLS".into(),
    };
    let words = format!("PostgreSQL {version} at {}{way} lets {user} in; {encryption}", url.target());
    let finding = if let Some(remark) = read_only {
        Finding::fail(format!("{words}; {}", remark.found), remark.hint)
    } else if is_standby || is_read_only {
        let what =
            if is_standby { "it is a standby, which is read-only" } else { "its transactions are read-only" };
        Finding::fail(
            format!("{words}; {what}"),
            "connect to the primary server: target_session_attrs=read-write finds it",
        )
    } else if number < OLDEST_VERSION {
        Finding::fail(format!("{words}; that is too old"), "PostgreSQL 14 or later is needed")
    } else if is_far(url) && !(tls.is_some() && is_verified) {
        Finding::warn(
            words,
            "sslmode=verify-full with sslrootcert keeps the password and the rows from others",
        )
    } else {
        Finding::ok(words)
    };
    Ok((session, finding))
}

/// Is there a network between us and a server?
fn is_far(url: &PgUrl) -> bool {
    let is_loopback = |host: &str| {
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    url.network_hosts().iter().any(|(host, _)| !is_loopback(host))
}

pub(super) fn get<'a, T: tokio_postgres::types::FromSql<'a>>(row: &'a Row, at: usize) -> Result<T, PgError> {
    row.try_get(at).map_err(|e| postgres::classify(e, "read the server's answer"))
}
