//! Rows from several connections into objects: the answers of many statements, asked beside each other, come out in their
//! order. So one large table takes all connections as well as many small ones do.
//!
//! A statement's answer waits in a bounded buffer until those before it are written. Statements are taken in order, and only
//! as many as may wait: so the first that is not written is always under way, and nobody waits for ever.
//!
//! Each connection has a thread with a runtime of its own. The server sends eight KiB at a time; to hand each of them from one
//! thread to another cost more processor time than all else together.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use futures_util::future::{try_join, try_join_all};
use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{Semaphore, oneshot};
use tokio_postgres::{Client, CopyOutStream};

use super::snapshot::Shared;
use crate::clients::postgres::{PgError, Watch};
use crate::error::Cause;
use crate::system::background::blocking;

/// Connections that read beside each other. In a pool of sessions a run has room for six: the ledger's, the one whose snapshot
/// they see, and one each that looks after these are the others.
const CONNECTIONS: usize = 2;
/// Bytes that are collected before they go on.
const CHUNK: usize = 1 << 20;
/// Chunks of one answer that may wait.
const WAITING: usize = 8;

/// A statement's answer, in pieces.
#[derive(Debug)]
enum Copied {
    Bytes(Bytes),
    /// It is whole, and had so many lines.
    End(u64),
}

/// A statement to ask, and who waits for its answer.
struct Copying {
    operation: String,
    statement: String,
    to: Sender<Copied>,
}

/// What is to be asked.
struct Copyings {
    questions: Mutex<VecDeque<Copying>>,
    /// As many as may be under way or wait to be written.
    window: Semaphore,
}

/// Tells the threads when nobody waits for them any more.
struct Closing(Arc<Copyings>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.window.close();
    }
}

/// What one object is made of: the answers of its statements, one behind the other.
pub(super) struct CopiedLines {
    answers: Vec<Receiver<Copied>>,
    queue: Arc<Copyings>,
    /// The object before is in its place.
    before: oneshot::Receiver<()>,
    done: oneshot::Sender<()>,
}

/// The turn of an object to get into its place: not before those that come first.
pub(super) struct Turn {
    before: oneshot::Receiver<()>,
    done: oneshot::Sender<()>,
}

impl CopiedLines {
    /// Gives every chunk to `take`, in order; in the end how many lines there were, and the object's turn.
    pub(super) async fn drain(
        mut self,
        mut take: impl AsyncFnMut(Bytes) -> Result<(), Cause>,
    ) -> Result<(u64, Turn), Cause> {
        let mut lines = 0;
        for answer in &mut self.answers {
            loop {
                match answer.recv().await {
                    Some(Copied::Bytes(bytes)) => take(bytes).await?,
                    Some(Copied::End(counted)) => break lines += counted,
                    // Its connection failed, and says why; half an answer is none.
                    None => std::future::pending::<()>().await,
                }
            }
            self.queue.window.add_permits(1);
        }
        Ok((lines, Turn { before: self.before, done: self.done }))
    }
}

impl Turn {
    /// Waits for it.
    pub(super) async fn comes(&mut self) {
        if (&mut self.before).await.is_err() {
            // The one before failed, and says why.
            std::future::pending::<()>().await;
        }
    }

    /// The object is in its place.
    pub(super) fn end(self) {
        let _ = self.done.send(());
    }
}

/// Asks the statements of each object; `write` makes an object of their answers. Several objects are under way at once; their
/// turns come in their order, as do the results. Without others who see the snapshot, the first connection asks all.
pub(super) async fn relay<T, O, W: Future<Output = Result<O, Cause>>>(
    first: (&Client, &Watch),
    shared: Option<&Shared>,
    objects: Vec<(T, String, Vec<String>)>,
    write: impl Fn(T, CopiedLines) -> W,
) -> Result<Vec<O>, Cause> {
    let (queue, objects) = enqueue(objects);
    let _closing = Closing(queue.clone());
    let reading = async {
        let mut threads = Vec::new();
        let mut followers = Vec::new();
        for shared in shared.into_iter().flat_map(|shared| [shared; CONNECTIONS]) {
            let shared = shared.clone();
            let (begun, begins) = oneshot::channel();
            let queue = queue.clone();
            threads.push(async move { blocking(move || follow(&shared, begun, &queue)).await? });
            followers.push(begins);
        }
        let threads = try_join_all(threads);
        let alone = async {
            for begins in followers {
                if begins.await.is_ok() {
                    return Ok(());
                }
            }
            let (client, watch) = first;
            read(client, watch, &queue).await
        };
        try_join(threads, alone).await.map(drop)
    };
    let writing = stream::iter(objects).map(|(object, lines)| write(object, lines)).buffered(CONNECTIONS);
    let (written, ()) = try_join(writing.try_collect(), reading).await?;
    Ok(written)
}

