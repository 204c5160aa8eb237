//! Checks the addresses in staged rows, politely: each host gets one request after the other with a pause in between,
//! only few hosts are asked at once, and a result stays valid for a while. An unreachable address fails nothing; a dead
//! one is reported.

mod host;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use arrow::array::StringArray;
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use crate::clients::duckdb::{DuckError, Staging};
use crate::clients::links::LinkClient;
use crate::dataset::links::{Links, LinksPlan};
use crate::error::Cause;
use crate::ledger::Ledger;
use crate::run::context::RunContext;
use crate::sql;
use crate::system::background::blocking;
use crate::words::{count, counted, sha256};

use host::{HostQueue, LinkAddress, LinkState, by_host};

/// How many hosts are asked at once.
const HOSTS: usize = 8;
/// How many hours a result stays valid, for addresses that answer and for dead ones: a repaired site should be noticed
/// the next day.
const THERE_HOURS: i64 = 30 * 24;
const DEAD_HOURS: i64 = 20;
/// How many results are stored at once.
const REMEMBERED: usize = 50;
/// How many keys the memory is asked for at once.
const KEYS: usize = 10_000;
/// How many hosts a warning names, and how many addresses of each kind the ledger keeps for a run.
const NAMED: usize = 5;
const KEPT: usize = 200;

/// The names under which results are stored in the memory of enrichments.
const MEMORY: &str = "links";
const WAY: (&str, &str) = ("http", "1");

/// A result as it is stored.
#[derive(Debug, Serialize, Deserialize)]
struct KeptLook {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dead: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    moved_to: Option<String>,
    at: Timestamp,
}

/// The results of a check.
#[derive(Clone, Debug, Default)]
pub struct LinkTally {
    pub addresses: usize,
    pub remembered: usize,
    pub dead: BTreeMap<String, String>,
    /// The new address of each.
    moved: BTreeMap<String, String>,
    /// Why the state of each is not known.
    unknown: BTreeMap<String, String>,
}

impl LinkTally {
    /// `120 addresses, 3 of them dead`.
    pub fn said(&self) -> String {
        format!("{} addresses, {} of them dead", count(self.addresses as u64), count(self.dead.len() as u64))
    }

    /// The details for the ledger, the only place that gets the addresses themselves.
    pub fn for_ledger(&self) -> Value {
        let some =
            |all: &BTreeMap<String, String>| all.clone().into_iter().take(KEPT).collect::<BTreeMap<_, _>>();
        json!({
            "addresses": self.addresses,
            "remembered": self.remembered,
            "dead": self.dead.len(),
            "moved": self.moved.len(),
            "moved_to": some(&self.moved),
            "unknown": self.unknown.len(),
            "unknown_because": some(&self.unknown),
        })
    }

    fn take(&mut self, url: &str, state: LinkState) {
        let (of, said) = match state {
            LinkState::There(None) => return,
            LinkState::There(Some(now)) => (&mut self.moved, now),
            LinkState::Dead(why) => (&mut self.dead, why),
            LinkState::NoHost(why) | LinkState::Unknown(why) => (&mut self.unknown, why),
        };
        of.insert(url.to_owned(), said);
    }

    /// Warns of problems that do not fail the run, and names their hosts.
    fn warn(&self, context: &RunContext) {
        let run_id = context.run_id;
        let all = [
            (&self.unknown, "could not be checked, which fails nothing; a later run asks again"),
            (&self.moved, "moved for good"),
        ];
        for (all, what) in all.into_iter().filter(|(all, _)| !all.is_empty()) {
            tracing::warn!(
                %run_id,
                addresses = all.len(),
                "{} {what}: at {}; merganser status {run_id} --json lists them",
                counted(all.len() as u64, "address"),
                hosts(all.keys())
            );
        }
    }
}

/// Some of the hosts of these addresses.
fn hosts<'a>(urls: impl Iterator<Item = &'a String>) -> String {
    let hosts: BTreeSet<_> =
        urls.filter_map(|url| Some(Url::parse(url).ok()?.host_str()?.to_owned())).collect();
    let more = hosts.len().checked_sub(NAMED).filter(|more| *more > 0);
    let named = hosts.into_iter().take(NAMED);
    named.chain(more.map(|more| format!("and {more} more"))).collect::<Vec<_>>().join(", ")
}

/// How the run checks addresses; `None`: it does not.
pub fn plan(context: &RunContext) -> Option<(&'static Links, LinksPlan)> {
    let links = context.dataset().links?;
    Some((links, (links.plan)(&context.processing.options)?))
}

