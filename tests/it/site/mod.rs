//! A site that the real program builds from a real database.

mod bad_input;
mod browser;
mod builds;
#[cfg(feature = "failpoints")]
mod kills;
mod world;
