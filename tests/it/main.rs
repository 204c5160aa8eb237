//! The integration tests: one binary, so that the real servers are started once for all of them.

mod adopt;
mod docs;
mod embedded;
mod golden;
mod level2;
mod older_job;
mod quoting;
mod rules;
mod runs;
mod signals;
mod smoke;
mod support;
mod takeover;
mod values;
