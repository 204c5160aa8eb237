//! The integration tests: one binary, so that the real servers are started once for all of them.

mod adopt;
mod aws_s3;
mod bad_input;
mod catalogue;
mod check;
mod deploy;
mod docs;
mod dry_run;
mod embedded;
mod environment;
#[cfg(feature = "failpoints")]
mod faults;
mod golden;
mod guards;
mod histories;
mod inspect;
mod layers;
mod ledger;
mod level2;
mod older_job;
mod outages;
mod partitioned;
mod pooler;
mod postings;
mod private;
mod purge;
mod quoting;
mod readers;
mod refusals;
mod refused;
mod reprocess;
mod retry;
mod rights;
mod roundtrip;
mod rules;
mod runs;
mod s3;
mod secrets;
mod session;
mod setup;
mod sftp;
mod signals;
mod smoke;
mod sql_files;
mod store_fire;
mod support;
mod swallowed;
mod takeover;
mod takeover_ledger;
mod timings;
mod tls;
mod unfetched;
mod values;
mod waits;
mod writers;

#[cfg(not(feature = "failpoints"))]
#[test]
#[ignore = "breaking runs at fault points needs --features failpoints, as make test has it"]
fn faults() {}
