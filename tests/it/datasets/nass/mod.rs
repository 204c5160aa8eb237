//! What is special to Quick Stats.

mod server;
