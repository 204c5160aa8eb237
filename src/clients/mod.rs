//! Connections to what is outside: databases and stores. They know no dataset.

pub mod backoff;
pub mod duckdb;
pub mod git;
pub mod http;
pub mod links;
pub mod postgres;
pub mod sftp;
pub mod source;
pub mod store;
pub mod web;

/// The source of an error, kept for its chain. Raw responses of a service are not kept: they may repeat a session token.
pub type BoxedError = Box<dyn std::error::Error + Send + Sync>;
