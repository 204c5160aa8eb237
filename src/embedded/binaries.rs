//! Finds PostgreSQL's own server programs. Distributions keep them out of the search path, so their usual places are
//! listed here.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{EmbeddedError, OLDEST_MAJOR};

/// Where versions live side by side; `*` stands for the version. The newest is tried first.
const PLACES: &[&str] = &[
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/libexec/postgresql*",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
];

/// A folder with initdb, pg_ctl and postgres, and their major version.
#[derive(Clone, Debug)]
pub(super) struct Binaries {
    pub dir: PathBuf,
    pub major: u32,
}

impl Binaries {
    /// The programs to use: of major version `wanted` if a cluster exists already, else the first
    /// that is new enough.
    pub fn find(wanted: Option<(u32, &Path)>) -> Result<Self, EmbeddedError> {
        if let Some(dir) = env::var_os("MERGANSER_PG_BIN").filter(|dir| !dir.is_empty()) {
            let dir = PathBuf::from(dir);
            let found = Self::at(&dir).ok_or(EmbeddedError::BinDir { dir })?;
            return Self::choose(vec![found], wanted);
        }
        Self::choose(candidates().iter().filter_map(|dir| Self::at(dir)).collect(), wanted)
    }

    fn choose(found: Vec<Self>, wanted: Option<(u32, &Path)>) -> Result<Self, EmbeddedError> {
        if let Some((major, dir)) = wanted {
            return found
                .into_iter()
                .find(|b| b.major == major)
                .ok_or_else(|| EmbeddedError::OtherVersion { dir: dir.to_owned(), made_by: major });
        }
        let newest = found.iter().max_by_key(|b| b.major).cloned();
        match (found.into_iter().find(|b| b.major >= OLDEST_MAJOR), newest) {
            (Some(usable), _) => Ok(usable),
            (None, Some(old)) => Err(EmbeddedError::TooOld { found: old.major, dir: old.dir }),
            (None, None) => Err(EmbeddedError::NotInstalled),
        }
    }

    /// The programs in one folder; none if one is missing or does not print its version.
    fn at(dir: &Path) -> Option<Self> {
        if !["initdb", "pg_ctl", "postgres"].iter().all(|program| dir.join(program).is_file()) {
            return None;
        }
        let said = Command::new(dir.join("postgres")).arg("--version").output().ok()?;
        let major = major_version(std::str::from_utf8(&said.stdout).ok()?)?;
        Some(Self { dir: dir.to_owned(), major })
    }

    /// Full path of one program.
    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// `postgres (PostgreSQL) 15.6 (Debian …)` -> 15; `… 18beta1` -> 18.
fn major_version(said: &str) -> Option<u32> {
    let (_, version) = said.split_once("(PostgreSQL) ")?;
    let digits = version.bytes().take_while(u8::is_ascii_digit).count();
    version[..digits].parse().ok()
}

fn candidates() -> Vec<PathBuf> {
    let mut dirs = Vec::new();
    if let Ok(said) = Command::new("pg_config").arg("--bindir").output()
        && let Ok(dir) = std::str::from_utf8(&said.stdout)
        && !dir.trim().is_empty()
    {
        dirs.push(PathBuf::from(dir.trim()));
    }
    dirs.extend(PLACES.iter().flat_map(|place| expand(place)));
    dirs.extend(env::var_os("PATH").iter().flat_map(env::split_paths));
    dirs.extend(super::fetch::programs());
    dirs
}

/// The folders that a place with one `*` stands for, newest version first.
fn expand(place: &str) -> Vec<PathBuf> {
    let (before, after) = place.split_once('*').expect("every place has one star");
    let (parent, prefix) = before.rsplit_once('/').expect("every place is an absolute path");
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let version = name.to_str()?.strip_prefix(prefix)?;
            let major = version.split('.').next()?.parse().ok()?;
            Some((major, entry.path().join(after.trim_start_matches('/'))))
        })
        .collect();
    found.sort_by_key(|(major, _)| std::cmp::Reverse(*major));
    found.into_iter().map(|(_, dir)| dir).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binaries(major: u32) -> Binaries {
        Binaries { dir: PathBuf::from(format!("/pg/{major}")), major }
    }

    #[test]
    fn reads_the_major_version() {
        assert_eq!(major_version("postgres (PostgreSQL) 15.6 (Debian 15.6-0+deb12u1)\n"), Some(15));
        assert_eq!(major_version("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major_version("postgres (PostgreSQL) \n"), None);
        assert_eq!(major_version("something else 15"), None);
    }

    #[test]
    fn takes_the_first_that_is_new_enough_or_the_one_that_made_the_cluster() {
        let found = || vec![binaries(13), binaries(17), binaries(15)];
        assert_eq!(Binaries::choose(found(), None).unwrap().major, 17);
        assert_eq!(Binaries::choose(found(), Some((15, Path::new("/d")))).unwrap().major, 15);
        let gone = Binaries::choose(found(), Some((16, Path::new("/d")))).unwrap_err();
        assert!(matches!(gone, EmbeddedError::OtherVersion { made_by: 16, .. }), "{gone}");
        let old = Binaries::choose(vec![binaries(12), binaries(13)], None).unwrap_err();
        assert!(matches!(old, EmbeddedError::TooOld { found: 13, .. }), "{old}");
        let none = Binaries::choose(vec![], None).unwrap_err();
        assert!(none.hint().unwrap().contains("apt-get install postgresql"), "{none}");
    }
}
