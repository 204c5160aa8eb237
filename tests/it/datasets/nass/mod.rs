//! What is special to Quick Stats.

mod runs;
mod server;
mod world;
