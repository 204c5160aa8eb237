//! Waiting for an answer, but not forever: a connection can be lost without any signal (a server that hangs, or a
//! middlebox that swallows bytes and keeps the connection up), and TCP does not always notice it. A statement may
//! take hours, so elapsed time proves nothing. Another connection asks the server what the session does.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::error::{FailedOperation, PgError, classify};
use super::url::PgUrl;
use super::{Connection, connect, pg_timeout};
use crate::sql;
use crate::words::count;

/// How many checks in a row must find that no answer can come.
const LOOKS: u32 = 3;
/// How long a statement waits before its user is told what it waits for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the progress of an index is shown.
const MOMENT: Duration = Duration::from_secs(1);

/// Watches one session.
#[derive(Clone)]
pub struct Watch {
    url: PgUrl,
    session: SessionId,
    show: Option<Show>,
    /// The server's progress on an index is shown too.
    follows: bool,
}

/// Receives what the session does, in words.
type Show = Arc<dyn Fn(&str) + Send + Sync>;

/// A session as the server knows it.
#[derive(Clone, Debug, Default)]
pub(super) struct SessionId {
    pub pid: i32,
    pub begin: String,
}

/// The result of a check.
enum Sight {
    AtWork,
    /// It waits for somebody else.
    HeldUp(Wait),
    /// It waits for us while we wait for it; or it is gone, or its state cannot be asked for.
    Silent(String),
}

