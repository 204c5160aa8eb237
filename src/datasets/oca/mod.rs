//! New York's housing-court extract.

pub mod sample;
pub mod tables;
