//! The object store: a directory or an S3 bucket behind the same few operations.
//!
//! Keys are relative to the store's location and `/`-separated. A written object appears complete or not at all;
//! everything that is read is checked against the length and the checksum that the other side gives. Lists are sorted
//! by key.

mod error;
mod file;
mod s3;
mod url;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio::io::BufWriter;

use crate::system::private;
use crate::words::hex;
pub use error::{ObjectPlace, StoreError};
pub use file::FileStore;
pub use s3::{Encryption, Keys, S3Options, S3OptionsError, S3Store};
pub use url::{KeyProblem, StoreUrl, StoreUrlError};

/// An object as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Relative to the store; every operation accepts it as it is.
    pub key: String,
    pub size_bytes: u64,
    pub modified: Option<jiff::Timestamp>,
}

/// What is in a folder of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The files, by name.
    pub files: Vec<ObjectInfo>,
    /// Names that cannot be read as files, and what is there instead.
    pub odd: Vec<(String, &'static str)>,
}

/// What a download returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Downloaded {
    pub size_bytes: u64,
    /// SHA-256 of the content, 64 hex digits.
    pub sha256: String,
}

/// What an [`ObjectWriter`] wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub size_bytes: u64,
    /// SHA-256 of the content, 64 hex digits.
    pub sha256: String,
}

/// Where an object is in S3, for another program that reads or writes it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Location {
    pub bucket: String,
    /// The whole key, the store's prefix included.
    pub key: String,
    pub region: String,
    /// The key of the key management service that objects there are to be encrypted with, if one was named.
    pub kms_key: Option<String>,
}

/// A place for objects. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Store {
    File(FileStore, StoreUrl),
    S3(S3Store, StoreUrl),
}

impl Store {
    /// Opens the store at a location. Neither the directory nor the bucket is accessed yet; the AWS configuration is
    /// read (environment, profile). `options` matter to S3 only.
    pub async fn open(url: &StoreUrl, options: &S3Options) -> Result<Self, StoreError> {
        match url {
            StoreUrl::Directory { path, read_only } => {
                Ok(Self::File(FileStore::new(path.clone(), *read_only), url.clone()))
            }
            StoreUrl::S3 { bucket, prefix } => {
                let at = ObjectPlace { operation: "open", url: url.to_string() };
                Ok(Self::S3(S3Store::open(&at, bucket, prefix, options).await?, url.clone()))
            }
        }
    }

    /// The location that the store was opened with.
    pub fn url(&self) -> &StoreUrl {
        match self {
            Self::File(_, url) | Self::S3(_, url) => url,
        }
    }

    /// The folder of a directory store if it is there and open to other users of this machine.
    pub fn open_folder(&self, folder: &str) -> Option<PathBuf> {
        let Self::File(_, StoreUrl::Directory { path, .. }) = self else { return None };
        Some(path.join(folder)).filter(|folder| private::is_open(folder))
    }

