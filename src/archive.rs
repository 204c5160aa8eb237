//! The archive of raw files: each name holds the posting that the ledger calls done; all others that came under that
//! name are kept beside it.
//!
//! A posting that replaces another one waits in `private/postings/` until its batch is committed. So a run that fails
//! or is killed leaves the files that production was made of in the archive; if it is killed right after the commit,
//! the next run moves the new posting into place. The glob of `reprocess` looks into `private/` alone.

use std::path::{Path, PathBuf};

use crate::clients::store::{Store, StoreError};
use crate::error::Cause;
use crate::ledger::Ledger;
use crate::objects::Objects;

/// A raw file on the local disk.
#[derive(Clone, Debug)]
pub struct RawFile {
    pub name: String,
    pub sha256: String,
    pub path: PathBuf,
}

/// What became of a raw file.
#[derive(Debug, PartialEq, Eq)]
pub struct Kept {
    pub bytes_written: u64,
    /// Another posting is in its place until the batch is committed.
    pub waits: bool,
}

/// Puts a raw file into the archive unless it is there already. If another posting has its name, it goes beside that
/// one.
pub async fn keep(store: &Store, objects: Objects, file: &RawFile) -> Result<Kept, StoreError> {
    let key = objects.raw(&file.name);
    match store.sha256(&key).await? {
        Some(there) if there == file.sha256 => Ok(Kept { bytes_written: 0, waits: false }),
        None => {
            let bytes_written = store.upload_checked(&key, &file.path, &file.sha256).await?;
            Ok(Kept { bytes_written, waits: false })
        }
        Some(_) => {
            let aside = objects.posting(&file.name, &file.sha256);
            let bytes_written = match store.sha256(&aside).await? {
                Some(there) if there == file.sha256 => 0,
                _ => store.upload_checked(&aside, &file.path, &file.sha256).await?,
            };
            Ok(Kept { bytes_written, waits: true })
        }
    }
}

/// Keeps a file that could not be read at all.
pub async fn keep_unreadable(store: &Store, objects: Objects, file: &RawFile) -> Result<(), StoreError> {
    let key = objects.unreadable(&file.name);
    match store.sha256(&key).await? {
        Some(there) if there == file.sha256 => return Ok(()),
        Some(there) => store.copy(&key, &objects.posting(&file.name, &there)).await?,
        None => {}
    }
    store.upload_checked(&key, &file.path, &file.sha256).await.map(drop)
}

/// Moves postings whose batch is now committed into their places. Never fails: the next run does what is left.
pub async fn replace(store: &Store, objects: Objects, files: &[RawFile]) {
    for file in files {
        if let Err(error) = put_in_place(store, objects, &file.name, &file.sha256, Some(&file.path)).await {
            warn(objects, &file.name, &error);
        }
    }
}

/// Moves postings into their places whose batch was committed by a run that got no further. It warns of any that cannot
/// be moved now; the next run tries them again.
///
/// # Errors
/// Fails if the store cannot be listed: a run would not get far with it.
pub async fn repair(store: &Store, objects: Objects, ledger: &Ledger) -> Result<(), Cause> {
    let postings = store.list_names(&objects.postings()).await?;
    if postings.is_empty() {
        return Ok(());
    }
    let known = ledger.known_parts().await?;
    for object in postings {
        let Some((name, sha256)) = objects.posted(&object.key) else { continue };
        if !known.iter().any(|known| known.name == name && known.sha256.as_deref() == Some(sha256)) {
            continue;
        }
        match put_in_place(store, objects, name, sha256, None).await {
            Ok(()) => tracing::info!("the archive now has the posting of {name} that was loaded last"),
            Err(error) => warn(objects, name, &error),
        }
    }
    Ok(())
}

/// Moves aside whatever is in the place of a posting, then moves the posting there. Each step may safely be repeated.
async fn put_in_place(
    store: &Store,
    objects: Objects,
    name: &str,
    sha256: &str,
    local: Option<&Path>,
) -> Result<(), StoreError> {
    let (key, aside) = (objects.raw(name), objects.posting(name, sha256));
    let there = store.sha256(&key).await?;
    if there.as_deref() != Some(sha256) {
        if let Some(there) = there {
            store.copy(&key, &objects.posting(name, &there)).await?;
        }
        match local {
            Some(local) => store.upload_checked(&key, local, sha256).await.map(drop)?,
            None => store.copy(&aside, &key).await?,
        }
    }
    if let Err(error) = store.delete(&aside).await {
        // The same bytes twice do no harm, and not everybody may delete.
        tracing::info!(file = name, "{aside} is in its place now, and could not be removed: {error}");
    }
    Ok(())
}

fn warn(objects: Objects, name: &str, error: &StoreError) {
    tracing::warn!(
        file = name,
        "the archive has another posting of {name} than the one that was loaded, which is in {}: {error}; the \
         next run puts it in its place",
        objects.postings()
    );
}
