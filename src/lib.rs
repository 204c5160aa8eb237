//! Merganser: messy public data into PostgreSQL without ever breaking what is already there.

pub mod clients;
pub mod dataset;
pub mod datasets;
