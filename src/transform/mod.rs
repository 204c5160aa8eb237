//! The second flow: a large raw table becomes a clean one, a partition at a time, by any number of workers.
//!
//! A job ([`job`]) is a folder. Each text of it is a version of the clean table, built beside the one that is in place. The
//! ledger holds its partitions, packed into groups; a worker claims a group, reads its rows, cleans them ([`clean`]) and
//! writes them in one transaction together with the group's row. Whoever commits has a token that is still the newest.

pub mod buckets;
pub mod claim;
pub mod clean;
pub mod columns;
pub mod complete;
pub mod decode;
pub mod encode;
pub mod finish;
pub mod groups;
pub mod job;
pub mod look;
pub mod packing;
pub mod plan;
pub mod python;
pub mod read;
pub mod rows;
pub mod sample;
pub mod session;
pub mod source;
pub mod status;
pub mod swap;
pub mod target;
pub mod test;
pub mod versions;
pub mod work;
