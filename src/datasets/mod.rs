//! The closed list of datasets.

pub mod oca;

use crate::dataset::Dataset;

/// Every dataset of this program: command line, help, tests and benchmarks go by this list.
pub const ALL: &[&Dataset] = &[&oca::OCA];

/// The dataset of a name.
pub fn named(name: &str) -> Option<&'static Dataset> {
    ALL.iter().copied().find(|dataset| dataset.name == name)
}
