//! A pooler between us and the server. One that keeps a session of the server for each of its clients (PgBouncer's mode
//! `session`) is as good as the server itself. One that assigns another session for each transaction loses the lock of
//! a run, its settings and its temporary tables, or passes them on to somebody else. It is refused before anything is
//! set that could remain in a session which others use.

use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_postgres::{Client, SimpleQueryMessage};

use super::error::{FailedOperation, PgError, classify};
use super::{CLOSE_TIMEOUT, Link};
use crate::sql;

/// An idle pool reveals its mode in the first round, one with many clients in a later one.
const ROUNDS: u32 = 5;
/// How long a pooler may take to give a second session.
const SECOND_SESSION: Duration = Duration::from_secs(10);
/// How long resetting a session may take.
const GIVE_BACK: Duration = Duration::from_secs(2);
/// What a client sends first to ask for TLS.
const TLS_REQUEST: [u8; 4] = 80_877_103_u32.to_be_bytes();

/// Why a pooler cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    #[error(
        "a pooler is between, which hands each transaction another session of the server (PgBouncer's pool_mode \
         transaction or statement): the lock of a run, its settings and its temporary tables would not stay with it"
    )]
    Shared,
    #[error("the connection goes through a pooler that gave no second session within {} s; a run needs up to six", .0.as_secs())]
    TooSmall(Duration),
}

/// The server process that answers, if it differs from the one that the other side named when the connection was made:
/// then the other side is not the server itself.
pub(super) async fn behind(client: &Client) -> Result<Option<i32>, tokio_postgres::Error> {
    let answers = process(client).await?;
    Ok((named(client).await != Some(answers)).then_some(answers))
}

/// Proves that the pooler keeps a session for its client. `second` is another connection through it. Each is asked
/// which process answers, in transactions that set nothing: a pool in transaction mode has the first one's process free
/// while the second is in a transaction, and would hand out that process next.
pub(super) async fn keeps_sessions<S: AsRef<Client>>(
    first: &Client,
    process_id: i32,
    second: impl Future<Output = Result<S, PgError>>,
    operation: &str,
) -> Result<(), PgError> {
    let unfit = |unfit: Unfit| PgError::Pooled(FailedOperation::new(operation, Box::new(unfit)));
    let failed = |e| classify(e, operation);
    let opened = async {
        let second = second.await?;
        process(second.as_ref()).await.map_err(failed)?;
        Ok::<_, PgError>(second)
    };
    let second =
        timeout(SECOND_SESSION, opened).await.map_err(|_| unfit(Unfit::TooSmall(SECOND_SESSION)))??;
    let second = second.as_ref();
    for _ in 0..ROUNDS {
        match second.batch_execute("begin").await.map_err(failed) {
            Ok(()) => {}
            // PgBouncer's mode `statement` has no transactions.
            Err(error) if error.sqlstate() == Some("08P01") => return Err(unfit(Unfit::Shared)),
            Err(error) => return Err(error),
        }
        let is_shared = process(second).await.map_err(failed)? == process_id
            || process(first).await.map_err(failed)? != process_id;
        second.batch_execute("rollback").await.map_err(failed)?;
        if is_shared {
            return Err(unfit(Unfit::Shared));
        }
    }
    Ok(())
}

async fn process(client: &Client) -> Result<i32, tokio_postgres::Error> {
    let answer = client.simple_query(sql::SESSION_WHO).await?;
    let pid = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
        _ => None,
    });
    // The server's function returns a number.
    Ok(pid.unwrap_or_default())
}

/// The process that the other side named. The library exposes it only in the cancel request that it sends to a server,
/// so here that request is written to memory and read from there. `None`: it could not be read.
async fn named(client: &Client) -> Option<i32> {
    let (mut end, own) = tokio::io::duplex(64);
    let token = client.cancel_token();
    let read = async move {
        let mut head = [0; 8];
        end.read_exact(&mut head).await.ok()?;
        if head[4..] == TLS_REQUEST {
            end.write_all(b"S").await.ok()?;
            end.read_exact(&mut head).await.ok()?;
        }
        // Length and code were read; process id and key follow.
        end.read_i32().await.ok()
    };
    let (asked, named) = tokio::join!(token.cancel_query_raw(own, InTheClear), read);
    asked.ok().and(named)
}

/// A TLS connector that does nothing, since nothing leaves this process.
struct InTheClear;

struct Plain(DuplexStream);

impl TlsConnect<DuplexStream> for InTheClear {
    type Stream = Plain;
    type Error = io::Error;
    type Future = std::future::Ready<io::Result<Plain>>;

    fn connect(self, stream: DuplexStream) -> Self::Future {
        std::future::ready(Ok(Plain(stream)))
    }
}

impl TlsStream for Plain {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Plain {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Plain {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Tasks that are resetting sessions.
static GIVEN_BACK: Mutex<Vec<JoinHandle<()>>> = Mutex::new(Vec::new());

/// Resets a session of a pool, then ends the connection. The pooler's `server_reset_query` may be empty, and then the
/// next client of the session would have our settings and hold our locks.
pub(super) async fn give_back(link: Link) {
    let Link { client, mut task } = link;
    // Not in one message: the second statement works only outside a transaction.
    let as_it_was = async {
        client.batch_execute("rollback").await?;
        client.batch_execute("discard all").await
    };
    if !matches!(timeout(GIVE_BACK, as_it_was).await, Ok(Ok(()))) {
        // PgBouncer ends a session whose client leaves in the middle of something.
        return;
    }
    drop(client);
    let _ = timeout(CLOSE_TIMEOUT, &mut task.0).await;
}

/// The same without waiting for it; [`farewell`] does.
pub(super) fn give_back_later(link: Link) {
    // Without a runtime the connection ends at once.
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    let mut given_back = GIVEN_BACK.lock().unwrap_or_else(PoisonError::into_inner);
    given_back.retain(|task| !task.is_finished());
    given_back.push(runtime.spawn(give_back(link)));
}

/// Waits, for a moment at most, until the pool sessions that were dropped have been reset. Called at the end of a
/// process.
pub async fn farewell() {
    let given_back = std::mem::take(&mut *GIVEN_BACK.lock().unwrap_or_else(PoisonError::into_inner));
    for task in given_back {
        let _ = task.await;
    }
}