/// Checks the addresses of the staged rows, and puts the dead ones into their table. `is_again`: the same rows were
/// checked before, and only remembered results are used.
///
/// # Errors
/// Any error of the staging store or the ledger.
pub async fn look(
    context: &RunContext,
    mut staging: Staging,
    is_again: bool,
) -> Result<(Staging, Option<LinkTally>), Cause> {
    let Some((links, plan)) = plan(context) else { return Ok((staging, None)) };
    let urls;
    (staging, urls) = blocking(move || addresses(&staging, links).map(|urls| (staging, urls))).await??;
    let mut tally = LinkTally { addresses: urls.len(), ..LinkTally::default() };
    let mut there = Vec::new();
    let open = recall(&context.ledger, urls, &mut tally, &mut there).await?;
    if !is_again {
        ask(context, &plan, open, &there, &mut tally).await?;
        tally.warn(context);
    }
    if !tally.dead.is_empty() {
        let dead = tally.dead.clone();
        staging = blocking(move || note(&mut staging, links, &dead).map(|()| staging)).await??;
    }
    Ok((staging, Some(tally)))
}

fn addresses(staging: &Staging, links: &Links) -> Result<Vec<String>, DuckError> {
    staging.query("read the addresses", &sql::render(sql::STAGED_LINKS, &[("view", links.view)]), |row| {
        row.get(0)
    })
}

fn note(staging: &mut Staging, links: &Links, dead: &BTreeMap<String, String>) -> Result<(), DuckError> {
    let columns = vec![
        ("url", StringArray::from_iter_values(dead.keys())),
        ("reason", StringArray::from_iter_values(dead.values())),
    ];
    let mut load = staging.load()?;
    load.append_texts(links.dead, columns)?;
    load.commit().map(|_| ())
}

/// Takes remembered results that are still valid; returns the other addresses. `there` gets those that answered.
async fn recall(
    ledger: &Ledger,
    urls: Vec<String>,
    tally: &mut LinkTally,
    there: &mut Vec<String>,
) -> Result<Vec<String>, Cause> {
    let mut open = Vec::new();
    let now = Timestamp::now();
    for urls in urls.chunks(KEYS) {
        let keys: Vec<_> = urls.iter().map(sha256).collect();
        let known = ledger.known_answers(MEMORY, &keys, Some(WAY)).await?;
        let known: BTreeMap<_, _> = known.into_iter().map(|known| (known.key, known.answer)).collect();
        for (url, key) in urls.iter().zip(&keys) {
            let kept = known.get(key).and_then(|answer| KeptLook::read(answer, now));
            match kept {
                None => open.push(url.clone()),
                Some(state) => {
                    tally.remembered += 1;
                    if matches!(state, LinkState::There(_)) {
                        there.push(url.clone());
                    }
                    tally.take(url, state);
                }
            }
        }
    }
    Ok(open)
}

impl KeptLook {
    /// A remembered result, if it is still valid.
    fn read(answer: &serde_json::Map<String, Value>, now: Timestamp) -> Option<LinkState> {
        let kept: Self = serde_json::from_value(Value::Object(answer.clone())).ok()?;
        let hours = now.duration_since(kept.at).as_hours();
        let (most, state) = match kept.dead {
            Some(why) => (DEAD_HOURS, LinkState::Dead(why)),
            None => (THERE_HOURS, LinkState::There(kept.moved_to)),
        };
        (0..most).contains(&hours).then_some(state)
    }

    /// The entry for a result that is worth remembering.
    fn of(state: &LinkState, at: Timestamp) -> Option<serde_json::Map<String, Value>> {
        let (dead, moved_to) = match state {
            LinkState::There(moved_to) => (None, moved_to.clone()),
            LinkState::Dead(why) => (Some(why.clone()), None),
            LinkState::NoHost(_) | LinkState::Unknown(_) => return None,
        };
        match json!(Self { dead, moved_to, at }) {
            Value::Object(kept) => Some(kept),
            _ => None,
        }
    }
}

