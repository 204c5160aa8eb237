//! The knowledge of a plan: counts, lists, fetched parts, and the parts in the archive.

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
    max_age_days: u32,
    pub years: Vec<String>,
    pub limit: u64,
    /// False in a dry run, which only plans what would be fetched.
    pub fetches: bool,
    /// The parts of the archive that tell something about the wanted slice, the newest first.
    pub known: Vec<AskedPart>,
    /// For each request, the place in `known` of the newest part that is young enough.
    fresh: HashMap<Slice, usize>,
    /// The parts that were put into the archive since the plan began.
    later: HashMap<Slice, AskedPart>,
    counts: HashMap<Slice, CountOf>,
    /// The parts that this run has fetched.
    fetched: HashMap<Slice, AskedPart>,
    /// How often the answer for a slice had another number of records than was counted.
    doubted: HashMap<Slice, u32>,
    /// The values of columns, as the service lists them.
    lists: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Copy, Debug)]
struct CountOf {
    records: u64,
    asked: u32,
}

impl Knowledge {
    /// The knowledge at the beginning of a plan, or of a plan that is continued. `known` are the parts of the archive when it
    /// began, the newest first; `later` were added since.
    pub(super) fn new(
        (want, began): (Slice, Timestamp),
        terms: Terms,
        (known, later): (Vec<AskedPart>, Vec<AskedPart>),
        fetches: bool,
    ) -> Self {
        Self {
            want,
            began,
            max_age_days: terms.max_age_days,
            years: terms.years,
            limit: terms.limit,
            fetches,
            fresh: fresh(&known, began, terms.max_age_days),
            known,
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

    /// The result of a second count.
    pub(super) fn counted_again(&self, slice: &Slice) -> Option<u64> {
        let count = self.counts.get(slice)?;
        (count.asked > 1).then_some(count.records)
    }

    pub(super) fn list_of(&self, column: &str) -> Option<&Vec<String>> {
        self.lists.get(column)
    }

    /// Was the answer to a request fetched by this run, or at least since the plan began?
    pub(super) fn is_new(&self, slice: &Slice) -> bool {
        self.fetched.contains_key(slice) || self.later.contains_key(slice)
    }

    /// The number of records of a part's slice, as far as is known by now.
    pub(super) fn records_of(&self, part: &AskedPart) -> u64 {
        let known = || self.part_of(&part.slice).unwrap_or(part).records;
        self.count_of(&part.slice).unwrap_or_else(known)
    }

    /// The answer to a request: fetched by this run, or young enough.
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

    /// How often the answer for a slice had another number of records than was counted.
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

    /// Values of a column that are known to exist, because the archive has answers with them.
    pub(super) fn seen_values(&self, column: &str) -> HashSet<&str> {
        let tests = self.known.iter().filter(|part| part.records > 0).flat_map(|part| &part.slice.tests);
        let tests = tests.filter(|test| test.column == column && test.how == Comparator::In);
        tests.flat_map(|test| test.values.iter().map(String::as_str)).collect()
    }

    /// Records a count. Returns true if everything that the walk relied on still holds; so do the following functions.
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

    /// Records a fetched part; `meant` is the expected number of records.
    pub(super) fn fetched(&mut self, part: AskedPart, meant: Option<u64>) -> bool {
        let is_meant = meant == Some(part.records);
        if !is_meant {
            *self.doubted.entry(part.slice.clone()).or_default() += 1;
            // The earlier count of this slice is no longer trusted.
            self.counts.remove(&part.slice);
        }
        self.fetched.insert(part.slice.clone(), part);
        is_meant
    }

    /// The service does not give a slice of so many records at once. Either its limit is lower than was thought, or the slice has
    /// more records by now.
    pub(super) fn too_many(&mut self, slice: Slice, limit: Option<u64>, meant: u64) -> bool {
        let doubts = self.doubted.entry(slice.clone()).or_default();
        *doubts += 1;
        let limit = match limit {
            // What was counted twice is right.
            None if *doubts > 1 => Some(meant / 2),
            limit => limit,
        };
        self.counts.remove(&slice);
        self.limit = limit.unwrap_or(self.limit).min(self.limit).max(1);
        false
    }

    /// An answer of the archive is not taken any more.
    pub(super) fn outdated(&mut self, name: &str) -> bool {
        self.known.retain(|part| part.name != name);
        self.later.retain(|_, part| part.name != name);
        self.fresh = fresh(&self.known, self.began, self.max_age_days);
        false
    }
}

/// For each request, the place of its newest part that is young enough.
fn fresh(known: &[AskedPart], began: Timestamp, max_age_days: u32) -> HashMap<Slice, usize> {
    let mut fresh = HashMap::new();
    for (at, part) in known.iter().enumerate() {
        if is_fresh(part, began, max_age_days) {
            fresh.entry(part.slice.clone()).or_insert(at);
        }
    }
    fresh
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
