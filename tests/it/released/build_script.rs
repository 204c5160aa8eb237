//! `build.rs`, compiled and run alone: what it tells cargo for a release, which no test compiles.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::{root, succeed};

/// A folder with the script and the files that it reads, like an unpacked archive of the sources.
struct Sources {
    folder: TempDir,
    script: PathBuf,
}

impl Sources {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["build.rs", "Cargo.toml", "Cargo.lock"] {
            fs::copy(root().join(name), folder.path().join(name)).expect("a copy");
        }
        let script = folder.path().join("target/build-script");
        fs::create_dir_all(folder.path().join("target/release/build/merganser/out")).expect("a folder");
        let mut rustc = Command::new("rustc");
        succeed(rustc.args(["--edition", "2024", "-o"]).arg(&script).arg(root().join("build.rs")));
        Self { folder, script }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The lines that the script prints in a build with this profile.
    fn run(&self, profile: &str) -> Vec<String> {
        let mut command = Command::new(&self.script);
        let kept = ["PATH", "HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"];
        command.env_clear().envs(kept.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.env("CARGO_MANIFEST_DIR", self.path()).env("PROFILE", profile).env("RUSTC", "rustc");
        command.env("OUT_DIR", self.path().join("target/release/build/merganser/out"));
        command.env("TARGET", "x86_64-unknown-linux-gnu").env("DUCKDB_LIB_DIR", "/somebody/libduckdb");
        let said = succeed(command.current_dir(self.path()));
        said.lines().map(str::to_owned).collect()
    }

    fn built_from(&self) -> String {
        let said = self.run("release");
        let line = said.iter().find_map(|line| line.strip_prefix("cargo:rustc-env=BUILT_FROM="));
        line.unwrap_or_else(|| panic!("{said:?}")).to_owned()
    }

    fn git(&self, words: &[&str]) -> String {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]);
        succeed(git.args(words).current_dir(self.path()).env("GIT_CEILING_DIRECTORIES", "/"))
    }
}

#[test]
fn a_release_looks_beside_itself_alone() {
    let sources = Sources::new();
    let paths = |profile| {
        let said = sources.run(profile);
        said.into_iter().filter(|line| line.contains("-rpath")).collect::<Vec<_>>()
    };
    let release = paths("release");
    let program = release.iter().find(|line| line.contains("-arg-bins=")).expect("programs have one");
    assert_eq!(program, "cargo:rustc-link-arg-bins=-Wl,-rpath,$ORIGIN");
    // Tests and benchmarks are not released.
    let others = release.iter().filter(|line| line.contains("/somebody"));
    assert!(others.clone().all(|line| line.contains("-arg-benches=")), "{release:?}");
    assert_eq!(paths("debug"), ["cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN:/somebody/libduckdb"]);
}

#[test]
fn the_commit_is_said_in_a_checkout_in_an_archive_of_it_and_nowhere_else() {
    let sources = Sources::new();
    assert_eq!(sources.built_from(), "built outside of git, commit unknown");
    fs::copy(root().join(".gitattributes"), sources.path().join(".gitattributes")).expect("a copy");
    fs::copy(root().join(".commit"), sources.path().join(".commit")).expect("a copy");
    assert_eq!(sources.built_from(), "built outside of git, commit unknown");

    sources.git(&["init", "--quiet"]);
    fs::write(sources.path().join(".gitignore"), "/target\n").expect("a file can be written");
    sources.git(&["add", "."]);
    sources.git(&["commit", "--quiet", "--message", "all"]);
    let commit = sources.git(&["show", "--no-patch", "--format=commit %h of %cs", "--abbrev=12"]);
    assert_eq!(sources.built_from(), commit);
    sources.git(&["archive", "--output", "target/sources.tar", "HEAD"]);
    fs::write(sources.path().join("Cargo.toml"), "# changed").expect("a file can be written");
    assert_eq!(sources.built_from(), format!("{commit}, with changes"));

    fs::remove_dir_all(sources.path().join(".git")).expect("a folder goes");
    succeed(Command::new("tar").args(["-xf", "target/sources.tar"]).current_dir(sources.path()));
    assert_eq!(sources.built_from(), commit);
}
