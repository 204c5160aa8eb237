//! Connections to what is outside: databases and stores. They know no dataset.

pub mod duckdb;
pub mod postgres;
pub mod sftp;
pub mod source;
pub mod store;
