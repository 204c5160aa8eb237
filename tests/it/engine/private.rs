//! Files and tables with street lines are closed to every other user of the machine, and go as soon as they can.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;
use tokio::task::JoinHandle;

use crate::datasets::oca::rules::marked;
use crate::support;
use crate::support::extract::Extract;
#[cfg(feature = "failpoints")]
use crate::support::held::{held, hold, let_go};
use crate::support::pipeline::{Pipeline, Ran};

/// A pipeline in folders that other users can reach.
async fn pipeline(hint: &str) -> Pipeline {
    let pipeline = Pipeline::new(hint).await;
    fs::set_permissions(pipeline.folder(), Permissions::from_mode(0o755)).unwrap();
    pipeline
}

/// Starts a run with this umask.
fn start(pipeline: &Pipeline, umask: &str, extra: &[&str], faults: &str) -> JoinHandle<Ran> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("umask {umask} && exec \"$@\""), "sh", env!("CARGO_BIN_EXE_merganser")]);
    command.args(pipeline.args(extra)).env_clear().env("FAULTS", faults);
    command.envs(["PATH", "HOME"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    tokio::spawn(async move { Ran::new(command.output().await.unwrap()) })
}

/// Everything below a folder.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        all.push(entry.path());
        if entry.path().is_dir() {
            all.extend(below(&entry.path()));
        }
    }
    all
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

/// Fails if anybody else has a right to a file or folder below this one.
#[track_caller]
fn is_closed(folder: &Path) {
    let all = below(folder);
    assert!(all.iter().any(|path| path.is_file()), "nothing is there");
    for path in all {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), expected, "{}", path.display());
    }
}

/// The files below a folder that another user of the machine can read; `None` without root, because only root can become
/// another user.
fn seen_by_nobody(folder: &Path) -> Option<Vec<String>> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let mut find = std::process::Command::new("setpriv");
    find.args(["--reuid=65534", "--regid=65534", "--clear-groups", "find"]).arg(folder);
    let found = find.args(["-type", "f", "-readable"]).stderr(Stdio::null()).output().unwrap();
    let text = String::from_utf8(found.stdout).unwrap();
    let prefix = format!("{}/", folder.display());
    Some(text.lines().map(|line| line.trim_start_matches(&prefix).to_owned()).collect())
}

#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_reads_what_a_run_makes() {
    let pipeline = pipeline("private").await;
    let source = pipeline.source().display().to_string();
    let words = ["sample", "oca", "--cases", "15000", "--run-date", "2024-01-08", "--out", &source];
    assert!(support::merganser(words, [("TZ", "UTC")]).status.success());
    for umask in ["000", "022", "077"] {
        let file = |name: &str| pipeline.folder().join(format!("{name} {umask}"));
        let (parsed, exported) = (file("parsed"), file("exported"));
        let faults = format!("parse.file=hold {}\nload.begin=hold {}", parsed.display(), exported.display());
        let schema = format!("u{umask}");
        let options =
            ["--duckdb-memory-mib", "48", "--ledger-schema", &schema, "--schema", &format!("p{umask}")];
        let run = start(&pipeline, umask, &options, &faults);
        let work = pipeline.folder().join("work");
        held(&parsed, &run).await;
        is_closed(&work);
        let spilled =
            below(&work).iter().any(|path| path.is_file() && path.parent().unwrap().ends_with("spill"));
        assert!(spilled, "DuckDB did not spill: {:?}", below(&work));
        assert_eq!(seen_by_nobody(&work).unwrap_or_default(), Vec::<String>::new());
        fs::remove_file(&parsed).unwrap();
        held(&exported, &run).await;
        is_closed(&work);
        assert!(
            below(&work).iter().any(|path| path.ends_with("csv/oca_addresses.csv")),
            "{:?}",
            below(&work)
        );
        assert_eq!(seen_by_nobody(&work).unwrap_or_default(), Vec::<String>::new());
        fs::remove_file(&exported).unwrap();
        let ran = run.await.unwrap().exits(0);
        assert!(!ran.stderr.contains("can get into"), "{}", ran.stderr);

        let (private, public) = (pipeline.store().join("private"), pipeline.store().join("public"));
        assert_eq!(mode(&private), 0o700);
        is_closed(&private);
        let umask = u32::from_str_radix(umask, 8).unwrap();
        assert_eq!(mode(&public), 0o777 & !umask);
        for path in below(&public) {
            assert_eq!(mode(&path), 0o666 & !umask, "{}", path.display());
        }
        if let Some(seen) = seen_by_nobody(&pipeline.store()) {
            assert!(seen.iter().all(|path| path.starts_with("public/")), "{seen:?}");
            assert_eq!(seen.is_empty(), umask == 0o077, "{seen:?}");
        }
        fs::remove_dir_all(pipeline.store()).unwrap();
    }
}

