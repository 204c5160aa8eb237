//! What is given away, as `make dist` and `make image` have built it: `make test-dist` runs these, in the place of the
//! ordinary suite, which has no release to look at.

mod image;
mod wheel;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The only file of `dist/` with this ending.
fn built(ending: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dist");
    let files =
        std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}: make dist", folder.display()));
    let mut found: Vec<_> = files.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.to_string_lossy().ends_with(ending));
    assert_eq!(found.len(), 1, "one file {ending} in {}: {found:?}", folder.display());
    found.remove(0)
}

/// Runs a command to its end; its output, if it succeeded.
fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", words(&output));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Both streams of a command, for a message.
fn words(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{}\n{out}\n{err}", output.status)
}
