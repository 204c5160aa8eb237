//! What is special to one source of data, a folder each.

pub mod commits;
pub mod nass;
pub mod oca;
