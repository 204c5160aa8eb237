//! Connecting to PostgreSQL: every connection has limits in time, TLS as its URL asks for it, and
//! the same session settings, whatever the server's defaults are.

pub mod aws_s3;
mod error;
mod pooler;
mod tls;
mod url;
mod watch;

use std::future::poll_fn;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::SslMode as Tls;
use tokio_postgres::{AsyncMessage, Client, Config, IsolationLevel, SimpleQueryMessage, Socket, Transaction};
use tokio_postgres_rustls::MakeRustlsConnect;

pub use error::{FailedOperation, PgError, ServerError, classify};
pub use pooler::farewell;
pub use url::{PgUrl, PgUrlError, RootCert, SslMode};
use watch::SessionId;
pub use watch::Watch;

use crate::sql;

/// The SQLSTATE of our scripts' warnings, which people see. The server's own warnings are logged for debugging only.
const SAID_BY_SCRIPT: &str = "MG001";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
const USER_TIMEOUT: Duration = Duration::from_secs(60);
/// For so long the server may still count sessions that have just ended.
const ENDING: Duration = Duration::from_secs(2);

/// Values have the same text form on every server, and names are always qualified: nothing is found through a search
/// path in which somebody else could create an object. A run may take hours in one transaction; the statements that
/// need a limit set it themselves. But a statement whose client process is gone must not run to its end while it holds
/// its locks (not every system can detect that). And a machine that has vanished without closing its connection must
/// not keep the lock for the hours that a server waits by default.
///
/// The second group holds settings that a role, a database or a server may have changed so that a statement means
/// something else. With these values, rows that a policy hides are an error rather than an empty answer, `NULL` in an
/// array's text is read as NULL, `= NULL` is never true, an index returns all its matches, an error leaves the session
/// alive, names are quoted only where needed, and a commit is on the server's disk (whether it must also be on a
/// standby is for the administrator to decide).
/// `default_transaction_read_only` is set on purpose and stays. JIT compilation costs a promotion more than it gains: a
/// quarter of its time with fifty thousand records.
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
    set jit = off;
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
/// the server rolls back what was not committed; a session of a pool is given back as it was.
#[derive(Debug)]
pub struct Connection {
    /// `None` only while it is being dropped.
    link: Option<Link>,
    end: EndReason,
    /// Notified when the server sends a notification that this connection listens for.
    bell: Arc<Notify>,
    tls: Shown<MakeRustlsConnect>,
    watch: Watch,
    /// The session belongs to a pooler, which gives it to somebody else afterwards.
    is_pooled: bool,
}

/// The client, and the task that drives its connection.
#[derive(Debug)]
struct Link {
    client: Client,
    task: Task,
}

/// Why the connection ended, once it has.
type EndReason = Arc<Mutex<Option<tokio_postgres::Error>>>;

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

/// Connects as `merganser PURPOSE` unless the URL gives an `application_name`. Takes at most `connect_timeout` (15 s by
/// default) for each host, and as much again for setting up the session. A server that has too many connections is asked again for
/// two seconds.
///
/// # Errors
/// [`PgError::Pooled`] if there is a pooler in between that does not keep a session for its client.
pub async fn connect(url: &PgUrl, purpose: &str) -> Result<Connection, PgError> {
    let operation = format!("connecting to {}", url.target());
    let tls = tls::connector(url)?;
    let config = settings(url, purpose);
    let each = config.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT);
    let hosts = u32::try_from(config.get_hosts().len()).unwrap_or(u32::MAX);
    let limit = each.saturating_mul(hosts.saturating_add(1));

    let start = Instant::now();
    let mut connection = loop {
        // On the heap: otherwise every future that connects would hold the state of the TLS handshake.
        match Box::pin(open(url, &config, &tls, &operation, limit)).await {
            Err(PgError::TooMany(_)) if start.elapsed() < ENDING => tokio::time::sleep(ENDING / 10).await,
            opened => break opened?,
        }
    };
    let begun = Box::pin(connection.begin(url, &config, &operation, limit));
    match timeout(limit, begun).await {
        Err(_) => Err(too_slow(operation, limit)),
        Ok(begun) => begun.map(|()| connection),
    }
}

