//! A made city: what the address directory, the tax lots and the census tracts of a sample say, and what is true of it.
//!
//! Nothing of it is kept in memory: a street follows from seed, borough and number, and a lot from its street, so a line that
//! is typed for a case knows its lot without any list. The streets have the same names in four of the boroughs, as decoys;
//! each side of a street has ranges with gaps between them.

mod files;
mod places;
mod streets;
mod truth;
mod typed;
mod writing;

use std::path::PathBuf;

pub(super) use files::write_city;
pub(super) use truth::Truth;
pub(super) use typed::{Typed, typed, typed_outside};

/// A directory that a sample's addresses are in.
#[derive(Clone, Debug)]
pub struct SampleReference {
    /// The folder for its files; made if it is missing.
    pub dir: PathBuf,
    /// How many lots it has, about; from [`LEAST_LOTS`] to [`MOST_LOTS`].
    pub lots: u64,
}

/// With fewer, not every way of typing meets a lot.
pub const LEAST_LOTS: u64 = 4_000;
/// With more, buildings would run out of numbers.
pub const MOST_LOTS: u64 = 1_000_000;

const LOTS_PER_STREET: u64 = 24;

/// A city of a seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct City {
    seed: u64,
    /// Streets of each borough.
    streets: u64,
}

impl City {
    /// The city of a seed with so many lots, about.
    pub(super) fn new(seed: u64, lots: u64) -> Self {
        Self { seed, streets: lots.clamp(LEAST_LOTS, MOST_LOTS) / (5 * LOTS_PER_STREET) }
    }

    /// A number that follows from the city and three others, and from nothing else.
    fn hash(&self, boro: u64, at: u64, what: u64) -> u64 {
        let mut x = self.seed ^ boro.rotate_left(56) ^ at.rotate_left(20) ^ what;
        for multiplier in [0xBF58_476D_1CE4_E5B9, 0x94D0_49BB_1331_11EB, 0x9E37_79B9_7F4A_7C15_u64] {
            x = (x ^ (x >> 29)).wrapping_mul(multiplier);
        }
        x ^ (x >> 32)
    }
}
