//! What `scripts/setup test` has fetched.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Where setup keeps it.
pub fn cache() -> PathBuf {
    let named = env::var_os("MERGANSER_CACHE").filter(|folder| !folder.is_empty());
    named.map_or_else(|| env::home_dir().expect("there is a home").join(".cache/merganser"), PathBuf::from)
}

/// The folder `NAME-VERSION` of a tool; `constant` is what setup calls its version.
pub fn tool(name: &str, constant: &str) -> PathBuf {
    let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/setup");
    let setup = fs::read_to_string(setup).expect("it can be read");
    let version = setup
        .lines()
        .find_map(|line| line.strip_prefix("readonly ")?.strip_prefix(constant)?.strip_prefix('='));
    let folder = cache().join(format!("{name}-{}", version.expect("a version")));
    assert!(folder.is_dir(), "no {name} at {}: run scripts/setup test", folder.display());
    folder
}

/// A Python with pandas and Dask.
pub fn python() -> PathBuf {
    tool("pandas", "pandas_below").join("bin/python")
}