/// What a statement waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wait {
    what: String,
    /// Whose lock it is.
    holder: Option<String>,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.holder {
            Some(holder) => write!(f, "waiting for {}, held by {holder}", self.what),
            None => write!(f, "waiting for {}", self.what),
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("url", &self.url)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

impl Watch {
    pub(super) fn new(url: &PgUrl, session: SessionId) -> Self {
        Self { url: url.clone(), session, show: None, follows: false }
    }

    /// The session's process id and its start, as the server has them; for other processes that may have to end it.
    pub fn session(&self) -> (i32, &str) {
        (self.session.pid, &self.session.begin)
    }

    /// Calls `show` with the operation that begins, and with what it waits for when it is held up; for a progress bar.
    pub fn showing(self, show: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { show: Some(Arc::new(show)), ..self }
    }

    /// If `follows`, asks the server over another connection for the progress of an index that is being built; for an
    /// interactive terminal.
    pub fn following(self, follows: bool) -> Self {
        Self { follows, ..self }
    }

    fn show(&self, words: &str) {
        if let Some(show) = &self.show {
            show(words);
        }
    }

    /// Ends the session, which is lost: afterwards its transaction is over, committed or not. Does nothing if the
    /// session is gone.
    pub async fn end_session(&self, connection: &Connection) -> Result<(), PgError> {
        let SessionId { pid, begin } = &self.session;
        let ended = connection.execute(sql::SESSION_END, &[pid, begin]).await;
        ended.map(drop).map_err(|e| classify(e, "end a session that is lost"))
    }

    /// Waits for the server's answer to `work`; `operation` is what an error names.
    ///
    /// # Errors
    /// [`PgError::ConnectionLost`] when no answer can come, after `tcp_user_timeout` (60 s) or a little more. When a
    /// lock is not granted in time, the error names its holder at the last check.
    pub async fn answer<T>(
        &self,
        operation: &str,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, PgError> {
        let mut holder = None;
        let answer = self.wait(operation, work, &mut holder).await?;
        answer.map_err(|e| classify(e, operation).held_up_by(holder))
    }

    /// The same for several statements, with no long work of ours between them.
    pub async fn answers<T, E: From<PgError>>(
        &self,
        operation: &str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.wait(operation, work, &mut None).await?
    }

    async fn wait<T>(
        &self,
        operation: &str,
        work: impl Future<Output = T>,
        holder: &mut Option<String>,
    ) -> Result<T, PgError> {
        self.show(operation);
        let mut work = pin!(work);
        let limit = pg_timeout(&self.url);
        let interval = interval(limit);
        // Since when, and for how many checks, the session has been silent.
        let (mut unheard_since, mut silent) = (Instant::now(), 0);
        let mut last: Option<Wait> = None;
        let mut next_look = Instant::now() + interval;
        let mut follower = None;
        loop {
            let sight = tokio::select! {
                biased;
                result = &mut work => return Ok(result),
                sight = async {
                    tokio::time::sleep_until(next_look).await;
                    self.look().await
                } => sight,
                progress = self.progress(&mut follower), if self.follows => {
                    if let Some(progress) = progress.filter(|_| last.is_none()) {
                        self.show(&format!("{operation}: {progress}"));
                    }
                    continue;
                }
            };
            next_look = Instant::now() + interval;
            match sight {
                Sight::AtWork => {
                    if last.take().is_some() {
                        self.show(operation);
                    }
                    (unheard_since, silent, *holder) = (Instant::now(), 0, None);
                }
                Sight::HeldUp(wait) => {
                    if last.as_ref() != Some(&wait) {
                        tracing::warn!(operation, "{operation}: {wait}");
                        self.show(&format!("{operation}: {wait}"));
                    }
                    (unheard_since, silent, *holder) = (Instant::now(), 0, wait.holder.clone());
                    last = Some(wait);
                }
                Sight::Silent(words) => {
                    silent += 1;
                    // A check is timed at its end, so half an interval either way does not matter.
                    if silent >= LOOKS && unheard_since.elapsed() + interval / 2 >= limit {
                        let cause = io::Error::new(io::ErrorKind::TimedOut, words);
                        return Err(PgError::ConnectionLost(FailedOperation::new(
                            operation,
                            Box::new(cause),
                        )));
                    }
                }
            }
        }
    }

    /// The progress of an index after a moment, if one is being built. For display only.
    async fn progress(&self, follower: &mut Option<Connection>) -> Option<String> {
        tokio::time::sleep(MOMENT).await;
        if follower.as_ref().is_none_or(Connection::is_closed) {
            *follower = connect(&self.url, "watch").await.ok();
        }
        let row = follower.as_ref()?.query_opt(sql::SESSION_PROGRESS, &[&self.session.pid]).await.ok()??;
        let number = |column: usize| row.try_get::<_, i64>(column).unwrap_or_default().unsigned_abs();
        let phase: String = row.try_get(0).ok()?;
        Some(building(&phase, (number(1), number(2)), (number(3), number(4))))
    }

    async fn look(&self) -> Sight {
        let look = async {
            let connection = connect(&self.url, "watch").await?;
            let failed = |e| classify(e, "look after a session");
            let SessionId { pid, begin } = &self.session;
            let row = connection.query_opt(sql::SESSION_LOOK, &[pid, begin]).await.map_err(failed)?;
            let Some(row) = row else {
                return Ok(Sight::Silent("the server has ended the session".into()));
            };
            let waits_for_us: bool = row.try_get(0).map_err(failed)?;
            let what: Option<String> = row.try_get(1).map_err(failed)?;
            let holder: Option<String> = row.try_get(2).map_err(failed)?;
            Ok::<_, PgError>(match (waits_for_us, what) {
                (true, _) => Sight::Silent("the connection hangs: bytes were lost".into()),
                (false, Some(what)) => Sight::HeldUp(Wait { what, holder }),
                (false, None) => Sight::AtWork,
            })
        };
        match tokio::time::timeout(pg_timeout(&self.url), look).await {
            Ok(Ok(sight)) => sight,
            Ok(Err(error)) => Sight::Silent(error.to_string()),
            Err(_) => Sight::Silent("the server does not answer any more".into()),
        }
    }
}

/// The progress of an index in words: rows, or blocks where rows are not counted.
fn building(phase: &str, (rows, all_rows): (u64, u64), (blocks, all_blocks): (u64, u64)) -> String {
    match (all_rows, all_blocks) {
        (0, 0) => phase.to_owned(),
        (0, _) => format!("{phase}, {} % of the table", blocks * 100 / all_blocks),
        (_, _) => format!("{phase}, {} of {} rows", count(rows), count(all_rows)),
    }
}

/// The interval between checks of what a session does. `limit`: how long a server that should answer may be silent.
fn interval(limit: Duration) -> Duration {
    PATIENCE.min(limit / LOOKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_statement_waits_for_is_looked_at_after_ten_seconds() {
        let seconds = Duration::from_secs;
        assert_eq!(interval(seconds(60)), seconds(10));
        assert_eq!(interval(seconds(600)), seconds(10));
        assert_eq!(
            interval(seconds(3)),
            seconds(1),
            "a server that may be silent for less is looked at sooner"
        );
    }

    #[test]
    fn how_far_an_index_is_is_told_in_rows_or_blocks() {
        let sorting = "building index: sorting live tuples";
        assert_eq!(building(sorting, (0, 0), (0, 0)), sorting);
        assert_eq!(building(sorting, (1_000, 25_000), (7, 7)), format!("{sorting}, 1,000 of 25,000 rows"));
        assert_eq!(building("scanning", (0, 0), (3, 12)), "scanning, 25 % of the table");
    }

    #[test]
    fn a_wait_is_told_in_words() {
        let lock = Wait { what: "a lock on oca_index".into(), holder: Some("session 7 of bob".into()) };
        assert_eq!(lock.to_string(), "waiting for a lock on oca_index, held by session 7 of bob");
        let standby = Wait { what: "a standby".into(), holder: None };
        assert_eq!(standby.to_string(), "waiting for a standby");
    }
}
