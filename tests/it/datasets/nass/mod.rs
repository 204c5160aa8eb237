//! The tests of Quick Stats.

mod bulk;
mod demo;
mod golden;
mod map;
mod overlaps;
mod published;
mod rate;
mod recoded;
mod runs;
mod server;
mod shared;
mod targets;
mod troubles;
mod undo;
mod world;