/// A connection whose session is as the server, or a pooler, gives it.
async fn open(
    url: &PgUrl,
    config: &Config,
    tls: &MakeRustlsConnect,
    operation: &str,
    limit: Duration,
) -> Result<Connection, PgError> {
    let mut config = config.clone();
    let mut modes = modes(url).iter().peekable();
    while let Some(mode) = modes.next() {
        config.ssl_mode(*mode);
        let error = match timeout(limit, config.connect(tls.clone())).await {
            Err(_) => return Err(too_slow(operation.to_owned(), limit)),
            Ok(Ok((client, connection))) => {
                let end = EndReason::default();
                let bell = Arc::new(Notify::new());
                let task = Task(tokio::spawn(drive(connection, end.clone(), bell.clone())));
                return Ok(Connection {
                    link: Some(Link { client, task }),
                    end,
                    bell,
                    tls: Shown(tls.clone()),
                    watch: Watch::new(url, SessionId::default()),
                    is_pooled: false,
                });
            }
            Ok(Err(error)) => classify(error, operation),
        };
        // `prefer` and `allow` try the other way if the first one was the problem.
        let other_way = matches!(error, PgError::Tls(_)) || error.sqlstate() == Some("28000");
        if modes.peek().is_none() || !other_way {
            return Err(error);
        }
        tracing::debug!(target = url.target(), cause = %error, "trying again with the other half of sslmode");
    }
    unreachable!("every mode has at least one way to connect")
}

/// The server's identification of the session; an empty one if the answer has another form.
fn session(answer: &[SimpleQueryMessage]) -> SessionId {
    let session = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            Some(SessionId { pid: row.get(0)?.parse().ok()?, begin: row.get(1)?.to_owned() })
        }
        _ => None,
    });
    session.unwrap_or_default()
}

/// How long a server that should answer may be silent.
fn pg_timeout(url: &PgUrl) -> Duration {
    url.config().get_tcp_user_timeout().copied().unwrap_or(USER_TIMEOUT)
}

fn too_slow(operation: String, limit: Duration) -> PgError {
    let words = format!("no answer within {} s", limit.as_secs());
    let cause = std::io::Error::new(std::io::ErrorKind::TimedOut, words);
    PgError::Unreachable(FailedOperation::new(operation, Box::new(cause)))
}

/// Sets what the URL leaves open.
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

/// The TLS modes to try, one after the other.
fn modes(url: &PgUrl) -> &'static [Tls] {
    if url.is_local() {
        return &[Tls::Disable];
    }
    match (url.ssl_mode(), url.root_cert()) {
        (SslMode::Disable, _) => &[Tls::Disable],
        (SslMode::Allow, _) => &[Tls::Disable, Tls::Require],
        (SslMode::Prefer, RootCert::Unset) => &[Tls::Prefer, Tls::Disable],
        // A user who names an authority does not want the password to go to anybody else.
        (SslMode::Prefer, _) => &[Tls::Prefer],
        (SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull, _) => &[Tls::Require],
    }
}

/// Moves the bytes of a connection until it ends.
async fn drive<S>(mut connection: tokio_postgres::Connection<Socket, S>, end: EndReason, bell: Arc<Notify>)
where
    S: tokio_postgres::tls::TlsStream + Unpin,
{
    while let Some(message) = poll_fn(|cx| connection.poll_message(cx)).await {
        match message {
            Ok(AsyncMessage::Notice(notice)) => {
                let notice = ServerError::from(&notice);
                if notice.code == SAID_BY_SCRIPT {
                    tracing::warn!("{}", notice.message);
                } else {
                    tracing::debug!(severity = notice.severity, code = notice.code, "{}", notice.message);
                }
            }
            Ok(AsyncMessage::Notification(_)) => bell.notify_one(),
            Ok(_) => {}
            Err(error) => {
                // Stored before the connection is dropped, because the client notices the drop.
                *end.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                break;
            }
        }
    }
}