/// Requests the open addresses, and stores each result at once.
async fn ask(
    context: &RunContext,
    plan: &LinksPlan,
    mut open: Vec<String>,
    there: &[String],
    tally: &mut LinkTally,
) -> Result<(), Cause> {
    let client = LinkClient::new(&plan.own_hosts).map_err(|source| Cause::Io {
        operation: "prepare to look at addresses".into(),
        source: std::io::Error::other(source),
    })?;
    // In another order each time: what stands behind hosts and addresses without an answer has its turn in some later run.
    let order = |text: &str| sha256(format!("{} {text}", context.run_id));
    open.sort_by_cached_key(|text| order(text));
    let bar = context.report.records_bar("look at addresses", open.len() as u64);
    let deadline = Instant::now() + Duration::from_secs(plan.seconds);
    let mut hosts = Vec::from_iter(by_host(open));
    hosts.sort_by_cached_key(|(host, _)| order(host));
    let queues = hosts.into_iter().map(|(_, addresses)| HostQueue::new(&client, addresses, deadline));
    let queues = queues.map(|queue| stream::unfold(queue, HostQueue::next).boxed());
    let mut found = stream::iter(queues).flatten_unordered(HOSTS);
    let (mut waiting, mut nameless, mut knows_names) = (Vec::new(), Vec::new(), false);
    while let Some((address, state)) = found.next().await {
        bar.inc(1);
        match state {
            LinkState::NoHost(why) => nameless.push((address, why)),
            state => {
                knows_names |= shows_names(&plan.own_hosts, &address, &state);
                waiting.push((address, state));
            }
        }
        if waiting.len() >= REMEMBERED {
            take(context, std::mem::take(&mut waiting), tally).await?;
        }
    }
    bar.finish_and_clear();
    if !nameless.is_empty() && !knows_names {
        knows_names = client.finds_one_of(there).await;
    }
    waiting.extend(nameless.into_iter().map(|(address, why)| (address, without_host(why, knows_names))));
    take(context, waiting, tally).await
}

/// Does this result show that names of the public web can be resolved? A name in the own network proves nothing about
/// that.
fn shows_names(own_hosts: &[String], address: &LinkAddress, state: &LinkState) -> bool {
    matches!(state, LinkState::There(_) | LinkState::Dead(_))
        && address.domain().is_some_and(|name| !own_hosts.iter().any(|own| own == name))
}

/// If no name can be resolved at all, the addresses are not at fault.
fn without_host(why: String, knows_names: bool) -> LinkState {
    match knows_names {
        true => LinkState::Dead(why),
        false => LinkState::Unknown(format!("{why}, nor any other name")),
    }
}

/// Counts the results, and stores those that stay valid.
async fn take(
    context: &RunContext,
    found: Vec<(LinkAddress, LinkState)>,
    tally: &mut LinkTally,
) -> Result<(), Cause> {
    let now = Timestamp::now();
    let kept =
        found.iter().filter_map(|(address, state)| Some((sha256(&address.text), KeptLook::of(state, now)?)));
    let kept: Vec<_> = kept.collect();
    if !kept.is_empty() {
        context.ledger.remember_answers(MEMORY, WAY, &kept).await?;
    }
    for (address, state) in found {
        tally.take(&address.text, state);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_ones_own_network_says_nothing_of_others() {
        let urls = ["https://inner.example/a", "https://a.example/", "http://10.0.0.7/"];
        let hosts = by_host(urls.map(str::to_owned).to_vec());
        let own = ["inner.example".to_owned(), "10.0.0.7".to_owned()];
        let shows = |host: &str, state: LinkState| shows_names(&own, &hosts[host][0], &state);
        assert!(shows("a.example", LinkState::There(None)));
        assert!(shows("a.example", LinkState::Dead("no".into())));
        assert!(!shows("a.example", LinkState::Unknown("no".into())));
        assert!(!shows("inner.example", LinkState::There(None)));
        assert!(!shows("10.0.0.7", LinkState::There(None)));
    }

    #[test]
    fn a_name_is_missed_only_where_others_are_found() {
        assert_eq!(without_host("no".into(), true), LinkState::Dead("no".into()));
        assert!(matches!(without_host("no".into(), false), LinkState::Unknown(_)));
    }

    #[test]
    fn what_was_said_counts_for_a_while() {
        let now = Timestamp::now();
        let hours = |hours: i64| now - jiff::Span::new().hours(hours);
        for (state, most) in [
            (LinkState::There(Some("https://b.example/".into())), THERE_HOURS),
            (LinkState::Dead("no".into()), DEAD_HOURS),
        ] {
            let kept = |age: i64| KeptLook::read(&KeptLook::of(&state, hours(age)).unwrap(), now);
            assert_eq!(kept(most - 1), Some(state.clone()));
            assert_eq!(kept(most), None);
        }
        assert_eq!(KeptLook::of(&LinkState::Unknown("no".into()), now), None);
        assert_eq!(KeptLook::read(&serde_json::Map::new(), now), None);
    }
}