    /// All objects below a folder, however deep; `""`: of the whole store. A folder that is not
    /// there has none. A `dir:` store whose directory is missing is `NotFound`.
    pub async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        Ok(self.look(prefix, true).await?.files)
    }

    /// The objects directly in a folder, without those of its subfolders.
    pub async fn list_names(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        Ok(self.look(prefix, false).await?.files)
    }

    /// The same, together with the names there that cannot be read as objects: folders, and links that lead nowhere.
    pub async fn listing(&self, prefix: &str) -> Result<Listing, StoreError> {
        self.look(prefix, false).await
    }

    async fn look(&self, prefix: &str, deep: bool) -> Result<Listing, StoreError> {
        let at = ObjectPlace { operation: "list", url: self.url().object(prefix) };
        let folder = match url::check_prefix(prefix) {
            Ok(folder) => folder,
            Err(problem) => return Err(StoreError::BadKey { at, problem }),
        };
        match self {
            Self::File(store, _) => store.list(&at, folder, deep).await,
            Self::S3(store, _) => store.list(&at, folder, deep).await,
        }
    }

    /// Copies an object to the local file `to`, which appears (readable by its owner only) when
    /// its length and checksum are known to be right. A broken connection is resumed where it broke, a few times.
    /// `progress` is given the bytes that have come so far; they go back to 0 if the download starts again.
    pub async fn download(
        &self,
        key: &str,
        to: &Path,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Downloaded, StoreError> {
        let at = self.place(error::DOWNLOAD, key)?;
        let io = |e| StoreError::from_io(at.kept(), e);
        // Creating and renaming a file are quick enough not to need a blocking thread.
        let temp =
            NamedTempFile::new_in(to.parent().filter(|p| *p != Path::new("")).unwrap_or(Path::new(".")))
                .map_err(io)?;
        let (file, temp) = temp.into_parts();
        // Chunks from the network are small, and each write is handed to another thread.
        let mut file = BufWriter::with_capacity(1 << 20, tokio::fs::File::from_std(file));
        let fetched = match self {
            Self::File(store, _) => store.download(&at, key, Some(&mut file), progress).await?,
            Self::S3(store, _) => store.download(&at, key, Some(&mut file), progress).await?,
        };
        temp.persist(to).map_err(|e| io(e.error))?;
        Ok(fetched)
    }

    /// Opens an object and reads its first byte, if it has one.
    pub async fn try_open(&self, key: &str) -> Result<(), StoreError> {
        let at = self.place(error::OPEN, key)?;
        match self {
            Self::File(store, _) => store.try_open(&at, key).await,
            Self::S3(store, _) => store.try_open(&at, key).await,
        }
    }

    /// Reads an object for its size and checksum, as [`download`](Self::download) does, and keeps nothing of it.
    pub async fn checksum(&self, key: &str) -> Result<Downloaded, StoreError> {
        let at = self.place("read", key)?;
        match self {
            Self::File(store, _) => store.download(&at, key, None, &|_| ()).await,
            Self::S3(store, _) => store.download(&at, key, None, &|_| ()).await,
        }
    }

    /// Copies an object to another key, which appears or is replaced atomically. In S3 the object may have at most 5
    /// GB, and its bytes stay there.
    pub async fn copy(&self, from: &str, to: &str) -> Result<(), StoreError> {
        self.place("copy", from)?;
        let at = self.place("copy to", to)?;
        match self {
            Self::File(store, _) => store.copy(&at, from, to).await,
            Self::S3(store, _) => store.copy(&at, from, to).await,
        }
    }

    /// Where an object is in S3; `None`: the store is a directory.
    pub fn s3_location(&self, key: &str) -> Option<S3Location> {
        match self {
            Self::File(..) => None,
            Self::S3(store, _) => Some(store.location(key)),
        }
    }

    /// Reads a small object; `TooLarge` if it has more than `max_bytes`.
    pub async fn read_bytes(&self, key: &str, max_bytes: u64) -> Result<Bytes, StoreError> {
        let at = self.place("read", key)?;
        match self {
            Self::File(store, _) => store.read(&at, key, max_bytes).await,
            Self::S3(store, _) => store.read(&at, key, max_bytes).await,
        }
    }

    /// Copies a local file to an object and gives its size in bytes. An existing object of that key is replaced
    /// atomically at the end.
    pub async fn upload(&self, key: &str, from: &Path) -> Result<u64, StoreError> {
        self.put(key, from, None).await
    }

    /// The same for a file whose SHA-256 is known: if the content differs, it fails with `Checksum` and replaces
    /// nothing. S3 keeps the checksum with the object, so that [`sha256`](Self::sha256) need not read it.
    pub async fn upload_checked(&self, key: &str, from: &Path, sha256: &str) -> Result<u64, StoreError> {
        self.put(key, from, Some(sha256)).await
    }

    async fn put(&self, key: &str, from: &Path, sha256: Option<&str>) -> Result<u64, StoreError> {
        let at = self.place("upload", key)?;
        match self {
            Self::File(store, _) => store.upload(&at, key, from, sha256).await,
            Self::S3(store, _) => store.upload(&at, key, from, sha256).await,
        }
    }

    /// The SHA-256 of an object's content; `None`: there is no such object. A checksum that was stored in S3 with the
    /// object is trusted, since S3 verified the bytes when it took them; any other object is read.
    pub async fn sha256(&self, key: &str) -> Result<Option<String>, StoreError> {
        if let Self::S3(store, _) = self
            && let Some(known) = store.known_sha256(&self.place("look at", key)?, key).await?
        {
            return Ok(Some(known));
        }
        match self.head(key).await? {
            None => Ok(None),
            Some(_) => Ok(Some(self.checksum(key).await?.sha256)),
        }
    }

    /// Writes a small object.
    pub async fn upload_bytes(&self, key: &str, bytes: Bytes) -> Result<u64, StoreError> {
        let mut writer = self.writer(key).await?;
        writer.write(bytes).await?;
        Ok(writer.finish().await?.size_bytes)
    }

    /// Removes an object; succeeds if there is none.
    pub async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let at = self.place("delete", key)?;
        match self {
            Self::File(store, _) => store.delete(&at, key).await,
            Self::S3(store, _) => store.delete(&at, key).await,
        }
    }

    /// Size and time of an object; `None`: there is none. Without the right to list a bucket, S3
    /// answers `Denied` for an object that is not there. A bucket that is not there gives `None` too.
    pub async fn head(&self, key: &str) -> Result<Option<ObjectInfo>, StoreError> {
        let at = self.place("look at", key)?;
        match self {
            Self::File(store, _) => store.head(&at, key).await,
            Self::S3(store, _) => store.head(&at, key).await,
        }
    }

    /// Starts an object whose content comes piece by piece; holds at most 32 MiB of it.
    pub async fn writer(&self, key: &str) -> Result<ObjectWriter, StoreError> {
        let at = self.place("write", key)?;
        let inner = match self {
            Self::File(store, _) => Backend::File(store.writer(&at, key).await?),
            Self::S3(store, _) => Backend::S3(store.writer(&at, key)),
        };
        Ok(ObjectWriter { at, inner, hash: Sha256::new(), size_bytes: 0, broken: false })
    }

    fn place(&self, operation: &'static str, key: &str) -> Result<ObjectPlace, StoreError> {
        match url::check_key(key) {
            Ok(()) => Ok(ObjectPlace { operation, url: self.url().object(key) }),
            // The key may hold anything: it is shown as a literal.
            Err(problem) => {
                let at = ObjectPlace { operation, url: format!("{} (key {key:?})", self.url()) };
                Err(StoreError::BadKey { at, problem })
            }
        }
    }
}

