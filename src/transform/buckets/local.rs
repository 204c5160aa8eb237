//! A bucket on the local disk: its files are joined into one, in which the rows of partitions that are cleaned together lie
//! together.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use arrow::array::{Array, BooleanArray, Int64Array};
use arrow::compute::{cast, filter_record_batch};
use arrow::record_batch::RecordBatch;
use futures_util::{TryStreamExt, stream};
use uuid::Uuid;

use super::{BESIDE, BucketPlace, CountedFile, NO_PAGE, files};
use crate::clients::duckdb::{DuckError, DuckLimits, Staging};
use crate::clients::postgres::PgError;
use crate::clients::store::StoreError;
use crate::error::Cause;
use crate::sql;
use crate::system::background::blocking;
use crate::transform::claim::Claim;
use crate::transform::columns::schema;
use crate::transform::encode::{EncodeError, KeyPlaces, key_hash};
use crate::transform::look::RawTable;
use crate::transform::read::{Counted, RawRows};
use crate::transform::session::{JobSession, decode};

/// The reasons why a bucket cannot be read, split by what the caller can do.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// A file is missing, or differs from what was written: the partitions are read by key instead.
    #[error("bucket {bucket} is damaged: {words}")]
    Damaged { bucket: i32, words: String },
    #[error(transparent)]
    Postgres(#[from] PgError),
    #[error(transparent)]
    Store(StoreError),
    #[error(transparent)]
    Duck(#[from] DuckError),
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error(transparent)]
    Other(#[from] Box<Cause>),
}

impl From<Cause> for BucketError {
    fn from(cause: Cause) -> Self {
        Self::Other(Box::new(cause))
    }
}

/// A bucket on the local disk.
pub struct LocalBucket {
    pub bucket: i32,
    /// `None` while it is in use on another thread, and for a bucket without rows.
    staging: Option<Staging>,
    parquet: PathBuf,
    /// The page ranges with rows that are in no bucket.
    gaps: Vec<(i64, i64)>,
    _folder: tempfile::TempDir,
}

/// The rows of some partitions from a bucket.
pub struct BucketRows {
    pub rows: RawRows,
    /// The places of partitions that differ from what the plan found. They must be read by key; `rows` does not contain them.
    pub differing: Vec<usize>,
}

impl LocalBucket {
    /// Downloads a bucket into the worker's `folder`.
    pub async fn fetch(
        session: &JobSession,
        version: Uuid,
        place: &BucketPlace,
        bucket: i32,
        (folder, limits): (&Path, DuckLimits),
    ) -> Result<Self, BucketError> {
        let what = "look for gaps in the buckets";
        let mut gaps = Vec::new();
        for row in session.all(what, sql::BUCKETS_GAPS, &[&version]).await? {
            gaps.push((row.try_get(0).map_err(decode)?, row.try_get(1).map_err(decode)?));
        }
        let files = files(session, version, Some(bucket)).await?;
        let folder = tempfile::tempdir_in(folder).map_err(Cause::io("make a folder for a bucket"))?;
        let parquet = folder.path().join("bucket.parquet");
        let here: Vec<PathBuf> = stream::iter(files.iter().map(Ok::<_, BucketError>))
            .map_ok(|file| download(place, file, folder.path()))
            .try_buffer_unordered(BESIDE)
            .try_collect()
            .await?;
        let rows: i64 = files.iter().map(|file| file.rows).sum();
        let (path, whole) = (folder.path().to_owned(), parquet.clone());
        let staging = match here.is_empty() {
            true => None,
            false => Some(blocking(move || join(&path, limits, here, &whole, bucket, rows)).await??),
        };
        Ok(Self { bucket, staging, parquet, gaps, _folder: folder })
    }

    /// The rows of the partitions of a group.
    pub async fn read(&mut self, raw: &RawTable, claim: &Claim) -> Result<BucketRows, BucketError> {
        let keys = claim.keys();
        let pages = claim.pages.unwrap_or((0, NO_PAGE));
        let touches = |gap: &(i64, i64)| gap.0 < pages.1 && pages.0 < gap.1;
        if claim.pages.is_some() && self.gaps.iter().any(touches) {
            let rows = RawRows { batches: Vec::new(), counted: vec![Counted::default()], bytes: 0 };
            return Ok(BucketRows { rows, differing: vec![0] });
        }
        let found = self.query(&keys, pages).await?;
        told_apart(raw, claim, &keys, &found)
    }

    async fn query(
        &mut self,
        keys: &[Option<String>],
        pages: (i64, i64),
    ) -> Result<Vec<RecordBatch>, BucketError> {
        let Some(staging) = self.staging.take() else { return Ok(Vec::new()) };
        let mut hashes: Vec<i64> = keys.iter().map(|key| key_hash(key.as_deref())).collect();
        hashes.sort_unstable();
        let list = hashes.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
        let bound = |hash: Option<&i64>| hash.copied().unwrap_or_default().to_string();
        let variables = [
            ("parquet", self.parquet.display().to_string()),
            ("hashes", list),
            ("least_hash", bound(hashes.first())),
            ("greatest_hash", bound(hashes.last())),
            ("first_page", pages.0.to_string()),
            ("end_page", pages.1.to_string()),
        ];
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        let text = sql::render(sql::BUCKETS_PARTITIONS, &variables);
        let (staging, found) = blocking(move || {
            let found = staging.batches("read partitions of a bucket", &text);
            (staging, found)
        })
        .await?;
        self.staging = Some(staging);
        Ok(found?)
    }
}

async fn download(place: &BucketPlace, file: &CountedFile, folder: &Path) -> Result<PathBuf, BucketError> {
    let key = place.objects.file(file.bucket, file.range, file.token);
    let path = folder.join(format!("range-{}.parquet", file.range));
    let damaged = |words: String| BucketError::Damaged { bucket: file.bucket, words };
    match place.store.download(&key, &path, &|_| ()).await {
        Ok(found) if found.sha256 == file.sha256 && found.size_bytes as i64 == file.size_bytes => Ok(path),
        Ok(found) => Err(damaged(format!(
            "{key} has {} bytes with the checksum {}, and {} bytes with {} were written",
            found.size_bytes, found.sha256, file.size_bytes, file.sha256
        ))),
        Err(error @ (StoreError::NotFound { .. } | StoreError::Checksum { .. })) => {
            Err(damaged(error.to_string()))
        }
        Err(error) => Err(BucketError::Store(error)),
    }
}

/// Joins all files into one; this call blocks.
fn join(
    folder: &Path,
    limits: DuckLimits,
    files: Vec<PathBuf>,
    whole: &Path,
    bucket: i32,
    rows: i64,
) -> Result<Staging, BucketError> {
    let staging = Staging::create(folder, limits)?;
    let list: Vec<_> = files.iter().map(|file| sql::literal(&file.display().to_string())).collect();
    let (list, whole) = (format!("[{}]", list.join(", ")), whole.display().to_string());
    let variables = [("files", list.as_str()), ("parquet", &whole)];
    staging.execute("join the files of a bucket", sql::BUCKETS_WHOLE, &variables)?;
    for file in files {
        std::fs::remove_file(&file).map_err(Cause::io("remove a file of a bucket"))?;
    }
    let text = sql::render(sql::BUCKETS_COUNTED, &variables);
    let counted: Vec<i64> = staging.query("count the rows of a bucket", &text, |row| row.get(0))?;
    match counted.first() {
        Some(counted) if *counted == rows => Ok(staging),
        counted => Err(BucketError::Damaged {
            bucket,
            words: format!("it has {} rows, but {rows} were written", counted.copied().unwrap_or_default()),
        }),
    }
}

/// Counts the rows of each partition, and leaves out those that differ from what the plan found.
fn told_apart(
    raw: &RawTable,
    claim: &Claim,
    keys: &[Option<String>],
    found: &[RecordBatch],
) -> Result<BucketRows, BucketError> {
    let known = KeyPlaces::new(keys.iter().map(Option::as_deref), raw.key().is_padded());
    let mut counted = vec![Counted::default(); keys.len()];
    let (mut doubled, mut seen, mut bytes) = (HashSet::new(), HashSet::new(), 0);
    let mut rows = Vec::with_capacity(found.len());
    for batch in found.iter().filter(|batch| batch.num_rows() > 0) {
        let places = known.places(batch, raw.key)?;
        let number = |column: usize| {
            let column = batch.column(raw.columns.len() + column).as_any().downcast_ref::<Int64Array>();
            column.expect("what goes with each row are bigints")
        };
        let (written, ids) = (number(0), number(1));
        for (row, place) in places.iter().enumerate() {
            let Some(place) = *place else { continue };
            counted[place].rows += 1;
            counted[place].written += i128::from(written.value(row));
            if !seen.insert(ids.value(row)) {
                doubled.insert(place);
            }
        }
        bytes += batch.get_array_memory_size() as u64;
        rows.push((raw_columns(batch, raw), places));
    }
    // The plan did not count the rows of a giant by pages, so the number cannot be compared.
    let differs = |place: &usize| {
        doubled.contains(place)
            || claim.pages.is_none() && claim.planned.get(*place) != Some(&counted[*place].rows)
    };
    let differing: Vec<usize> = (0..keys.len()).filter(differs).collect();
    let stays = |place: &Option<usize>| place.is_some_and(|place| !differing.contains(&place));
    let batches = rows.iter().map(|(batch, places)| {
        let mask: BooleanArray = places.iter().map(|place| Some(stays(place))).collect();
        match mask.true_count() == mask.len() {
            true => batch.clone(),
            false => filter_record_batch(batch, &mask).expect("each row has a word on whether it stays"),
        }
    });
    let batches = batches.collect();
    Ok(BucketRows { rows: RawRows { batches, counted, bytes }, differing })
}

/// The columns of the raw table only, each with the type that the database would have sent.
fn raw_columns(batch: &RecordBatch, raw: &RawTable) -> RecordBatch {
    let schema = schema(&raw.columns);
    let column = |(place, field): (usize, &std::sync::Arc<arrow::datatypes::Field>)| {
        let column = batch.column(place);
        match column.data_type() == field.data_type() {
            true => column.clone(),
            false => cast(column, field.data_type()).expect("it was written as this type"),
        }
    };
    let columns = schema.fields().iter().enumerate().map(column).collect();
    RecordBatch::try_new(schema.clone(), columns).expect("these columns were written")
}
