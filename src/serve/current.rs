//! Which run production shows: the database sends a notification when a run commits. It is also asked every second, because a
//! notification can be lost.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::pool::{Pool, PoolReader};
use super::rights::RightsLook;
use super::texts::ServedTexts;
use crate::clients::postgres::{PgError, classify};
use crate::sql;

/// How often the ledger is asked, also where somebody tells: a pooler between may take the request and never pass anything on.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// The newest known commit of a dataset, and how long that knowledge is good.
#[derive(Clone, Debug, Default)]
pub struct Current {
    /// The commit as the ledger identifies it; `None`: nothing is loaded.
    pub version: Option<String>,
    /// Until when `version` may be trusted; `None`: the database cannot be asked.
    pub known_until: Option<Instant>,
}

impl Current {
    /// The commit, if it may still be trusted, so that an answer can rely on it.
    pub fn sure(&self) -> Option<&str> {
        self.version.as_deref().filter(|_| self.is_known())
    }

    /// Whether the database answered recently enough.
    pub fn is_known(&self) -> bool {
        self.known_until.is_some_and(|until| until > Instant::now())
    }
}

/// Follows the runs of the given datasets; never ends by itself.
pub async fn follow(pool: Arc<Pool>, texts: Arc<Vec<ServedTexts>>, told: watch::Sender<Vec<Current>>) {
    let mut is_lost = false;
    let mut rights = RightsLook::default();
    loop {
        let Err(error) = attend(&pool, &texts, &told, (&mut is_lost, &mut rights)).await;
        told.send_modify(|all| all.iter_mut().for_each(|current| current.known_until = None));
        if !is_lost {
            tracing::warn!("the database cannot be asked: {error}; trying again every second");
        }
        is_lost = true;
        sleep(ASK_EVERY).await;
    }
}

/// Asks over one connection, for as long as the connection lasts.
async fn attend(
    pool: &Pool,
    texts: &[ServedTexts],
    told: &watch::Sender<Vec<Current>>,
    (is_lost, rights): (&mut bool, &mut RightsLook),
) -> Result<Infallible, PgError> {
    let reader = pool.connect().await?;
    if let Err(error) = reader.connection.batch_execute(sql::SERVE_LISTEN).await {
        tracing::info!("the server gets no notice of commits ({error}), so it asks the ledger every second");
    }
    let bell = reader.connection.notifications();
    loop {
        let mut found = Vec::new();
        for text in texts {
            let version = newest_commit(&reader, text).await?;
            found.push(Current { version, known_until: Some(Instant::now() + 3 * ASK_EVERY) });
        }
        // Before anything of a dataset is loaded there is no table to have rights on.
        for (text, current) in texts.iter().zip(&found) {
            if current.version.is_some() {
                rights.look(&reader, text).await;
            }
        }
        if std::mem::take(is_lost) {
            tracing::info!("the database answers again");
        }
        told.send_replace(found);
        tokio::select! {
            _ = timeout(ASK_EVERY, bell.notified()) => {}
            () = closed(&reader) => return Err(PgError::no_answer("wait for commits", ASK_EVERY)),
        }
    }
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
    let row = match reader.connection.query_opt(&texts.run, &values).await.map_err(failed) {
        Ok(row) => row,
        // The ledger does not exist yet, so nothing is loaded.
        Err(error) if is_missing(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    row.map(|row| row.try_get(1)).transpose().map_err(failed)
}

/// Whether the error says that a table or a schema does not exist.
pub(super) fn is_missing(error: &PgError) -> bool {
    error.sqlstate().is_some_and(|code| ["42P01", "3F000"].contains(&code))
}
