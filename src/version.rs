//! What this program was built from, for `merganser --version` and for records of which program it was.

/// The version, the commit, and the libraries that communicate or hold rows. DuckDB is asked for its own version,
/// because its library is a separate file beside the program.
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
