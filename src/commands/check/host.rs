//! Host names: can they be resolved?

use std::time::Duration;

use super::{Finding, Probes};
use crate::error::Cause;

/// Resolves the names, each within the rest of the time limit; `None`: none of them can be resolved. Without names
/// there is nothing to do.
pub(super) async fn resolve(
    probes: &mut Probes,
    name: &'static str,
    hosts: &[(String, u16)],
    variables: &str,
) -> Option<()> {
    if hosts.is_empty() {
        return Some(());
    }
    let names = hosts.iter().map(|(host, _)| host.as_str()).collect::<Vec<_>>().join(", ");
    // The last lookup must time out early enough to be reported.
    let each = probes.limit.mul_f64(0.9) / hosts.len() as u32;
    let found =
        probes.run(name, &format!("the name service for {names}"), look_up(hosts, variables, each)).await;
    found.filter(|found| *found).map(drop)
}

async fn look_up(
    hosts: &[(String, u16)],
    variables: &str,
    limit: Duration,
) -> Result<(bool, Finding), Cause> {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for (host, port) in hosts {
        match tokio::time::timeout(limit, tokio::net::lookup_host((host.as_str(), *port))).await {
            Err(_) => bad.push(format!("{host}: the name service does not answer")),
            Ok(Err(error)) => bad.push(format!("{host}: {error}")),
            Ok(Ok(addresses)) => {
                let mut addresses: Vec<_> = addresses.map(|address| address.ip().to_string()).collect();
                addresses.dedup();
                addresses.truncate(3);
                let address = addresses.join(", ");
                good.push(if address == *host { address } else { format!("{host} is {address}") });
            }
        }
    }
    let hint = format!("check the name ({variables}) and this machine's name service");
    let all = good.iter().chain(&bad).map(String::as_str).collect::<Vec<_>>().join("; ");
    Ok(match (good.is_empty(), bad.is_empty()) {
        (_, true) => (true, Finding::ok(all)),
        (false, false) => (true, Finding::warn(all, hint)),
        (true, false) => (false, Finding::fail(all, hint)),
    })
}
