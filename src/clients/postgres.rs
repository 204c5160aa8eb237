//! Connecting to PostgreSQL: every connection has limits in time, TLS as its URL asks for it, and
//! the same session settings, whatever the server's defaults are.

pub mod aws_s3;
mod error;
mod tls;
mod url;
mod watch;

use std::future::poll_fn;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::SslMode as Tls;
use tokio_postgres::{AsyncMessage, Client, Config, SimpleQueryMessage, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

pub use error::{Failure, PgError, ServerError, classify};
pub use url::{PgUrl, PgUrlError, RootCert, SslMode};
use watch::Session;
pub use watch::Watch;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
const USER_TIMEOUT: Duration = Duration::from_secs(60);

/// Texts that leave the server are the same everywhere, and names are always qualified: nothing is
/// found by a search path that somebody else could put an object into. A run may take hours in one
/// transaction; the statements that need a limit set it themselves. But a statement whose process is
/// gone must not go on, with its locks, for as long as it takes; not every system can tell. And a
/// machine that has vanished without a word must not keep the lock for the hours that a server waits.
///
/// The second group is what a role, a database or a server may have set so that a statement means something else: rows
/// that a policy hides are an error and no empty answer, an empty text in an array is no NULL, `= NULL` is not true, an index
/// answers with all that it has, an error leaves the session alive, names are quoted where they need it, and what is
/// committed is on the server's disk (more than that, a standby's, is for its administrator to say).
/// `default_transaction_read_only` is somebody's intention and stays.
const SESSION: &str = "
    set timezone = 'UTC';
    set datestyle = 'ISO, YMD';
    set intervalstyle = 'postgres';
    set extra_float_digits = 3;
    set bytea_output = 'hex';
    set standard_conforming_strings = on;
    set search_path = pg_catalog, pg_temp;
    set row_security = off;
    set array_nulls = on;
    set transform_null_equals = off;
    set backslash_quote = safe_encoding;
    set quote_all_identifiers = off;
    set gin_fuzzy_search_limit = 0;
    set xmloption = content;
    set exit_on_error = off;
    set default_transaction_isolation = 'read committed';
    set default_transaction_deferrable = off;
    select set_config('synchronous_commit', 'local', false) where current_setting('synchronous_commit') = 'off';
    set idle_in_transaction_session_timeout = 0;
    set statement_timeout = 0;
    set idle_session_timeout = 0;
    set lock_timeout = 0;
    set tcp_keepalives_idle = 30;
    set tcp_keepalives_interval = 10;
    set tcp_keepalives_count = 3;
    do $$ begin set client_connection_check_interval = '1s'; exception when others then null; end $$;
    do $$ begin set transaction_timeout = 0; exception when others then null; end $$;
    select pid, backend_start from pg_stat_activity where pid = pg_backend_pid();
";

/// A connection to a database; use it as a [`Client`]. Dropping it ends the connection at once, and
/// the server rolls back what was not committed.
#[derive(Debug)]
pub struct Connection {
    client: Client,
    task: Task,
    end: End,
    tls: Shown<MakeRustlsConnect>,
    watch: Watch,
}

/// Why the connection ended, once it has.
type End = Arc<Mutex<Option<tokio_postgres::Error>>>;

#[derive(Debug)]
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A value without `Debug`.
struct Shown<T>(T);

impl<T> std::fmt::Debug for Shown<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// Connects, as `merganser PURPOSE` unless the URL gives an `application_name`. Takes at most
/// `connect_timeout` (15 s) for each host and once more for all that follows.
pub async fn connect(url: &PgUrl, purpose: &str) -> Result<Connection, PgError> {
    let operation = format!("connecting to {}", url.target());
    let tls = tls::connector(url)?;
    let mut config = settings(url, purpose);
    let each = config.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT);
    let hosts = u32::try_from(config.get_hosts().len()).unwrap_or(u32::MAX);
    let limit = each.saturating_mul(hosts.saturating_add(1));

    let mut modes = modes(url).iter().peekable();
    while let Some(mode) = modes.next() {
        config.ssl_mode(*mode);
        let error = match timeout(limit, config.connect(tls.clone())).await {
            Err(_) => return Err(too_slow(operation, limit)),
            Ok(Ok((client, connection))) => {
                let end = End::default();
                let task = Task(tokio::spawn(drive(connection, end.clone())));
                let mut connection = Connection {
                    client,
                    task,
                    end,
                    tls: Shown(tls),
                    watch: Watch::new(url, Session::default()),
                };
                return match timeout(limit, connection.simple_query(SESSION)).await {
                    Err(_) => Err(too_slow(operation, limit)),
                    Ok(Err(error)) => Err(connection.error(error, operation)),
                    Ok(Ok(answer)) => {
                        connection.watch = Watch::new(url, session(&answer));
                        Ok(connection)
                    }
                };
            }
            Ok(Err(error)) => classify(error, operation.as_str()),
        };
        // `prefer` and `allow`: the other way round, if it is the way that did not please.
        let other_way = matches!(error, PgError::Tls(_)) || error.sqlstate() == Some("28000");
        if modes.peek().is_none() || !other_way {
            return Err(error);
        }
        tracing::debug!(target = url.target(), cause = %error, "trying again with the other half of sslmode");
    }
    unreachable!("every mode has at least one way to connect")
}

