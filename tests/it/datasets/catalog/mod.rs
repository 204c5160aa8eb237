//! The hand-kept sheets: each rule with a sheet that breaks it, replacement as a whole, what cannot be read.

mod bad_input;
mod rules;
mod runs;
mod world;
