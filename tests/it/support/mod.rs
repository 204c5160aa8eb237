//! The real servers that the tests use, each started once per test process, and the real binary.

pub mod browser;
#[cfg(feature = "failpoints")]
pub mod commit_proxy;
pub mod csv;
pub mod disk;
pub mod extract;
pub mod files;
pub mod fire;
pub mod geocoder;
pub mod git_host;
#[cfg(feature = "failpoints")]
pub mod held;
pub mod nass_values;
pub mod pgbouncer;
pub mod pipeline;
pub mod postgres;
pub mod proxy;
pub mod quickstats;
pub mod receiver;
pub mod replica;
pub mod s3;
pub mod site;
pub mod ssh;
pub mod tools;
pub mod waiting;

use std::ffi::OsStr;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// Runs the merganser binary with these arguments and, apart from PATH and HOME, only these
/// environment variables.
pub fn merganser<A, K, V>(args: impl IntoIterator<Item = A>, envs: impl IntoIterator<Item = (K, V)>) -> Output
where
    A: AsRef<OsStr>,
    K: AsRef<OsStr>,
    V: AsRef<OsStr>,
{
    command(args, envs).output().expect("the merganser binary runs")
}

/// The same, to be started.
pub fn command<A, K, V>(args: impl IntoIterator<Item = A>, envs: impl IntoIterator<Item = (K, V)>) -> Command
where
    A: AsRef<OsStr>,
    K: AsRef<OsStr>,
    V: AsRef<OsStr>,
{
    let mut command = Command::new(env!("CARGO_BIN_EXE_merganser"));
    command.args(args).env_clear().stdin(Stdio::null());
    for name in ["PATH", "HOME"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command.envs(envs);
    command
}

/// Whether everything is tried, as the continuous integration does; without this variable, what takes minutes and seldom says
/// anything new is tried in part.
pub fn tries_all() -> bool {
    std::env::var_os("MERGANSER_TEST_ALL").is_some()
}

/// The program whose parser has a rule that was wrong (tests/it/docs/props/older-merganser.rs).
///
/// # Panics
/// If it is not up to date: `cargo test` builds it, `cargo test --test it` does not.
pub fn older_merganser() -> PathBuf {
    let programs = Path::new(env!("CARGO_BIN_EXE_merganser")).parent().expect("a program is in a folder");
    let program = programs.join("examples/older-merganser");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let newest = newest(&root.join("src")).max(newest(&root.join("tests/it/docs/props")));
    let built = std::fs::metadata(&program).and_then(|file| file.modified());
    assert!(
        built.is_ok_and(|built| built >= newest),
        "it is not up to date: cargo build --example older-merganser"
    );
    program
}

/// When the newest file in a folder was changed.
fn newest(folder: &Path) -> SystemTime {
    let entries = std::fs::read_dir(folder).expect("a folder can be read").flatten();
    let times = entries.map(|entry| match entry.path() {
        path if path.is_dir() => newest(&path),
        path => std::fs::metadata(path).and_then(|file| file.modified()).expect("a file can be looked at"),
    });
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// A private folder for a server, removed by its [`Janitor`] or when the TempDir is dropped. It is in memory where there is enough:
/// databases that come and go are thousands of files, for each of which a disk's file system looks past all that were removed
/// lately, which took a fifth of the suite's processor time.
pub fn server_dir() -> TempDir {
    const MEMORY: &str = "/dev/shm";
    const ENOUGH_BYTES: u64 = 4 << 30;
    let has_enough = || {
        let free = rustix::fs::statvfs(MEMORY).is_ok_and(|fs| fs.f_bavail * fs.f_frsize >= ENOUGH_BYTES);
        free && available_bytes().is_some_and(|bytes| bytes >= 2 * ENOUGH_BYTES)
    };
    let private = Permissions::from_mode(0o700);
    let mut dir = tempfile::Builder::new();
    dir.prefix("merganser-test-").permissions(private);
    let made = if has_enough() { dir.tempdir_in(MEMORY) } else { dir.tempdir() };
    made.expect("a temporary folder")
}

/// The memory that the system can give.
fn available_bytes() -> Option<u64> {
    let told = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = told.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The SHA-256 of the bytes, as 64 hex digits.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A name that is unique among the tests of this process: the hint and a number.
fn unique(hint: &str, separator: char) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let hint: String =
        hint.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { separator }).collect();
    format!("t{separator}{}{separator}{number}", &hint[..hint.len().min(40)])
}

/// Cleans up behind a server once this process is gone, however it ended: statics are never dropped,
/// and a killed process runs no code at all. A shell that waits for the end of a pipe does; the
/// pipe ends when this process does.
pub struct Janitor {
    _shell: Child,
    _pipe: ChildStdin,
}

impl Janitor {
    /// Then ends the process whose number is the first line of `pid_file` and removes `dir`.
    /// `signal` is the one that makes the server stop at once.
    pub fn watch(dir: &Path, pid_file: &Path, signal: &str) -> Self {
        const SCRIPT: &str = r#"
            cat >/dev/null
            read -r pid <"$2" && kill -s "$3" "$pid" && for _ in $(seq 100); do
                kill -s 0 "$pid" || break
                sleep 0.1
            done
            rm -rf -- "$1"
        "#;
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", SCRIPT, "merganser-test-janitor"]).arg(dir).arg(pid_file).arg(signal);
        // Away from the terminal's signals and from the pipes of whoever reads the tests' output.
        shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut shell = shell.current_dir("/").spawn().expect("sh runs");
        let pipe = shell.stdin.take().expect("its standard input is a pipe");
        Self { _shell: shell, _pipe: pipe }
    }
}
