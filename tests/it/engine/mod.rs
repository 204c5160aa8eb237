//! A run of any dataset, tested with the court extract: selection to publication, ledger, code and SQL.

mod catalogue;
mod forms;
mod guards;
mod layers;
mod ledger;
mod messages;
pub mod partitioned;
mod postings;
mod private;
mod published;
pub mod quoting;
pub mod readers;
mod refused;
mod roundtrip;
mod runs;
mod signals;
mod sql_files;
mod swallowed;
pub mod takeover;
mod takeover_ledger;
mod tenants;
mod timings;
mod toy;
mod typed;
mod unfetched;
mod waits;
