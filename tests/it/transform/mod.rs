//! Jobs that clean a table in partitions: what a person types, what workers do together, and what comes of it when they die.

mod bad_input;
mod buckets;
mod engines;
mod in_place;
mod kills;
mod pandas;
mod python;
mod runs;
mod swaps;
mod throttle;
mod time_left;
mod together;
mod versions;
mod world;
