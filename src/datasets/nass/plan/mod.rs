//! Plans which slices to count and which to fetch, so that no answer exceeds the limit. A plan is a value: it is told each
//! result, and says what comes next.
//!
//! The plan is one walk over all that is wanted (`walk.rs`). The walk stops where something must be asked, and continues when
//! it gets the result. If something that it relied on is no longer true (an answer had another number of records than was
//! counted, or the limit is lower), it starts again with the knowledge that it has.

mod archived;
mod cover;
mod knowledge;
mod pack;
mod rest;
mod slices;
mod values;
mod walk;
mod weights;

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::knowledge::Knowledge;
use self::walk::PlanWalk;
use crate::dataset::asked::{AskPlan, PlanInput, PlanStep, PlanWord, PlannedPart};
use crate::dataset::slice::Slice;

pub(super) use values::{LEVELS, SECTORS, SOURCES, STATES, is_listed};

/// A plan that began longer ago is not continued.
const BEGUN_HOURS: i64 = 24;
/// The estimated number of requests per full answer, including counts.
const CALLS: f64 = 2.6;

/// The options of a run that a plan needs.
pub(super) struct Terms {
    pub years: Vec<String>,
    /// The most records in one answer.
    pub limit: u64,
    pub max_age_days: u32,
}

/// The beginning of a plan, as it is saved.
#[derive(Debug, Serialize, Deserialize)]
struct Begun {
    want: Slice,
    at: Timestamp,
    /// The names of the parts in the archive when it began.
    known: Vec<String>,
}

/// The state that the walk and the plan share.
#[derive(Debug)]
struct WalkState {
    knowledge: Knowledge,
    /// The step whose result the walk waits for.
    waits_for: Option<PlanStep>,
    parts: Vec<PlannedPart>,
    tree: Vec<String>,
}

type Walking = Pin<Box<dyn Future<Output = Result<(), PlanStep>> + Send>>;

/// A plan in progress.
struct CountPlan {
    state: Arc<Mutex<WalkState>>,
    begun: Begun,
    /// `None`: the walk starts, for the first time or again.
    walking: Option<Walking>,
    /// The next step, if no result has come since it was given.
    step: Option<PlanStep>,
}

/// Begins a plan, or continues that of a run that did not finish.
pub(super) fn plan(input: PlanInput<'_>, terms: Terms) -> Box<dyn AskPlan> {
    // Where no answer is young enough, what another run was told is not either.
    let is_recent = |begun: &Begun| {
        let age = input.now.duration_since(begun.at);
        let is_recent = age < SignedDuration::from_hours(BEGUN_HOURS) && !age.is_negative();
        begun.want == *input.want && is_recent && terms.max_age_days > 0
    };
    let saved = input.saved.and_then(|saved| {
        let begun = serde_json::from_value::<Begun>(saved.begun.clone()).ok().filter(is_recent)?;
        Some((begun, &saved.told))
    });
    let there: HashSet<_> = input.archived.iter().map(|part| part.name.clone()).collect();
    let mut known = input.archived;
    known.retain(|part| part.slice.overlaps(input.want));
    // Parts that the earlier run fetched are replayed with its other results; those that it could not report any more are kept
    // at hand.
    let later = saved.as_ref().map_or_else(Vec::new, |(begun, told)| {
        let came = told.iter().filter_map(|told| match told {
            PlanWord::Fetched(part) => Some(&part.name),
            _ => None,
        });
        let came: HashSet<_> = came.collect();
        let names: HashSet<_> = begun.known.iter().collect();
        let later = known.extract_if(.., |part| !names.contains(&part.name));
        later.filter(|part| part.asked_at >= begun.at && !came.contains(&part.name)).collect()
    });
    known.sort_by(|a, b| b.asked_at.cmp(&a.asked_at).then(a.name.cmp(&b.name)));
    let (begun, told) = match saved {
        Some((begun, told)) => (begun, told.as_slice()),
        None => {
            let known = known.iter().map(|part| part.name.clone()).collect();
            (Begun { want: input.want.clone(), at: input.now, known }, &[][..])
        }
    };
    let knowledge = Knowledge::new((input.want.clone(), begun.at), terms, (known, later), input.fetches);
    let state = WalkState { knowledge, waits_for: None, parts: Vec::new(), tree: Vec::new() };
    let mut plan = CountPlan { state: Arc::new(Mutex::new(state)), begun, walking: None, step: None };
    for told in told {
        plan.next();
        if !matches!(told, PlanWord::Fetched(part) if !there.contains(&part.name)) {
            plan.tell(told.clone());
        }
    }
    Box::new(plan)
}

impl WalkState {
    fn of(state: &Mutex<Self>) -> MutexGuard<'_, Self> {
        state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CountPlan {
    fn state(&self) -> MutexGuard<'_, WalkState> {
        WalkState::of(&self.state)
    }

    fn walk_anew(&mut self) {
        self.walking = None;
        let mut state = self.state();
        state.parts.clear();
        state.tree.clear();
    }
}

impl AskPlan for CountPlan {
    fn next(&mut self) -> PlanStep {
        if let Some(step) = &self.step {
            return step.clone();
        }
        let state = &self.state;
        let walking = self.walking.get_or_insert_with(|| Box::pin(PlanWalk::new(state.clone()).all()));
        let polled = walking.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let mut state = self.state();
        let step = match polled {
            Poll::Ready(Ok(())) => PlanStep::Done(state.parts.clone()),
            Poll::Ready(Err(refusal)) => refusal,
            Poll::Pending => state.waits_for.take().expect("a walk waits for what it has said"),
        };
        drop(state);
        self.step = Some(step.clone());
        step
    }

    fn tell(&mut self, told: PlanWord) {
        let asked = self.step.take();
        let mut state = self.state();
        let knowledge = &mut state.knowledge;
        let goes_on = match told {
            PlanWord::Counted(slice, records) => knowledge.counted(slice, records),
            PlanWord::Listed(column, values) => knowledge.listed(column, values),
            PlanWord::Fetched(part) => {
                let meant = match &asked {
                    Some(PlanStep::Fetch { slice, records }) if *slice == part.slice => Some(*records),
                    _ => None,
                };
                knowledge.fetched(part, meant)
            }
            PlanWord::TooMany(slice, limit) => {
                let meant = match &asked {
                    Some(PlanStep::Fetch { records, .. }) => *records,
                    _ => knowledge.limit,
                };
                knowledge.too_many(slice, limit, meant)
            }
            PlanWord::Outdated(name) => knowledge.outdated(&name),
        };
        drop(state);
        // A walk that has ended cannot be continued.
        let is_over =
            matches!(asked, Some(PlanStep::Done(_) | PlanStep::Refuse { .. } | PlanStep::Misasked(_)));
        if !goes_on || is_over {
            self.walk_anew();
        }
    }

    fn begun(&self) -> Value {
        serde_json::to_value(&self.begun).unwrap_or_default()
    }

    fn needs(&self) -> Option<u64> {
        let state = self.state();
        let knowledge = &state.knowledge;
        let records = knowledge.count_of(&knowledge.want)?;
        let (archived, counts) = knowledge.archived_records();
        let rest = records.saturating_sub(archived);
        Some((rest as f64 / knowledge.limit as f64 * CALLS).ceil() as u64 + counts)
    }

    fn tree(&self) -> Vec<String> {
        self.state().tree.clone()
    }

    fn unsent(&self) -> u64 {
        let state = self.state();
        state.parts.iter().filter(|part| part.part.is_none() && part.records > 0).count() as u64
    }
}

#[cfg(test)]
mod tests;
