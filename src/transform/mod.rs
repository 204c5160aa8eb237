//! The second flow: any number of workers clean a large raw table, partition by partition, into a new table.
//!
//! A job ([`job`]) is a folder. Each text of a job is a version of the clean table, which is built beside the table in place.
//! The ledger holds the partitions of a version, packed into groups. A worker claims a group, reads its rows, cleans them
//! ([`clean`]) and writes them in one transaction together with the group's row in the ledger. The commit succeeds only if the
//! claim's token is still the newest.

pub mod buckets;
pub mod claim;
pub mod clean;
pub mod collide;
pub mod columns;
pub mod complete;
pub mod decode;
pub mod encode;
pub mod finish;
pub mod groups;
pub mod job;
pub mod look;
pub mod obstacles;
pub mod other_jobs;
pub mod packing;
pub mod plan;
pub mod python;
pub mod read;
pub mod resident;
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
