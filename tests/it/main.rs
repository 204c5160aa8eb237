//! The integration tests: one binary, so that the real servers are started once for all of them.

mod adopt;
mod aws_s3;
mod bad_input;
mod catalogue;
mod deploy;
mod docs;
mod embedded;
mod environment;
mod golden;
mod layers;
mod level2;
mod older_job;
mod quoting;
mod readers;
mod refusals;
mod rights;
mod rules;
mod runs;
mod s3;
mod sftp;
mod signals;
mod smoke;
mod support;
mod takeover;
mod tls;
mod values;
