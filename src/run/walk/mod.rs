//! Walk: asks a service for histories, from their heads to their roots, and keeps the answers in the archive. The
//! dataset's walk decides what is asked; this stage sends each request, keeps the answer, and records it in the ledger
//! before it sends the next one.
//!
//! A run that is interrupted, or whose budget is used up, can be resumed where it was: the answers are in the archive,
//! and the position of the walk is in the ledger. Nothing of production changes here.

mod answers;
mod asker;
mod left;
mod listed;
mod nodes;
mod proof;
mod sight;

pub use answers::{answers_of, packed, unpacked};
pub use left::{MoreToDo, WalkedSoFar};
pub use listed::take_list;
pub use proof::{HistoryProof, prove};

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_postgres::types::ToSql;

use self::answers::{WalkAnswers, line, note_line};
use self::asker::{WalkAsked, WalkAsker};
use self::nodes::KeptNodes;
use self::sight::{HeldAnswer, HeldWalk, Sights};
use crate::clients::postgres::{self, Connection};
use crate::config::WalkingConfig;
use crate::dataset::walked::{HistoryFeed, HistoryWalk, WalkAnswer, WalkAsk, WalkStep, WalkWord};
use crate::error::Cause;
use crate::run::context::RunContext;
use crate::run::people;
use crate::schema::has_table;
use crate::{fault, sql, words};

/// The states of a walk in the ledger: unfinished, finished, not answered.
const OPEN: &str = "open";
const DONE: &str = "done";
const SKIPPED: &str = "skipped";
/// How long a complete history does not need another look, in microseconds: a day.
const FRESH_US: i64 = 24 * 3600 * 1_000_000;

/// Why a walk through one history ended.
enum WalkEnd {
    Done,
    /// There is no answer for this one, but others may have one.
    Skipped,
    /// The budget is used up, or the wait would be too long.
    Stopped(Option<Timestamp>),
    /// The answer waits for those about the others.
    Held(Box<HeldAnswer>),
}

/// What the walks have left to do.
#[derive(Default)]
struct WalkTally {
    requests: u64,
    unasked: usize,
    stopped: Option<Option<Timestamp>>,
}

/// Walks through the histories that the run wants, and keeps no answer that names those whose hashes are in `removed`; `None`: it
/// asks no service. A dry run does not ask either.
pub async fn walk(context: &RunContext, removed: HashSet<String>) -> Result<Option<WalkedSoFar>, Cause> {
    let (Some(walked), Some(walking)) = (context.dataset().walked, &context.from.walking) else {
        return Ok(None);
    };
    if context.target.dry_run {
        return Ok(None);
    }
    let step = context.begin(0, "walk").await?;
    let mut walker = Walker::open(context, (walked, walking), removed).await?;
    let more = walker.histories().await;
    // The answers are closed, however the walk ends.
    let closed = walker.answers.close().await?;
    let more = more?;
    let so_far = WalkedSoFar { histories: walking.histories.len(), requests: walker.asker.sent, more };
    let mut what =
        format!("{}, {}", words::counted(so_far.requests, "request"), words::counted(closed as u64, "part"));
    if let Some(more) = &so_far.more {
        what += &format!("; {}", more.words());
    }
    step.done(&what, so_far.requests, 0, json!({ "requests": so_far.requests, "parts": closed })).await?;
    Ok(Some(so_far))
}

struct Walker<'a> {
    context: &'a RunContext,
    walked: &'static HistoryFeed,
    walking: &'a WalkingConfig,
    asker: WalkAsker,
    answers: WalkAnswers<'a>,
    nodes: KeptNodes,
    /// People whom no answer may name that is kept.
    removed: HashSet<String>,
    connection: Connection,
    /// The production tables exist.
    has_production: bool,
    sights: Sights,
}

/// A history that is walked next.
struct HistoryAhead {
    name: String,
    cursor: Option<Value>,
    /// It was complete recently: it is checked again if the budget allows, but does not count as left to do.
    is_fresh: bool,
}

