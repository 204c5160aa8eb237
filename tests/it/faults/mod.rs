//! Attacks on the promise: production is always the last good state or the next one, whatever happens.

mod attack;
mod commit;
mod concurrency;
mod disk;
mod matrix;
mod network;
mod publication;
mod report;
mod soak;
mod undo;
mod world;
