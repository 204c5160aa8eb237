//! Connections of clients, limited in their number, in the size of a request and in how slowly a client may read or write.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep, sleep, timeout};

/// The most clients at once.
const CLIENTS: usize = 1_024;
/// The bytes of a request's head that are read before it must have ended; up to twice as many may have come by then. What is larger is
/// refused with 431.
const HEAD_BYTES: usize = 64 << 10;
/// How long a client may take to send a head, and how long it may go without taking any part of an answer.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// How long answers under way may take after the server is told to stop.
const END_LIMIT: Duration = Duration::from_secs(10);

/// Serves until `stop` completes, then finishes the answers under way.
pub async fn listen(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
    let graceful = GracefulShutdown::new();
    let clients = Arc::new(Semaphore::new(CLIENTS));
    let mut stop = std::pin::pin!(stop);
    loop {
        let slot = clients.clone().acquire_owned();
        let accepted = async {
            let slot = slot.await;
            (slot, listener.accept().await)
        };
        let (slot, stream) = tokio::select! {
            () = &mut stop => break,
            (slot, accepted) = accepted => match accepted {
                Ok((stream, _)) => (slot, stream),
                Err(error) => {
                    // The cause may be too many open files: other clients will leave in the meantime.
                    tracing::warn!("cannot accept a client: {error}");
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let _ = stream.set_nodelay(true);
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_LIMIT)
            .max_buf_size(HEAD_BYTES)
            .serve_connection(TokioIo::new(Client::new(stream)), TowerToHyperService::new(router.clone()));
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // A client that goes away or is too slow is not an error of the server.
            let _ = connection.await;
            drop(slot);
        });
    }
    drop(listener);
    let _ = timeout(END_LIMIT, graceful.shutdown()).await;
}

/// The stream of a client. Writing fails when the client takes no bytes of an answer for [`WRITE_LIMIT`].
struct Client {
    stream: TcpStream,
    limit: Pin<Box<Sleep>>,
    is_waiting: bool,
}

impl Client {
    fn new(stream: TcpStream) -> Self {
        Self { stream, limit: Box::pin(sleep(WRITE_LIMIT)), is_waiting: false }
    }

    /// The limit begins when a write has to wait, and ends when the write goes on.
    fn limited<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.is_waiting = false;
            return polled;
        }
        if !self.is_waiting {
            self.is_waiting = true;
            self.limit.as_mut().reset(Instant::now() + WRITE_LIMIT);
        }
        match self.limit.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Client {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Client {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.limited(context, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        self.limited(context, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(context);
        self.limited(context, polled)
    }
}