impl Connection {
    /// Sets the session up once it is known to be ours for the life of the connection.
    async fn begin(
        &mut self,
        url: &PgUrl,
        config: &Config,
        operation: &str,
        limit: Duration,
    ) -> Result<(), PgError> {
        let failed = |error| self.error(error, operation);
        if let Some(process) = pooler::behind(self).await.map_err(failed)? {
            if url.keeps_sessions().get().is_none() {
                let second = open(url, config, &self.tls.0, operation, limit);
                pooler::keeps_sessions(self, process, second, operation).await?;
                // Remembered, so that it is not checked again for each connection.
                let _ = url.keeps_sessions().set(());
            }
            self.is_pooled = true;
        }
        let answer = self.simple_query(SESSION).await.map_err(|error| self.error(error, operation))?;
        self.watch = Watch::new(url, session(&answer));
        Ok(())
    }

    /// True: the connection has ended, and every statement on it fails.
    pub fn is_closed(&self) -> bool {
        self.deref().is_closed()
    }

    /// Notified when the server sends a notification that this connection listens for; once for several that arrive
    /// together.
    pub fn notifications(&self) -> Arc<Notify> {
        self.bell.clone()
    }

    /// True: the session belongs to a pooler, which keeps it for us.
    pub fn is_pooled(&self) -> bool {
        self.is_pooled
    }

    /// Begins a read-only transaction that sees the state committed now, whatever others commit meanwhile. Returns it
    /// with a watch over its session.
    ///
    /// # Errors
    /// Any error of the server.
    pub async fn snapshot(&mut self) -> Result<(Transaction<'_>, Watch), PgError> {
        let watch = self.watch();
        let begun = self.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
        Ok((watch.answer("begin", begun.start()).await?, watch))
    }

    /// Begins a transaction whose statements take, and wait for locks, `limit` each at most. The limits are local to the
    /// transaction, so that none stays in the session of a pool.
    ///
    /// # Errors
    /// Any error of the server.
    pub async fn limited(
        &mut self,
        only_reads: bool,
        limit: Duration,
    ) -> Result<Transaction<'_>, tokio_postgres::Error> {
        let transaction = self.build_transaction().read_only(only_reads).start().await?;
        let millis = limit.as_millis().to_string();
        transaction.batch_execute(&sql::render(sql::CHECK_SETTINGS, &[("limit_ms", &millis)])).await?;
        Ok(transaction)
    }

    /// A watch over the session, for waiting on answers.
    pub fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// Classifies an error of this connection. Where the client knows only that the connection is closed, the reason is
    /// taken from the connection itself.
    pub fn error(&self, error: tokio_postgres::Error, operation: impl Into<String>) -> PgError {
        let reason = match error.is_closed() {
            true => self.end.lock().unwrap_or_else(PoisonError::into_inner).take(),
            false => None,
        };
        classify(reason.unwrap_or(error), operation)
    }

    /// Asks the server to cancel the running statement. Only the statement itself shows whether there was one and
    /// whether it ended.
    pub async fn cancel(&self) -> Result<(), PgError> {
        self.canceller().await
    }

    /// The same, to be awaited only if it is wanted, while a transaction has the connection.
    pub fn canceller(&self) -> impl Future<Output = Result<(), PgError>> + Send + use<> {
        let (token, tls) = (self.cancel_token(), self.tls.0.clone());
        async move {
            let operation = "cancelling a statement";
            match timeout(CONNECT_TIMEOUT, token.cancel_query(tls)).await {
                Ok(result) => result.map_err(|e| classify(e, operation)),
                Err(_) => Err(too_slow(operation.to_owned(), CONNECT_TIMEOUT)),
            }
        }
    }

    /// Closes the connection properly. A drop ends it too, but the server then logs an unexpected end of the client.
    pub async fn close(mut self) {
        let Some(link) = self.link.take() else { return };
        if self.is_pooled {
            return pooler::give_back(link).await;
        }
        let Link { client, mut task } = link;
        drop(client);
        // Past the limit the task is aborted by its drop.
        let _ = timeout(CLOSE_TIMEOUT, &mut task.0).await;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(link) = self.link.take_if(|_| self.is_pooled) {
            pooler::give_back_later(link);
        }
    }
}

impl AsRef<Client> for Connection {
    fn as_ref(&self) -> &Client {
        self
    }
}

impl Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.link.as_ref().expect("it is there until the drop").client
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.link.as_mut().expect("it is there until the drop").client
    }
}

#[cfg(test)]
mod tests;
