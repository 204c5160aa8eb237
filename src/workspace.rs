//! A run's own folder on the local disk: downloads, the staging store, CSVs. It goes with the run; what a dead run
//! left behind is removed by the next one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use fs4::fs_std::FileExt;

use crate::error::Cause;

const PREFIX: &str = "merganser-";
const LOCK: &str = "lock";

/// The folder; removed when dropped.
#[derive(Debug)]
pub struct Workspace {
    folder: tempfile::TempDir,
    /// Held for as long as the folder is in use.
    _lock: File,
}

impl Workspace {
    /// Makes a folder in `parent` (made if missing) and removes those of runs that are gone.
    pub fn create(parent: &Path) -> Result<Self, Cause> {
        let describe = |what: &str| format!("{what} a working folder in {}", parent.display());
        fs::create_dir_all(parent).map_err(Cause::io(describe("make")))?;
        remove_leftovers(parent);
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(parent)
            .map_err(Cause::io(describe("make")))?;
        let lock = File::create(folder.path().join(LOCK)).map_err(Cause::io(describe("lock")))?;
        lock.lock_exclusive().map_err(Cause::io(describe("lock")))?;
        Ok(Self { folder, _lock: lock })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A fresh folder for one batch.
    pub fn batch(&self, batch: i32) -> Result<PathBuf, Cause> {
        let path = self.folder.path().join(format!("batch-{batch}"));
        fs::create_dir(&path).map_err(Cause::io(format!("make the folder {}", path.display())))?;
        Ok(path)
    }
}

/// Best effort: a folder that cannot be removed does not stop a run.
fn remove_leftovers(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let Ok(lock) = File::open(entry.path().join(LOCK)) else { continue };
        if is_ours && lock.try_lock_exclusive().unwrap_or(false) {
            tracing::info!("removing {}, left behind by a run that is gone", entry.path().display());
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_go_and_live_folders_stay() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let live = Workspace::create(parent.path()).expect("a workspace");
        let dead = parent.path().join("merganser-dead");
        fs::create_dir(&dead).expect("a folder");
        fs::write(dead.join(LOCK), "").expect("a file");
        let _next = Workspace::create(parent.path()).expect("a workspace");
        assert!(live.path().exists() && !dead.exists());
    }
}
