//! The closed list of datasets.

pub mod oca;
