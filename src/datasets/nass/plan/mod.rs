//! What is counted and what is fetched, so that no answer is over the limit: a value that is told what came and says what is
//! next. It knows counts, and the plan follows from them each time anew.

mod values;
mod walk;
mod weights;

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::walk::PlanWalk;
use crate::dataset::asked::{AskPlan, AskedPart, PlanInput, PlanStep};
use crate::dataset::slice::{Comparator, Slice};

pub(super) use values::{LEVELS, SECTORS, SOURCES, STATES};

/// What was saved longer ago is not gone on with.
const SAVED_HOURS: i64 = 24;

/// A plan, as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct CountPlan {
    want: Slice,
    years: Vec<String>,
    limit: u64,
    /// Of the archive, what is of this slice, the newest first.
    known: Vec<AskedPart>,
    /// Of these parts of the archive, which are too old.
    max_age_days: u32,
    began: Timestamp,
    #[serde(with = "pairs")]
    counts: HashMap<Slice, CountOf>,
    /// What this run has fetched.
    #[serde(with = "pairs")]
    fetched: HashMap<Slice, AskedPart>,
    /// Slices of which another number came than was counted, and how often.
    #[serde(with = "pairs")]
    doubted: HashMap<Slice, u32>,
    /// Values of columns, as the service lists them.
    lists: BTreeMap<String, Vec<String>>,
    fetches: bool,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct CountOf {
    records: u64,
    asked: u32,
}

/// What a plan must know of a run's options.
pub(super) struct Terms {
    pub years: Vec<String>,
    /// Records of one answer.
    pub limit: u64,
    pub max_age_days: u32,
}

/// Begins, or goes on where a run was that did not end.
pub(super) fn plan(input: &PlanInput<'_>, terms: Terms) -> Box<dyn AskPlan> {
    let saved = input.saved.and_then(|saved| serde_json::from_value::<CountPlan>(saved.clone()).ok());
    let is_recent = |plan: &CountPlan| {
        let age = input.now.duration_since(plan.began);
        plan.want == *input.want && age < SignedDuration::from_hours(SAVED_HOURS) && !age.is_negative()
    };
    if let Some(plan) = saved.filter(is_recent) {
        // What the service has taught of its limit stays; how old an answer may be is what this run says.
        return Box::new(CountPlan {
            fetches: input.fetches,
            limit: plan.limit.min(terms.limit),
            max_age_days: terms.max_age_days,
            ..plan
        });
    }
    let mut known: Vec<_> =
        input.archived.iter().filter(|part| part.slice.overlaps(input.want)).cloned().collect();
    known.sort_by(|a, b| b.asked_at.cmp(&a.asked_at).then(a.name.cmp(&b.name)));
    Box::new(CountPlan {
        want: input.want.clone(),
        years: terms.years,
        limit: terms.limit,
        known,
        max_age_days: terms.max_age_days,
        began: input.now,
        counts: HashMap::new(),
        fetched: HashMap::new(),
        doubted: HashMap::new(),
        lists: BTreeMap::new(),
        fetches: input.fetches,
    })
}

impl CountPlan {
    fn count_of(&self, slice: &Slice) -> Option<u64> {
        self.counts.get(slice).map(|count| count.records)
    }

    /// What a second count said.
    fn counted_again(&self, slice: &Slice) -> Option<u64> {
        let count = self.counts.get(slice)?;
        (count.asked > 1).then_some(count.records)
    }

    /// The answer to a request: of this run, or young enough.
    fn part_of(&self, slice: &Slice) -> Option<&AskedPart> {
        self.fetched
            .get(slice)
            .or_else(|| self.known.iter().find(|part| part.slice == *slice && self.is_fresh(part)))
    }

    fn is_fresh(&self, part: &AskedPart) -> bool {
        // A census is not revised.
        let years = part.slice.tests.iter().find(|test| test.column == "year" && test.how == Comparator::In);
        let is_census = years.is_some_and(|test| test.values.iter().all(|year| values::is_census(year)))
            && part.slice.tests.iter().any(|test| test.column == "source_desc" && test.values == ["CENSUS"]);
        if self.max_age_days == 0 {
            return false;
        }
        let age = self.began.duration_since(part.asked_at);
        is_census || age < SignedDuration::from_hours(24 * i64::from(self.max_age_days))
    }

    fn doubts(&self, slice: &Slice) -> u32 {
        self.doubted.get(slice).copied().unwrap_or_default()
    }

    fn is_doubted(&self, slice: &Slice) -> bool {
        self.doubts(slice) > 0
    }

    /// The number that was meant when a slice was asked for.
    fn meant(&self) -> Option<u64> {
        match AskPlan::next(self) {
            PlanStep::Fetch { records, .. } => Some(records),
            _ => None,
        }
    }
}

impl AskPlan for CountPlan {
    fn next(&self) -> PlanStep {
        let mut walk = PlanWalk::new(self);
        match walk.all() {
            Ok(()) => PlanStep::Done(walk.parts),
            Err(step) => step,
        }
    }

    fn counted(&mut self, slice: &Slice, records: u64) {
        let count = self.counts.entry(slice.clone()).or_insert(CountOf { records, asked: 0 });
        count.records = records;
        count.asked += 1;
    }

    fn listed(&mut self, column: &str, values: Vec<String>) {
        self.lists.insert(column.to_owned(), values);
    }

    fn fetched(&mut self, part: AskedPart) {
        if self.meant() != Some(part.records) {
            *self.doubted.entry(part.slice.clone()).or_default() += 1;
            // What was counted of it is not believed any more.
            self.counts.remove(&part.slice);
        }
        self.fetched.insert(part.slice.clone(), part);
    }

    fn limited(&mut self, records: u64) {
        self.limit = self.limit.min(records).max(1);
    }

    fn save(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn tree(&self) -> Vec<String> {
        let mut walk = PlanWalk::new(self);
        // Where it ends early, this is as far as it goes.
        let _ = walk.all();
        walk.tree
    }

    fn unsent(&self) -> u64 {
        match self.next() {
            PlanStep::Done(parts) => {
                parts.iter().filter(|part| part.part.is_none() && part.records > 0).count() as u64
            }
            _ => 0,
        }
    }
}

/// A map whose keys are no texts, as a list of pairs in their order.
mod pairs {
    use std::collections::{BTreeMap, HashMap};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::dataset::slice::Slice;

    pub(super) fn serialize<V: Serialize, S: Serializer>(
        map: &HashMap<Slice, V>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        map.iter().collect::<BTreeMap<_, _>>().into_iter().collect::<Vec<_>>().serialize(to)
    }

    pub(super) fn deserialize<'de, V: Deserialize<'de>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<HashMap<Slice, V>, D::Error> {
        Ok(Vec::<(Slice, V)>::deserialize(from)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests;
