//! What a worker does with a claim: reads, cleans and commits a group, or reads a range into buckets.

use std::time::Instant;

use super::super::buckets::FillError;
use super::super::claim::Claim;
use super::super::clean::{Cleaning, CleaningError};
use super::super::collide;
use super::super::finish::{self, CleanTable, Cost, FinishError, Finished};
use super::super::read;
use super::super::rows::{self, CleanRows, GroupError};
use super::super::source::RowSourceError;
use super::Worker;
use super::outage::{is_outage, is_refusal};
use crate::error::Cause;
use crate::fault;
use crate::system::background::blocking;
use crate::words::millis;

/// Whether the cause affects all groups rather than a single one.
fn is_of_all(cause: &Cause) -> bool {
    match cause {
        Cause::Postgres(error) => is_outage(error) || is_refusal(error),
        Cause::Store(_) => true,
        _ => false,
    }
}

/// How many times the usual memory a claim is given: what has failed and is alone may have failed for lack of it.
pub(super) fn times(claim: &Claim) -> u64 {
    if claim.failures > 0 && claim.members.len() <= 1 { 2 } else { 1 }
}

impl Worker<'_> {
    pub(super) async fn group(&mut self, claim: &Claim) -> Result<(), Cause> {
        fault::point!("transform.claimed");
        if claim.losses > 1 && claim.members.len() > 1 {
            // One of these partitions may be the reason why workers were lost.
            return self.fail(claim, "its workers were lost").await;
        }
        let keys = claim.keys();
        self.allow(times(claim));
        let start = Instant::now();
        let limits = self.config.worker.bucket();
        let work = (self.workspace.path(), limits);
        let found = self.source.read(&self.session, &self.id, &self.raw, claim, work).await;
        let found = match found.map_err(RowSourceError::server) {
            Ok(found) => found,
            Err(Ok(cause)) if is_of_all(&cause) => return Err(cause),
            Err(Ok(cause)) => return self.fail(claim, &cause.to_string()).await,
            Err(Err(error)) => return self.fail(claim, &error.to_string()).await,
        };
        self.storeless_since = None;
        fault::point!("transform.read");
        let read_ms = millis(start);
        let start = Instant::now();
        let cleaned = self.clean(claim, keys, found.batches).await?;
        let rows = match cleaned {
            Ok(rows) => rows,
            Err(words) => return self.fail(claim, &words).await,
        };
        fault::point!("transform.cleaned");
        let beside_bytes = self.cleaning.as_ref().map_or(0, Cleaning::beside_bytes);
        let cost = Cost { bytes_in: found.bytes, read_ms, clean_ms: millis(start), beside_bytes };
        self.commit(claim, &rows, &found.counted, cost).await
    }

    /// Reads a range of pages of the raw table into buckets.
    pub(super) async fn range(&mut self, claim: &Claim) -> Result<(), Cause> {
        fault::point!("transform.range_claimed");
        self.allow(times(claim));
        let work = (self.workspace.path(), self.config.worker.duckdb());
        let filled = match self.source.fill(&self.session, &self.raw, claim, work).await {
            Ok(filled) => filled,
            Err(FillError::Postgres(error)) if is_outage(&error) || is_refusal(&error) => {
                return Err(error.into());
            }
            Err(FillError::Store(error)) => return Err(error.into()),
            Err(error) => return self.fail(claim, &error.to_string()).await,
        };
        self.storeless_since = None;
        let ended = self.source.commit(&self.session, &self.id, claim, &filled).await;
        let Some(finished) = self.settled(claim, ended).await? else { return Ok(()) };
        fault::point!("transform.range_finished");
        let (range, files) = (claim.group_no, filled.0.files.len());
        match finished {
            Finished::Done => tracing::debug!(range, files, "range {range} is in the buckets"),
            Finished::Lost => tracing::warn!(range, "range {range}: the claim is no longer ours"),
        }
        Ok(())
    }

    /// The result of a claim's transaction; `None`: it was rolled back.
    async fn settled(
        &mut self,
        claim: &Claim,
        ended: Result<Finished, FinishError>,
    ) -> Result<Option<Finished>, Cause> {
        match ended {
            Ok(finished) => Ok(Some(finished)),
            Err(FinishError::Postgres(error)) if is_outage(&error) => {
                // The commit may have succeeded although the connection was lost.
                self.reconnect(error).await?;
                Ok(finish::outcome(&self.session, &self.id, claim).await?)
            }
            Err(FinishError::Postgres(error)) if is_refusal(&error) => Err(error.into()),
            Err(FinishError::Refused(cause)) => Err(*cause),
            Err(error) => {
                if !self.is_put_off(claim, &error).await? {
                    self.fail(claim, &error.words(self.table.is_in_place)).await?;
                }
                Ok(None)
            }
        }
    }

    /// Puts a group off that collides with another, if changed partitions are done again anyway: among them may be the one that
    /// it collides with.
    async fn is_put_off(&mut self, claim: &Claim, error: &FinishError) -> Result<bool, Cause> {
        let is_done_again = self.job.source.changed.is_some() && !claim.is_range;
        if !is_done_again || !error.is_collision() {
            return Ok(false);
        }
        let into = (&self.table, &*self.raw);
        match collide::put_off(&self.session, &self.id, claim, into).await {
            Ok(true) => {
                let (group, name) = (claim.group_no, rows::name(&claim.keys()));
                tracing::warn!(group, "{name}: {error}: it is done again with what has changed meanwhile");
                Ok(true)
            }
            Err(FinishError::Postgres(error)) if is_outage(&error) || is_refusal(&error) => Err(error.into()),
            // Whatever is wrong, the group has failed.
            Ok(false) | Err(_) => Ok(false),
        }
    }

    async fn clean(
        &mut self,
        claim: &Claim,
        keys: Vec<Option<String>>,
        batches: Vec<arrow::record_batch::RecordBatch>,
    ) -> Result<Result<CleanRows, String>, Cause> {
        let mut cleaning = self.cleaning.take().expect("it comes back from each group");
        let (together, clean, raw) = (self.job.clean.grouped, self.clean.clone(), self.raw.clone());
        let memory_mib = self.config.worker.duckdb().memory_mib * times(claim);
        let (cleaning, cleaned) = blocking(move || {
            let given = cleaning.give(memory_mib);
            let cleaned = given
                .map_err(rows::GroupError::from)
                .and_then(|()| rows::clean(&mut cleaning, together, &clean, &raw, &keys, batches));
            (cleaning, cleaned)
        })
        .await?;
        self.cleaning = Some(cleaning);
        match cleaned {
            Err(GroupError::Cleaning(error @ CleaningError::Machine(_))) => Err(error.into()),
            cleaned => Ok(cleaned.map_err(|error| error.to_string())),
        }
    }

    async fn commit(
        &mut self,
        claim: &Claim,
        rows: &CleanRows,
        counted: &[read::Counted],
        cost: Cost,
    ) -> Result<(), Cause> {
        self.job.refuse_changed_files()?;
        let into = (&self.table, &*self.raw);
        let mut ended = finish::finish(&self.session, &self.id, claim, into, rows, counted, cost).await;
        if self.table.is_in_place
            && self.job.source.condition.is_none()
            && ended.as_ref().is_err_and(FinishError::is_collision)
        {
            // What is in the way may lie in a partition that the source no longer has.
            let table = CleanTable { with_leftovers: true, ..self.table.clone() };
            let into = (&table, &*self.raw);
            ended = finish::finish(&self.session, &self.id, claim, into, rows, counted, cost).await;
        }
        let Some(finished) = self.settled(claim, ended).await? else { return Ok(()) };
        fault::point!("transform.finished");
        let (group, name) = (claim.group_no, rows::name(&claim.keys()));
        match finished {
            Finished::Done => tracing::debug!(group, rows = rows.encoded.rows, "{name} is done"),
            Finished::Lost => {
                tracing::warn!(group, "{name}: the claim is no longer ours; nothing was written");
            }
        }
        Ok(())
    }

    pub(super) async fn fail(&mut self, claim: &Claim, words: &str) -> Result<(), Cause> {
        let then = finish::fail(&self.session, &self.id, claim, words).await?;
        let group = claim.group_no;
        let name = match claim.is_range {
            true => format!("range {group}"),
            false => rows::name(&claim.keys()),
        };
        tracing::warn!(group, attempt = claim.attempts, "{name}: {words}: {then}");
        Ok(())
    }
}
