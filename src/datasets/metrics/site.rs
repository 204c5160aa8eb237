//! The queries for a site of the sheets, the graph and the metrics.

use super::activity::METRICS;

/// PostgreSQL: everything, section by section.
pub const LINES: &str = include_str!("../../../sql/metrics/site.pg.sql");
/// PostgreSQL: the fingerprint of one table, in one number.
pub const FINGERPRINT: &str = include_str!("../../../sql/metrics/fingerprint.pg.sql");

/// Metrics that are shares and shown as percentages.
const SHARES: [&str; 3] = ["merge_share", "retention", "growth"];

/// A metric as readers see it.
#[derive(Clone, Copy, Debug)]
pub struct ToldMetric {
    pub name: &'static str,
    /// Its description in a sentence.
    pub sentence: &'static str,
    /// Is it shown as a percentage?
    pub is_share: bool,
}

/// All metrics in the order in which they are shown.
pub fn told() -> Vec<ToldMetric> {
    let one = |metric: &super::series::Metric<_>| ToldMetric {
        name: metric.name,
        sentence: metric.sentence,
        is_share: SHARES.contains(&metric.name),
    };
    METRICS.iter().map(one).collect()
}
