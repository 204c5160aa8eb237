//! New York's housing-court extract.

pub mod tables;
