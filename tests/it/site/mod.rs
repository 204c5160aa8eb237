//! A site, built by the real program of a real database.

mod bad_input;
mod browser;
mod builds;
#[cfg(feature = "failpoints")]
mod kills;
mod world;
