//! The files that a cleaning reads while it is at work: data, and Python that is imported.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::JOB_FILE;
use crate::error::Cause;

/// A file as it was when the job was read. Whatever is written to it or put in its place shows in these numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    path: PathBuf,
    /// Device, inode, size, and seconds and nanoseconds of the last change of the file; `None`: it cannot be looked at.
    told: Option<(u64, u64, u64, i64, i64)>,
}

impl Stamp {
    pub(super) fn of(path: PathBuf) -> Self {
        let told = fs::metadata(&path).ok();
        let told = told.map(|file| (file.dev(), file.ino(), file.size(), file.ctime(), file.ctime_nsec()));
        Self { path, told }
    }
}

/// # Errors
/// Somebody has changed one of the files since: rows that were cleaned after that are not of the version.
pub(super) fn refuse_changed(stamps: &[Stamp]) -> Result<(), Cause> {
    match stamps.iter().find(|stamp| Stamp::of(stamp.path.clone()) != **stamp) {
        None => Ok(()),
        Some(Stamp { path, .. }) => Err(Cause::Refused {
            message: format!("{} was changed while the version was made", path.display()),
            hint: Some(
                "run the same command again: if the contents have changed, a new version is planned".into(),
            ),
        }),
    }
}

/// # Errors
/// The current directory has a file of the same name, which DuckDB would read instead of the job's.
pub(super) fn refuse_namesakes(files: &[String], folder: &Path) -> Result<(), Cause> {
    for file in files {
        let (there, ours) = (Path::new(file).canonicalize(), folder.join(file).canonicalize());
        if let (Ok(there), Ok(ours)) = (there, ours)
            && there != ours
        {
            return Err(Cause::Usage {
                message: format!(
                    "{JOB_FILE}: [clean] files: DuckDB would read {} instead of {}",
                    there.display(),
                    ours.display()
                ),
                hint: Some("start it in another directory, where no file has this name".into()),
            });
        }
    }
    Ok(())
}
