//! The server: its numbers against plain SQL, the questions it refuses, and the load it bears.

mod browser;
mod filings;
mod numbers;
mod odd;
mod privacy;
mod refusals;
mod storms;
mod world;
