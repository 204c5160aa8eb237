//! This machine: the resources that the process may use, its folder on the disk, its signals.

pub mod background;
pub mod cache;
pub mod machine;
pub mod private;
pub mod signals;
pub mod workspace;
