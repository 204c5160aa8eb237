//! What this program was built of, for `merganser --version` and for whoever has to say which one it was.

/// The version, the commit, and those libraries that talk to somebody or hold rows. DuckDB's own version is asked of the
/// library that was found, which is a file beside the program.
pub fn text() -> String {
    let library = duckdb::Connection::open_in_memory().and_then(|connection| connection.version());
    let library = library.unwrap_or_else(|error| format!("unknown: {error}"));
    format!(
        "{} ({})\nDuckDB {library}\n{}\n{} for {}",
        env!("CARGO_PKG_VERSION"),
        env!("BUILT_FROM"),
        env!("BUILT_WITH"),
        env!("BUILT_BY"),
        env!("BUILT_FOR"),
    )
}
