//! The integration tests: one binary, so that the real servers are started once for all of them.

mod embedded;
mod golden;
mod smoke;
mod support;
