//! Preflight: would a run work? Tries everything that a run needs and changes nothing: the database is asked in
//! transactions that are read-only or rolled back, and in the store only our own probe objects are written and then
//! removed.
//!
//! Each probe has a time limit and one result. One that depends on another that failed is skipped: a server that
//! cannot be reached is one fault, not seven.

mod catalogue;
mod complete;
mod database;
mod host;
mod lookups;
mod machine;
mod notify;
mod service;
mod session;
mod source;
mod store;

use std::fmt::Write as _;
use std::future::Future;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

use super::terminal::{pretty, say};
use crate::cli::CheckArgs;
use crate::config::{RunConfig, Selection};
use crate::error::{Cause, Exit, Failure};
use crate::words;

/// The outcome of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Ok,
    /// A run works, but somebody should look at this.
    Warn,
    /// A run would not work.
    Fail,
    /// Not tried, because another probe failed.
    Skipped,
}

/// The probe of one thing that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct Probe {
    pub name: &'static str,
    pub state: State,
    /// What was found, in words.
    pub found: String,
    /// What to do about it.
    pub hint: Option<String>,
    pub duration_ms: u64,
}

/// What a probe found.
#[derive(Clone, Debug)]
struct Finding {
    state: State,
    found: String,
    hint: Option<String>,
}

impl Finding {
    fn ok(found: impl Into<String>) -> Self {
        Self { state: State::Ok, found: found.into(), hint: None }
    }

    fn warn(found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { state: State::Warn, found: found.into(), hint: Some(hint.into()) }
    }

    fn fail(found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { state: State::Fail, found: found.into(), hint: Some(hint.into()) }
    }

    fn skipped(why: impl Into<String>) -> Self {
        Self { state: State::Skipped, found: why.into(), hint: None }
    }
}

impl From<Cause> for Finding {
    fn from(cause: Cause) -> Self {
        // A message may be a list with one item per line.
        let found = cause.to_string().lines().map(str::trim).collect::<Vec<_>>().join(" ");
        Self { state: State::Fail, found, hint: cause.hint() }
    }
}

/// Probes that run one after the other.
struct Probes {
    limit: Duration,
    list: Vec<Probe>,
}

impl Probes {
    fn new(limit: Duration) -> Self {
        Self { limit, list: Vec::new() }
    }

    /// Tries something within the time limit. Its result is for the probes that depend on it; `None`: they are to be
    /// skipped. `waits_for` names what does not answer when the time is up.
    async fn run<T>(
        &mut self,
        name: &'static str,
        waits_for: &str,
        work: impl Future<Output = Result<(T, Finding), Cause>>,
    ) -> Option<T> {
        let started = Instant::now();
        let (value, finding) = match tokio::time::timeout(self.limit, work).await {
            Ok(Ok((value, finding))) => (Some(value), finding),
            Ok(Err(cause)) => (None, cause.into()),
            Err(_) => (
                None,
                Finding::fail(
                    format!("no answer from {waits_for} within {} s", self.limit.as_secs_f64()),
                    "check the network and the firewall, and whether it answers others; --timeout waits longer",
                ),
            ),
        };
        self.add(name, finding, started);
        value
    }

    fn add(&mut self, name: &'static str, finding: Finding, started: Instant) {
        let Finding { state, found, hint } = finding;
        let hint = match state {
            // The error itself has no advice.
            State::Fail => hint.or_else(|| Some(format!("see `{name}` in docs/operations.md"))),
            _ => hint,
        };
        self.list.push(Probe { name, state, found, hint, duration_ms: words::millis(started) });
    }

    /// Adds a finding that takes no time.
    fn note(&mut self, name: &'static str, finding: Finding) {
        self.add(name, finding, Instant::now());
    }

