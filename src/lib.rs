//! Merganser: messy public data into PostgreSQL without ever breaking what is already there.
//!
//! [`etl`] tells one run as a story; [`stages`] has a file for each of its steps; [`dataset`] says what is
//! special to one source of data, [`datasets`] lists them.

// `println!` and `eprintln!` panic when their reader has gone (`| head`), so commands::terminal writes.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod archive;
pub mod catalogue;
pub mod cli;
pub mod clients;
pub mod commands;
pub mod config;
pub mod dataset;
pub mod datasets;
pub mod embedded;
pub mod error;
pub mod etl;
pub mod fault;
pub mod fields;
pub mod ledger;
pub mod log;
pub mod objects;
pub mod prometheus;
pub mod public_web;
pub mod run;
pub mod schema;
pub mod serve;
pub mod site;
pub mod sql;
pub mod stages;
pub mod system;
pub mod timeline;
pub mod transform;
pub mod version;
pub mod words;
