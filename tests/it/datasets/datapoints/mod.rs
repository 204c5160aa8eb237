//! Data points: days that files replace, rollups that are never stale, and what cannot be taken.

mod loading;
mod parquet;
mod troubles;
pub mod world;
