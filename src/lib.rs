//! Merganser: messy public data into PostgreSQL without ever breaking what is already there.
//!
//! [`etl`] tells one run as a story; [`stages`] has a file for each of its steps; [`dataset`] says what is
//! special to one source of data, [`datasets`] lists them.

pub mod adopt;
pub mod archive;
pub mod aws_s3;
pub mod catalogue;
pub mod cli;
pub mod clients;
pub mod command;
pub mod config;
pub mod dataset;
pub mod datasets;
pub mod demo;
pub mod embedded;
pub mod environment;
pub mod error;
pub mod etl;
pub mod fault;
pub mod inspect;
pub mod machine;
pub mod manifest;
pub mod preflight;
pub mod private;
pub mod purge;
pub mod report;
pub mod run;
pub mod schema;
pub mod show;
pub mod sql;
pub mod stages;
pub mod summary;
pub mod workspace;