/// What the server calls the session; one that is none if the answer is not what was asked for.
fn session(answer: &[SimpleQueryMessage]) -> Session {
    let session = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            Some(Session { pid: row.get(0)?.parse().ok()?, begin: row.get(1)?.to_owned() })
        }
        _ => None,
    });
    session.unwrap_or_default()
}

/// For how long a server may be silent that ought to speak.
fn pg_timeout(url: &PgUrl) -> Duration {
    url.config().get_tcp_user_timeout().copied().unwrap_or(USER_TIMEOUT)
}

fn too_slow(operation: String, limit: Duration) -> PgError {
    let words = format!("no answer within {} s", limit.as_secs());
    let cause = std::io::Error::new(std::io::ErrorKind::TimedOut, words);
    PgError::Unreachable(Failure::new(operation, Box::new(cause)))
}

/// What the URL leaves open is set here.
fn settings(url: &PgUrl, purpose: &str) -> Config {
    let mut config = url.config().clone();
    if !url.gives("application_name") {
        config.application_name(format!("merganser {purpose}"));
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    // Without these a server that has vanished is noticed after hours, or never.
    if !url.gives("keepalives_idle") {
        config.keepalives_idle(Duration::from_secs(30));
    }
    if !url.gives("keepalives_interval") {
        config.keepalives_interval(Duration::from_secs(10));
    }
    if !url.gives("keepalives_retries") {
        config.keepalives_retries(3);
    }
    if !url.gives("tcp_user_timeout") {
        config.tcp_user_timeout(USER_TIMEOUT);
    }
    config
}

/// The ways to try, one after the other.
fn modes(url: &PgUrl) -> &'static [Tls] {
    if url.is_local() {
        return &[Tls::Disable];
    }
    match (url.ssl_mode(), url.root_cert()) {
        (SslMode::Disable, _) => &[Tls::Disable],
        (SslMode::Allow, _) => &[Tls::Disable, Tls::Require],
        (SslMode::Prefer, RootCert::Unset) => &[Tls::Prefer, Tls::Disable],
        // Who names an authority does not want the password to go to anybody else.
        (SslMode::Prefer, _) => &[Tls::Prefer],
        (SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull, _) => &[Tls::Require],
    }
}

/// Moves the bytes of a connection until it ends.
async fn drive<S>(mut connection: tokio_postgres::Connection<Socket, S>, end: End)
where
    S: tokio_postgres::tls::TlsStream + Unpin,
{
    while let Some(message) = poll_fn(|cx| connection.poll_message(cx)).await {
        match message {
            Ok(AsyncMessage::Notice(notice)) => {
                let notice = ServerError::from(&notice);
                tracing::debug!(severity = notice.severity, code = notice.code, "{}", notice.message);
            }
            Ok(_) => {}
            Err(error) => {
                // Kept before the connection is dropped, which is when the client hears of it.
                *end.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                break;
            }
        }
    }
}

impl Connection {
    /// True: the connection has ended; whatever is asked of it fails.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Looks after the session while an answer is waited for.
    pub fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// Sorts an error of this connection. Where the client knows only that the connection is
    /// closed, the reason is taken from the connection itself.
    pub fn error(&self, error: tokio_postgres::Error, operation: impl Into<String>) -> PgError {
        let reason = match error.is_closed() {
            true => self.end.lock().unwrap_or_else(PoisonError::into_inner).take(),
            false => None,
        };
        classify(reason.unwrap_or(error), operation)
    }

