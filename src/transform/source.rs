//! Where a worker's rows come from: the raw table, by the key, or the buckets that the raw table was read into.

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

/// Where rows come from.
pub struct RowSource {
    place: Option<BucketPlace>,
    /// The bucket that is at hand.
    bucket: Option<LocalBucket>,
    /// Buckets of which a file is missing, or is not what was written.
    damaged: HashSet<i32>,
    /// Ranges are read into buckets; partitions come afterwards.
    pub is_filling: bool,
}

/// Why rows could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RowSourceError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Bucket(#[from] BucketError),
}

impl RowSourceError {
    /// What the database said, if it is the database's.
    pub fn postgres(self) -> Result<PgError, Self> {
        match self {
            Self::Read(ReadError::Postgres(error)) | Self::Bucket(BucketError::Postgres(error)) => Ok(error),
            other => Err(other),
        }
    }
}

impl RowSource {
    /// Of a version.
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

    /// The next claim of a worker: of the bucket that it has at hand, as long as there is one.
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

    /// Was the last claim out of the order of all claims, because its bucket is at hand?
    pub fn is_near(&self) -> bool {
        self.bucket.is_some()
    }

    /// The rows of a group of partitions.
    pub async fn read(
        &mut self,
        session: &JobSession,
        worker: &WorkerId,
        raw: &RawTable,
        claim: &Claim,
        (folder, limits): (&Path, DuckLimits),
    ) -> Result<RawRows, RowSourceError> {
        let keys = claim.keys();
        let by_key = Wanted { keys: &keys, pages: claim.pages };
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
        // One that could not be read is not at hand any more: what is left of it may be nothing.
        let found = bucket.read(raw, claim).await?;
        self.bucket = Some(bucket);
        Ok(completed(session, raw, claim, &keys, found).await?)
    }

    /// Reads a range and puts its rows into buckets; they count when [`Self::commit`] has said so.
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

    /// Ends a range.
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

    /// All ranges are done: partitions may be claimed.
    pub async fn end_filling(&self, session: &JobSession, worker: &WorkerId) -> Result<(), Cause> {
        buckets::end_filling(session, worker.version, self.place()).await
    }

    fn place(&self) -> &BucketPlace {
        self.place.as_ref().expect("a version with ranges has buckets")
    }
}

/// Reads partitions by their key that are not in the bucket as the plan found them in the table.
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
    let by_key = read::read(session, raw, &Wanted { keys: &again, pages: claim.pages }).await?;
    rows.batches.extend(by_key.batches);
    rows.bytes += by_key.bytes;
    for (place, counted) in differing.into_iter().zip(by_key.counted) {
        rows.counted[place] = counted;
    }
    Ok(rows)
}
