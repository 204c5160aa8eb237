//! Rows from several connections into objects: many statements run in parallel, and their answers come out in order. In
//! this way one large table uses all connections as well as many small ones do.
//!
//! A statement's answer waits in a bounded buffer until those before it are written. Statements are taken in order, and only
//! as many as may wait: so the first one that is not written is always under way, and there is no deadlock.
//!
//! Each connection has a thread with a runtime of its own. The server sends 8 KiB at a time; handing each of these from
//! one thread to another took more processor time than everything else together.

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

/// How many connections read in parallel. A run may use six sessions of a pool: the others are the ledger's, the one
/// whose snapshot they see, and one that watches each of these two.
const CONNECTIONS: usize = 2;
/// How many bytes are collected before they are passed on.
const CHUNK: usize = 1 << 20;
/// How many chunks of one answer may wait.
const WAITING: usize = 8;

/// A statement's answer, in pieces.
#[derive(Debug)]
enum Copied {
    Bytes(Bytes),
    /// The answer is complete, with this many lines.
    End(u64),
}

/// A statement to run, and the receiver of its answer.
struct Copying {
    operation: String,
    statement: String,
    to: Sender<Copied>,
}

/// The statements to run.
struct Copyings {
    questions: Mutex<VecDeque<Copying>>,
    /// Limits how many answers are under way or wait to be written.
    window: Semaphore,
}

/// Tells the threads when nothing waits for them any more.
struct Closing(Arc<Copyings>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.window.close();
    }
}

/// The content of one object: the answers of its statements, one after the other.
pub(super) struct CopiedLines {
    answers: Vec<Receiver<Copied>>,
    queue: Arc<Copyings>,
    /// Signals that the object before is in its place.
    before: oneshot::Receiver<()>,
    done: oneshot::Sender<()>,
}

/// The turn of an object to be put into its place: after all those before it.
pub(super) struct Turn {
    before: oneshot::Receiver<()>,
    done: oneshot::Sender<()>,
}

impl CopiedLines {
    /// Passes every chunk to `take`, in order; returns the number of lines, and the object's turn.
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
                    // Its connection failed and reports the error; half an answer must not be used.
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
            // The one before failed and reports the error.
            std::future::pending::<()>().await;
        }
    }

    /// Marks the object as being in its place.
    pub(super) fn end(self) {
        let _ = self.done.send(());
    }
}

/// Runs the statements of each object; `write` makes an object from their answers. Several objects are under way at
/// once; their turns and the results come in order. If no other connection can share the snapshot, the first one runs
/// all statements.
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

/// All statements in order, and the receivers of each object's answers.
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

/// A thread: opens its own connection to the snapshot, if possible, and runs statements on it.
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

/// Runs the next statement until none is left, or nothing waits for an answer.
async fn read(client: &Client, watch: &Watch, queue: &Copyings) -> Result<(), Cause> {
    // Released when the answer is written.
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
            // If the receiver is gone, the caller notices it.
            let _ = to.send(Copied::Bytes(chunk.split().freeze())).await;
        }
        if !more {
            let _ = to.send(Copied::End(count)).await;
            return Ok(());
        }
    }
}

/// Collects what has arrived, up to a chunk. The server sends one message per row, including the header. False: the
/// answer is complete.
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
