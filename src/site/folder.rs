//! The folder of the site. A new one is made beside it, files that are the same linked into it, and the two change places by one
//! rename: who reads sees the old site or the new one. A process that is killed leaves the old one, and beside it a folder that
//! the next build takes away. The note in each folder is locked by the build that fills it or takes it away: there is one at a
//! time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with, syncfs};
use rustix::io::Errno;

use super::render::SiteFile;
use super::state::{Contents, MARKER, SiteState};
use crate::error::Cause;
use crate::fault;
use crate::system::private;

/// The folder, and those that are beside it for a while.
#[derive(Clone, Debug)]
pub struct SiteFolder {
    out: PathBuf,
    next: PathBuf,
    old: PathBuf,
}

/// What a build does to the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteChange {
    /// New, or of other bytes.
    pub written: Vec<String>,
    pub removed: Vec<String>,
    pub same: usize,
}

impl SiteChange {
    /// What putting these files changes where others are. By their bytes: what somebody edited is written anew.
    pub fn between(there: &Contents, files: &[SiteFile]) -> Self {
        let mut change = Self::default();
        for file in files {
            match there.get(&file.path) == Some(&file.sha256) {
                true => change.same += 1,
                false => change.written.push(file.path.clone()),
            }
        }
        let kept: BTreeSet<_> = files.iter().map(|file| &file.path).collect();
        change.removed = there.keys().filter(|path| !kept.contains(path)).cloned().collect();
        change
    }

    /// Is every file as it shall be, and none too many?
    pub fn is_none(&self) -> bool {
        self.written.is_empty() && self.removed.is_empty()
    }
}

impl SiteFolder {
    /// Looks at the place; nothing is changed, but that a site which a killed process has moved aside comes back.
    ///
    /// # Errors
    /// [`Cause::Refused`] if something else than a site of ours stands there, or no rename can reach the place.
    pub fn open(out: &Path) -> Result<Self, Cause> {
        let io = |source| Cause::io(format!("look at {}", out.display()))(source);
        let mut place = std::path::absolute(out).map_err(io)?;
        // A link stays a link, and what it leads to is what changes.
        if place.is_symlink() {
            place = fs::canonicalize(&place).map_err(io)?;
        }
        let Some(name) = place.file_name() else {
            return Err(refused(out, "names no folder", "[site] out names a folder of its own"));
        };
        let beside = |ending: &str| place.with_file_name(format!("{}{ending}", name.to_string_lossy()));
        let folder = Self { next: beside(".next"), old: beside(".old"), out: place };
        let above = folder.out.parent().unwrap_or(Path::new("/"));
        // A build that is under way is about to put a new one there.
        if !is_held(&folder.next) {
            folder.restore().map_err(io)?;
        }
        for place in [&folder.out, &folder.next, &folder.old] {
            owned(place)?;
        }
        if let Ok(here) = fs::metadata(&folder.out)
            && fs::metadata(above).map_err(io)?.dev() != here.dev()
        {
            let hint = format!("[site] out = \"{}\", a folder in it", folder.out.join("site").display());
            return Err(refused(out, "is a mount point, which no folder can replace", &hint));
        }
        Ok(folder)
    }

    /// Where the site is.
    pub fn path(&self) -> &Path {
        &self.out
    }

    /// What the last build noted; `None`: there is no site, or its note is spoilt.
    pub fn state(&self) -> Option<SiteState> {
        SiteState::parse(&fs::read(self.out.join(MARKER)).ok()?)
    }

