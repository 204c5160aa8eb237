//! The store: can it be listed, and can objects be written, read and deleted?

use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use uuid::Uuid;

use super::{Finding, Probe, Probes, State, host};
use crate::clients::store::{Store, StoreUrl};
use crate::config::RunConfig;
use crate::error::Cause;

/// The content of the probe's objects: harmless, since one may stay behind in a public place.
const CONTENT: &str = "merganser check: this may be removed\n";

/// The results of the store's probes.
pub(super) struct StoreFound {
    pub probes: Vec<Probe>,
    /// How far the store's clock is ahead of ours, if it has one of its own.
    pub clock_ahead_seconds: Option<f64>,
}

/// Lists, then puts, gets and deletes an object of its own.
pub(super) async fn probe(config: &RunConfig, limit: Duration) -> StoreFound {
    let mut probes = Probes::new(limit);
    let store = match tokio::time::timeout(limit, Store::open(&config.target.store, &config.target.s3)).await
    {
        Ok(Ok(store)) => Some(store),
        Ok(Err(error)) => {
            probes.note("store", Cause::from(error).into());
            None
        }
        Err(_) => {
            let hint = "check AWS_PROFILE and the machine's role, or set AWS_REGION";
            probes.note("store", Finding::fail("AWS's settings could not be read in time", hint));
            None
        }
    };
    let Some(store) = store else {
        probes.skip(&["store writes"], "the store could not be opened");
        return StoreFound { probes: probes.list, clock_ahead_seconds: None };
    };
    let hosts = hosts(config, &store);
    let variables = "AWS_REGION, AWS_ENDPOINT_URL_S3";
    if host::resolve(&mut probes, "store host", &hosts, variables).await.is_none() {
        probes.skip(&["store", "store writes"], "its host is not known");
        return StoreFound { probes: probes.list, clock_ahead_seconds: None };
    }
    let place = config.target.store.to_string();
    let listed = probes.run("store", &place, async {
        store.list_names("private").await?;
        Ok(((), listed(&place, store.open_folder("private"))))
    });
    if listed.await.is_none() {
        probes.skip(&["store writes"], "the store cannot be listed");
        return StoreFound { probes: probes.list, clock_ahead_seconds: None };
    }
    let clock_ahead_seconds = write(&mut probes, config, &store).await;
    StoreFound { probes: probes.list, clock_ahead_seconds }
}

fn listed(place: &str, open: Option<PathBuf>) -> Finding {
    match open {
        None => Finding::ok(format!("{place} can be listed")),
        Some(folder) => Finding::warn(
            format!("{place} can be listed; other users of this machine can get into its private folder"),
            format!("chmod -R go= {}; what a run makes there is closed to them", folder.display()),
        ),
    }
}

/// The host behind a store in S3.
fn hosts(config: &RunConfig, store: &Store) -> Vec<(String, u16)> {
    let Some(location) = store.s3_location("") else { return Vec::new() };
    let Some(endpoint) = &config.target.s3.endpoint_url else {
        let domain = if location.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        return vec![(format!("s3.{}.{domain}", location.region), 443)];
    };
    let url = url::Url::parse(endpoint).ok();
    let host = url.as_ref().and_then(|url| Some((url.host_str()?, url.port_or_known_default()?)));
    // An IPv6 address is in brackets there.
    host.map(|(host, port)| (host.trim_matches(['[', ']']).to_owned(), port)).into_iter().collect()
}

/// Puts, gets and deletes an object in each place that a run writes to. Each of these has the full time limit, so that
/// the object is removed whatever went wrong before. Returns how far the store's clock is ahead.
async fn write(probes: &mut Probes, config: &RunConfig, store: &Store) -> Option<f64> {
    let started = Instant::now();
    let folders = if config.target.skip_publish { &["private"][..] } else { &["private", "public"] };
    let (mut ahead, mut done) =
        (None, Finding::ok(format!("put, get and delete work in {}", folders.join(" and "))));
    for folder in folders {
        let key = format!("{folder}/merganser-check-{}", Uuid::now_v7());
        let made = missing_folders(&config.target.store, folder);
        let tried = round_trip(probes.limit, store, &key).await;
        let removed = within(probes.limit, store, "delete", async { Ok(store.delete(&key).await?) }).await;
        for folder in made {
            // Only if it is empty: another process may use it by now.
            let _ = std::fs::remove_dir(folder);
        }
        match (tried, removed) {
            (Err(finding), _) => {
                done = finding;
                break;
            }
            (Ok(seconds), Ok(())) => ahead = seconds.or(ahead),
            (Ok(seconds), Err(refused)) => {
                ahead = seconds.or(ahead);
                done = Finding {
                    state: State::Warn,
                    found: format!("{}; the probe's object stays there", refused.found),
                    hint: Some(format!(
                        "a run works without this right; grant it, and remove {}",
                        store.url().object(&key)
                    )),
                };
            }
        }
    }
    probes.add("store writes", done, started);
    ahead
}

/// Puts an object and gets it again. Returns how far the store's clock is ahead, if it is not our own.
async fn round_trip(limit: Duration, store: &Store, key: &str) -> Result<Option<f64>, Finding> {
    let before = Timestamp::now();
    within(limit, store, "put", async { Ok(store.upload_bytes(key, CONTENT.into()).await?) }).await?;
    let after = Timestamp::now();
    let bytes = within(limit, store, "get", async { Ok(store.read_bytes(key, 1000).await?) }).await?;
    if bytes != CONTENT {
        return Err(Finding::fail(
            format!("{} returns other bytes than were stored", store.url().object(key)),
            "a proxy or a rule of the bucket changes objects on their way",
        ));
    }
    let head = within(limit, store, "look at", async { Ok(store.head(key).await?) }).await?;
    let modified = head.and_then(|object| object.modified);
    Ok(modified.filter(|_| matches!(store.url(), StoreUrl::S3 { .. })).map(|modified| {
        // The store's clock shows whole seconds here.
        let seconds = |time: Timestamp| time.as_millisecond() as f64 / 1000.0;
        seconds(modified) + 0.5 - (seconds(before) + seconds(after)) / 2.0
    }))
}

async fn within<T>(
    limit: Duration,
    store: &Store,
    what: &str,
    work: impl Future<Output = Result<T, Cause>>,
) -> Result<T, Finding> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result.map_err(Finding::from),
        Err(_) => Err(Finding::fail(
            format!("{what}: no answer from {} within {} s", store.url(), limit.as_secs_f64()),
            "check the network and AWS_ENDPOINT_URL_S3; --timeout waits longer",
        )),
    }
}

/// Folders that a first write makes, the innermost first.
fn missing_folders(store: &StoreUrl, folder: &str) -> Vec<PathBuf> {
    let StoreUrl::Directory { path, .. } = store else { return Vec::new() };
    let folder = path.join(folder);
    folder
        .ancestors()
        .take_while(|path| !path.as_os_str().is_empty() && !path.exists())
        .map(PathBuf::from)
        .collect()
}
