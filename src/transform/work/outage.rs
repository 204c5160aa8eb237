//! What a worker does while the server or the store does not answer.

use std::time::{Duration, Instant};

use super::super::session::JobSession;
use super::{PAUSE, Worker};
use crate::clients::postgres::PgError;
use crate::clients::store::StoreError;
use crate::error::Cause;

/// How long a worker waits for a server or a store that does not answer.
pub const OUTAGE: Duration = Duration::from_secs(300);

/// A claim with which the connection was lost this often has failed: what is in it may be the reason.
const LOST: u32 = 3;

/// Whether the error may go away by itself.
pub fn is_outage(error: &PgError) -> bool {
    matches!(error, PgError::ConnectionLost(_) | PgError::Unreachable(_) | PgError::TooMany(_))
}

/// Does something from the beginning again if the connection is lost meanwhile. A server that could never be reached is not
/// waited for; `was_there`: it was reached before.
pub async fn past_outages<T>(
    mut was_there: bool,
    mut work: impl AsyncFnMut() -> Result<T, Cause>,
) -> Result<T, Cause> {
    let mut lost = None;
    loop {
        match work().await {
            Err(Cause::Postgres(error)) if is_outage(&error) => {
                was_there |= matches!(error, PgError::ConnectionLost(_));
                let since: &mut Instant = lost.get_or_insert_with(Instant::now);
                if !was_there || since.elapsed() >= OUTAGE {
                    return Err(error.into());
                }
                tracing::warn!("the connection was lost, and is made again: {error}");
                tokio::time::sleep(PAUSE).await;
            }
            other => return other,
        }
    }
}

/// Whether the server would refuse any group as it refuses this one, until a person changes something.
pub(super) fn is_refusal(error: &PgError) -> bool {
    matches!(error, PgError::DiskFull(_) | PgError::ReadOnly(_) | PgError::Rights(_))
}

impl Worker<'_> {
    /// Whether the store has been away for less than the time that it is waited for.
    pub(super) fn awaits_store(&mut self) -> bool {
        self.storeless_since.get_or_insert_with(Instant::now).elapsed() < OUTAGE
    }

    /// Gives back the claims, and waits a moment.
    pub(super) async fn wait_for_store(&mut self, error: &StoreError) -> Result<(), Cause> {
        tracing::warn!("the store does not answer, and is asked again: {error}");
        self.held = None;
        match self.id.leave(&self.session, false).await {
            Err(lost) if is_outage(&lost) => self.reconnect(lost).await?,
            given => given?,
        }
        tokio::time::sleep(PAUSE * 4).await;
        Ok(())
    }

    /// Reconnects, ends the lost session, and gives back the claims.
    pub(super) async fn reconnect(&mut self, error: PgError) -> Result<(), Cause> {
        tracing::warn!("the connection was lost, and is made again: {error}");
        let start = Instant::now();
        let (mut last, mut pause) = (error, PAUSE);
        while start.elapsed() < OUTAGE {
            match self.connect_anew().await {
                Ok(()) => return Ok(()),
                Err(Cause::Postgres(error)) if is_outage(&error) => last = error,
                Err(error) => return Err(error),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(5));
        }
        Err(last.into())
    }

    async fn connect_anew(&mut self) -> Result<(), Cause> {
        let session = JobSession::open(self.url, &self.config.database, "transform").await?;
        self.session.watch.end_session(&session.connection).await?;
        self.other.watch.end_session(&session.connection).await?;
        let other = JobSession::open(self.url, &self.config.database, "transform").await?;
        (self.session, self.other) = (session, other);
        self.id.enlist(&self.session, &self.other, self.config.worker.lease).await?;
        if let Some(claim) = self.held.take() {
            let lost = self.lost.entry(claim.group_no).or_default();
            *lost += 1;
            if *lost >= LOST {
                self.fail(&claim, &format!("the connection was lost {LOST} times while it was worked on"))
                    .await?;
                self.lost.remove(&claim.group_no);
            }
        }
        Ok(self.id.leave(&self.session, false).await?)
    }
}
