//! Pages in headless Chromium.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::tools;

/// Runs a script of `tests/it` over a page with one more word, and returns its looks, one for each line that it prints.
///
/// `MERGANSER_TEST_SCREENSHOTS` names a folder that keeps the pictures.
pub async fn looks(script: &str, page: impl AsRef<OsStr>, word: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pictures = env::var_os("MERGANSER_TEST_SCREENSHOTS").map_or(folder.path().to_owned(), PathBuf::from);
    let mut command = Command::new("node");
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it").join(script))
        .arg(tools::tool("browser", "playwright_version"))
        .arg("/usr/bin/chromium")
        .args([page.as_ref(), pictures.as_os_str(), OsStr::new(word)]);
    let output =
        tokio::task::spawn_blocking(move || command.output().expect("scripts/setup test installs node"));
    let output = output.await.expect("no panic");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}
