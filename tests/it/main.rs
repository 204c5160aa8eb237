//! The integration tests: one binary, so that the real servers are started once for all of them.

mod docs;
mod embedded;
mod smoke;
mod support;