impl<'a> Walker<'a> {
    async fn open(
        context: &'a RunContext,
        (walked, walking): (&'static HistoryFeed, &'a WalkingConfig),
        removed: HashSet<String>,
    ) -> Result<Self, Cause> {
        let connection = postgres::connect(&context.database, "walk").await?;
        let place = (context.target.database.schema.as_str(), context.dataset().parent().name);
        let has_production =
            has_table(&*connection, &connection.watch(), place, "look for production").await?;
        let answers = WalkAnswers { context, walked, source: walking.base.to_string() };
        let mut nodes = KeptNodes::new();
        answers.unpromoted(|line| (walked.nodes)(line).into_iter().for_each(|node| nodes.add(node))).await?;
        let mut asker = WalkAsker::new(walked, walking)?;
        asker.not_before = context.ledger.saved_plan(&wait_key(walking)).await?.first().and_then(wait_of);
        Ok(Self {
            context,
            walked,
            walking,
            asker,
            answers,
            nodes,
            removed,
            connection,
            has_production,
            sights: Sights::default(),
        })
    }

    /// All of them: the interrupted one first, then those whose last look is longest ago.
    async fn ahead(&self) -> Result<Vec<HistoryAhead>, Cause> {
        let mut ahead = Vec::new();
        let began = Timestamp::now();
        for name in &self.walking.histories {
            let cursor = self.context.ledger.saved_plan(&cursor_key(name)).await?.pop();
            let state = |field: &str| cursor.as_ref().and_then(|cursor| cursor.get(field)).cloned();
            let looked = state("looked_us").and_then(|us| us.as_i64());
            let is = |word: &str| state("state").is_some_and(|state| state == word);
            let is_fresh = is(DONE) && looked.is_some_and(|us| began.as_microsecond() - us < FRESH_US);
            let history = HistoryAhead { name: name.clone(), cursor: state("walk"), is_fresh };
            ahead.push((!is(OPEN), looked, history));
        }
        ahead.sort_by_key(|(rest, looked, _)| (*rest, *looked));
        Ok(ahead.into_iter().map(|(.., history)| history).collect())
    }

    /// Walks through all of them.
    async fn histories(&mut self) -> Result<Option<MoreToDo>, Cause> {
        let options = &self.context.processing.options;
        let mut tally = WalkTally::default();
        let mut names: HashMap<i64, String> = HashMap::new();
        let mut held = Vec::new();
        for HistoryAhead { name, cursor, is_fresh } in self.ahead().await? {
            let looked_at = u64::from(!is_fresh);
            let mut walk = (self.walked.walk)(options, &name, cursor.as_ref(), Timestamp::now());
            if tally.stopped.is_some() {
                tally.requests += walk.needs() * looked_at;
                tally.unasked += 1;
                continue;
            }
            // A history is asked for once, whichever of its names is used.
            let end = match names.contains_key(&walk.history()) {
                true => WalkEnd::Done,
                false => self.history(&name, walk.as_mut()).await?,
            };
            if let Some(other) = names.insert(walk.history(), name.clone()) {
                tracing::warn!(
                    run_id = %self.context.run_id,
                    "{other} and {name} are one history under two names: take one of them off the list"
                );
            }
            match end {
                WalkEnd::Held(answer) => held.push(HeldWalk { name, walk, looked_at, held: answer }),
                end => self.tally(&mut tally, walk.as_ref(), looked_at, &end),
            }
        }
        let until = tally.stopped.flatten();
        self.sights.settle((self.walked, self.walking), &held, until.is_some())?;
        for HeldWalk { name, mut walk, looked_at, held } in held {
            self.take(&name, walk.as_mut(), &held.ask, (held.answer, &held.body)).await?;
            let end = self.history(&name, walk.as_mut()).await?;
            self.tally(&mut tally, walk.as_ref(), looked_at, &end);
        }
        let more = MoreToDo {
            requests: tally.requests,
            hourly: self.asker.hourly,
            until: tally.stopped.flatten(),
            unasked: tally.unasked,
        };
        if more.until.is_some() {
            tracing::warn!(run_id = %self.context.run_id, "{}", more.words());
        }
        Ok((more.requests > 0 || more.until.is_some()).then_some(more))
    }

