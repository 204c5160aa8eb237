//! The enrichment of a run: which ways are asked, in which edition, and their answers.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use crate::clients::duckdb::Staging;
use crate::clients::http::{Http, HttpUrl};
use crate::clients::store::Store;
use crate::dataset::Options;
use crate::dataset::ask::{Answer, Ask};
use crate::dataset::enrichment::{Enrichment, EnrichmentPlan, How, Way};
use crate::error::Cause;
use crate::ledger::{KnownAnswer, Ledger};
use crate::log::Report;
use crate::run::answered::{
    answers, append, name_ways, open_questions, portion, portions, questions, run_script,
};
use crate::run::ask::{AskTally, Asking, Patience};
use crate::run::reference;
use crate::sql;
use crate::system::background::blocking;
use crate::words;

/// How many answers of an outside service are remembered together: at most this many are asked for again after a crash.
const REMEMBERED_AT_ONCE: usize = 100;

/// How the questions of a run are answered.
pub struct Enriching {
    enrichment: &'static Enrichment,
    /// In the order of asking; empty: nobody is asked, and only remembered answers count.
    ways: Vec<Chosen>,
    /// The paths of the reference's files, as the script names them.
    reference: Vec<(String, String)>,
    /// The time left for outside services.
    left: Mutex<Duration>,
    /// Why services are not asked any more in this run, by their names.
    given_up: Mutex<BTreeMap<&'static str, String>>,
    /// How many questions outside services have left without an answer in this run.
    unanswered: AtomicU64,
}

/// A way that is asked.
struct Chosen {
    way: &'static Way,
    /// Its edition: what it answered in another one is asked again.
    version: String,
    /// The service, if it is one.
    http: Option<Http>,
}

/// The outcome of an enrichment.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub questions: u64,
    /// The number of questions for which something is remembered.
    pub remembered: u64,
    /// How many each way answered.
    pub asked: BTreeMap<&'static str, u64>,
    /// The cost of asking outside services, and why asking stopped early.
    pub services: BTreeMap<&'static str, AskTally>,
    /// Questions to outside services that a dry run did not ask.
    pub unasked: u64,
    /// How often each status came out, the most frequent first.
    pub found: Vec<(String, u64)>,
}

impl Tally {
    /// The details for the ledger.
    pub fn for_ledger(&self) -> Value {
        let found: Map<_, _> =
            self.found.iter().map(|(status, count)| (status.clone(), json!(count))).collect();
        let services = self.services.iter().map(|(name, cost)| {
            let cost = json!({
                "requests": cost.requests,
                "without_answer": cost.misses,
                "failed": cost.failed,
                "gave_up": cost.gave_up,
            });
            ((*name).to_owned(), cost)
        });
        let services: Map<_, _> = services.collect();
        json!({
            "remembered": self.remembered,
            "asked": self.asked,
            "services": services,
            "unasked": self.unasked,
            "found": found,
        })
    }
}

impl Enriching {
    /// Opens the ways that the options ask for; by default the reference, if there is one. Its files are copied to
    /// `folder`.
    ///
    /// # Errors
    /// [`Cause::Refused`] if the reference is asked for and there is none.
    pub async fn open(
        (ledger, store): (&Ledger, &Store),
        enrichment: &'static Enrichment,
        options: &Options,
        folder: &Path,
    ) -> Result<Self, Cause> {
        let plan = (enrichment.plan)(options);
        for (name, base) in &plan.bases {
            base.parse::<HttpUrl>().map_err(|error| Cause::usage(format!("{name}: {error}")))?;
        }
        let wants_reference = plan.ways.as_ref().is_none_or(|ways| ways.iter().any(|way| way.is_reference()));
        let reference = match wants_reference {
            true => reference::current(ledger, store, &folder.join("reference"), enrichment.lost).await?,
            false => None,
        };
        let wanted = match &plan.ways {
            Some(ways) => ways.clone(),
            None if reference.is_some() => enrichment.ways.iter().filter(|way| way.is_reference()).collect(),
            None => Vec::new(),
        };
        let ways = wanted.into_iter().map(|way| match (way.how, &reference) {
            (How::Reference { rules, .. }, Some(reference)) => {
                let version = format!("{} by rules {rules}", reference.edition);
                Ok(Chosen { way, version, http: None })
            }
            (How::Reference { .. }, None) => Err(Cause::Refused {
                message: format!("{} has no reference to say {}", way.name, enrichment.about),
                hint: Some(enrichment.hint.into()),
            }),
            (How::Ask(ask), _) => {
                let http = service(ask, &plan)?;
                let version = format!("{} at {}", ask.version, http.base());
                Ok(Chosen { way, version, http: Some(http) })
            }
        });
        let ways = ways.collect::<Result<_, Cause>>()?;
        let files = reference.map(|reference| reference.files).unwrap_or_default();
        let reference = files.into_iter().map(|(name, path)| (name, path.display().to_string())).collect();
        let left = Mutex::new(Duration::from_secs(plan.seconds));
        Ok(Self {
            enrichment,
            ways,
            reference,
            left,
            given_up: Mutex::default(),
            unanswered: AtomicU64::new(0),
        })
    }

