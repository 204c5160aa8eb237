//! Clones of git in a folder of this machine: their heads, and the commits behind them, as a file that a parser reads.
//!
//! Only heads and objects are looked at: no tree, no tag, no replacement and no graft. What is written:
//!
//! ```text
//! merganser clone 1
//! {"repository":"OWNER/NAME","default_branch":"main","heads":[["main","0123…"]],"read_us":1700000000000000}
//! 0123… 217
//! (217 bytes)
//! end 1
//! ```

mod heads;
mod walk;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use self::heads::CloneHeads;
use super::store::{Downloaded, Listing, ObjectInfo};
use crate::words::hex;

/// Separates the owner's folder from the clone's own in the name of its part.
const BETWEEN: &str = "__";
/// The ending of a part's name.
const ENDING: &str = ".clone";
/// Hexadecimal digits in the mark of the heads that a part's name carries.
const MARK: usize = 16;
const GIT: &str = ".git";

/// A folder `DIR` with clones at `DIR/OWNER/NAME` or `DIR/OWNER/NAME.git`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GitFolder {
    pub folder: PathBuf,
    /// `OWNER/NAME` of the clones that are wanted; `None`: all.
    pub wanted: Option<Vec<String>>,
    /// Every branch counts as a head, not only the one that is checked out.
    pub all_branches: bool,
    /// Goes into the mark in the parts' names, to distinguish other ways of reading the same clones.
    pub manner: String,
    /// The same for single clones, by `OWNER/NAME`.
    pub manners: BTreeMap<String, String>,
}

/// Why a clone cannot be read; `at` is `OWNER/NAME`.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("{}: {source}", .folder.display())]
    Folder { folder: PathBuf, source: io::Error },
    #[error("{at}: {problem}")]
    Clone { at: String, problem: CloneProblem },
    #[error("{at}: its heads have changed since the folder was listed")]
    Changed { at: String },
    #[error("{at}: {what} {sha} cannot be read: {detail}")]
    Object { at: String, what: &'static str, sha: String, detail: String },
    #[error("write {}", .path.display())]
    Local { path: PathBuf, source: io::Error },
}

/// What is wrong with a clone as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloneProblem {
    Missing,
    NoClone,
    OtherFormat,
    Shallow,
    Heads,
}

impl CloneProblem {
    fn words(self) -> &'static str {
        match self {
            Self::Missing => "the folder has no such clone",
            Self::NoClone => "it is not a git clone, or it cannot be opened",
            Self::OtherFormat => "its object format is not supported: only clones with SHA-1 are read",
            Self::Shallow => {
                "it is a shallow clone, whose history is cut off: git fetch --unshallow completes it"
            }
            Self::Heads => "one of its branches cannot be read",
        }
    }
}

impl fmt::Display for CloneProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

impl GitError {
    /// True: others of the folder may well be read.
    pub fn is_about_file(&self) -> bool {
        matches!(self, Self::Clone { .. } | Self::Changed { .. } | Self::Object { .. })
    }

    /// What a person can do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Folder { .. } => "--source git:DIR names a folder with clones at OWNER/NAME",
            Self::Changed { .. } => {
                "run again: somebody fetched into it meanwhile, and the next run reads what is there then"
            }
            Self::Object { .. } => "check the clone with git fsck, or make a fresh one",
            Self::Local { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                "make room on this machine's disk, or name another with --work-dir"
            }
            Self::Clone { .. } | Self::Local { .. } => return None,
        };
        Some(hint.into())
    }
}

impl fmt::Display for GitFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "git:{}", self.folder.display())
    }
}

impl GitFolder {
    /// The clones, each under a name that changes with its heads; a clone that cannot be read, or is not there, is odd.
    ///
    /// # Errors
    /// Fails if the folder cannot be read.
    pub async fn listing(&self) -> Result<Listing, GitError> {
        let this = self.clone();
        in_background(move || this.list()).await
    }

