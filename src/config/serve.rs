//! The configuration of `merganser serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::DatabaseConfig;
use crate::cli;
use crate::dataset::served::MinCount;
use crate::datasets;
use crate::error::Cause;
use crate::fields::meant;
use crate::serve::PoolLimits;

/// Everything that the server needs to know.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    pub database: DatabaseConfig,
    pub listen: SocketAddr,
    pub limits: PoolLimits,
    pub dates_most: usize,
    pub min_counts: Vec<MinCount>,
    /// A GeoJSON file with outlines of zones.
    pub zones: Option<PathBuf>,
}

impl ServeConfig {
    /// Validates the arguments of `merganser serve`.
    pub fn from_serve(args: &cli::ServeArgs) -> Result<Self, Cause> {
        Ok(Self {
            database: DatabaseConfig::new(&args.database)?,
            listen: args.listen,
            limits: PoolLimits {
                connections: args.connections.into(),
                waiting: args.queue.into(),
                limit: Duration::from_secs(args.timeout),
            },
            dates_most: args.max_days.into(),
            min_counts: known(&args.min_count)?.to_vec(),
            zones: args.zones.clone(),
        })
    }
}

/// Sees that each setting names a dataset that is served: a setting for a misspelt name would protect nobody.
fn known(said: &[MinCount]) -> Result<&[MinCount], Cause> {
    let served: Vec<_> =
        datasets::ALL.iter().filter(|dataset| dataset.served.is_some()).map(|dataset| dataset.name).collect();
    match said.iter().filter_map(MinCount::dataset).find(|name| !served.contains(name)) {
        None => Ok(said),
        Some(unknown) => Err(Cause::Usage {
            message: format!("--min-count (MERGANSER_MIN_COUNT): no dataset `{unknown}` is served"),
            hint: Some(meant(unknown, &served, "name one of these")),
        }),
    }
}
