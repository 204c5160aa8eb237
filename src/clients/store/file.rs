//! A store in a directory. An object is written to a temporary file beside it, flushed to the disk and renamed: a
//! reader sees the old object or the new one, never a part.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustix::fs::OFlags;
use sha2::{Digest, Sha256};
use tempfile::TempPath;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter};

use super::error::{ObjectPlace, StoreError};
use super::{Downloaded, Listing, ObjectInfo};
use crate::fault;
use crate::system::private;
use crate::words::hex;

mod tree;

use tree::{info, is_missing, is_public, list, locate};

/// Bytes read or written at once.
const CHUNK_BYTES: usize = 1 << 20;
/// The prefix of unfinished files' names; a listing leaves them out.
const TEMP_PREFIX: &str = ".merganser-";
const TEMP_SUFFIX: &str = ".part";

/// A store in a directory.
#[derive(Clone, Debug)]
pub struct FileStore {
    root: PathBuf,
    read_only: bool,
}

/// An unfinished object of a directory; removed when dropped.
#[derive(Debug)]
pub(super) struct FileWriter {
    file: BufWriter<tokio::fs::File>,
    temp: TempPath,
    path: PathBuf,
}

/// Runs file operations where they may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(join) => Err(io::Error::other(join)),
    }
}

impl FileStore {
    pub(super) fn new(root: PathBuf, read_only: bool) -> Self {
        Self { root, read_only }
    }

    pub(super) async fn list(
        &self,
        at: &ObjectPlace,
        folder: &str,
        deep: bool,
    ) -> Result<Listing, StoreError> {
        let (root, folder, must_exist) = (self.root.clone(), folder.to_owned(), self.read_only);
        blocking(move || list(&root, &folder, deep, must_exist))
            .await
            .map_err(|e| StoreError::from_io(at.clone(), e))
    }

    pub(super) async fn head(&self, at: &ObjectPlace, key: &str) -> Result<Option<ObjectInfo>, StoreError> {
        let (root, key) = (self.root.clone(), key.to_owned());
        let found = blocking(move || {
            let path = locate(&root, &key, false)?;
            let data = fs::metadata(path)?;
            Ok(data.is_file().then(|| info(key, &data)))
        })
        .await;
        match found {
            Ok(found) => Ok(found),
            Err(e) if is_missing(&e) => Ok(None),
            Err(e) => Err(StoreError::from_io(at.clone(), e)),
        }
    }

    /// Reads an object, into a local file if one is given, and fails if it changed meanwhile.
    pub(super) async fn download(
        &self,
        at: &ObjectPlace,
        key: &str,
        mut to: Option<&mut BufWriter<tokio::fs::File>>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Downloaded, StoreError> {
        let io = |e| StoreError::from_io(at.clone(), e);
        let here = |e| StoreError::from_io(at.kept(), e);
        let (mut from, before) = self.open(key).await.map_err(io)?;
        let mut hash = Sha256::new();
        let mut size_bytes = 0u64;
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let n = from.read(&mut chunk).await.map_err(io)?;
            if n == 0 {
                break;
            }
            hash.update(&chunk[..n]);
            if let Some(to) = &mut to {
                to.write_all(&chunk[..n]).await.map_err(here)?;
                fault::point!("fetch.mid_file", here);
            }
            size_bytes += n as u64;
            progress(size_bytes);
        }
        if let Some(to) = &mut to {
            to.flush().await.map_err(here)?;
        }
        // Otherwise a file that somebody else is still copying in would be taken as complete.
        let after = from.metadata().await.map_err(io)?;
        if size_bytes != before.len() || after.modified().ok() != before.modified().ok() {
            return Err(StoreError::Changed { at: at.clone(), source: None });
        }
        Ok(Downloaded { size_bytes, sha256: hex(&hash.finalize()) })
    }

