//! What is special to histories.

mod api;
mod clones;
mod odd;
mod proof;
mod troubles;
mod world;
