//! The integration tests: one binary, so that the real servers are started once for all of them.

mod docs;
mod embedded;
mod golden;
mod level2;
mod quoting;
mod rules;
mod runs;
mod sftp;
mod smoke;
mod support;
mod takeover;
mod values;