    /// The files that are there, in the order of their paths, the note left out. One that cannot be read is the same as no other.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn files(&self) -> Result<Vec<SiteFile>, Cause> {
        let mut found = Vec::new();
        let mut folders = match self.out.is_dir() {
            true => vec![self.out.clone()],
            false => Vec::new(),
        };
        while let Some(folder) = folders.pop() {
            let failed = || Cause::io(format!("list {}", folder.display()));
            for entry in fs::read_dir(&folder).map_err(failed())? {
                let entry = entry.map_err(failed())?;
                let place = entry.path();
                if entry.file_type().map_err(failed())?.is_dir() {
                    folders.push(place);
                    continue;
                }
                let path = place.strip_prefix(&self.out).unwrap_or(&place).to_string_lossy().into_owned();
                if path != MARKER {
                    found.push(match fs::read(&place) {
                        Ok(bytes) => SiteFile::new(path, bytes),
                        Err(_) => SiteFile { path, bytes: Vec::new(), sha256: String::new() },
                    });
                }
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// Makes the folder beside the site, which is this build's alone, and takes away what one that was killed has left.
    ///
    /// # Errors
    /// [`Cause::Refused`] if another build is under way; no right, no space.
    pub fn begin(&self) -> Result<SiteBuild<'_>, Cause> {
        let failed = || Cause::io(format!("make the folder {}", self.next.display()));
        if !clear(&self.next).map_err(failed())? {
            return Err(self.busy());
        }
        if let Some(above) = self.next.parent() {
            fs::create_dir_all(above).map_err(failed())?;
        }
        if let Err(error) = private::make_public_folder(&self.next) {
            // An empty one was made by a process that was killed at once, or by a build that begins now.
            if error.kind() != io::ErrorKind::AlreadyExists {
                return Err(failed()(error));
            }
        }
        let note = match File::create_new(self.next.join(MARKER)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(self.busy()),
            note => note.map_err(failed())?,
        };
        private::publish(&note).map_err(failed())?;
        if is_locked(&note) {
            return Err(self.busy());
        }
        let build = SiteBuild { folder: self, note, is_put: false };
        self.restore().map_err(failed())?;
        remove(&self.old).map_err(Cause::io(format!("take {} away", self.old.display())))?;
        Ok(build)
    }

    /// A site that a killed process has moved aside comes back.
    fn restore(&self) -> io::Result<()> {
        match self.old.join(MARKER).is_file() && !self.out.exists() {
            true => fs::rename(&self.old, &self.out),
            false => Ok(()),
        }
    }

    fn busy(&self) -> Cause {
        Cause::Refused {
            message: format!("another build is writing {}", self.out.display()),
            hint: Some("wait for it".into()),
        }
    }
}

/// A build's own folder beside the site; what is in it when this ends, and not put, goes.
#[derive(Debug)]
pub struct SiteBuild<'f> {
    folder: &'f SiteFolder,
    /// Locked for as long as this lives, also when the folder has become the site.
    note: File,
    is_put: bool,
}

impl Drop for SiteBuild<'_> {
    fn drop(&mut self) {
        if !self.is_put
            && let Err(error) = remove(&self.folder.next)
        {
            tracing::warn!("{} stays until the next build: {error}", self.folder.next.display());
        }
    }
}

