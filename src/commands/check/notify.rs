//! The webhook that is told how a run ended: does its name lead to an address? It is told nothing.

use super::{Finding, Probes, host};
use crate::commands::notify;

const NAME: &str = "notify";

/// Looks where it is, if there is one.
pub(super) async fn probe(probes: &mut Probes) {
    let webhook = match notify::webhook() {
        Ok(None) => return,
        Ok(Some(webhook)) => webhook,
        Err(cause) => return probes.note(NAME, Finding::from(cause)),
    };
    let hosts: Vec<_> = webhook.host().map(|(host, port)| (host.to_owned(), port)).into_iter().collect();
    host::resolve(probes, NAME, &hosts, notify::VARIABLE).await;
}