    /// Asks the server to give up the statement that is running. Whether there was one, and whether
    /// it ended, is seen by the statement only.
    pub async fn cancel(&self) -> Result<(), PgError> {
        let operation = "cancelling a statement";
        let token = self.client.cancel_token();
        match timeout(CONNECT_TIMEOUT, token.cancel_query(self.tls.0.clone())).await {
            Ok(result) => result.map_err(|e| classify(e, operation)),
            Err(_) => Err(too_slow(operation.to_owned(), CONNECT_TIMEOUT)),
        }
    }

    /// Says goodbye to the server. A drop ends the connection too, but the server's log then tells
    /// of a client that went away.
    pub async fn close(self) {
        let Self { client, mut task, .. } = self;
        drop(client);
        // Past the limit the task is aborted by its drop.
        let _ = timeout(CLOSE_TIMEOUT, &mut task.0).await;
    }
}

impl Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn url(text: &str) -> PgUrl {
        text.parse().unwrap()
    }

    #[test]
    fn what_the_url_gives_is_kept_and_the_rest_is_set() {
        let config = settings(&url("postgresql://h/db"), "load");
        assert_eq!(config.get_application_name(), Some("merganser load"));
        assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(15)));
        assert_eq!(config.get_keepalives_idle(), Duration::from_secs(30));
        assert_eq!(config.get_keepalives_interval(), Some(Duration::from_secs(10)));
        assert_eq!(config.get_keepalives_retries(), Some(3));
        assert_eq!(config.get_tcp_user_timeout(), Some(&Duration::from_secs(60)));
        let given =
            "postgresql://h/db?application_name=x&connect_timeout=3&keepalives_idle=5&tcp_user_timeout=9000";
        let config = settings(&url(given), "load");
        assert_eq!(config.get_application_name(), Some("x"));
        assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(3)));
        assert_eq!(config.get_keepalives_idle(), Duration::from_secs(5));
        assert_eq!(config.get_tcp_user_timeout(), Some(&Duration::from_secs(9)));
    }

    #[test]
    fn only_weak_modes_may_go_on_without_tls() {
        let ways = |options: &str| modes(&url(&format!("postgresql://h/db?{options}")));
        assert_eq!(ways(""), [Tls::Require]);
        assert_eq!(modes(&url("postgresql://localhost/db")), [Tls::Prefer, Tls::Disable]);
        assert_eq!(ways("sslmode=prefer"), [Tls::Prefer, Tls::Disable]);
        assert_eq!(ways("sslmode=allow"), [Tls::Disable, Tls::Require]);
        assert_eq!(ways("sslmode=disable"), [Tls::Disable]);
        assert_eq!(ways("sslmode=prefer&sslrootcert=/ca.pem"), [Tls::Prefer]);
        for strict in ["require", "verify-full", "verify-ca&sslrootcert=/ca.pem"] {
            assert_eq!(ways(&format!("sslmode={strict}")), [Tls::Require]);
        }
        assert_eq!(
            modes(&url("host=/run/pg sslmode=verify-full")),
            [Tls::Disable],
            "no TLS over a Unix socket"
        );
    }

    #[tokio::test]
    async fn a_closed_port_and_a_missing_socket_are_unreachable() {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let error =
            connect(&url(&format!("postgresql://me:sesame@127.0.0.1:{port}/db")), "test").await.unwrap_err();
        assert!(matches!(error, PgError::Unreachable(_)), "{error:?}");
        assert!(
            error.to_string().starts_with(&format!("connecting to 127.0.0.1:{port}/db failed: ")),
            "{error}"
        );
        assert!(error.hint().unwrap().contains("nothing listens"));
        assert!(!format!("{error} {error:?}").contains("sesame"));
        let error = connect(&url("host=/nonexistent dbname=db"), "test").await.unwrap_err();
        assert!(error.hint().unwrap().contains("no such socket"), "{error}");
    }

    #[tokio::test]
    async fn a_server_without_tls_is_refused_when_tls_is_required() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = [0; 8];
            socket.read_exact(&mut request).await.unwrap();
            socket.write_all(b"N").await.unwrap();
        });
        let error = connect(&url(&format!("postgresql://127.0.0.1:{port}/db?sslmode=require")), "test").await;
        assert!(matches!(error, Err(PgError::Tls(_))), "{error:?}");
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let silent = format!("postgresql://127.0.0.1:{port}/db?connect_timeout=1");
        let error = connect(&url(&silent), "test").await.unwrap_err();
        assert!(matches!(error, PgError::Unreachable(_)), "{error:?}");
        assert!(error.to_string().contains("no answer within 2 s"), "{error}");
        drop(listener);
    }
}