    /// Adds the names of probes that were not tried.
    fn skip(&mut self, names: &[&'static str], because: &str) {
        for name in names {
            self.note(name, Finding::skipped(format!("not tried: {because}")));
        }
    }
}

/// All probes, in order.
#[derive(Clone, Debug, Serialize)]
pub struct Preflight {
    dataset: &'static str,
    /// Would a run work?
    works: bool,
    probes: Vec<Probe>,
    #[serde(skip)]
    is_configured: bool,
}

/// `merganser check`.
pub async fn run(args: CheckArgs) -> Result<Exit, Failure> {
    if args.complete {
        return complete::run(&args).await;
    }
    let dataset = args.run.dataset.name;
    let checked = check(dataset, RunConfig::from_check(&args.run), Duration::from_secs(args.timeout)).await;
    say(&if args.json { pretty(&json!(checked)) } else { checked.render() });
    Ok(checked.exit())
}

/// Checks whether a run with this configuration would work. Never fails: problems are reported by the probes.
pub async fn check(dataset: &'static str, config: Result<RunConfig, Cause>, limit: Duration) -> Preflight {
    let mut probes = Probes::new(limit);
    let mut config = match config {
        Ok(config) => config,
        Err(cause) => {
            probes.note("configuration", cause.into());
            return Preflight { dataset, works: false, probes: probes.list, is_configured: false };
        }
    };
    // A check must not store a server's key, nor spend the probe's time on repeated attempts.
    config.from.sftp.only_looks = true;
    config.from.sftp.limits.retries = 0;
    probes.note("configuration", configuration(&config));
    let (service, source, store, database) = tokio::join!(
        service::probe(&config, limit),
        source::probe(&config, limit),
        store::probe(&config, limit),
        database::probe(&config, limit),
    );
    let known = database.known;
    probes.list.extend(service);
    probes.list.extend(source.probes);
    probes.list.extend(store.probes);
    probes.list.extend(database.probes);
    let files = source::files(&mut probes, &config, source.listing, known);
    source::open(&mut probes, &config, files.as_deref()).await;
    machine::probe(
        &mut probes,
        &config,
        files.as_deref(),
        &[("database", database.clock_ahead_seconds), ("store", store.clock_ahead_seconds)],
    );
    notify::probe(&mut probes).await;
    let works = probes.list.iter().all(|probe| probe.state != State::Fail);
    Preflight { dataset, works, probes: probes.list, is_configured: true }
}

/// Reports what the run would do, and settings that may be a mistake.
fn configuration(config: &RunConfig) -> Finding {
    let database = &config.target.database;
    let own = config.processing.options.iter().map(|(name, value)| format!(", {name} {}", typed(value)));
    let own: String = own.collect();
    let found = format!(
        "from {} to {} and schema {} (ledger {}){own}, batches of {} MiB",
        config.from.url,
        config.target.store,
        database.schema,
        database.ledger_schema,
        config.processing.batch_bytes >> 20
    );
    let mut remarks = Vec::new();
    if let Selection::Archived { glob, .. } = &config.from.selection {
        remarks.push(format!("only files of the archive like {} are taken, nothing new", glob.glob().glob()));
    }
    if config.target.skip_publish {
        remarks.push("no public file is written".into());
    }
    if remarks.is_empty() {
        return Finding::ok(found);
    }
    Finding::warn(
        format!("{found}; {}", remarks.join("; ")),
        "if that is not meant, unset REPROCESS_GLOB, and SKIP_PUBLIC_PUBLISH or MERGANSER_SKIP_PUBLISH",
    )
}

/// The value of an option as it is typed: a list with commas, a text without quotes.
fn typed(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(typed).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

impl Preflight {
    /// The exit code that goes with it.
    pub fn exit(&self) -> Exit {
        match (self.is_configured, self.works) {
            (false, _) => Exit::Usage,
            (true, false) => Exit::Failed,
            (true, true) => Exit::Done,
        }
    }

    /// The text for a person: a line for each probe, a line with what to do where needed, and the overall answer.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for probe in &self.probes {
            let state = match probe.state {
                State::Ok => "ok",
                State::Warn => "warn",
                State::Fail => "FAIL",
                State::Skipped => "skip",
            };
            let _ = writeln!(text, "{state:<4}  {:<15} {}", probe.name, probe.found);
            if let Some(hint) = &probe.hint {
                let _ = writeln!(text, "      Next: {}", hint.replace('\n', "\n      "));
            }
        }
        let failed: Vec<_> = self.probes.iter().filter(|p| p.state == State::Fail).map(|p| p.name).collect();
        let _ = match failed.as_slice() {
            [] => writeln!(text, "A run of {} would work.", self.dataset),
            names => writeln!(text, "A run of {} would not work: {}.", self.dataset, names.join(", ")),
        };
        text
    }
}
