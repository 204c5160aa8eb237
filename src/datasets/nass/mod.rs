//! Quick Stats, the statistics of the USDA's National Agricultural Statistics Service.

pub mod bulk;
pub mod columns;
mod counties;
pub mod map;
pub mod quickstats;
pub mod sample;
