//! Buckets, for raw tables whose rows are not stored in the order of their key. The table is read once, by ranges of pages,
//! into Parquet files in the store, divided by a hash of the key; partitions are then cleaned from these files.
//!
//! Ranges are claimed like groups of partitions. The files of a range have the claim's token in their names, and they count
//! only when the ledger says so, in the transaction that ends the range. So the files of a dead worker do no harm, and are
//! removed later.

mod fill;
mod local;
mod remove;

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use super::columns::PgColumn;
use super::groups::{Group, NO_PAGE};
use super::job::Job;
use super::look::RawTable;
use super::session::{JobSession, decode};
use super::versions::Version;
use crate::clients::postgres::PgError;
use crate::clients::store::{S3Options, Store, StoreError, StoreUrl};
use crate::error::Cause;
use crate::objects::BucketObjects;
use crate::sql;
pub use fill::{FillError, FilledRange, commit, fill, take_back};
pub use local::{BucketError, BucketRows, LocalBucket};
pub use remove::{end_filling, remove_left};

/// The prefix of our own columns in the files.
const OURS: &str = "_merganser_";
/// The transaction that wrote a row, where the row lay, the hash of its key, and the number of its bucket.
const WRITTEN_BY: &str = "_merganser_written_by";
const ROW_ID: &str = "_merganser_row_id";
const KEY_HASH: &str = "_merganser_key_hash";
const BUCKET_NO: &str = "_merganser_bucket_no";
/// The page size of nearly all servers.
const PAGE_BYTES: u64 = 8_192;
/// The default MiB of the table per bucket and per range. For a large table both are larger, so that there are at most [`MOST`]
/// of each.
const BUCKET_MIB: u64 = 256;
const MOST: u64 = 600;
/// The number of simultaneous transfers to or from the store.
const BESIDE: usize = 8;
/// How long the store is asked for an object of the version before a worker reports that it cannot see it.
const SIGHT: Duration = Duration::from_secs(60);

/// The ranges and the number of buckets of a plan.
#[derive(Clone, Debug)]
pub struct BucketPlan {
    pub buckets: i32,
    pub ranges: Vec<Group>,
}

/// The buckets of a version and the store that holds them.
#[derive(Clone, Debug)]
pub struct BucketPlace {
    pub store: Store,
    pub objects: BucketObjects,
    pub buckets: i32,
}

impl BucketPlan {
    /// Plans buckets for a table. `bucket_mib` is the size of the table's part in a bucket.
    ///
    /// # Errors
    /// The reason, in words, why this table cannot be read into buckets.
    pub fn new(raw: &RawTable, bucket_mib: Option<u64>) -> Result<Self, String> {
        if raw.relation.kind != 'r' {
            return Err(format!("{} is not a plain table, so it cannot be read by pages", raw.table));
        }
        let mut names: Vec<String> = raw.columns.iter().map(|column| column.name.to_lowercase()).collect();
        names.sort_unstable();
        if names.iter().any(|name| name.starts_with(OURS)) || names.windows(2).any(|two| two[0] == two[1]) {
            return Err(format!(
                "two columns of {} differ in capital letters alone, or one begins with {OURS}",
                raw.table
            ));
        }
        let pages = raw.relation.pages.max(1) as u64;
        let size_mib = (pages * PAGE_BYTES).div_ceil(1 << 20);
        let part_mib = bucket_mib.unwrap_or(BUCKET_MIB.max(size_mib.div_ceil(MOST)));
        let parts = size_mib.div_ceil(part_mib.max(1)).clamp(1, pages);
        Ok(Self { buckets: parts.min(i32::MAX as u64) as i32, ranges: ranges(pages as i64, parts as i64) })
    }
}

/// Divides the pages of a table into so many ranges; the last one includes pages that the table gets later.
fn ranges(pages: i64, parts: i64) -> Vec<Group> {
    let at = |part: i64| if part == parts { NO_PAGE } else { pages * part / parts };
    let range = |part: i64| Group { pages: Some((at(part), at(part + 1))), ..Group::default() };
    (0..parts).map(range).collect()
}

