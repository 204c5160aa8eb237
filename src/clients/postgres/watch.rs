//! Waiting for an answer, but not for ever: a connection can be lost without anybody being told (a server that hangs,
//! something between that swallows bytes and keeps the connection up), and TCP does not notice all of it. A
//! statement may take hours, so the time says nothing. Another connection asks the server what the session does.

use std::future::Future;
use std::io;
use std::pin::pin;

use super::error::{Failure, PgError, classify};
use super::url::PgUrl;
use super::{Connection, connect, pg_timeout};
use crate::sql;

/// So many looks in a row must find that no answer can come.
const LOOKS: u32 = 3;

/// Looks after one session.
#[derive(Clone, Debug)]
pub struct Watch {
    url: PgUrl,
    session: Session,
}

/// A session as the server knows it.
#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    pub pid: i32,
    pub begin: String,
}

/// What a look finds.
enum Sight {
    AtWork,
    /// It waits for somebody's lock.
    HeldUp(String),
    /// It waits for us, who wait for it; or it is gone, or cannot be asked for.
    Silent(String),
}

impl Watch {
    pub(super) fn new(url: &PgUrl, session: Session) -> Self {
        Self { url: url.clone(), session }
    }

    /// Ends the session, which is lost: when this is done, its transaction is over, one way or the other. Nothing to do
    /// if it is gone.
    pub async fn end_session(&self, connection: &Connection) -> Result<(), PgError> {
        let Session { pid, begin } = &self.session;
        let ended = connection.execute(sql::SESSION_END, &[pid, begin]).await;
        ended.map(drop).map_err(|e| classify(e, "end a session that is lost"))
    }

    /// Waits for the server's answer to `work`; `operation` is what an error names.
    ///
    /// # Errors
    /// [`PgError::ConnectionLost`] when no answer can come, after `tcp_user_timeout` (60 s) or a little more. When a
    /// lock is not had in time, the error names who held it at the last look.
    pub async fn answer<T>(
        &self,
        operation: &str,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, PgError> {
        let mut holder = None;
        let answer = self.wait(operation, work, &mut holder).await?;
        answer.map_err(|e| classify(e, operation).held_up_by(holder))
    }

    /// The same for several statements with nothing between them that takes long.
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
        let mut work = pin!(work);
        let mut silent = 0;
        let interval = pg_timeout(&self.url) / LOOKS;
        loop {
            let sight = tokio::select! {
                biased;
                result = &mut work => return Ok(result),
                sight = async {
                    tokio::time::sleep(interval).await;
                    self.look().await
                } => sight,
            };
            match sight {
                Sight::AtWork => (silent, *holder) = (0, None),
                Sight::HeldUp(by) => {
                    if holder.as_ref() != Some(&by) {
                        tracing::warn!(operation, "waiting for a lock that {by} holds");
                    }
                    (silent, *holder) = (0, Some(by));
                }
                Sight::Silent(words) => {
                    silent += 1;
                    if silent == LOOKS {
                        let cause = io::Error::new(io::ErrorKind::TimedOut, words);
                        return Err(PgError::ConnectionLost(Failure::new(operation, Box::new(cause))));
                    }
                }
            }
        }
    }

    async fn look(&self) -> Sight {
        let look = async {
            let connection = connect(&self.url, "watch").await?;
            let failed = |e| classify(e, "look after a session");
            let Session { pid, begin } = &self.session;
            let row = connection.query_opt(sql::SESSION_LOOK, &[pid, begin]).await.map_err(failed)?;
            let Some(row) = row else {
                return Ok(Sight::Silent("the server has ended the session".into()));
            };
            let waits_for_us: bool = row.try_get(0).map_err(failed)?;
            let held_up_by: Option<String> = row.try_get(1).map_err(failed)?;
            Ok::<_, PgError>(match (waits_for_us, held_up_by) {
                (true, _) => Sight::Silent("the server waits for us, and we for it: bytes were lost".into()),
                (false, Some(by)) => Sight::HeldUp(by),
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