/// All questions, in order, and what becomes of each object's.
fn enqueue<T>(objects: Vec<(T, String, Vec<String>)>) -> (Arc<Copyings>, Vec<(T, CopiedLines)>) {
    let mut questions = VecDeque::new();
    let (first, mut before) = oneshot::channel();
    let _ = first.send(());
    let mut parts = Vec::new();
    for (object, operation, statements) in objects {
        let mut answers = Vec::new();
        for statement in statements {
            let (to, answer) = channel(WAITING);
            questions.push_back(Copying { operation: operation.clone(), statement, to });
            answers.push(answer);
        }
        let (done, next) = oneshot::channel();
        parts.push((object, answers, std::mem::replace(&mut before, next), done));
    }
    let window = Semaphore::new(CONNECTIONS + 1);
    let queue = Arc::new(Copyings { questions: Mutex::new(questions), window });
    let lines = |(object, answers, before, done)| {
        (object, CopiedLines { answers, queue: queue.clone(), before, done })
    };
    let objects = parts.into_iter().map(lines).collect();
    (queue, objects)
}

/// A thread: a connection of its own on the snapshot, if it can be had, and all that it asks.
fn follow(shared: &Shared, begun: oneshot::Sender<()>, queue: &Copyings) -> Result<(), Cause> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Cause::io("start a runtime"))?.block_on(async {
        let connection = match shared.follow().await {
            Ok(connection) => connection,
            Err(error) => {
                tracing::info!("publish goes on over fewer connections: {error}");
                return Ok(());
            }
        };
        let _ = begun.send(());
        let read = read(&connection, &connection.watch(), queue).await;
        connection.close().await;
        read
    })
}

/// Asks the next statement until none is left, or nobody waits for it.
async fn read(client: &Client, watch: &Watch, queue: &Copyings) -> Result<(), Cause> {
    // Given back when the answer is written.
    while let Ok(permit) = queue.window.acquire().await {
        let next = queue.questions.lock().expect("nobody panics with the queue").pop_front();
        let Some(Copying { operation, statement, to }) = next else { return Ok(()) };
        permit.forget();
        tokio::select! {
            () = to.closed() => return Ok(()),
            asked = ask(client, watch, (&operation, &statement), &to) => asked?,
        }
    }
    Ok(())
}

async fn ask(
    client: &Client,
    watch: &Watch,
    (operation, statement): (&str, &str),
    to: &Sender<Copied>,
) -> Result<(), PgError> {
    let mut lines = pin!(watch.answer(operation, client.copy_out(statement)).await?);
    let (mut count, mut chunk) = (0, BytesMut::new());
    loop {
        let more = watch.answer(operation, gather(lines.as_mut(), &mut chunk, &mut count)).await?;
        if chunk.len() >= CHUNK || !more {
            // Who does not take it is gone, which the caller sees.
            let _ = to.send(Copied::Bytes(chunk.split().freeze())).await;
        }
        if !more {
            let _ = to.send(Copied::End(count)).await;
            return Ok(());
        }
    }
}

/// Takes what has come, up to a chunk. The server sends a message a row, the header included. False: that was all.
async fn gather(
    mut lines: Pin<&mut CopyOutStream>,
    chunk: &mut BytesMut,
    count: &mut u64,
) -> Result<bool, tokio_postgres::Error> {
    let before = chunk.len();
    chunk.reserve((CHUNK + (CHUNK >> 2)).saturating_sub(before));
    poll_fn(|context| {
        loop {
            match lines.as_mut().poll_next(context) {
                Poll::Ready(Some(Ok(line))) => {
                    chunk.extend_from_slice(&line);
                    *count += 1;
                    if chunk.len() >= CHUNK {
                        return Poll::Ready(Ok(true));
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                Poll::Ready(None) => return Poll::Ready(Ok(false)),
                Poll::Pending if chunk.len() > before => return Poll::Ready(Ok(true)),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await
}
