//! Files that this machine keeps from one run to the next, so that they are fetched only once.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use super::private;
use crate::words::hex;

/// A file that has not been used for this long is removed.
const UNUSED: Duration = Duration::from_secs(60 * 24 * 3600);
/// All permission bits of users other than the owner.
const OTHERS: u32 = 0o077;

/// `$MERGANSER_CACHE`, else `~/.cache/merganser`; `None`: neither is known.
pub fn folder() -> Option<PathBuf> {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = named("MERGANSER_CACHE").or_else(|| Some(named("HOME")?.join(".cache/merganser")))?;
    cache.is_absolute().then_some(cache)
}

/// Files known by their checksums, in a folder for their owner only. It never fails: a file that cannot be kept, or
/// that is missing, is fetched again.
#[derive(Clone, Debug)]
pub struct KeptFiles {
    folder: PathBuf,
}

impl KeptFiles {
    /// Opens the cache for one kind of file; `None`: nothing can be kept here, or others could access it.
    pub fn open(kind: &str) -> Option<Self> {
        Self::at(folder()?.join(kind))
    }

    fn at(folder: PathBuf) -> Option<Self> {
        private::make_folders(&folder).ok()?;
        let data = fs::symlink_metadata(&folder).ok()?;
        let is_ours = data.uid() == rustix::process::geteuid().as_raw() && data.mode() & OTHERS == 0;
        (data.is_dir() && is_ours).then_some(Self { folder })
    }

    /// Copies a file to `to` if it is here and intact, with this SHA-256. A damaged one is removed.
    pub fn take(&self, sha256: &str, to: &Path) -> bool {
        let kept = self.folder.join(sha256);
        if !kept.is_file() || link_or_copy(&kept, to).is_err() {
            return false;
        }
        if checksum(to).is_ok_and(|found| found == sha256) {
            // Marks it as used, so that it stays.
            let _ = File::open(&kept).and_then(|file| file.set_modified(SystemTime::now()));
            return true;
        }
        let _ = (fs::remove_file(to), fs::remove_file(&kept));
        false
    }

    /// Is a file with this SHA-256 here, and intact?
    pub fn has(&self, sha256: &str) -> bool {
        checksum(&self.folder.join(sha256)).is_ok_and(|found| found == sha256)
    }

    /// Keeps a file that has this SHA-256, and removes files that have not been used for long.
    pub fn keep(&self, sha256: &str, from: &Path) {
        let part = self.folder.join(format!("{sha256}.{}.part", std::process::id()));
        // Completely or not at all, even when several runs keep the same file.
        if link_or_copy(from, &part).is_err() || fs::rename(&part, self.folder.join(sha256)).is_err() {
            let _ = fs::remove_file(&part);
        }
        let Ok(listed) = fs::read_dir(&self.folder) else { return };
        for entry in listed.flatten() {
            let unused = entry.metadata().and_then(|data| data.modified()).ok();
            if unused.and_then(|at| at.elapsed().ok()).is_some_and(|unused| unused > UNUSED) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// The same file under another name, or its bytes where that is on another disk.
fn link_or_copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(|_| ()))
}

/// The SHA-256 of a file, in hexadecimal digits.
pub fn checksum(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            read => hash.update(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_kept_is_given_back_and_what_was_changed_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::write(&from, b"lots").unwrap();
        let sum = checksum(&from).unwrap();
        let kept = KeptFiles::at(dir.path().join("cache/kind")).unwrap();
        assert!(!kept.take(&sum, &to) && !to.exists());
        kept.keep(&sum, &from);
        assert!(kept.has(&sum) && kept.take(&sum, &to));
        assert_eq!(fs::read(&to).unwrap(), b"lots");
        fs::remove_file(&to).unwrap();
        let other = kept.folder.join(&sum);
        fs::remove_file(&other).unwrap();
        fs::write(&other, b"other lots").unwrap();
        assert!(!kept.has(&sum));
        assert!(!kept.take(&sum, &to) && !to.exists() && !other.exists());
        // Old files are removed when a new one is added.
        kept.keep(&sum, &from);
        let old = kept.folder.join("old");
        fs::write(&old, b"old").unwrap();
        File::open(&old).unwrap().set_modified(SystemTime::now() - UNUSED * 2).unwrap();
        kept.keep(&sum, &from);
        assert!(!old.exists() && other.exists());
    }

    #[test]
    fn a_folder_that_others_can_enter_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("cache");
        assert!(KeptFiles::at(folder.clone()).is_some());
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        assert!(KeptFiles::at(folder.clone()).is_none());
        let link = dir.path().join("link");
        fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        assert!(KeptFiles::at(link).is_none());
    }
}
