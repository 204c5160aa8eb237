//! The tests of each source of data, a folder each.

pub mod catalog;
pub mod commits;
pub mod datapoints;
pub mod metrics;
pub mod nass;
pub mod oca;
