//! Data points: files replace days, rollups are never stale, and some files cannot be loaded.

mod loading;
mod parquet;
mod troubles;
pub mod world;
