//! This machine: what the process may use of it, its folder on the disk, its signals.

pub mod background;
pub mod cache;
pub mod machine;
pub mod private;
pub mod signals;
pub mod workspace;