    /// Counts what a walk that has ended left.
    fn tally(&self, tally: &mut WalkTally, walk: &dyn HistoryWalk, looked_at: u64, end: &WalkEnd) {
        if let Some(complaint) = walk.complaint() {
            tracing::warn!(run_id = %self.context.run_id, "{complaint}");
        }
        match end {
            WalkEnd::Done | WalkEnd::Held(_) => {}
            WalkEnd::Skipped => tally.requests += walk.needs(),
            WalkEnd::Stopped(until) => {
                tally.requests += walk.needs().max(1) - 1 + looked_at;
                tally.unasked += 1;
                tally.stopped = Some(*until);
            }
        }
    }

    /// Follows the walk of one history to its end.
    async fn history(&mut self, name: &str, walk: &mut dyn HistoryWalk) -> Result<WalkEnd, Cause> {
        let mut is_asked = false;
        loop {
            fault::point!("walk.step");
            match walk.next() {
                WalkStep::Ask(ask) => match self.ask(name, walk, &ask).await? {
                    WalkEnd::Done => is_asked = true,
                    held @ WalkEnd::Held(_) => return Ok(held),
                    end => {
                        // A history that was only to be checked again keeps its state.
                        let state = if matches!(end, WalkEnd::Stopped(_)) { OPEN } else { SKIPPED };
                        if is_asked || state == SKIPPED {
                            self.save(name, walk, state).await?;
                        }
                        return Ok(end);
                    }
                },
                WalkStep::Heads => {
                    let heads = self.in_production(self.walked.heads, &[&walk.history()]).await?;
                    walk.tell(WalkWord::Nodes(heads));
                }
                WalkStep::Known(ids) => {
                    let known = self.known(walk.history(), ids).await?;
                    walk.tell(WalkWord::Nodes(known));
                }
                WalkStep::Missing => {
                    let missing = self.missing(walk.history()).await?;
                    walk.tell(WalkWord::Nodes(missing));
                }
                WalkStep::Note(note) => {
                    self.answers.keep(walk.history(), &note_line(walk.history(), &note)).await?;
                    walk.tell(WalkWord::Noted);
                    self.save(name, walk, OPEN).await?;
                }
                WalkStep::Done => {
                    self.save(name, walk, DONE).await?;
                    return Ok(WalkEnd::Done);
                }
            }
        }
    }

    /// Sends a request, and keeps the answer and the next position before anything else is sent.
    async fn ask(&mut self, name: &str, walk: &mut dyn HistoryWalk, ask: &WalkAsk) -> Result<WalkEnd, Cause> {
        loop {
            match self.asker.ask(ask).await? {
                WalkAsked::Answer(answer, body) => {
                    fault::point!("walk.answered");
                    if self.asker.not_before.is_some() {
                        self.save_wait().await?;
                    }
                    if let Some(held) = self.sights.hold(walk, (ask, &answer, &body)) {
                        return Ok(WalkEnd::Held(held));
                    }
                    self.take(name, walk, ask, (answer, &body)).await?;
                    return Ok(WalkEnd::Done);
                }
                WalkAsked::Nowhere => {
                    walk.tell(WalkWord::Nowhere);
                    self.save(name, walk, OPEN).await?;
                    return Ok(WalkEnd::Done);
                }
                WalkAsked::Spent => {
                    return Ok(WalkEnd::Stopped(
                        self.asker.not_before.filter(|until| *until > Timestamp::now()),
                    ));
                }
                WalkAsked::Skip(why) => {
                    tracing::warn!(run_id = %self.context.run_id, "{name}: {why}; the next run asks again");
                    self.sights.unanswered = Some(format!("{name}: {why}"));
                    return Ok(WalkEnd::Skipped);
                }
                WalkAsked::Wait => {
                    self.save_wait().await?;
                    match self.asker.pause(self.walking.max_wait) {
                        Err(until) => return Ok(WalkEnd::Stopped(Some(until))),
                        Ok(pause) => {
                            tracing::info!(run_id = %self.context.run_id, "         waiting for {}", words::duration(pause));
                            tokio::time::sleep(pause).await;
                        }
                    }
                }
            }
        }
    }

