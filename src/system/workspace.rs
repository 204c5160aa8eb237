//! A run's own folder on the local disk: downloads, the staging store, CSVs. It is removed with the run; the next run
//! removes what a dead one left behind. Nobody else can enter it, because it holds private data.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::error::Cause;
use crate::system::private;

/// Only this program makes folders with such names, so any that is not locked is removed.
const PREFIX: &str = "merganser-run-";

/// The folder; removed when dropped.
#[derive(Debug)]
pub struct Workspace {
    folder: tempfile::TempDir,
    /// Held for as long as the folder is in use.
    _lock: File,
}

impl Workspace {
    /// Makes a folder in `parent` (created if missing) and removes those of dead runs.
    pub fn create(parent: &Path) -> Result<Self, Cause> {
        let describe = |what: &str| format!("{what} a working folder in {}", parent.display());
        private::make_folders(parent).map_err(Cause::io(describe("make")))?;
        remove_leftovers(parent);
        loop {
            let folder = tempfile::Builder::new()
                .prefix(PREFIX)
                .permissions(Permissions::from_mode(private::FOLDER))
                .tempdir_in(parent)
                .map_err(Cause::io(describe("make")))?;
            let lock = match lock(folder.path()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                lock => lock.map_err(Cause::io(describe("lock")))?,
            };
            // Before it was locked, another run may have taken it for a dead run's.
            if folder.path().exists() {
                return Ok(Self { folder, _lock: lock });
            }
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A fresh folder for one batch. The previous batch's folder is removed, so that a long backlog takes no more space
    /// than its largest batch.
    pub fn batch(&self, batch: i32) -> Result<PathBuf, Cause> {
        let of = |batch: i32| self.folder.path().join(format!("batch-{batch}"));
        match fs::remove_dir_all(of(batch - 1)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Cause::io(format!("remove the folder {}", of(batch - 1).display()))(error));
            }
            _ => {}
        }
        let path = of(batch);
        private::make_folder(&path).map_err(Cause::io(format!("make the folder {}", path.display())))?;
        Ok(path)
    }
}

/// Waits for a folder's lock, which is held for as long as the file is open.
fn lock(folder: &Path) -> io::Result<File> {
    let folder = File::open(folder)?;
    folder.lock()?;
    Ok(folder)
}

/// Removes the folders of dead runs. Best effort: one that cannot be removed does not stop a run.
pub fn remove_leftovers(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if is_ours && let Some(_lock) = lock_of_dead(&entry.path()) {
            tracing::info!("removing {}, left behind by a run that is gone", entry.path().display());
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The lock of a folder that nobody holds.
fn lock_of_dead(folder: &Path) -> Option<File> {
    let folder = File::open(folder).ok()?;
    folder.try_lock().is_ok().then_some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_batch_takes_space_at_a_time() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let workspace = Workspace::create(parent.path()).expect("a workspace");
        for batch in 1..=3 {
            let folder = workspace.batch(batch).expect("a folder");
            fs::write(folder.join("1.raw"), "x").expect("a file");
            let folders = fs::read_dir(workspace.path()).expect("a folder").flatten();
            assert_eq!(folders.filter(|entry| entry.path().is_dir()).count(), 1);
        }
    }

    #[test]
    fn nobody_else_gets_in() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let workspace = Workspace::create(&parent.path().join("a/b")).expect("a workspace");
        let batch = workspace.batch(1).expect("a folder");
        for folder in [&parent.path().join("a"), &parent.path().join("a/b"), workspace.path(), &batch] {
            let mode = fs::metadata(folder).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", folder.display());
        }
    }

    #[test]
    fn leftovers_go_and_live_folders_stay() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let live = Workspace::create(parent.path()).expect("a workspace");
        let dead = parent.path().join("merganser-run-dead");
        fs::create_dir(&dead).expect("a folder");
        fs::write(dead.join("1.raw"), "").expect("a file");
        let other = parent.path().join("merganser-demo");
        fs::create_dir(&other).expect("a folder");
        let next = Workspace::create(parent.path()).expect("a workspace");
        assert!(live.path().exists() && next.path().exists() && other.exists() && !dead.exists());
    }
}