    /// Writes heads and commits of a clone into the file `to`.
    ///
    /// # Errors
    /// [`GitError`], which names the clone and the object.
    pub async fn download(
        &self,
        name: &str,
        to: &Path,
        _progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Downloaded, GitError> {
        let (this, name, to) = (self.clone(), name.to_owned(), to.to_owned());
        in_background(move || this.write(&name, &to)).await
    }

    /// `OWNER/NAME` of a clone, and the SHAs of all commits that its heads lead to.
    ///
    /// # Errors
    /// The same as for a download.
    pub async fn ids(&self, name: &str) -> Result<(String, Vec<String>), GitError> {
        let (this, name) = (self.clone(), name.to_owned());
        in_background(move || {
            let (at, path, heads) = this.find(&name)?;
            let ids = walk::ids(&at, &path, &heads)?;
            Ok((at, ids))
        })
        .await
    }

    fn list(&self) -> Result<Listing, GitError> {
        let mut listing = Listing::default();
        for at in self.names()? {
            match self.heads(&at) {
                Ok((path, heads)) => {
                    let key = part_name(&at, &heads.mark(self, &at));
                    listing.files.push(ObjectInfo { key, size_bytes: size_of_packs(&path), modified: None });
                }
                Err(problem) => listing.odd.push((part_name(&at, "unread"), problem.words())),
            }
        }
        Ok(listing)
    }

    /// `OWNER/NAME` of the wanted clones, or else of all that are there, by name.
    fn names(&self) -> Result<Vec<String>, GitError> {
        let owners = folders(&self.folder)
            .map_err(|source| GitError::Folder { folder: self.folder.clone(), source })?;
        if let Some(wanted) = &self.wanted {
            return Ok(wanted.clone());
        }
        let mut names = Vec::new();
        for owner in owners {
            // A folder beside them may be one that we cannot read.
            for name in folders(&self.folder.join(&owner)).unwrap_or_default() {
                let path = self.folder.join(&owner).join(&name);
                let is_clone = name.ends_with(GIT) || path.join(GIT).exists() || path.join("HEAD").is_file();
                let name = name.strip_suffix(GIT).unwrap_or(&name);
                if is_clone && !name.is_empty() {
                    names.push(format!("{owner}/{name}"));
                }
            }
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// Where a clone is, and its heads.
    fn heads(&self, at: &str) -> Result<(PathBuf, CloneHeads), CloneProblem> {
        let plain = self.folder.join(at);
        let bare = self.folder.join(format!("{at}{GIT}"));
        let path = [plain, bare].into_iter().find(|path| path.is_dir()).ok_or(CloneProblem::Missing)?;
        let heads = CloneHeads::read(&path, self.all_branches)?;
        Ok((path, heads))
    }

    /// The clone behind the name of a part, where it is, and its heads.
    fn find(&self, name: &str) -> Result<(String, PathBuf, CloneHeads), GitError> {
        let (at, mark) = of_part(name)
            .ok_or_else(|| GitError::Clone { at: name.to_owned(), problem: CloneProblem::Missing })?;
        let (path, heads) = self.heads(&at).map_err(|problem| GitError::Clone { at: at.clone(), problem })?;
        if heads.mark(self, &at) != mark {
            return Err(GitError::Changed { at });
        }
        Ok((at, path, heads))
    }

    fn write(&self, name: &str, to: &Path) -> Result<Downloaded, GitError> {
        let (at, path, heads) = self.find(name)?;
        let sha256 = walk::write(&at, &path, &heads, to)?;
        Ok(Downloaded { size_bytes: size_of_packs(&path), sha256 })
    }
}

impl CloneHeads {
    /// A mark that distinguishes these heads, and the manner in which they are read, from any others.
    fn mark(&self, folder: &GitFolder, at: &str) -> String {
        let mut hash = Sha256::new();
        hash.update([u8::from(folder.all_branches)]);
        hash.update(&folder.manner);
        hash.update(folder.manners.get(at).map_or("", String::as_str));
        for (name, sha) in &self.heads {
            hash.update(format!("{name}\0{sha}\0"));
        }
        hash.update(self.default_branch.as_deref().unwrap_or_default());
        hex(&hash.finalize())[..MARK].to_owned()
    }
}

/// `OWNER/NAME` of the clone behind the name of a part.
pub fn clone_of(name: &str) -> Option<String> {
    of_part(name).map(|(at, _)| at)
}

/// The same, and the mark of its heads.
fn of_part(name: &str) -> Option<(String, &str)> {
    let (at, mark) = name.strip_suffix(ENDING)?.rsplit_once('@')?;
    Some((at.replacen(BETWEEN, "/", 1), mark))
}

fn part_name(at: &str, mark: &str) -> String {
    format!("{}@{mark}{ENDING}", at.replacen('/', BETWEEN, 1))
}

async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, GitError> + Send + 'static,
) -> Result<T, GitError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| {
        Err(GitError::Folder { folder: PathBuf::new(), source: io::Error::other(panic) })
    })
}

/// The names of the folders in a folder, without hidden ones.
fn folders(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if entry.path().is_dir() && !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Bytes of a clone's packs: what reading it costs, roughly.
fn size_of_packs(path: &Path) -> u64 {
    let packs = [path.join(".git/objects/pack"), path.join("objects/pack")];
    let entries = packs.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let packs = entries.filter(|entry| entry.path().extension().is_some_and(|ending| ending == "pack"));
    packs.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum()
}