#[tokio::test]
async fn a_folder_that_is_open_stays_so_and_is_named() {
    let pipeline = pipeline("private open").await;
    let private = pipeline.store().join("private");
    fs::create_dir(&private).unwrap();
    fs::set_permissions(&private, Permissions::from_mode(0o755)).unwrap();
    pipeline.put(Extract::weekly("2024-01-01").case("a", &marked("1")));
    let check = pipeline.other(&["check", "oca"]).await.exits(0);
    check.says("other users of this machine can get into its private folder").says("chmod -R go= ");
    let ran = pipeline.run().await.exits(0);
    ran.says("other users of this machine can get into").says("chmod -R go= ");
    assert_eq!(mode(&private), 0o755);
    assert_eq!(mode(&private.join("LandlordTenant.Incr.2024-01-01.zip")), 0o600);
    assert_eq!(mode(&private.join("runs")), 0o700);
    fs::set_permissions(&private, Permissions::from_mode(0o700)).unwrap();
    let ran = pipeline.run().await.exits(0);
    assert!(!ran.stderr.contains("can get into"), "{}", ran.stderr);
}

const STAGED: &str = "select count(*) from pg_tables where schemaname = 'etl_staging'";

#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_street_line_stays_in_the_staging_tables() {
    let pipeline = pipeline("private staging").await.with("--batch-mib", "1");
    let two = ["2024-01-01", "2024-01-08"].map(|date| Extract::weekly(date).case("a", &marked(date)));
    for extract in two {
        pipeline.put(extract.padded(700 << 10));
    }
    pipeline.run().await.exits(0);
    assert_eq!(pipeline.one(STAGED).await, "0");

    // Somebody reads the staging tables: the run waits only briefly for them, and does not fail.
    pipeline.put(Extract::weekly("2024-01-15").case("b", &marked("1")));
    let run = hold(&pipeline, &[], "promote.after_commit").await;
    let reader = pipeline.database.client().await;
    reader.batch_execute("begin; select from etl_staging.oca_addresses").await.unwrap();
    let_go(run).await.exits(0).says("could not be removed, and hold street lines");
    assert_ne!(pipeline.one(STAGED).await, "0");
    reader.batch_execute("commit").await.unwrap();
    pipeline.run().await.exits(0).says("Nothing new");
    assert_eq!(pipeline.one(STAGED).await, "0", "the next run removes what the last one could not");

    // A run that died leaves them too.
    pipeline.put(Extract::weekly("2024-01-22").case("c", &marked("1")));
    pipeline.start_with(&[], &[("FAULTS", "promote.begin=kill")]).await.unwrap();
    assert_ne!(pipeline.one(STAGED).await, "0");
    fs::remove_file(pipeline.source().join("LandlordTenant.Incr.2024-01-22.zip")).unwrap();
    pipeline.run().await.exits(0).says("Nothing new");
    assert_eq!(pipeline.one(STAGED).await, "0");
}
