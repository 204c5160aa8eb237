//! What a site tells of the sheets, the graph and the metrics.

use super::activity::METRICS;

/// PostgreSQL: everything, section by section.
pub const LINES: &str = include_str!("../../../sql/metrics/site.pg.sql");
/// PostgreSQL: what one table holds, in one number.
pub const FINGERPRINT: &str = include_str!("../../../sql/metrics/fingerprint.pg.sql");

/// Metrics that are shares: they are read as per cent.
const SHARES: [&str; 3] = ["merge_share", "retention", "growth"];

/// A metric as readers meet it.
#[derive(Clone, Copy, Debug)]
pub struct ToldMetric {
    pub name: &'static str,
    /// What it is, in a sentence.
    pub sentence: &'static str,
    /// Is it read as per cent?
    pub is_share: bool,
}

/// All metrics in the order in which they are told.
pub fn told() -> Vec<ToldMetric> {
    let one = |metric: &super::series::Metric<_>| ToldMetric {
        name: metric.name,
        sentence: metric.sentence,
        is_share: SHARES.contains(&metric.name),
    };
    METRICS.iter().map(one).collect()
}
