//! What is special to Quick Stats.

mod demo;
mod map;
mod runs;
mod server;
mod undo;
mod world;
