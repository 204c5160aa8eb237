//! Which run production is of: told by the database when a run commits, and asked for should nobody tell.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::pool::{Pool, PoolReader};
use super::texts::ServedTexts;
use crate::clients::postgres::{PgError, classify};
use crate::sql;

/// How often the ledger is asked if nobody tells, and if somebody does.
const ASK_EVERY: Duration = Duration::from_secs(1);
const LISTEN_ASK_EVERY: Duration = Duration::from_secs(15);

/// What is known of a dataset's production, and since when.
#[derive(Clone, Debug, Default)]
pub struct Current {
    /// The commit, as the ledger knows it.
    pub version: Option<String>,
    /// Until then it may be believed; `None`: the database cannot be asked.
    pub known_until: Option<Instant>,
}

impl Current {
    /// The commit, if that is known for sure enough to answer by.
    pub fn sure(&self) -> Option<&str> {
        self.known_until.filter(|until| *until > Instant::now())?;
        self.version.as_deref()
    }

    /// Was the database there when it was last asked?
    pub fn is_known(&self) -> bool {
        self.known_until.is_some_and(|until| until > Instant::now())
    }
}

/// Follows the runs of some datasets until nobody wants to know any more.
pub async fn follow(pool: Arc<Pool>, texts: Arc<Vec<ServedTexts>>, told: watch::Sender<Vec<Current>>) {
    let mut is_lost = false;
    while !told.is_closed() {
        match attend(&pool, &texts, &told, &mut is_lost).await {
            Ok(()) => return,
            Err(error) => {
                told.send_modify(|all| all.iter_mut().for_each(|current| current.known_until = None));
                if !is_lost {
                    tracing::warn!("the database cannot be asked: {error}; trying again each second");
                }
                is_lost = true;
            }
        }
        sleep(ASK_EVERY).await;
    }
}

/// Asks over one connection, for as long as it lasts.
async fn attend(
    pool: &Pool,
    texts: &[ServedTexts],
    told: &watch::Sender<Vec<Current>>,
    is_lost: &mut bool,
) -> Result<(), PgError> {
    let reader = pool.connect().await?;
    let is_told = match reader.connection.batch_execute(sql::SERVE_LISTEN).await {
        Ok(()) => true,
        Err(error) => {
            tracing::info!("commits are not told here ({error}): the ledger is asked each second");
            false
        }
    };
    let bell = reader.connection.notifications();
    let every = if is_told { LISTEN_ASK_EVERY } else { ASK_EVERY };
    while !told.is_closed() {
        let mut found = Vec::new();
        for text in texts {
            let version = newest_commit(&reader, text).await?;
            found.push(Current { version, known_until: Some(Instant::now() + every + 2 * ASK_EVERY) });
        }
        if std::mem::take(is_lost) {
            tracing::info!("the database is there again");
        }
        told.send_replace(found);
        tokio::select! {
            _ = timeout(every, bell.notified()) => {}
            () = told.closed() => {}
            () = closed(&reader) => return Err(PgError::no_answer("wait for commits", every)),
        }
    }
    Ok(())
}

/// Completes soon after a connection has ended.
async fn closed(reader: &PoolReader) {
    while !reader.connection.is_closed() {
        sleep(ASK_EVERY / 4).await;
    }
}

async fn newest_commit(reader: &PoolReader, texts: &ServedTexts) -> Result<Option<String>, PgError> {
    let operation = "ask which commit production is of";
    let failed = |error| classify(error, operation);
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&texts.dataset.name, &texts.schema];
    let row = match reader.connection.query_opt(&texts.run, &values).await {
        Ok(row) => row,
        // No ledger yet: nothing is loaded.
        Err(error) if is_missing(&error) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    row.map(|row| row.try_get(1)).transpose().map_err(failed)
}

/// Is there no such table, or schema?
pub(super) fn is_missing(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| ["42P01", "3F000"].contains(&code.code()))
}
