//! Removes files: those that do not count when filling ends, and all of them when the buckets are no longer needed.

use std::collections::HashSet;

use bytes::Bytes;
use futures_util::{TryStreamExt, stream};
use serde_json::json;
use uuid::Uuid;

use super::{BESIDE, BucketPlace, files};
use crate::clients::store::{S3Options, Store, StoreError, StoreUrl};
use crate::error::Cause;
use crate::objects::BucketObjects;
use crate::sql;
use crate::transform::session::{JobSession, decode};

/// Called when all ranges are in the buckets: removes files that do not count, writes a manifest of the others, and allows
/// partitions to be claimed. Several workers may call this at once.
pub async fn end_filling(session: &JobSession, version: Uuid, place: &BucketPlace) -> Result<(), Cause> {
    let files = files(session, version, None).await?;
    let key = |file: &super::CountedFile| place.objects.file(file.bucket, file.range, file.token);
    let mut counts: HashSet<String> = files.iter().map(key).collect();
    counts.extend([place.objects.planned(), place.objects.manifest()]);
    let there = place.store.list(place.objects.folder()).await?;
    let strays = there.into_iter().map(|object| object.key).filter(|key| !counts.contains(key)).collect();
    delete(&place.store, strays).await?;
    let entries: Vec<_> = files
        .iter()
        .map(
            |file| json!({"key": key(file), "bucket": file.bucket, "rows": file.rows, "sha256": file.sha256}),
        )
        .collect();
    let rows: i64 = files.iter().map(|file| file.rows).sum();
    let manifest = json!({"version": version, "buckets": place.buckets, "rows": rows, "files": entries});
    place.store.upload_bytes(&place.objects.manifest(), Bytes::from(manifest.to_string())).await?;
    session.maybe("note that the buckets are filled", sql::BUCKETS_FILLED, &[&version]).await?;
    Ok(())
}

/// Removes the buckets of a job's versions that are no longer needed, and with `also_kept` also those that were to be kept.
/// Returns the number of objects that were removed.
pub async fn remove_left(
    session: &JobSession,
    job: &str,
    s3: &S3Options,
    also_kept: bool,
) -> Result<u64, Cause> {
    let mut removed = 0;
    for row in session.all("look for buckets", sql::BUCKETS_LEFT, &[&job, &also_kept]).await? {
        let (version, url): (Uuid, String) =
            (row.try_get(0).map_err(decode)?, row.try_get(1).map_err(decode)?);
        let store = Store::open(&url.parse()?, s3).await?;
        let there = store.list(BucketObjects::of(job, version).folder()).await?;
        removed += there.len() as u64;
        delete(&store, there.into_iter().map(|object| object.key).collect()).await?;
        remove_folder(&store, BucketObjects::of(job, version).folder())?;
        session.execute("note that buckets are gone", sql::BUCKETS_REMOVED, &[&version]).await?;
    }
    Ok(removed)
}

/// Removes the folders of a store in a directory, and unfinished files of dead workers, which are not objects.
fn remove_folder(store: &Store, folder: &str) -> Result<(), Cause> {
    let StoreUrl::Directory { path, .. } = store.url() else { return Ok(()) };
    let path = path.join(folder);
    match std::fs::remove_dir_all(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Cause::io(format!("remove {}", path.display()))(error))
        }
        _ => Ok(()),
    }
}

async fn delete(store: &Store, keys: Vec<String>) -> Result<(), StoreError> {
    stream::iter(keys.into_iter().map(Ok))
        .try_for_each_concurrent(BESIDE, |key| async move { store.delete(&key).await })
        .await
}