    /// What it answers.
    pub fn enrichment(&self) -> &'static Enrichment {
        self.enrichment
    }

    /// Is nobody asked, so that only what is remembered counts?
    pub fn asks_nobody(&self) -> bool {
        self.ways.is_empty()
    }

    /// May somebody outside be asked?
    pub fn asks_outside(&self) -> bool {
        self.ways.iter().any(|chosen| !chosen.way.is_reference())
    }

    /// How many questions outside services have left without an answer, so far in this run.
    pub fn unanswered(&self) -> u64 {
        self.unanswered.load(Ordering::Relaxed)
    }

    /// The ways in the order of asking, as a JSON array of `way` and `version`.
    pub fn editions(&self) -> String {
        let ways = self.ways.iter();
        let ways = ways.map(|chosen| json!({ "way": chosen.way.name, "version": chosen.version }));
        Value::from_iter(ways).to_string()
    }

    /// Answers the questions of the staged rows, and adds the answers to the staging store. A dry run asks no outside
    /// service and remembers nothing.
    pub async fn answer(
        &self,
        ledger: &Ledger,
        dry_run: bool,
        report: &Report,
        mut staging: Staging,
    ) -> Result<(Staging, Tally), Cause> {
        let enrichment = self.enrichment;
        if self.ways.is_empty() && !ledger.has_answers(enrichment.name).await? {
            return Ok((staging, Tally::default()));
        }
        staging = run_script(staging, "find the questions", enrichment.questions, Vec::new()).await?;
        let ways =
            self.ways.iter().map(|chosen| (chosen.way.name, chosen.version.clone())).collect::<Vec<_>>();
        staging = blocking(move || name_ways(&mut staging, &ways).map(|()| staging)).await??;
        let mut tally = Tally::default();
        (staging, tally.remembered) = self.recall(ledger, staging).await?;
        for chosen in &self.ways {
            let open = vec![("way".to_owned(), chosen.way.name.to_owned())];
            staging = run_script(staging, "find open questions", enrichment.open, open).await?;
            staging = match chosen.way.how {
                How::Reference { open, scripts, close, .. } => {
                    staging = self.look_up(staging, chosen.way.name, (open, scripts, close)).await?;
                    let asked;
                    let way = (chosen.way.name, chosen.version.as_str());
                    (staging, asked) = self.remember(ledger, dry_run, staging, way).await?;
                    tally.asked.insert(chosen.way.name, asked);
                    staging
                }
                How::Ask(ask) => {
                    self.ask(ledger, dry_run, staging, (chosen, ask), report, &mut tally).await?
                }
            };
        }
        staging = run_script(staging, "put the answers to their rows", enrichment.apply, Vec::new()).await?;
        let status = enrichment.columns[0];
        let (staging, found) = blocking(move || {
            let counts = sql::render(sql::STAGED_ANSWERED, &[("status", status)]);
            let read = |row: &duckdb::Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64));
            staging.query("count the answers", &counts, read).map(|found| (staging, found))
        })
        .await??;
        tally.questions = found.iter().map(|(_, count)| count).sum();
        tally.found = found;
        Ok((staging, tally))
    }

    /// Answers the open questions by scripts over the reference, portion by portion.
    async fn look_up(
        &self,
        mut staging: Staging,
        name: &str,
        (open, scripts, close): (&[&'static str], &[&'static str], &'static str),
    ) -> Result<Staging, Cause> {
        let operation = format!("ask {name}");
        let size = portion(staging.memory_mib());
        let count = blocking(move || open_questions(&staging).map(|count| (staging, count)));
        let questions;
        (staging, questions) = count.await??;
        if questions == 0 {
            return Ok(staging);
        }
        for script in open {
            staging = run_script(staging, &operation, script, self.reference.clone()).await?;
        }
        for variables in portions(questions, size) {
            let variables: Vec<_> = self.reference.iter().cloned().chain(variables).collect();
            for script in scripts {
                staging = run_script(staging, &operation, script, variables.clone()).await?;
            }
        }
        run_script(staging, &operation, close, Vec::new()).await
    }

    /// Asks an outside service the open questions.
    async fn ask(
        &self,
        ledger: &Ledger,
        dry_run: bool,
        mut staging: Staging,
        (chosen, ask): (&Chosen, &'static Ask),
        report: &Report,
        tally: &mut Tally,
    ) -> Result<Staging, Cause> {
        let (enrichment, name) = (self.enrichment, chosen.way.name);
        let mut left = self.left.lock().await;
        let started = Instant::now();
        let deadline = started + *left;
        let before = self.given_up.lock().await.get(name).cloned();
        let (mut asked, mut cost, mut after) = (0, AskTally::default(), String::new());
        loop {
            let last = after.clone();
            let read = blocking(move || {
                questions(&staging, enrichment, "questions", &last).map(|open| (staging, open))
            });
            let open;
            (staging, open) = read.await??;
            let Some(question) = open.last() else { break };
            after = question.key.clone();
            let Some(http) = chosen.http.clone().filter(|_| !dry_run) else {
                tally.unasked += open.len() as u64;
                continue;
            };
            asked += open.len() as u64;
            let bar = report.records_bar(&format!("ask {name}"), open.len() as u64);
            let mut asking = Asking::new(ask, http, open, deadline, Patience::default());
            // Nobody waits again for a service that has failed so often.
            if let Some(why) = before.as_ref().or(cost.gave_up.as_ref()) {
                asking.give_up(why.clone());
            }
            let mut waiting = Vec::new();
            loop {
                let next = asking.next().await;
                let is_over = next.is_none();
                let answers = next.unwrap_or_default();
                bar.inc(answers.len() as u64);
                bar.set_message(words::counted(cost.requests + asking.tally().requests, "request"));
                waiting.extend(answers);
                if !is_over && waiting.len() < REMEMBERED_AT_ONCE {
                    continue;
                }
                staging = self.keep(ledger, staging, chosen, std::mem::take(&mut waiting)).await?;
                if is_over {
                    break;
                }
            }
            bar.finish_and_clear();
            cost.requests += asking.tally().requests;
            cost.misses += asking.tally().misses;
            cost.failed += asking.tally().failed;
            cost.gave_up = asking.tally().gave_up.clone();
        }
        *left = left.saturating_sub(started.elapsed());
        if let Some(why) = cost.gave_up.as_ref().filter(|_| before.is_none()) {
            tracing::warn!(
                "{name} gets no more requests in this run: {why}; its open questions are asked again in a later run; other services \
                 are asked within the time that is left"
            );
            self.given_up.lock().await.insert(name, why.clone());
        }
        self.unanswered.fetch_add(cost.failed, Ordering::Relaxed);
        if asked > 0 {
            tally.asked.insert(name, asked);
            tally.services.insert(name, cost);
        }
        Ok(staging)
    }

    /// Remembers those of a service's answers that stay valid, and adds all of them to the staging store.
    async fn keep(
        &self,
        ledger: &Ledger,
        mut staging: Staging,
        chosen: &Chosen,
        answers: Vec<Answer>,
    ) -> Result<Staging, Cause> {
        let (enrichment, name) = (self.enrichment, chosen.way.name);
        let lasting = answers.iter().filter(|answer| answer.lasting);
        let lasting: Vec<_> = lasting.map(|answer| (answer.key.clone(), enrichment.cells(answer))).collect();
        ledger.remember_answers(enrichment.name, (name, &chosen.version), &lasting).await?;
        let known = answers.into_iter().map(|answer| KnownAnswer {
            way: name.to_owned(),
            version: None,
            answer: enrichment.cells(&answer),
            key: answer.key,
        });
        let known: Vec<_> = known.collect();
        Ok(blocking(move || append(&mut staging, enrichment, &known).map(|()| staging)).await??)
    }

    /// Takes all answers that are remembered for the questions, of any way and edition; returns the number of questions that
    /// have some.
    async fn recall(&self, ledger: &Ledger, mut staging: Staging) -> Result<(Staging, u64), Cause> {
        let enrichment = self.enrichment;
        let (mut after, mut recalled) = (String::new(), 0);
        loop {
            let last = after.clone();
            let read = blocking(move || {
                questions(&staging, enrichment, "all_questions", &last).map(|read| (staging, read))
            });
            let rows;
            (staging, rows) = read.await??;
            let Some(question) = rows.last() else { return Ok((staging, recalled)) };
            after = question.key.clone();
            let keys: Vec<_> = rows.into_iter().map(|question| question.key).collect();
            let known = ledger.known_answers(enrichment.name, &keys, None).await?;
            recalled += known.chunk_by(|one, next| one.key == next.key).count() as u64;
            staging = blocking(move || append(&mut staging, enrichment, &known).map(|()| staging)).await??;
        }
    }

    /// Remembers a way's answers to the open questions; returns their number.
    async fn remember(
        &self,
        ledger: &Ledger,
        dry_run: bool,
        mut staging: Staging,
        (way, version): (&'static str, &str),
    ) -> Result<(Staging, u64), Cause> {
        let enrichment = self.enrichment;
        let (mut after, mut answered) = (String::new(), 0);
        loop {
            let last = after.clone();
            let read =
                blocking(move || answers(&staging, enrichment, way, &last).map(|read| (staging, read)));
            let rows;
            (staging, rows) = read.await??;
            let Some((key, _)) = rows.last() else { return Ok((staging, answered)) };
            after = key.clone();
            answered += rows.len() as u64;
            if !dry_run {
                ledger.remember_answers(enrichment.name, (way, version), &rows).await?;
            }
        }
    }
}

/// A connection to a service, at its own address or the one that the options name.
///
/// # Errors
/// The address is not valid.
pub fn service(ask: &Ask, plan: &EnrichmentPlan) -> Result<Http, Cause> {
    let base = plan.base(ask).parse().map_err(|error| Cause::usage(format!("{}: {error}", ask.name)))?;
    Http::new(base).map_err(|source| Cause::Io {
        operation: format!("prepare to ask {}", ask.name),
        source: std::io::Error::other(source),
    })
}
