//! The folders of a store in a directory: finding a key's path, creating folders on the way, listing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::{TEMP_PREFIX, TEMP_SUFFIX};
use crate::clients::store::{Listing, ObjectInfo};
use crate::system::private;

/// May everybody read the object? All others are readable by their owner only.
pub(super) fn is_public(key: &str) -> bool {
    key.starts_with("public/")
}

/// The path of a (checked) key below the root, after a check that every directory on the way is inside the root;
/// `create` makes missing ones.
pub(super) fn locate(root: &Path, key: &str, create: bool) -> io::Result<PathBuf> {
    if create {
        make_root(root)?;
    }
    let root = root.canonicalize()?;
    let (folder, name) = key.rsplit_once('/').map_or((None, key), |(folder, name)| (Some(folder), name));
    let mut path = root.clone();
    for segment in folder.into_iter().flat_map(|folder| folder.split('/')) {
        path.push(segment);
        match fs::symlink_metadata(&path) {
            Ok(data) if data.is_symlink() => path = inside(&root, &path)?,
            Ok(_) => {}
            Err(e) if create && e.kind() == io::ErrorKind::NotFound => {
                let made = match is_public(key) {
                    true => private::make_public_folder(&path),
                    false => private::make_folder(&path),
                };
                made.or_else(|e| if e.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(e) })?;
            }
            Err(e) => return Err(e),
        }
    }
    path.push(name);
    Ok(path)
}

/// Creates the root and missing directories above it, open to other users, who pass through it to public objects.
fn make_root(root: &Path) -> io::Result<()> {
    let missing: Vec<_> =
        root.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).collect();
    for folder in missing.into_iter().rev() {
        match private::make_public_folder(folder) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
    }
    fs::create_dir_all(root)
}

fn inside(root: &Path, link: &Path) -> io::Result<PathBuf> {
    let target = link.canonicalize()?;
    if target.starts_with(root) {
        return Ok(target);
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, "a link on the way leads out of the directory"))
}

pub(super) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

pub(super) fn info(key: String, data: &fs::Metadata) -> ObjectInfo {
    let modified = data.modified().ok().and_then(|t| jiff::Timestamp::try_from(t).ok());
    ObjectInfo { key, size_bytes: data.len(), modified }
}

/// The files below a folder, by key. Links to files count as files; links to directories are not
/// followed (they may lead out, or round in a circle); pipes, sockets and devices are left out. Entries directly in the
/// folder that are not files are listed separately.
pub(super) fn list(root: &Path, folder: &str, deep: bool, must_exist: bool) -> io::Result<Listing> {
    let mut found = Listing::default();
    let root = match root.canonicalize() {
        Err(e) if !must_exist && is_missing(&e) => return Ok(found),
        root => root?,
    };
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = if folder.is_empty() {
            fs::read_dir(&root)?
        } else {
            let found = locate(&root, &folder, false).and_then(|path| inside(&root, &path));
            match found.and_then(fs::read_dir) {
                // A folder without objects is no error in S3 either, and it may be removed while we look.
                Err(e) if is_missing(&e) => continue,
                entries => entries?,
            }
        };
        for entry in entries {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                tracing::warn!(folder, "a file whose name is not UTF-8 is left out");
                continue;
            };
            if name.starts_with(TEMP_PREFIX) && name.ends_with(TEMP_SUFFIX) {
                continue;
            }
            let key = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            if entry.file_type()?.is_dir() {
                match deep {
                    true => folders.push(key),
                    false => found.odd.push((key, "it is a folder")),
                }
                continue;
            }
            match fs::metadata(entry.path()) {
                Ok(data) if data.is_file() => found.files.push(info(key, &data)),
                Ok(data) if data.is_dir() => found.odd.push((key, "it is a link to a folder")),
                Ok(_) => found.odd.push((key, "it is not a regular file")),
                Err(e) if is_missing(&e) || e.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
                    // Unless it has just been removed.
                    if fs::symlink_metadata(entry.path()).is_ok() {
                        found.odd.push((key, "it is a link to nothing"));
                    }
                }
                Err(e) if !deep && e.kind() == io::ErrorKind::PermissionDenied => {
                    found.odd.push((key, "what it leads to is closed to this user"));
                }
                Err(e) => return Err(e),
            }
        }
    }
    found.files.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    Ok(found)
}
