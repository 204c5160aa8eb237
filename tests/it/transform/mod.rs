//! Jobs that clean a table in partitions: the commands, workers that work together, and workers that die.

mod bad_input;
mod buckets;
mod collide;
mod engines;
mod in_place;
mod kills;
mod lost;
mod memory;
mod pandas;
mod python;
mod runs;
mod swaps;
mod throttle;
mod time_left;
mod together;
mod versions;
mod world;
