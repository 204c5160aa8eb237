//! The server: its numbers against plain SQL, what it refuses, and what it bears.

mod browser;
mod filings;
mod numbers;
mod odd;
mod privacy;
mod refusals;
mod storms;
mod world;