    /// Reads the first byte.
    pub(super) async fn try_open(&self, at: &ObjectPlace, key: &str) -> Result<(), StoreError> {
        let io = |e| StoreError::from_io(at.clone(), e);
        let (mut from, _) = self.open(key).await.map_err(io)?;
        from.read(&mut [0]).await.map_err(io)?;
        Ok(())
    }

    pub(super) async fn read(
        &self,
        at: &ObjectPlace,
        key: &str,
        max_bytes: u64,
    ) -> Result<Bytes, StoreError> {
        let io = |e| StoreError::from_io(at.clone(), e);
        let (from, _) = self.open(key).await.map_err(io)?;
        let mut bytes = Vec::new();
        from.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes).await.map_err(io)?;
        if bytes.len() as u64 > max_bytes {
            return Err(StoreError::TooLarge { at: at.clone(), max_bytes });
        }
        Ok(bytes.into())
    }

    async fn open(&self, key: &str) -> io::Result<(tokio::fs::File, fs::Metadata)> {
        let (root, key) = (self.root.clone(), key.to_owned());
        let (file, data) = blocking(move || {
            // A missing folder is not an error about one file.
            let path =
                locate(&root, &key, false).map_err(|e| if root.exists() { e } else { gone(&root, &e) })?;
            // Without O_NONBLOCK, opening a pipe would wait for somebody to write to it.
            let file =
                fs::OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path)?;
            let data = file.metadata()?;
            if !data.is_file() {
                return Err(io::Error::new(io::ErrorKind::NotFound, "not a regular file"));
            }
            Ok((file, data))
        })
        .await?;
        let mut file = tokio::fs::File::from_std(file);
        file.set_max_buf_size(CHUNK_BYTES);
        Ok((file, data))
    }

    pub(super) async fn upload(
        &self,
        at: &ObjectPlace,
        key: &str,
        from: &Path,
        sha256: Option<&str>,
    ) -> Result<u64, StoreError> {
        let io = |e| StoreError::from_io(at.clone(), e);
        let hashes = sha256.is_some();
        let (root, key, from) = (self.writable(at)?, key.to_owned(), from.to_owned());
        let (temp, path, size_bytes, copied) = blocking(move || {
            let mut source = fs::File::open(from)?;
            let path = locate(&root, &key, true)?;
            let (mut file, temp) = create_temp(&path, is_public(&key))?;
            let (size_bytes, copied) = match hashes {
                // The system chooses the fastest way to copy.
                false => (io::copy(&mut source, &mut file)?, None),
                true => copy_and_hash(&mut source, &mut file)?,
            };
            file.sync_all()?;
            Ok((temp, path, size_bytes, copied))
        })
        .await
        .map_err(io)?;
        if let (Some(expected), Some(copied)) = (sha256, copied)
            && copied != expected
        {
            return Err(StoreError::other_content(at.clone(), &copied, expected));
        }
        fault::point!("upload.mid_object", io);
        // A separate step: if this future is dropped before it, the object does not appear.
        blocking(move || publish(temp, &path)).await.map_err(io)?;
        Ok(size_bytes)
    }

    pub(super) async fn copy(&self, at: &ObjectPlace, from: &str, to: &str) -> Result<(), StoreError> {
        let (root, from) = (self.root.clone(), from.to_owned());
        let path = blocking(move || locate(&root, &from, false)).await;
        let path = path.map_err(|e| StoreError::from_io(at.clone(), e))?;
        self.upload(at, to, &path, None).await.map(drop)
    }

    pub(super) async fn delete(&self, at: &ObjectPlace, key: &str) -> Result<(), StoreError> {
        let (root, key) = (self.writable(at)?, key.to_owned());
        let removed = blocking(move || {
            let path = locate(&root, &key, false)?;
            fs::remove_file(&path)?;
            sync_directory(&path)
        })
        .await;
        match removed {
            Err(e) if !is_missing(&e) => Err(StoreError::from_io(at.clone(), e)),
            _ => Ok(()),
        }
    }

    pub(super) async fn writer(&self, at: &ObjectPlace, key: &str) -> Result<FileWriter, StoreError> {
        let (root, key) = (self.writable(at)?, key.to_owned());
        let (file, temp, path) = blocking(move || {
            let path = locate(&root, &key, true)?;
            let (file, temp) = create_temp(&path, is_public(&key))?;
            Ok((file, temp, path))
        })
        .await
        .map_err(|e| StoreError::from_io(at.clone(), e))?;
        let mut file = tokio::fs::File::from_std(file);
        file.set_max_buf_size(CHUNK_BYTES);
        Ok(FileWriter { file: BufWriter::with_capacity(CHUNK_BYTES, file), temp, path })
    }

    fn writable(&self, at: &ObjectPlace) -> Result<PathBuf, StoreError> {
        if self.read_only {
            return Err(StoreError::refused(at.clone(), "a `dir:` location is only read; use `file:`"));
        }
        Ok(self.root.clone())
    }
}

