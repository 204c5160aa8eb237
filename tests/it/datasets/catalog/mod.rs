//! The hand-kept sheets: each rule with a sheet that breaks it, replacement of all sheets together, unreadable files,
//! and dead addresses.

mod bad_input;
mod by_address;
mod demo;
mod links;
mod rules;
mod runs;
mod world;
