//! New York's housing-court extract.

mod archive;
mod cells;
mod document;
mod fields;
pub mod file_name;
mod flatten;
pub mod parse;
mod plan;
mod rescue;
mod rows;
mod scan;
pub mod tables;
mod value;
mod window;
