//! Connections to the outside: they know no dataset.

pub mod duckdb;