impl BucketPlace {
    /// Writes an object by which workers recognise the store of a version that is planned now.
    pub async fn make(
        (store, s3): (&StoreUrl, &S3Options),
        job: &Job,
        version: uuid::Uuid,
        buckets: i32,
    ) -> Result<(), Cause> {
        let said = json!({"job": job.name, "version": version, "buckets": buckets}).to_string();
        let planned = BucketObjects::of(&job.name, version).planned();
        Store::open(store, s3).await?.upload_bytes(&planned, Bytes::from(said)).await?;
        Ok(())
    }

    /// Opens the buckets of a version; `None`: it has none. The second value says whether all rows are in them. `said` is the
    /// store that the command names.
    ///
    /// # Errors
    /// The command names another store than the plan, or the store does not show the version's objects.
    pub async fn open(
        session: &JobSession,
        job: &Job,
        version: &Version,
        (said, s3): (Option<&StoreUrl>, &S3Options),
    ) -> Result<Option<(Self, bool)>, Cause> {
        let what = "look where the buckets are";
        let row = session.maybe(what, sql::BUCKETS_PLACE, &[&version.version_id]).await?;
        let Some(row) = row else { return Ok(None) };
        let (buckets, url): (Option<i32>, Option<String>) =
            (row.try_get(0).map_err(decode)?, row.try_get(1).map_err(decode)?);
        let is_filled = row.try_get(2).map_err(decode)?;
        let (Some(buckets), Some(url)) = (buckets, url) else { return Ok(None) };
        if let Some(other) = said.filter(|said| said.to_string() != url) {
            return Err(Cause::Refused {
                message: format!("the rows of {} are read into buckets in {url}, not in {other}", job.name),
                hint: Some(format!("--store {url} (or MERGANSER_STORE), or none")),
            });
        }
        let store = Store::open(&url.parse()?, s3).await?;
        let place = Self { store, objects: BucketObjects::of(&job.name, version.version_id), buckets };
        place.see().await?;
        Ok(Some((place, is_filled)))
    }

    /// # Errors
    /// The version's objects cannot be seen from here. Without this check partitions would be read by key, which costs a page
    /// for each row.
    async fn see(&self) -> Result<(), Cause> {
        let key = self.objects.planned();
        let seen = tokio::time::timeout(SIGHT, self.store.try_open(&key)).await;
        match seen {
            Ok(Ok(())) => Ok(()),
            Ok(Err(StoreError::NotFound { .. })) => Err(Cause::Refused {
                message: format!("{} cannot be seen from this machine", self.store.url().object(&key)),
                hint: Some("name a store in S3, or a folder that all machines have at the same place".into()),
            }),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(Cause::Refused {
                message: format!("{} does not answer", self.store.url()),
                hint: Some("start the worker again when it does".into()),
            }),
        }
    }
}

/// The columns that follow the table's own in the files.
fn beside() -> [PgColumn; 2] {
    [PgColumn::beside(WRITTEN_BY), PgColumn::row_id(ROW_ID)]
}

/// The files that count.
async fn files(
    session: &JobSession,
    version: uuid::Uuid,
    bucket: Option<i32>,
) -> Result<Vec<CountedFile>, PgError> {
    let rows = session.all("look up the bucket's files", sql::BUCKETS_FILES, &[&version, &bucket]).await?;
    let file = |row: &tokio_postgres::Row| {
        Ok(CountedFile {
            bucket: row.try_get(0)?,
            range: row.try_get(1)?,
            token: row.try_get(2)?,
            rows: row.try_get(3)?,
            size_bytes: row.try_get(4)?,
            sha256: row.try_get(5)?,
        })
    };
    rows.iter().map(file).collect::<Result<_, tokio_postgres::Error>>().map_err(decode)
}

/// A file that counts.
#[derive(Clone, Debug)]
struct CountedFile {
    bucket: i32,
    range: i32,
    token: i64,
    rows: i64,
    size_bytes: i64,
    sha256: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_each_page_once_and_those_that_come_later() {
        let pages: Vec<_> = ranges(10, 3).iter().filter_map(|range| range.pages).collect();
        assert_eq!(pages, [(0, 3), (3, 6), (6, NO_PAGE)]);
        assert_eq!(ranges(1, 1)[0].pages, Some((0, NO_PAGE)));
    }
}
