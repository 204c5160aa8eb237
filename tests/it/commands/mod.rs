//! The commands besides a plain run, their options and variables, and what they print.

mod adopt;
pub mod check;
mod dry_run;
mod environment;
mod inspect;
mod map;
mod metrics;
mod missing;
mod notify;
mod older_job;
mod purge;
mod reprocess;
mod retry;
mod secrets;
mod traces;
pub mod undo;