impl SiteBuild<'_> {
    /// Puts the files, and nothing else, into the place of the site. After an error the old one is there as it was.
    ///
    /// # Errors
    /// [`Cause::Refused`] if another build holds the old one; no space, no right.
    pub fn put(&mut self, files: &[SiteFile], change: &SiteChange, state: &SiteState) -> Result<(), Cause> {
        self.fill(files, change, state)?;
        self.exchange()
    }

    fn fill(&mut self, files: &[SiteFile], change: &SiteChange, state: &SiteState) -> Result<(), Cause> {
        fault::blocking_point!("site.begin");
        let SiteFolder { out, next, .. } = self.folder;
        let written: BTreeSet<_> = change.written.iter().map(String::as_str).collect();
        let mut made = BTreeSet::new();
        for file in files {
            let (from, to) = (out.join(&file.path), next.join(&file.path));
            let failed = || Cause::io(format!("write {}", to.display()));
            if let Some(above) = to.parent()
                && made.insert(above.to_owned())
                && !above.is_dir()
            {
                private::make_public_folder(above).map_err(failed())?;
            }
            // Where no link can be made, the bytes are written.
            let is_linked = !written.contains(file.path.as_str()) && fs::hard_link(&from, &to).is_ok();
            if !is_linked {
                let mut new = File::create_new(&to).map_err(failed())?;
                private::publish(&new).map_err(failed())?;
                new.write_all(&file.bytes).map_err(failed())?;
            }
            fault::blocking_point!("site.file");
        }
        let failed = || Cause::io(format!("write {}", next.join(MARKER).display()));
        self.note.write_all(state.to_text().as_bytes()).map_err(failed())?;
        // All of it is on the disk before it is seen; not every file system can do it.
        let _ = syncfs(&self.note);
        fault::blocking_point!("site.before_exchange");
        Ok(())
    }

    /// The two folders change places, and the old one goes.
    fn exchange(&mut self) -> Result<(), Cause> {
        let SiteFolder { out, next, old } = self.folder;
        let failed = || Cause::io(format!("put {} into the place of {}", next.display(), out.display()));
        // Until it is gone; who finds it beside the site is not to take it for one that a killed build has left.
        let gone = File::open(out.join(MARKER)).ok();
        if gone.as_ref().is_some_and(is_locked) {
            return Err(self.folder.busy());
        }
        if !out.exists() {
            fs::rename(next, out).map_err(failed())?;
            self.is_put = true;
            return Ok(());
        }
        match swap(next, out) {
            Ok(()) => {}
            // Some network file systems cannot do it.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                tracing::warn!(
                    "the file system of {} cannot exchange two folders: for a moment there is none",
                    out.display()
                );
                fs::rename(out, old).map_err(failed())?;
                fault::blocking_point!("site.aside");
                if let Err(error) = fs::rename(next, out) {
                    let _ = fs::rename(old, out);
                    return Err(failed()(error));
                }
            }
            Err(error) => return Err(failed()(error.into())),
        }
        self.is_put = true;
        fault::blocking_point!("site.exchanged");
        for left in [next, old] {
            // It is in nobody's way: the next build takes it away.
            if let Err(error) = remove(left) {
                tracing::warn!("the old site is still in {}: {error}", left.display());
            }
        }
        Ok(())
    }
}

/// Two folders change places.
fn swap(one: &Path, other: &Path) -> Result<(), Errno> {
    fault::blocking_point!("site.exchange", |_| Errno::INVAL);
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)
}

/// Is it ours to change: not there, empty, or with our note?
fn owned(place: &Path) -> Result<(), Cause> {
    let is_free = match fs::read_dir(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => false,
        Err(error) => return Err(Cause::io(format!("list {}", place.display()))(error)),
        Ok(mut entries) => entries.next().is_none() || place.join(MARKER).is_file(),
    };
    match is_free {
        true => Ok(()),
        false => Err(refused(
            place,
            "holds files that no build has written, and a build would remove them",
            "[site] out names a folder that is empty, or not there yet",
        )),
    }
}

fn refused(place: &Path, what: &str, hint: &str) -> Cause {
    Cause::Refused { message: format!("{} {what}", place.display()), hint: Some(hint.into()) }
}

/// Does another build hold this note? It is ours from now on, if not. A file system without
/// locks, or without them for a file that is only read (NFS), does not tell.
fn is_locked(note: &File) -> bool {
    matches!(note.try_lock(), Err(TryLockError::WouldBlock))
}

/// Is a build at work on this folder?
fn is_held(folder: &Path) -> bool {
    File::open(folder.join(MARKER)).is_ok_and(|note| is_locked(&note))
}

/// Takes away what a build has left that is over; `false`: it is not over.
fn clear(folder: &Path) -> io::Result<bool> {
    let Ok(note) = File::open(folder.join(MARKER)) else { return Ok(true) };
    if is_locked(&note) {
        return Ok(false);
    }
    remove(folder)?;
    Ok(true)
}

/// Takes a folder of ours away, its note last: what is left of it when the process is killed is still known to be ours.
fn remove(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name() == MARKER {
            continue;
        }
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false => fs::remove_file(entry.path())?,
        }
    }
    match fs::remove_file(folder.join(MARKER)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::remove_dir(folder)
}

/// Two files that would be one where upper and lower letters are the same.
///
/// # Errors
/// [`Cause::Refused`] with both.
pub fn distinct(files: &[SiteFile]) -> Result<(), Cause> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for file in files {
        if let Some(other) = seen.insert(file.path.to_lowercase(), &file.path) {
            return Err(Cause::Refused {
                message: format!(
                    "{other} and {} are one file where upper and lower letters count as the same",
                    file.path
                ),
                hint: Some("change one of the two keys in its sheet".into()),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
