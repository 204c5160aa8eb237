//! The listeners that are told how a run ended: can their names be resolved, can the file be written? Nothing is sent
//! to them.

use std::path::Path;

use super::{Finding, Probes, host};
use crate::clients::http::SecretUrl;
use crate::commands::metrics::{self, MetricsTarget};
use crate::commands::notify;
use crate::commands::traces::Collector;

const NOTIFY: &str = "notify";
const METRICS: &str = "metrics";
const TRACES: &str = "traces";

/// Checks them, if there are any.
pub(super) async fn probe(probes: &mut Probes) {
    match notify::quiet_days().and_then(|_| notify::webhook()) {
        Ok(None) => {}
        Ok(Some(webhook)) => resolve(probes, NOTIFY, &webhook, notify::VARIABLE).await,
        Err(cause) => probes.note(NOTIFY, Finding::from(cause)),
    }
    match MetricsTarget::from_env() {
        Ok(None) => {}
        Ok(Some(MetricsTarget::Gateway(url))) => resolve(probes, METRICS, &url, metrics::VARIABLE).await,
        Ok(Some(MetricsTarget::File(path))) => probes.note(METRICS, file(&path)),
        Err(cause) => probes.note(METRICS, Finding::from(cause)),
    }
    if let Some(collector) = Collector::from_env() {
        resolve(probes, TRACES, collector.url(), collector.variable()).await;
    }
}

async fn resolve(probes: &mut Probes, name: &'static str, url: &SecretUrl, variable: &str) {
    let hosts: Vec<_> = url.host().map(|(host, port)| (host.to_owned(), port)).into_iter().collect();
    host::resolve(probes, name, &hosts, variable).await;
}

/// Makes a file beside it, and removes it.
fn file(path: &Path) -> Finding {
    match metrics::beside(path) {
        _ if path.is_dir() => Finding::fail(
            format!("{} is a folder", path.display()),
            format!("name a file in {}", metrics::VARIABLE),
        ),
        Ok(_) => Finding::ok(format!("{} can be written", path.display())),
        Err(error) => Finding::fail(
            format!("{} cannot be written: {error}", path.display()),
            format!("make its folder ({}), and let this user write there", metrics::VARIABLE),
        ),
    }
}
