//! What is special to Quick Stats.

mod map;
mod server;
