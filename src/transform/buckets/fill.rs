//! Fills buckets: reads a range of pages and writes its rows into one file for each bucket.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{BESIDE, BUCKET_NO, BucketPlace, KEY_HASH, beside};
use crate::clients::duckdb::{DuckError, DuckLimits, Staging};
use crate::clients::postgres::{self, PgError};
use crate::clients::store::StoreError;
use crate::error::Cause;
use crate::fault;
use crate::sql;
use crate::system::background::blocking;
use crate::system::cache::checksum;
use crate::transform::claim::{Claim, WorkerId};
use crate::transform::columns::{PgColumn, duck_type, schema};
use crate::transform::decode::{DecodeError, Decoder};
use crate::transform::encode::{EncodeError, key_hashes};
use crate::transform::finish::{self, Cost, FinishError, Finished};
use crate::transform::groups::bucket_of;
use crate::transform::look::RawTable;
use crate::transform::read::expressions;
use crate::transform::session::JobSession;

/// The rows of a batch, and the batches that are appended to DuckDB at once.
const BATCH_ROWS: usize = 8_192;
const BATCHES: usize = 4;

/// A file of a range in the store.
#[derive(Clone, Debug)]
pub struct RangeFile {
    pub bucket: i32,
    pub rows: i64,
    pub size_bytes: u64,
    pub sha256: String,
}

/// The result of reading a range.
#[derive(Debug)]
pub struct FilledRange {
    pub files: Vec<RangeFile>,
    /// Rows with a value that cannot be read. They are in no file; their partitions are read by key.
    pub skipped: u64,
    pub bytes: u64,
}

/// The reasons why a range could not be put into buckets.
#[derive(Debug, thiserror::Error)]
pub enum FillError {
    #[error(transparent)]
    Postgres(#[from] PgError),
    #[error("pages of {table} cannot be read: {source}")]
    Decode { table: String, source: DecodeError },
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error(transparent)]
    Duck(#[from] DuckError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Other(#[from] Box<Cause>),
    #[cfg(feature = "failpoints")]
    #[error("{0}")]
    Struck(std::io::Error),
}

impl From<Cause> for FillError {
    fn from(cause: Cause) -> Self {
        Self::Other(Box::new(cause))
    }
}

#[cfg(feature = "failpoints")]
impl From<fault::Struck> for FillError {
    fn from(struck: fault::Struck) -> Self {
        Self::Struck(struck.0)
    }
}

/// Reads a range and puts its files into the store. The files do not count until [`commit`] has committed.
pub async fn fill(
    session: &JobSession,
    claim: &Claim,
    raw: &RawTable,
    place: &BucketPlace,
    (folder, limits): (&Path, DuckLimits),
) -> Result<FilledRange, FillError> {
    let folder = tempfile::tempdir_in(folder).map_err(Cause::io("make a folder for a range"))?;
    let columns = [raw.columns.as_slice(), &beside()].concat();
    let table = sql::render(sql::BUCKETS_RANGE_TABLE, &[("raw_columns", &duck_columns(raw))]);
    let path = folder.path().to_owned();
    let staging = blocking(move || {
        let staging = Staging::create(&path, limits)?;
        staging.run("make a table for a range", &table)?;
        Ok::<_, DuckError>(staging)
    })
    .await??;
    let (staging, skipped, bytes) = take(session, claim, raw, place, &columns, staging).await?;
    let path = folder.path().to_owned();
    let files = blocking(move || write(&staging, &path)).await??;
    let files = stream::iter(files.into_iter().map(Ok::<_, FillError>))
        .map_ok(|(file, path)| upload(place, claim, file, path))
        .try_buffer_unordered(BESIDE)
        .try_collect()
        .await?;
    Ok(FilledRange { files, skipped, bytes })
}

fn duck_columns(raw: &RawTable) -> String {
    let column =
        |field: &Arc<Field>| format!("{} {}", sql::identifier(field.name()), duck_type(field.data_type()));
    schema(&raw.columns).fields().iter().map(column).collect::<Vec<_>>().join(", ")
}

/// Reads the rows into DuckDB, which spills to disk; also returns how many rows were left out, and the bytes received.
async fn take(
    session: &JobSession,
    claim: &Claim,
    raw: &RawTable,
    place: &BucketPlace,
    columns: &[PgColumn],
    mut staging: Staging,
) -> Result<(Staging, u64, u64), FillError> {
    let (first, end) = claim.pages.unwrap_or((0, super::NO_PAGE));
    let (first, end) = (first.to_string(), end.to_string());
    let expressions = format!("{}, ctid", expressions(raw));
    let variables = [
        ("schema", raw.table.schema.as_str()),
        ("table", &raw.table.table),
        ("expressions", &expressions),
        ("condition", &raw.condition),
        ("first_page", &first),
        ("end_page", &end),
    ];
    let text = sql::render(sql::BUCKETS_RANGE, &variables);
    let what = format!("read pages of {}", raw.table);
    let rows = session.watch.answer(&what, session.connection.copy_out(text.as_str())).await?;
    let mut rows = pin!(rows.ready_chunks(256));
    let mut decoder = Decoder::skipping(columns, BATCH_ROWS);
    let failed = |source| FillError::Decode { table: raw.table.to_string(), source };
    let (mut held, buckets, key) = (Vec::new(), place.buckets, (raw.key, raw.key().is_padded()));
    while let Some(messages) =
        session.watch.answers(&what, async { Ok::<_, PgError>(rows.next().await) }).await?
    {
        for message in messages {
            let message = message.map_err(|error| postgres::classify(error, what.as_str()))?;
            decoder.take(&message).map_err(failed)?;
        }
        held.extend(decoder.whole());
        if held.len() >= BATCHES {
            staging = append(staging, std::mem::take(&mut held), key, buckets).await?;
        }
    }
    decoder.end().map_err(failed)?;
    held.extend(decoder.whole());
    let staging = append(staging, held, key, buckets).await?;
    Ok((staging, decoder.skipped(), decoder.bytes))
}

async fn append(
    mut staging: Staging,
    batches: Vec<RecordBatch>,
    key: (usize, bool),
    buckets: i32,
) -> Result<Staging, FillError> {
    blocking(move || {
        let mut load = staging.load()?;
        for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
            load.append("range_rows", with_bucket(batch, key, buckets)?)?;
        }
        load.commit()?;
        Ok(staging)
    })
    .await?
}

