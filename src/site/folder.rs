//! The folder of the site. A new one is made beside it, files that are the same linked into it, and the two change places by one
//! rename: who reads sees the old site or the new one. A process that is killed leaves the old one, and beside it a folder that
//! the next build takes away.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with, syncfs};
use rustix::io::Errno;

use super::render::SiteFile;
use super::state::{Contents, MARKER, SiteState, sha256};
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
        if folder.old.join(MARKER).is_file() && !folder.out.exists() {
            fs::rename(&folder.old, &folder.out).map_err(io)?;
        }
        for place in [&folder.out, &folder.next, &folder.old] {
            owned(place)?;
        }
        if let Ok(here) = fs::metadata(&folder.out)
            && fs::metadata(above).map_err(io)?.dev() != here.dev()
        {
            let hint = format!("[site] out = \"{}\", a folder in it", folder.out.join("site").display());
            return Err(refused(out, "is a disk of its own, and no folder can change places with it", &hint));
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

    /// The files that are there, the note left out: paths with `/`.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn files(&self) -> Result<BTreeSet<String>, Cause> {
        let mut found = BTreeSet::new();
        let mut folders = match self.out.is_dir() {
            true => vec![self.out.clone()],
            false => Vec::new(),
        };
        while let Some(folder) = folders.pop() {
            let failed = || Cause::io(format!("list {}", folder.display()));
            for entry in fs::read_dir(&folder).map_err(failed())? {
                let entry = entry.map_err(failed())?;
                match entry.file_type().map_err(failed())?.is_dir() {
                    true => folders.push(entry.path()),
                    false => {
                        let path = entry.path();
                        let path =
                            path.strip_prefix(&self.out).unwrap_or(&path).to_string_lossy().into_owned();
                        found.insert(path);
                    }
                }
            }
        }
        found.remove(MARKER);
        Ok(found)
    }

    /// The bytes of a file that is there.
    pub fn read(&self, path: &str) -> Option<Vec<u8>> {
        fs::read(self.out.join(path)).ok()
    }

    /// What each file holds that is there: SHA-256, by its path.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn contents(&self) -> Result<Contents, Cause> {
        let files = self.files()?.into_iter();
        Ok(files
            .filter_map(|path| Some((sha256(&self.read(&path)?), path)))
            .map(|(sum, path)| (path, sum))
            .collect())
    }

    /// What writing these files would change. By their bytes: what somebody edited is written anew.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn compare(&self, files: &[SiteFile]) -> Result<SiteChange, Cause> {
        let mut there = self.files()?;
        let mut change = SiteChange::default();
        for file in files {
            let is_same =
                there.remove(&file.path) && self.read(&file.path).is_some_and(|old| old == file.bytes);
            match is_same {
                true => change.same += 1,
                false => change.written.push(file.path.clone()),
            }
        }
        change.removed = there.into_iter().collect();
        Ok(change)
    }

    /// Puts the files, and nothing else, into the place of the site. After an error the old one is there as it was.
    ///
    /// # Errors
    /// [`Cause::Refused`] if another build is under way; no space, no right.
    pub fn put(&self, files: &[SiteFile], change: &SiteChange, state: &SiteState) -> Result<(), Cause> {
        let mut marker = self.begin()?;
        let written = self.fill(files, change, state, &mut marker).and_then(|()| self.exchange());
        if written.is_err() {
            let _ = remove(&self.next);
        }
        written
    }

    /// Takes away what a build that was killed has left beside the site, where nothing is to be written.
    ///
    /// # Errors
    /// No right to.
    pub fn tidy(&self) -> Result<(), Cause> {
        for left in [&self.next, &self.old] {
            clear(left).map_err(Cause::io(format!("take {} away", left.display())))?;
        }
        Ok(())
    }

    /// Makes the folder beside the site; its note is locked for as long as the build lives.
    fn begin(&self) -> Result<File, Cause> {
        let busy = || Cause::Refused {
            message: format!("another build is writing {}", self.out.display()),
            hint: Some("wait for it".into()),
        };
        let failed = || Cause::io(format!("make the folder {}", self.next.display()));
        if !clear(&self.next).map_err(failed())? {
            return Err(busy());
        }
        if let Some(above) = self.next.parent() {
            fs::create_dir_all(above).map_err(failed())?;
        }
        if let Err(error) = private::make_public_folder(&self.next) {
            // An empty one was made by a process that was killed at once.
            if error.kind() != io::ErrorKind::AlreadyExists {
                return Err(failed()(error));
            }
        }
        let note = File::create_new(self.next.join(MARKER)).map_err(failed())?;
        private::publish(&note).map_err(failed())?;
        note.try_lock().map_err(|_| busy())?;
        Ok(note)
    }

    fn fill(
        &self,
        files: &[SiteFile],
        change: &SiteChange,
        state: &SiteState,
        marker: &mut File,
    ) -> Result<(), Cause> {
        fault::blocking_point!("site.begin");
        let written: BTreeSet<_> = change.written.iter().map(String::as_str).collect();
        let mut made = BTreeSet::new();
        for file in files {
            let (from, to) = (self.out.join(&file.path), self.next.join(&file.path));
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
        let failed = || Cause::io(format!("write {}", self.next.join(MARKER).display()));
        marker.write_all(state.to_text().as_bytes()).map_err(failed())?;
        // All of it is on the disk before it is seen; not every file system can do it.
        let _ = syncfs(&*marker);
        fault::blocking_point!("site.before_exchange");
        Ok(())
    }

    /// The two folders change places, and the old one goes.
    fn exchange(&self) -> Result<(), Cause> {
        let failed =
            || Cause::io(format!("put {} into the place of {}", self.next.display(), self.out.display()));
        if !self.out.exists() {
            fs::rename(&self.next, &self.out).map_err(failed())?;
            return Ok(());
        }
        match renameat_with(CWD, &self.next, CWD, &self.out, RenameFlags::EXCHANGE) {
            Ok(()) => {}
            // Some network file systems cannot do it.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                tracing::warn!(
                    "the file system of {} cannot exchange two folders: for a moment there is none",
                    self.out.display()
                );
                fs::rename(&self.out, &self.old).map_err(failed())?;
                fault::blocking_point!("site.aside");
                if let Err(error) = fs::rename(&self.next, &self.out) {
                    let _ = fs::rename(&self.old, &self.out);
                    return Err(failed()(error));
                }
            }
            Err(error) => return Err(failed()(error.into())),
        }
        fault::blocking_point!("site.exchanged");
        for gone in [&self.next, &self.old] {
            // It is in nobody's way: the next build takes it away.
            if let Err(error) = remove(gone) {
                tracing::warn!("the old site is still in {}: {error}", gone.display());
            }
        }
        Ok(())
    }
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
            "holds something that no build has put there, and a build would take it away",
            "[site] out names a folder that is empty, or not there yet",
        )),
    }
}

fn refused(place: &Path, what: &str, hint: &str) -> Cause {
    Cause::Refused { message: format!("{} {what}", place.display()), hint: Some(hint.into()) }
}

/// Takes away what a build has left that is over; `false`: it is not over.
fn clear(folder: &Path) -> io::Result<bool> {
    let Ok(note) = File::open(folder.join(MARKER)) else { return Ok(true) };
    if note.try_lock().is_err() {
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
                hint: Some("one of the two keys must change in its sheet".into()),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
