//! The tests of Quick Stats.

mod bulk;
mod demo;
mod map;
mod published;
mod runs;
mod server;
mod shared;
mod troubles;
mod undo;
mod world;
