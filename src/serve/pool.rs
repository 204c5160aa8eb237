//! A bounded pool of read-only connections, with a bounded queue before it. If both are full, the client is told at once: an
//! answer that comes after the client has given up helps nobody.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_postgres::Statement;

use crate::clients::postgres::{self, Connection, PgError, PgUrl, classify};
use crate::sql;

/// The sizes of pool and queue, and the limit for waiting in the queue, connecting and each statement.
#[derive(Clone, Copy, Debug)]
pub struct PoolLimits {
    pub connections: usize,
    pub waiting: usize,
    pub limit: Duration,
}

/// A pool of connections.
#[derive(Debug)]
pub struct Pool {
    url: PgUrl,
    limits: PoolLimits,
    slots: Arc<Semaphore>,
    /// Permits for the questions that wait for a connection.
    queue: Semaphore,
    idle: Mutex<Vec<PoolReader>>,
}

/// A connection and the statements that are prepared on it.
#[derive(Debug)]
pub struct PoolReader {
    pub connection: Connection,
    prepared: HashMap<String, Statement>,
}

/// A connection that is in use for one answer, and its slot in the pool.
#[derive(Debug)]
pub struct TakenReader {
    pub reader: PoolReader,
    /// The connection was used before, so the server may have gone in the meantime.
    pub is_used: bool,
    slot: OwnedSemaphorePermit,
}

/// The reasons why there is no connection.
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

    /// Takes a connection, and waits for one if necessary.
    ///
    /// # Errors
    /// [`Busy`] says why there is none.
    pub async fn take(&self) -> Result<TakenReader, Busy> {
        let slot = self.slot().await?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(reader) = idle.filter(|reader| !reader.connection.is_closed()) {
            return Ok(TakenReader { reader, is_used: true, slot });
        }
        let reader = self.connect().await?;
        Ok(TakenReader { reader, is_used: false, slot })
    }

    /// Returns a connection, which must not be in a transaction.
    pub fn put(&self, taken: TakenReader) {
        let TakenReader { reader, slot, .. } = taken;
        if !reader.connection.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
        }
        drop(slot);
    }

    /// Replaces a lost connection by a new one.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn renew(&self, taken: TakenReader) -> Result<TakenReader, Busy> {
        // The other idle connections are as old, so they are probably lost, too.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let reader = self.connect().await?;
        Ok(TakenReader { reader, is_used: false, slot: taken.slot })
    }

    /// Makes a connection outside the pool, with the same settings.
    ///
    /// # Errors
    /// The database cannot be reached.
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

    /// The number of connections in use, and of questions that wait for one.
    pub fn load(&self) -> (usize, usize) {
        let PoolLimits { connections, waiting, .. } = self.limits;
        (connections - self.slots.available_permits(), waiting - self.queue.available_permits())
    }
}

impl PoolReader {
    /// Prepares those statements that are not yet prepared on this connection.
    ///
    /// # Errors
    /// Any error of the server, for example that a table does not exist.
    pub async fn prepare(&mut self, texts: &[&str]) -> Result<(), tokio_postgres::Error> {
        for text in texts {
            if !self.prepared.contains_key(*text) {
                let statement = self.connection.prepare(text).await?;
                self.prepared.insert((*text).to_owned(), statement);
            }
        }
        Ok(())
    }

    /// The prepared statement for a text.
    ///
    /// # Panics
    /// If the text was not prepared before.
    pub fn prepared(&self, text: &str) -> Statement {
        self.prepared.get(text).expect("prepared before it is asked for").clone()
    }
}
