//! What a plan knows: what was counted, listed and fetched, and what the archive has.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};

use super::{Terms, values};
use crate::dataset::asked::AskedPart;
use crate::dataset::slice::{Comparator, Slice};

/// For so long what an answer has is what is there.
const BELIEVED: SignedDuration = SignedDuration::from_hours(24);

/// All that is known.
#[derive(Debug)]
pub(super) struct Knowledge {
    pub want: Slice,
    /// When the plan began.
    began: Timestamp,
    pub years: Vec<String>,
    pub limit: u64,
    /// False: what would be fetched is planned.
    pub fetches: bool,
    /// Of the archive, what tells of something that is wanted, the newest first.
    pub known: Vec<AskedPart>,
    /// Which of them are young enough, by what they were asked for: the newest.
    fresh: HashMap<Slice, usize>,
    /// What was put into the archive since the plan began.
    later: HashMap<Slice, AskedPart>,
    counts: HashMap<Slice, CountOf>,
    /// What this run has fetched.
    fetched: HashMap<Slice, AskedPart>,
    /// Slices of which another number came than was counted, and how often.
    doubted: HashMap<Slice, u32>,
    /// Values of columns, as the service lists them.
    lists: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Copy, Debug)]
struct CountOf {
    records: u64,
    asked: u32,
}

impl Knowledge {
    /// What is known of the archive when a plan for something begins, or began (its parts the newest first), and what was put
    /// there since.
    pub(super) fn new(
        (want, began): (Slice, Timestamp),
        terms: Terms,
        (known, later): (Vec<AskedPart>, Vec<AskedPart>),
        fetches: bool,
    ) -> Self {
        let mut fresh = HashMap::new();
        for (at, part) in known.iter().enumerate() {
            if is_fresh(part, began, terms.max_age_days) {
                fresh.entry(part.slice.clone()).or_insert(at);
            }
        }
        Self {
            want,
            began,
            years: terms.years,
            limit: terms.limit,
            fetches,
            known,
            fresh,
            later: later.into_iter().map(|part| (part.slice.clone(), part)).collect(),
            counts: HashMap::new(),
            fetched: HashMap::new(),
            doubted: HashMap::new(),
            lists: BTreeMap::new(),
        }
    }

    pub(super) fn count_of(&self, slice: &Slice) -> Option<u64> {
        self.counts.get(slice).map(|count| count.records)
    }

    /// What a second count said.
    pub(super) fn counted_again(&self, slice: &Slice) -> Option<u64> {
        let count = self.counts.get(slice)?;
        (count.asked > 1).then_some(count.records)
    }

    pub(super) fn list_of(&self, column: &str) -> Option<&Vec<String>> {
        self.lists.get(column)
    }

    /// The answer to a request: of this run, or young enough.
    pub(super) fn part_of(&self, slice: &Slice) -> Option<&AskedPart> {
        let came = self.fetched.get(slice).or_else(|| self.later.get(slice));
        came.or_else(|| self.fresh.get(slice).map(|at| &self.known[*at]))
    }

    /// The parts of the archive that are young enough.
    pub(super) fn fresh(&self) -> impl Iterator<Item = &AskedPart> {
        self.known
            .iter()
            .enumerate()
            .filter(|(at, part)| self.fresh.get(&part.slice) == Some(at))
            .map(|(_, part)| part)
    }

    /// How often another number came than was counted.
    pub(super) fn doubts(&self, slice: &Slice) -> u32 {
        self.doubted.get(slice).copied().unwrap_or_default()
    }

    /// Is an answer of the archive young enough to be taken, but not so young that what it has is believed without a count?
    pub(super) fn is_aged(&self, part: &AskedPart) -> bool {
        let is_taken = self.part_of(&part.slice).is_some_and(|known| known.name == part.name);
        is_taken && self.began.duration_since(part.asked_at) >= BELIEVED
    }

    /// How many records of what is wanted need not be fetched, as far as can be told, and how many counts that takes.
    pub(super) fn archived_records(&self) -> (u64, u64) {
        let mut taken: Vec<&AskedPart> = Vec::new();
        for part in self.fetched.values().chain(self.fresh()) {
            if part.slice.is_within(&self.want)
                && !taken.iter().any(|known| known.slice.overlaps(&part.slice))
            {
                taken.push(part);
            }
        }
        let aged = taken.iter().filter(|part| self.is_aged(part) && part.slice != self.want).count() as u64;
        (taken.iter().map(|part| part.records).sum(), aged)
    }

    /// Values of a column that somebody has found to be there: answers with them are in the archive.
    pub(super) fn seen_values(&self, column: &str) -> HashSet<&str> {
        let tests = self.known.iter().filter(|part| part.records > 0).flat_map(|part| &part.slice.tests);
        let tests = tests.filter(|test| test.column == column && test.how == Comparator::In);
        tests.flat_map(|test| test.values.iter().map(String::as_str)).collect()
    }

    /// True of this, and of what follows: what the walk relied on still holds.
    pub(super) fn counted(&mut self, slice: Slice, records: u64) -> bool {
        let count = self.counts.entry(slice).or_insert(CountOf { records, asked: 0 });
        count.records = records;
        count.asked += 1;
        true
    }

    pub(super) fn listed(&mut self, column: String, values: Vec<String>) -> bool {
        self.lists.insert(column, values);
        true
    }

    /// A part came, and so many records were meant.
    pub(super) fn fetched(&mut self, part: AskedPart, meant: Option<u64>) -> bool {
        let is_meant = meant == Some(part.records);
        if !is_meant {
            *self.doubted.entry(part.slice.clone()).or_default() += 1;
            // What was counted of it is not believed any more.
            self.counts.remove(&part.slice);
        }
        self.fetched.insert(part.slice.clone(), part);
        is_meant
    }

    pub(super) fn limited(&mut self, records: u64) -> bool {
        self.limit = self.limit.min(records).max(1);
        false
    }
}

/// Is a part as good as a new one? A census is not revised; what holds surveys of the same year as well may be.
fn is_fresh(part: &AskedPart, began: Timestamp, max_age_days: u32) -> bool {
    if max_age_days == 0 {
        return false;
    }
    let tests = &part.slice.tests;
    let years = tests.iter().find(|test| test.column == "year" && test.how == Comparator::In);
    let is_census = years.is_some_and(|test| test.values.iter().all(|year| values::is_census(year)))
        && tests.iter().any(|test| test.column == "source_desc" && test.values == ["CENSUS"]);
    let age = began.duration_since(part.asked_at);
    is_census || age < SignedDuration::from_hours(24 * i64::from(max_age_days))
}
