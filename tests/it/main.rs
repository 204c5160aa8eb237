//! The integration tests: one binary, so that the real servers are started once for all of them.

mod commands;
mod datasets;
mod docs;
mod engine;
#[cfg(feature = "failpoints")]
mod faults;
mod released;
mod serve;
mod servers;
mod site;
mod support;
mod transform;

#[cfg(not(feature = "failpoints"))]
#[test]
#[ignore = "breaking runs at fault points needs --features failpoints, as make test has it"]
fn faults() {}
