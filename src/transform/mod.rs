//! The second flow: a large table is cleaned, partition by partition, by any number of workers.

pub mod python;