impl FileWriter {
    pub(super) async fn write(&mut self, data: &[u8]) -> io::Result<()> {
        self.file.write_all(data).await
    }

    pub(super) async fn finish(mut self) -> io::Result<()> {
        self.file.flush().await?;
        self.file.get_ref().sync_all().await?;
        let (temp, path) = (self.temp, self.path);
        blocking(move || publish(temp, &path)).await
    }
}

fn create_temp(path: &Path, is_public: bool) -> io::Result<(fs::File, TempPath)> {
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let prefix = format!("{TEMP_PREFIX}{}-", &hex(&Sha256::digest(name.as_encoded_bytes()))[..16]);
    remove_dead_parts(directory, &prefix)?;
    let temp = tempfile::Builder::new()
        .prefix(&prefix)
        .suffix(TEMP_SUFFIX)
        // A public file gets the usual permissions, as the umask leaves them, so that a web server can read it.
        .permissions(fs::Permissions::from_mode(if is_public { 0o666 } else { private::FILE }))
        .tempfile_in(directory)?;
    match is_public {
        true => private::publish(temp.as_file())?,
        false => temp.as_file().set_permissions(fs::Permissions::from_mode(private::FILE))?,
    }
    // The lock shows that the writer is alive. On a file system without locks, files of dead writers stay.
    let _ = temp.as_file().try_lock();
    Ok(temp.into_parts())
}

/// Removes partial files of an object left by processes that were killed while writing it.
fn remove_dead_parts(directory: &Path, prefix: &str) -> io::Result<()> {
    for entry in fs::read_dir(directory)?.flatten() {
        let is_part = entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix));
        if is_part && fs::File::open(entry.path()).is_ok_and(|part| part.try_lock().is_ok()) {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

fn copy_and_hash(from: &mut fs::File, to: &mut fs::File) -> io::Result<(u64, Option<String>)> {
    let (mut hash, mut size_bytes, mut chunk) = (Sha256::new(), 0, vec![0; CHUNK_BYTES]);
    loop {
        let n = from.read(&mut chunk)?;
        if n == 0 {
            return Ok((size_bytes, Some(hex(&hash.finalize()))));
        }
        hash.update(&chunk[..n]);
        to.write_all(&chunk[..n])?;
        size_bytes += n as u64;
    }
}

fn gone(root: &Path, error: &io::Error) -> io::Error {
    io::Error::other(format!("the folder {} cannot be reached: {error}", root.display()))
}

fn publish(temp: TempPath, path: &Path) -> io::Result<()> {
    temp.persist(path).map_err(|e| e.error)?;
    sync_directory(path)
}

/// Syncs a directory: without this a rename may be lost when the machine stops.
fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    match fs::File::open(directory)?.sync_all() {
        // Some network file systems cannot do it for a directory.
        Err(e) if e.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}