    /// A line that names nobody who was removed.
    fn without_removed(&self, line: String) -> Result<String, Cause> {
        if self.removed.is_empty() {
            return Ok(line);
        }
        let secret = people::secret_of(self.walked, &self.context.processing)?;
        let cleared = (self.walked.person.without)(&line, &self.removed, secret.reveal());
        Ok(cleared.map_or(line, |cleared| format!("{cleared}\n")))
    }

    /// Gives the walk an answer, and keeps what is new in it.
    async fn take(
        &mut self,
        name: &str,
        walk: &mut dyn HistoryWalk,
        ask: &WalkAsk,
        (answer, body): (WalkAnswer, &[u8]),
    ) -> Result<(), Cause> {
        let is_news = !walk.is_repeated(&answer);
        walk.tell(WalkWord::Answer(answer.clone()));
        if is_news {
            let line = self.without_removed(line(walk.history(), &ask.url, &answer, body))?;
            self.answers.keep(walk.history(), &line).await?;
            (self.walked.nodes)(&line).into_iter().for_each(|node| self.nodes.add(node));
        }
        self.save(name, walk, OPEN).await?;
        fault::point!("walk.saved");
        Ok(())
    }

    /// Saves the position of the walk in the ledger.
    async fn save(&self, name: &str, walk: &dyn HistoryWalk, state: &str) -> Result<(), Cause> {
        let cursor = json!({
            "walk": walk.cursor(),
            "looked_us": Timestamp::now().as_microsecond(),
            "state": state,
        });
        self.context.ledger.save_plan(&cursor_key(name), 0, &cursor).await
    }

    async fn save_wait(&self) -> Result<(), Cause> {
        let until = self.asker.not_before.map(Timestamp::as_microsecond);
        self.context.ledger.save_plan(&wait_key(self.walking), 0, &json!({ "until_us": until })).await
    }

    /// Those of these nodes that are kept.
    async fn known(&self, history: i64, ids: Vec<String>) -> Result<Vec<String>, Cause> {
        let (mut known, others): (Vec<_>, Vec<_>) =
            ids.into_iter().partition(|id| self.nodes.has(history, id));
        known.extend(self.in_production(self.walked.known, &[&history, &others]).await?);
        Ok(known)
    }

    /// Nodes that kept nodes lead to but that are not kept themselves.
    async fn missing(&self, history: i64) -> Result<Vec<String>, Cause> {
        let mut missing = self.in_production(self.walked.missing, &[&history]).await?;
        missing.retain(|id| !self.nodes.has(history, id));
        let others = self.nodes.missing(history);
        let known = self.in_production(self.walked.known, &[&history, &others]).await?;
        let known: std::collections::HashSet<_> = known.into_iter().collect();
        missing.extend(others.into_iter().filter(|id| !known.contains(id)));
        Ok(missing)
    }

    async fn in_production(
        &self,
        statement: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<String>, Cause> {
        if !self.has_production {
            return Ok(Vec::new());
        }
        let operation = "look what is kept of a history";
        let statement = sql::render(statement, &[("schema", &self.context.target.database.schema)]);
        let rows =
            self.connection.watch().answer(operation, self.connection.query(&statement, values)).await?;
        let read = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>();
        Ok(read.map_err(|e| postgres::classify(e, operation))?)
    }
}

/// The ledger's key for the position of a walk.
fn cursor_key(name: &str) -> String {
    format!("walk {}", name.to_lowercase())
}

/// The ledger's key for the time until which nothing may be asked.
fn wait_key(walking: &WalkingConfig) -> String {
    format!("wait {}", walking.base)
}

/// The time until which nothing may be asked, from the ledger's value.
fn wait_of(saved: &Value) -> Option<Timestamp> {
    Timestamp::from_microsecond(saved.get("until_us")?.as_i64()?).ok()
}

/// The position of a walk, from the ledger's value.
fn cursor_of(saved: &Value) -> Option<&Value> {
    saved.get("walk")
}
