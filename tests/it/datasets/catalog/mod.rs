//! The hand-kept sheets: each rule with a sheet that breaks it, replacement as a whole, what cannot be read, addresses at which
//! nobody is.

mod bad_input;
mod by_address;
mod demo;
mod links;
mod rules;
mod runs;
mod world;
