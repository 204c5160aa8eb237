//! The graph and the metrics, held against networkx and pandas over the same rows.

mod compared;
mod demo;
mod runs;
mod world;
