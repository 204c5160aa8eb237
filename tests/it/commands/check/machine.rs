//! Faults of this machine.

use std::fs::{self, File};
use std::process::Command;

use super::Tonight;
use crate::support;
use crate::support::extract::Extract;

#[tokio::test]
async fn a_folder_for_staging_that_cannot_be_written_to() {
    let tonight = Tonight::with_weeks("check folder").await;
    let file = tonight.pipeline.folder().join("file");
    fs::write(&file, "").unwrap();
    for folder in [file.join("work").display().to_string(), "/proc/no/such".into()] {
        let seen = tonight.check(&[("MERGANSER_WORK_DIR", &folder)]).await.exits(1);
        seen.only("disk", "fail", &[&folder, "--work-dir"], &[]);
    }
    // A run creates the folder; a check does not.
    let new = tonight.pipeline.folder().join("new/work");
    tonight.check(&[("MERGANSER_WORK_DIR", new.to_str().unwrap())]).await.exits(0).is(
        "disk",
        "ok",
        &["free"],
    );
    assert!(!new.parent().unwrap().exists());
}

#[tokio::test]
async fn a_disk_that_is_too_small_for_a_batch() {
    let tonight = Tonight::new("check disk").await;
    // The file has a size but takes no room.
    let name = Extract::weekly("2026-11-14").file_name();
    File::create(tonight.server.files.join(name)).unwrap().set_len(6 << 40).unwrap();
    let seen = tonight.check(&[]).await.exits(1);
    seen.only("disk", "fail", &["the largest batch needs some 52", "TB", "--batch-mib"], &[]);
}

/// A library that makes a program see another time; `None` without a compiler for it.
fn other_clock(tonight: &Tonight) -> Option<String> {
    let (source, library) =
        (tonight.pipeline.folder().join("clock.c"), tonight.pipeline.folder().join("clock.so"));
    fs::write(&source, include_str!("../../support/clock.c")).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source);
    compiler.status().ok().filter(std::process::ExitStatus::success)?;
    Some(library.display().to_string())
}

#[tokio::test]
async fn a_clock_that_is_wrong() {
    let tonight = Tonight::with_weeks("check clock").await;
    let library = other_clock(&tonight).expect("Rust needs a C compiler's linker, so there is one");
    let clock = |seconds: &'static str| [("LD_PRELOAD", library.as_str()), ("TEST_CLOCK_AHEAD", seconds)];
    tonight.check(&clock("0")).await.exits(0).others("ok", &[]);
    let seen = tonight.check(&clock("120")).await.exits(0);
    seen.only("clock", "warn", &["the database's is 120 s behind ours", "the store's is 1"], &[]);
    let seen = tonight.check(&clock("-900")).await.exits(1);
    seen.only("clock", "fail", &["the database's is 900 s ahead of ours", "set this machine's clock"], &[]);
    // The clock is so wrong that the store refuses the signature.
    let seen = tonight.check(&clock("-200000")).await.exits(1);
    seen.is("clock", "fail", &["200000 s"]).is(
        "store",
        "fail",
        &["the clock of this machine is wrong: set it"],
    );
    let ran = {
        let mut env = tonight.env.clone();
        env.extend(clock("-200000").map(|(name, value)| (name.to_owned(), value.to_owned())));
        support::merganser(["run", "oca"], env)
    };
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.code() == Some(1) && said.contains("the clock of this machine "), "{said}");
    assert!(said.contains("The database is unchanged."), "{said}");
}
