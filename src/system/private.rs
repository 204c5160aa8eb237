//! Permissions of the files that this process makes: nobody else may read them unless they are published.
//!
//! Modes are set when a file is created, never afterwards, so that others can never access it in between. Files made by
//! libraries (CSVs, and DuckDB's temporary files) are protected by the process' umask, so no caller has to think of it.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::OnceLock;

use rustix::fs::Mode;

/// The mode of a folder that only its owner can enter.
pub const FOLDER: u32 = 0o700;
/// The mode of a file that only its owner can read.
pub const FILE: u32 = 0o600;
/// The permission bits that let others list or enter a folder.
const OTHERS_LIST: u32 = 0o005;
const OTHERS_ENTER: u32 = 0o001;

/// The umask that the process was started with, once it has been changed.
static STARTED_WITH: OnceLock<u32> = OnceLock::new();

/// From now on, files made by this process, and by programs that it starts, are closed to everybody else.
pub fn by_default() {
    STARTED_WITH.get_or_init(|| rustix::process::umask(Mode::from_raw_mode(0o077)).as_raw_mode());
}

/// Makes a folder for its owner only, whatever the umask. Fails if it exists already.
pub fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(FOLDER).create(path)?;
    // The umask may take rights away from the owner too.
    fs::set_permissions(path, Permissions::from_mode(FOLDER))
}

/// Makes a folder and missing parents, each for its owner only. Existing ones stay as they are.
pub fn make_folders(path: &Path) -> io::Result<()> {
    let missing: Vec<_> =
        path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).collect();
    for folder in missing.into_iter().rev() {
        match make_folder(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
    }
    // Gives the right error if the path exists but is not a folder.
    fs::create_dir_all(path)
}

/// Makes a published folder, with the permissions that the original umask leaves.
pub fn make_public_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o777).create(path)?;
    match STARTED_WITH.get() {
        Some(umask) => fs::set_permissions(path, Permissions::from_mode(0o777 & !umask)),
        None => Ok(()),
    }
}

/// Makes a file, which was made for its owner only, readable for those who may read published files.
pub fn publish(file: &File) -> io::Result<()> {
    match STARTED_WITH.get() {
        Some(umask) => file.set_permissions(Permissions::from_mode(0o666 & !umask)),
        None => Ok(()),
    }
}

/// Can others get into a folder that is there, and list it or enter it?
pub fn is_open(folder: &Path) -> bool {
    let Ok(folder) = folder.canonicalize() else { return false };
    let allows = |path: &Path, what| fs::metadata(path).is_ok_and(|data| data.mode() & what != 0);
    allows(&folder, OTHERS_LIST) && folder.ancestors().skip(1).all(|above| allows(above, OTHERS_ENTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it is there").mode() & 0o7777
    }

    #[test]
    fn what_is_made_is_closed_and_what_is_there_stays() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("a mode");
        let (given, inner) = (dir.path().join("given"), dir.path().join("given/a/b"));
        fs::create_dir(&given).expect("a folder");
        fs::set_permissions(&given, Permissions::from_mode(0o755)).expect("a mode");
        make_folders(&inner).expect("folders");
        make_folders(&inner).expect("they are there");
        assert_eq!((mode(&given), mode(&given.join("a")), mode(&inner)), (0o755, 0o700, 0o700));
        assert!(make_folder(&inner).is_err(), "it is there");
        let above = dir.path().parent().expect("a folder");
        assert_eq!(is_open(&given), is_open(above), "as far as one can get there");
        assert!(!is_open(&given.join("a")) && !is_open(&inner) && !is_open(&dir.path().join("none")));
    }
}
