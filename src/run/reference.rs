//! The reference in use, on the local disk.

use std::path::{Path, PathBuf};

use crate::clients::store::{Store, StoreError};
use crate::error::Cause;
use crate::ledger::Ledger;
use crate::system::background::blocking;
use crate::system::cache::KeptFiles;
use crate::system::private;

/// A reference whose files are here.
#[derive(Clone, Debug)]
pub struct LocalReference {
    pub version: String,
    /// The version, together with a shortened checksum of its files that distinguishes it from another of the same
    /// version.
    pub edition: String,
    /// By the name that scripts use.
    pub files: Vec<(String, PathBuf)>,
}

/// Brings the files of the dataset's current reference into `folder`, and checks each against the checksum in the
/// ledger; `None`: the dataset has none. A file that an earlier run left in this machine's cache is not fetched again.
///
/// # Errors
/// [`Cause::Refused`], with the hint `lost`, if the store does not have a file, or has another one than the ledger knows.
pub async fn current(
    ledger: &Ledger,
    store: &Store,
    folder: &Path,
    lost: &str,
) -> Result<Option<LocalReference>, Cause> {
    let known = ledger.current_reference().await?;
    let Some(version) = known.first().map(|file| file.version.clone()) else { return Ok(None) };
    private::make_folders(folder).map_err(Cause::io(format!("make the folder {}", folder.display())))?;
    let sums: Vec<_> = known.iter().map(|file| file.sha256.chars().take(8).collect::<String>()).collect();
    let edition = format!("{version} ({})", sums.join("."));
    let kept = KeptFiles::open("reference");
    let mut files = Vec::new();
    for file in known {
        let path = folder.join(format!("{}.{}.parquet", file.name, file.sha256));
        let (cache, sha256, to) = (kept.clone(), file.sha256.clone(), path.clone());
        let is_here =
            blocking(move || to.exists() || cache.is_some_and(|cache| cache.take(&sha256, &to))).await?;
        if !is_here {
            let refused = |what: &str| Cause::Refused {
                message: format!(
                    "the reference {version}, which rows are looked up in: {} {what}",
                    store.url().object(&file.object)
                ),
                hint: Some(lost.into()),
            };
            let got = match store.download(&file.object, &path, &|_| ()).await {
                Err(StoreError::NotFound { .. }) => return Err(refused("is not there")),
                got => got?,
            };
            if got.sha256 != file.sha256 {
                // A later run must not find it here.
                let _ = std::fs::remove_file(&path);
                return Err(refused("is not the file that the ledger knows: its checksum differs"));
            }
            if let Some(cache) = kept.clone() {
                let (sha256, from) = (file.sha256.clone(), path.clone());
                blocking(move || cache.keep(&sha256, &from)).await?;
            }
        }
        files.push((file.name, path));
    }
    Ok(Some(LocalReference { version, edition, files }))
}