/// Adds two columns to the rows: the hash of the key and the number of the bucket.
fn with_bucket(
    batch: &RecordBatch,
    (key, is_padded): (usize, bool),
    buckets: i32,
) -> Result<RecordBatch, EncodeError> {
    let hashes = key_hashes(batch, key, is_padded)?;
    let numbers: Int32Array = hashes.iter().map(|hash| Some(bucket_of(*hash, buckets))).collect();
    let mut fields: Vec<_> = batch.schema().fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new(KEY_HASH, DataType::Int64, false)));
    fields.push(Arc::new(Field::new(BUCKET_NO, DataType::Int32, false)));
    let more: [ArrayRef; 2] = [Arc::new(Int64Array::from(hashes)), Arc::new(numbers)];
    let columns = batch.columns().iter().cloned().chain(more).collect();
    let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns);
    Ok(rows.expect("each row has a hash and a bucket"))
}

/// Writes a file for each bucket; this call blocks.
fn write(staging: &Staging, folder: &Path) -> Result<Vec<(RangeFile, PathBuf)>, FillError> {
    staging.run("sort the rows of a range", sql::BUCKETS_SORTED)?;
    let counts: Vec<(i32, i64)> = staging
        .query("count the rows of a range", sql::BUCKETS_COUNTS, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut files = Vec::with_capacity(counts.len());
    for (bucket, rows) in counts {
        let path = folder.join(format!("{bucket}.parquet"));
        let variables = [("bucket_no", bucket.to_string()), ("parquet", path.display().to_string())];
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        staging.execute("write a bucket's file", sql::BUCKETS_FILE, &variables)?;
        let sha256 = checksum(&path).map_err(Cause::io("read a bucket's file"))?;
        let size_bytes = std::fs::metadata(&path).map_err(Cause::io("look at a bucket's file"))?.len();
        files.push((RangeFile { bucket, rows, size_bytes, sha256 }, path));
    }
    Ok(files)
}

async fn upload(
    place: &BucketPlace,
    claim: &Claim,
    file: RangeFile,
    path: PathBuf,
) -> Result<RangeFile, FillError> {
    let key = place.objects.file(file.bucket, claim.group_no, claim.token);
    place.store.upload_checked(&key, &path, &file.sha256).await?;
    std::fs::remove_file(&path).map_err(Cause::io("remove a file that is in the store"))?;
    fault::point!("transform.range_written");
    Ok(file)
}

/// Commits a range if the claim is still the newest: its files count from then on.
///
/// # Errors
/// Any error of the server; then no file counts. If the connection broke, [`crate::transform::finish::outcome`] says whether
/// the commit succeeded.
pub async fn commit(
    session: &JobSession,
    worker: &WorkerId,
    claim: &Claim,
    range: &FilledRange,
    cost: Cost,
) -> Result<Finished, FinishError> {
    let what = "end a range";
    let committed = async {
        finish::fence(session, worker, claim).await?;
        let buckets: Vec<i32> = range.files.iter().map(|file| file.bucket).collect();
        let rows: Vec<i64> = range.files.iter().map(|file| file.rows).collect();
        let sizes: Vec<i64> = range.files.iter().map(|file| file.size_bytes as i64).collect();
        let sums: Vec<&str> = range.files.iter().map(|file| file.sha256.as_str()).collect();
        session
            .execute(
                what,
                sql::BUCKETS_ADD_FILES,
                &[&worker.version, &claim.group_no, &claim.token, &buckets, &rows, &sizes, &sums],
            )
            .await?;
        session
            .execute(what, sql::BUCKETS_SKIPPED, &[&worker.version, &claim.group_no, &(range.skipped as i64)])
            .await?;
        finish::done(session, worker, claim, cost, 0).await?;
        fault::point!("transform.range_before_commit");
        Ok(())
    };
    finish::ended(session.transaction(what, committed).await)
}

/// Removes the files of a range that another worker has claimed in the meantime. Files that cannot be removed are deleted when
/// filling ends.
pub async fn take_back(place: &BucketPlace, claim: &Claim, range: &FilledRange) {
    for file in &range.files {
        let key = place.objects.file(file.bucket, claim.group_no, claim.token);
        if let Err(error) = place.store.delete(&key).await {
            tracing::debug!("{key} is left: {error}");
        }
    }
}
