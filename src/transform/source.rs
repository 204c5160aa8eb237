//! The source of a worker's rows: the raw table, read by key, or the buckets that the table was read into.

use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;

use super::buckets::{self, BucketError, BucketPlace, BucketRows, FillError, FilledRange, LocalBucket};
use super::claim::{Claim, WorkerId};
use super::finish::{Cost, FinishError, Finished};
use super::job::Job;
use super::look::RawTable;
use super::read::{self, RawRows, ReadError, Wanted};
use super::rows::name;
use super::session::JobSession;
use super::versions::Version;
use crate::clients::duckdb::DuckLimits;
use crate::clients::postgres::PgError;
use crate::config::BucketConfig;
use crate::error::Cause;
use crate::words::millis;

/// Reads rows for a worker.
pub struct RowSource {
    place: Option<BucketPlace>,
    /// The bucket on the local disk.
    bucket: Option<LocalBucket>,
    /// Buckets with a file that is missing or differs from what was written.
    damaged: HashSet<i32>,
    /// Ranges are still being read into buckets; partitions come afterwards.
    pub is_filling: bool,
}

/// The reasons why rows could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RowSourceError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Bucket(#[from] BucketError),
}

impl RowSourceError {
    /// The error of the database or the store, if it is one; otherwise the error itself.
    pub fn server(self) -> Result<Cause, Self> {
        match self {
            Self::Read(ReadError::Postgres(error)) | Self::Bucket(BucketError::Postgres(error)) => {
                Ok(error.into())
            }
            Self::Bucket(BucketError::Store(error)) => Ok(error.into()),
            other => Err(other),
        }
    }
}

impl RowSource {
    /// Opens the source of a version.
    pub async fn open(
        session: &JobSession,
        job: &Job,
        version: &Version,
        config: &BucketConfig,
    ) -> Result<Self, Cause> {
        let opened = BucketPlace::open(session, job, version, (config.store.as_ref(), &config.s3)).await?;
        let is_filling = opened.as_ref().is_some_and(|(_, is_filled)| !is_filled);
        let place = opened.map(|(place, _)| place);
        Ok(Self { place, bucket: None, damaged: HashSet::new(), is_filling })
    }

    /// Claims the next group, of the bucket on the local disk as long as it has one.
    pub async fn claim(
        &mut self,
        worker: &WorkerId,
        session: &JobSession,
        behind: i64,
    ) -> Result<Option<Claim>, PgError> {
        if let Some(bucket) = &self.bucket {
            if let Some(claim) = worker.claim_near(session, bucket.bucket).await? {
                return Ok(Some(claim));
            }
            self.bucket = None;
        }
        worker.claim(session, behind, self.is_filling).await
    }

    /// Whether the last claim was out of order, because it belongs to the bucket on the local disk.
    pub fn is_near(&self) -> bool {
        self.bucket.is_some()
    }

    /// Reads the rows of a group of partitions.
    pub async fn read(
        &mut self,
        session: &JobSession,
        worker: &WorkerId,
        raw: &RawTable,
        claim: &Claim,
        (folder, limits): (&Path, DuckLimits),
    ) -> Result<RawRows, RowSourceError> {
        let keys = claim.keys();
        let by_key = Wanted::all(&keys, claim.pages);
        let place = self.place.as_ref().zip(claim.bucket);
        let Some((place, number)) = place.filter(|(_, number)| !self.damaged.contains(number)) else {
            return Ok(read::read(session, raw, &by_key).await?);
        };
        let mut bucket = match self.bucket.take().filter(|bucket| bucket.bucket == number) {
            Some(bucket) => bucket,
            None => {
                match LocalBucket::fetch(session, worker.version, place, number, (folder, limits)).await {
                    Ok(bucket) => bucket,
                    Err(error @ BucketError::Damaged { .. }) => {
                        tracing::warn!("{error}: its partitions are read by their key");
                        self.damaged.insert(number);
                        return Ok(read::read(session, raw, &by_key).await?);
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        };
        // After an error the bucket is dropped, because it may be incomplete.
        let found = bucket.read(raw, claim).await?;
        self.bucket = Some(bucket);
        Ok(completed(session, raw, claim, &keys, found).await?)
    }

    /// Reads a range and puts its rows into buckets; they do not count until [`Self::commit`] succeeds.
    pub async fn fill(
        &self,
        session: &JobSession,
        raw: &RawTable,
        claim: &Claim,
        work: (&Path, DuckLimits),
    ) -> Result<(FilledRange, Cost), FillError> {
        let start = Instant::now();
        let range = buckets::fill(session, claim, raw, self.place(), work).await?;
        let cost = Cost { bytes_in: range.bytes, read_ms: millis(start), ..Cost::default() };
        Ok((range, cost))
    }

    /// Commits a range.
    pub async fn commit(
        &self,
        session: &JobSession,
        worker: &WorkerId,
        claim: &Claim,
        (range, cost): &(FilledRange, Cost),
    ) -> Result<Finished, FinishError> {
        let finished = buckets::commit(session, worker, claim, range, *cost).await?;
        if finished == Finished::Lost {
            buckets::take_back(self.place(), claim, range).await;
        }
        Ok(finished)
    }

    /// Ends filling after all ranges are done, so that partitions may be claimed.
    pub async fn end_filling(&self, session: &JobSession, worker: &WorkerId) -> Result<(), Cause> {
        buckets::end_filling(session, worker.version, self.place()).await
    }

    fn place(&self) -> &BucketPlace {
        self.place.as_ref().expect("a version with ranges has buckets")
    }
}

/// Reads by key those partitions that differ in the bucket from what the plan found in the table.
async fn completed(
    session: &JobSession,
    raw: &RawTable,
    claim: &Claim,
    keys: &[Option<String>],
    found: BucketRows,
) -> Result<RawRows, ReadError> {
    let BucketRows { mut rows, differing } = found;
    if differing.is_empty() {
        return Ok(rows);
    }
    let again: Vec<_> = differing.iter().map(|place| keys[*place].clone()).collect();
    let partitions = again.len();
    tracing::info!(
        partitions,
        "{} is not in its bucket as the plan found it in {}, and is read by its key",
        name(&again),
        raw.table
    );
    let by_key = read::read(session, raw, &Wanted::all(&again, claim.pages)).await?;
    rows.batches.extend(by_key.batches);
    rows.bytes += by_key.bytes;
    for (place, counted) in differing.into_iter().zip(by_key.counted) {
        rows.counted[place] = counted;
    }
    Ok(rows)
}
