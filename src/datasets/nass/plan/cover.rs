//! Finds parts of the archive that together are all of a slice.

use std::collections::HashSet;

use super::knowledge::Knowledge;
use crate::dataset::asked::AskedPart;
use crate::dataset::slice::Slice;

/// Up to this many overlapping parts, every choice is tried; with more, the newest are taken.
const TANGLE: usize = 16;

/// A part of the archive that covers some of a slice.
pub(super) struct Covering {
    pub slice: Slice,
    pub records: u64,
    /// What it has was counted so long ago that it may have changed.
    pub is_aged: bool,
    /// It was fetched since the plan began.
    pub is_new: bool,
    /// The records of its answer, if that is at hand.
    pub answered: Option<u64>,
}

impl Covering {
    /// Is its answer at hand, with as many records as the slice has?
    pub(super) fn is_there(&self) -> bool {
        self.answered == Some(self.records)
    }
}

impl Knowledge {
    /// Parts that lie within a slice of so many records and do not overlap, with their counts. If some of them are all of it,
    /// these; else the newest. What is older than an answer that contains all of the slice does not count.
    pub(super) fn cover(&self, slice: &Slice, records: u64) -> Vec<Covering> {
        let whole = self.fresh().filter(|part| slice.is_within(&part.slice)).map(|part| part.asked_at).max();
        let mut seen = HashSet::new();
        // Of the parts of one slice, the newest says what it has.
        let newest_of = self.known.iter().filter(|part| {
            part.slice.is_within(slice) && Some(part.asked_at) >= whole && seen.insert(&part.slice)
        });
        let within = newest_of.map(|part| CountedPart { part, records: self.records_of(part) });
        let within: Vec<_> = within.filter(|counted| counted.records > 0).collect();
        let newest = newest(&within);
        let cover = match sum(&newest) == records {
            true => newest,
            // Simultaneous runs, or runs over other years, have split the records in different ways.
            false => Some(most(&within)).filter(|most| sum(most) == records).unwrap_or(newest),
        };
        let covering = |CountedPart { part, records }: CountedPart<'_>| Covering {
            slice: part.slice.clone(),
            records,
            is_aged: self.is_aged(part),
            is_new: self.is_new(&part.slice),
            answered: self.part_of(&part.slice).map(|known| known.records),
        };
        cover.into_iter().map(covering).collect()
    }
}

/// A part with the number of records that its slice has, as far as is known.
#[derive(Clone, Copy)]
struct CountedPart<'a> {
    part: &'a AskedPart,
    records: u64,
}

fn sum(parts: &[CountedPart<'_>]) -> u64 {
    parts.iter().map(|counted| counted.records).sum()
}

impl CountedPart<'_> {
    fn overlaps(&self, other: &Self) -> bool {
        self.part.slice.overlaps(&other.part.slice)
    }
}

/// Parts that do not overlap, taken in their order.
fn newest<'a>(parts: &[CountedPart<'a>]) -> Vec<CountedPart<'a>> {
    let mut taken: Vec<CountedPart<'a>> = Vec::new();
    for part in parts {
        if !taken.iter().any(|other| other.overlaps(part)) {
            taken.push(*part);
        }
    }
    taken
}

/// The parts that do not overlap and have the most records.
fn most<'a>(parts: &[CountedPart<'a>]) -> Vec<CountedPart<'a>> {
    let mut left = parts.to_vec();
    let mut taken = Vec::new();
    while let Some(first) = left.pop() {
        // All parts that are connected to it by overlaps.
        let mut tangle = vec![first];
        let mut at = 0;
        while let Some(part) = tangle.get(at).copied() {
            tangle.extend(left.extract_if(.., |other| other.overlaps(&part)));
            at += 1;
        }
        match tangle.len() <= TANGLE {
            true => taken.extend(best(&tangle)),
            false => taken.extend(newest(&tangle)),
        }
    }
    taken
}

/// The same for a few parts: tries with and without the first.
fn best<'a>(parts: &[CountedPart<'a>]) -> Vec<CountedPart<'a>> {
    let Some((first, rest)) = parts.split_first() else { return Vec::new() };
    let apart: Vec<_> = rest.iter().copied().filter(|part| !part.overlaps(first)).collect();
    let mut with = best(&apart);
    with.push(*first);
    if apart.len() == rest.len() {
        return with;
    }
    let without = best(rest);
    if sum(&with) >= sum(&without) { with } else { without }
}
