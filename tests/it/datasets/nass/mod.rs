//! What is special to Quick Stats.

mod demo;
mod map;
mod published;
mod runs;
mod server;
mod world;
