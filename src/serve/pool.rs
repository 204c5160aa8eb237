//! A bounded pool of connections that read, and a bounded queue before it. Whoever finds both full is told at once: an answer
//! that comes when nobody waits for it any more helps nobody.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_postgres::Statement;

use crate::clients::postgres::{self, Connection, PgError, PgUrl, classify};
use crate::sql;

/// How large pool and queue are, and how long a question may wait, and a statement take.
#[derive(Clone, Copy, Debug)]
pub struct PoolLimits {
    pub connections: usize,
    pub waiting: usize,
    pub limit: Duration,
}

/// The pool.
#[derive(Debug)]
pub struct Pool {
    url: PgUrl,
    limits: PoolLimits,
    slots: Arc<Semaphore>,
    /// Places for those who wait.
    queue: Semaphore,
    idle: Mutex<Vec<PoolReader>>,
}

/// A connection with what it has prepared.
#[derive(Debug)]
pub struct PoolReader {
    pub connection: Connection,
    prepared: HashMap<String, Statement>,
}

/// A connection for one answer, and its place in the pool.
#[derive(Debug)]
pub struct TakenReader {
    pub reader: PoolReader,
    /// It was at work before, so the server may have gone meanwhile.
    pub is_used: bool,
    slot: OwnedSemaphorePermit,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum Busy {
    #[error("too many questions are waiting already")]
    Full,
    #[error("no connection came free in time")]
    Slow,
    #[error(transparent)]
    Unreachable(#[from] PgError),
}

impl Pool {
    /// An empty pool; connections are made when they are needed.
    pub fn new(url: PgUrl, limits: PoolLimits) -> Self {
        let slots = Arc::new(Semaphore::new(limits.connections));
        Self { url, limits, slots, queue: Semaphore::new(limits.waiting), idle: Mutex::default() }
    }

    /// Takes a connection, and waits a while for one.
    ///
    /// # Errors
    /// [`Busy`]: why there is none.
    pub async fn take(&self) -> Result<TakenReader, Busy> {
        let slot = self.slot().await?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(reader) = idle.filter(|reader| !reader.connection.is_closed()) {
            return Ok(TakenReader { reader, is_used: true, slot });
        }
        let reader = self.connect().await?;
        Ok(TakenReader { reader, is_used: false, slot })
    }

    /// Puts a connection back that has answered and is in no transaction.
    pub fn put(&self, taken: TakenReader) {
        let TakenReader { reader, slot, .. } = taken;
        if !reader.connection.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
        }
        drop(slot);
    }

    /// A new connection in the place of one that was lost.
    ///
    /// # Errors
    /// Why the database cannot be reached.
    pub async fn renew(&self, taken: TakenReader) -> Result<TakenReader, Busy> {
        // The others are as old.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let reader = self.connect().await?;
        Ok(TakenReader { reader, is_used: false, slot: taken.slot })
    }

    /// A connection beside the pool, with the same settings.
    ///
    /// # Errors
    /// Why the database cannot be reached.
    pub async fn connect(&self) -> Result<PoolReader, PgError> {
        let operation = "set up a connection that reads";
        let connect = postgres::connect(&self.url, "serve");
        let connected = timeout(self.limits.limit, connect).await;
        let connection = connected.map_err(|_| PgError::no_answer("connect", self.limits.limit))??;
        let limit_ms = self.limits.limit.as_millis().to_string();
        let session = sql::render(sql::SERVE_SESSION, &[("limit_ms", &limit_ms)]);
        connection.batch_execute(&session).await.map_err(|error| classify(error, operation))?;
        Ok(PoolReader { connection, prepared: HashMap::new() })
    }

    async fn slot(&self) -> Result<OwnedSemaphorePermit, Busy> {
        if let Ok(slot) = self.slots.clone().try_acquire_owned() {
            return Ok(slot);
        }
        let _place = self.queue.try_acquire().map_err(|_| Busy::Full)?;
        match timeout(self.limits.limit, self.slots.clone().acquire_owned()).await {
            Ok(Ok(slot)) => Ok(slot),
            _ => Err(Busy::Slow),
        }
    }

    /// How long a question may wait, and a statement take.
    pub fn limit(&self) -> Duration {
        self.limits.limit
    }

    /// Connections that are at work, and questions that wait for one.
    pub fn load(&self) -> (usize, usize) {
        let PoolLimits { connections, waiting, .. } = self.limits;
        (connections - self.slots.available_permits(), waiting - self.queue.available_permits())
    }
}

impl PoolReader {
    /// Prepares statements that this connection does not know yet.
    ///
    /// # Errors
    /// What the server says, of a table that is not there for one.
    pub async fn prepare(&mut self, texts: &[&str]) -> Result<(), tokio_postgres::Error> {
        for text in texts {
            if !self.prepared.contains_key(*text) {
                let statement = self.connection.prepare(text).await?;
                self.prepared.insert((*text).to_owned(), statement);
            }
        }
        Ok(())
    }

    /// A statement that was prepared.
    ///
    /// # Panics
    /// If it was not.
    pub fn prepared(&self, text: &str) -> Statement {
        self.prepared.get(text).expect("prepared before it is asked for").clone()
    }
}
