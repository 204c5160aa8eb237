//! Merganser: messy public data into PostgreSQL without ever breaking what is already there.

pub mod dataset;
pub mod datasets;
pub mod embedded;