/// An object in the making. Nothing is visible before [`finish`](Self::finish), nor ever when it is
/// dropped, when [`abort`](Self::abort) is called or when a write has failed.
#[derive(Debug)]
#[must_use = "an object that is not finished never appears"]
pub struct ObjectWriter {
    at: ObjectPlace,
    inner: Backend,
    hash: Sha256,
    size_bytes: u64,
    broken: bool,
}

#[derive(Debug)]
enum Backend {
    File(file::FileWriter),
    S3(s3::Upload),
}

impl ObjectWriter {
    /// Adds to the object. Waits when the store is slower than the caller. After an error the
    /// object cannot be finished.
    pub async fn write(&mut self, data: Bytes) -> Result<(), StoreError> {
        // Stays set if this future fails or is dropped half-way: an object with a gap must not be published.
        if std::mem::replace(&mut self.broken, true) {
            return Err(self.gap());
        }
        match &mut self.inner {
            Backend::File(file) => {
                file.write(&data).await.map_err(|e| StoreError::from_io(self.at.clone(), e))?;
            }
            Backend::S3(upload) => upload.write(&data).await?,
        }
        self.hash.update(&data);
        self.size_bytes += data.len() as u64;
        self.broken = false;
        Ok(())
    }

    /// Makes the object appear; it replaces an older one of its key.
    pub async fn finish(self) -> Result<Written, StoreError> {
        if self.broken {
            let gap = self.gap();
            self.abort().await;
            return Err(gap);
        }
        match self.inner {
            Backend::File(file) => file.finish().await.map_err(|e| StoreError::from_io(self.at, e))?,
            Backend::S3(upload) => upload.finish().await?,
        }
        Ok(Written { size_bytes: self.size_bytes, sha256: hex(&self.hash.finalize()) })
    }

    /// Abandons the object and removes what was already sent of it. A drop does the same, for S3 in
    /// the background.
    pub async fn abort(self) {
        match self.inner {
            Backend::File(file) => drop(file),
            Backend::S3(upload) => upload.abort().await,
        }
    }

    fn gap(&self) -> StoreError {
        StoreError::refused(self.at.clone(), "an earlier write to the object did not succeed")
    }
}

#[cfg(test)]
mod tests;
