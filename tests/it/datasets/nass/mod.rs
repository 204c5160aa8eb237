//! What is special to Quick Stats.

mod map;
mod runs;
mod server;
mod world;
