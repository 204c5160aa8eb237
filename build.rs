//! Lets the program find the DuckDB library that it was linked with, and tells it what it was built from.
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The libraries that `merganser --version` names: those that communicate or hold rows.
const LIBRARIES: &[&str] =
    &["arrow", "aws-sdk-s3", "duckdb", "quick-xml", "russh", "rustls", "tokio-postgres"];

fn main() {
    // Cargo takes the crate of another clone in a shared build folder for this one's, if that was built after the last edit here.
    println!("cargo:rerun-if-env-changed=MERGANSER_CHECKOUT");
    find_the_library();
    name_the_commit();
    name_the_libraries();
}

/// A released program looks beside itself alone, so that it runs wherever it is put and names no folder of whoever built
/// it; everything else looks where the library was at build time, too. A `bundled` build needs neither.
fn find_the_library() {
    println!("cargo:rerun-if-env-changed=DUCKDB_LIB_DIR");
    if env::var_os("CARGO_FEATURE_BUNDLED").is_some() {
        return;
    }
    let dir = env::var("DUCKDB_LIB_DIR").unwrap_or_else(|_| "$ORIGIN".into());
    if !is_release() {
        println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN:{dir}");
        return;
    }
    println!("cargo:rustc-link-arg-bins=-Wl,-rpath,$ORIGIN");
    println!("cargo:rustc-link-arg-examples=-Wl,-rpath,$ORIGIN:$ORIGIN/..");
    println!("cargo:rustc-link-arg-benches=-Wl,-rpath,{dir}");
    // So that it runs in cargo's folder, too, where `cargo run` and `cargo bench` start it.
    let beside = Path::new(&variable("OUT_DIR")).ancestors().nth(3).map(|folder| folder.join("libduckdb.so"));
    if let Some(beside) = beside.filter(|_| dir.starts_with('/')) {
        let _ = fs::remove_file(&beside);
        let _ = std::os::unix::fs::symlink(Path::new(&dir).join("libduckdb.so"), beside);
    }
}

/// Of a release only: in any other build the crate would be compiled anew after each commit.
fn name_the_commit() {
    println!("cargo:rerun-if-env-changed=MERGANSER_COMMIT");
    let given = env::var("MERGANSER_COMMIT").ok().filter(|commit| !commit.trim().is_empty());
    let commit = match (given, is_release()) {
        (Some(commit), _) => commit,
        (None, true) => commit()
            .or_else(commit_of_archive)
            .unwrap_or_else(|| "built outside of git, commit unknown".into()),
        (None, false) => "built for development, commit unknown".into(),
    };
    println!("cargo:rustc-env=BUILT_FROM={}", commit.trim());
}

/// `commit 0123456789ab of 2026-11-25`, and whether the files differ from it; none outside of git.
fn commit() -> Option<String> {
    let root = variable("CARGO_MANIFEST_DIR");
    let git = |words: &[&str]| {
        let said = Command::new("git").arg("-C").arg(&root).args(words).output().ok()?;
        said.status.success().then(|| String::from_utf8_lossy(&said.stdout).trim().to_owned())
    };
    // An unpacked archive may be inside another repository, whose commit is not ours.
    if git(&["ls-files", "--error-unmatch", "build.rs"]).is_none()
        || !git(&["rev-parse", "--show-prefix"])?.is_empty()
    {
        return None;
    }
    // Files that a commit, a checkout or an edit changes. A missing file would always count as changed.
    for name in ["HEAD", "logs/HEAD", "packed-refs"] {
        let path = Path::new(&root).join(git(&["rev-parse", "--git-path", name])?);
        if path.exists() {
            println!("cargo:rerun-if-changed={}", path.display());
        }
    }
    const SOURCES: [&str; 5] = ["build.rs", "Cargo.toml", "Cargo.lock", "src", "sql"];
    for source in SOURCES {
        println!("cargo:rerun-if-changed={source}");
    }
    let mut text = git(&["show", "--no-patch", "--format=commit %h of %cs", "--abbrev=12", "HEAD"])?;
    let mut status = vec!["status", "--porcelain", "--"];
    status.extend(SOURCES);
    if !git(&status)?.is_empty() {
        text += ", with changes";
    }
    Some(text)
}

/// What `git archive`, and who offers its archives for download, has put into `.commit`.
fn commit_of_archive() -> Option<String> {
    let text = fs::read_to_string(Path::new(&variable("CARGO_MANIFEST_DIR")).join(".commit")).ok()?;
    println!("cargo:rerun-if-changed=.commit");
    let (hash, date) = text.trim().strip_prefix("commit ")?.split_once(" of ")?;
    let is_hash = hash.len() >= 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then(|| format!("commit {} of {date}", &hash[..12]))
}

/// As Cargo.lock has them; of several versions of one, all.
fn name_the_libraries() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=Cargo.lock");
    let lock = fs::read_to_string(Path::new(&variable("CARGO_MANIFEST_DIR")).join("Cargo.lock"));
    let lock = lock.unwrap_or_default();
    let value = |package: &str, key: &str| {
        let line = package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""))?;
        Some(line.trim_end_matches('"').to_owned())
    };
    let packages = lock.split("[[package]]").filter_map(|package| {
        let name = value(package, "name")?;
        LIBRARIES.contains(&name.as_str()).then(|| Some(format!("{name} {}", value(package, "version")?)))?
    });
    println!("cargo:rustc-env=BUILT_WITH={}", packages.collect::<Vec<_>>().join(", "));
    println!("cargo:rustc-env=BUILT_FOR={}", variable("TARGET"));
    println!("cargo:rustc-env=BUILT_BY={}", compiler().unwrap_or_else(|| "an unknown rustc".into()));
}

fn compiler() -> Option<String> {
    let said = Command::new(variable("RUSTC")).arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&said.stdout).trim().to_owned()).filter(|said| !said.is_empty())
}

fn is_release() -> bool {
    variable("PROFILE") == "release"
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}
