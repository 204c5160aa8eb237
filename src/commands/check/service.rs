//! The service that a dataset asks: does it accept the key, and does it count what the run would ask for?

use std::time::Duration;

use super::{Finding, Probe, Probes};
use crate::config::RunConfig;
use crate::run::gather;
use crate::words::count;

/// Asks for one count. A run that asks no service has no such probe.
pub(super) async fn probe(config: &RunConfig, limit: Duration) -> Vec<Probe> {
    let mut probes = Probes::new(limit);
    let Some(asked) = config.target.dataset.asked else { return Vec::new() };
    let Some(asking) = config.from.asking.as_ref().filter(|asking| asking.secret.is_some()) else {
        return Vec::new();
    };
    let options = &config.processing.options;
    let base = (asked.manners)(options).base;
    let counted = async {
        let records = gather::try_count(asked, asking, options).await?;
        let found = format!("{base} knows the key, and counts {} records of {}", count(records), asking.want);
        Ok(((), Finding::ok(found)))
    };
    probes.run("service", &base, counted).await;
    probes.list
}
