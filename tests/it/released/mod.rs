//! The wheel, the archive and the image that are released, and the version that the program in them reports.
//!
//! The tests here pack their own program, without debug information, with the scripts that make a release. With
//! `MERGANSER_TEST_DIST`, they try that folder of `make dist` instead: `make test-dist`.

mod build_script;
mod image;
mod wheel;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::support::tools::cache;

/// The repository's folder.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether a release is tried instead of the tests' own build.
fn is_release() -> bool {
    named("MERGANSER_TEST_DIST").is_some()
}

fn named(variable: &str) -> Option<OsString> {
    env::var_os(variable).filter(|value| !value.is_empty())
}

/// A folder with the wheel, the archive and everything that belongs to them, made once for all tests of this process.
fn dist() -> &'static Path {
    static DIST: OnceLock<PathBuf> = OnceLock::new();
    DIST.get_or_init(|| {
        if let Some(folder) = named("MERGANSER_TEST_DIST") {
            return root().join(folder);
        }
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dist");
        fs::create_dir_all(&folder).expect("a folder can be made");
        let program = folder.join("merganser");
        fs::write(&program, looking_beside_itself()).expect("a file can be written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("its mode can be set");
        succeed(Command::new("strip").arg(&program));
        let output = folder.join("out");
        let library = named("DUCKDB_LIB_DIR").or(option_env!("DUCKDB_LIB_DIR").map(OsString::from));
        let mut script = Command::new(root().join("scripts/dist"));
        script.arg(&output).arg(&program).env("MERGANSER_CACHE", cache());
        succeed(script.env("DUCKDB_LIB_DIR", library.expect("DUCKDB_LIB_DIR is set")));
        output
    })
}

/// The tests' program also looks for the library where it was linked. This copy does not, like a release.
fn looking_beside_itself() -> Vec<u8> {
    const BESIDE: &[u8] = b"\0$ORIGIN:";
    let mut bytes = fs::read(env!("CARGO_BIN_EXE_merganser")).expect("the program can be read");
    let found: Vec<_> = memchr::memmem::find_iter(&bytes, BESIDE).collect();
    assert_eq!(found.len(), 1, "the program's search path is one text");
    bytes[found[0] + BESIDE.len() - 1] = 0;
    bytes
}

/// The only released file with this ending.
fn built(ending: &str) -> PathBuf {
    let files = fs::read_dir(dist()).unwrap_or_else(|error| panic!("{}: {error}", dist().display()));
    let mut found: Vec<_> = files.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.to_string_lossy().ends_with(ending));
    assert_eq!(found.len(), 1, "one file {ending} in {}: {found:?}", dist().display());
    found.remove(0)
}

/// Says what cannot be tested on this machine. The output of a test is shown only when it fails; this is always shown.
fn not_tested(what: &str, why: &str) {
    let why: Vec<_> = why.split_whitespace().collect();
    let _ = writeln!(std::io::stderr(), "\n*** NOT TESTED: {what}: {} ***", why.join(" "));
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs a command to its end, and returns its output if it succeeded.
fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", words(&output));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The end of a command and both its outputs, for a message.
fn words(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{}\n{out}\n{err}", output.status)
}
