//! Parts of the archive that together are all of a slice.

use super::knowledge::Knowledge;
use crate::dataset::asked::AskedPart;
use crate::dataset::slice::Slice;

/// Of so many parts that overlap each other, every choice is looked at; of more, the newest are taken.
const TANGLE: usize = 16;

/// A part of the archive that covers some of a slice.
pub(super) struct Covering {
    pub slice: Slice,
    pub records: u64,
    /// What it has was counted so long ago that it may have changed.
    pub is_aged: bool,
}

impl Knowledge {
    /// Parts that lie within a slice of so many records and do not overlap, with their counts. If some of them are all of it,
    /// these; else the newest.
    pub(super) fn cover(&self, slice: &Slice, records: u64) -> Vec<Covering> {
        let within: Vec<_> =
            self.known.iter().filter(|part| part.records > 0 && part.slice.is_within(slice)).collect();
        let newest = newest(&within);
        let cover = match sum(&newest) == records {
            true => newest,
            // Runs at once, or over other years, have cut what is there in different ways.
            false => Some(most(&within)).filter(|most| sum(most) == records).unwrap_or(newest),
        };
        let covering = |part: &AskedPart| Covering {
            slice: part.slice.clone(),
            records: part.records,
            is_aged: self.is_aged(part),
        };
        cover.into_iter().map(covering).collect()
    }
}

fn sum(parts: &[&AskedPart]) -> u64 {
    parts.iter().map(|part| part.records).sum()
}

fn overlaps(part: &AskedPart, others: &[&AskedPart]) -> bool {
    others.iter().any(|other| other.slice.overlaps(&part.slice))
}

/// Parts that do not overlap, one after the other in their order.
fn newest<'a>(parts: &[&'a AskedPart]) -> Vec<&'a AskedPart> {
    let mut taken: Vec<&AskedPart> = Vec::new();
    for part in parts {
        if !overlaps(part, &taken) {
            taken.push(part);
        }
    }
    taken
}

/// Parts that do not overlap and have as many records as can be.
fn most<'a>(parts: &[&'a AskedPart]) -> Vec<&'a AskedPart> {
    let mut left = parts.to_vec();
    let mut taken = Vec::new();
    while let Some(first) = left.pop() {
        // All that hang together with it.
        let mut tangle = vec![first];
        let mut at = 0;
        while let Some(part) = tangle.get(at).copied() {
            tangle.extend(left.extract_if(.., |other| other.slice.overlaps(&part.slice)));
            at += 1;
        }
        match tangle.len() <= TANGLE {
            true => taken.extend(best(&tangle)),
            false => taken.extend(newest(&tangle)),
        }
    }
    taken
}

/// The same of a few: with the first of them, or without.
fn best<'a>(parts: &[&'a AskedPart]) -> Vec<&'a AskedPart> {
    let Some((first, rest)) = parts.split_first() else { return Vec::new() };
    let apart: Vec<_> = rest.iter().copied().filter(|part| !part.slice.overlaps(&first.slice)).collect();
    let mut with = best(&apart);
    with.push(first);
    if apart.len() == rest.len() {
        return with;
    }
    let without = best(rest);
    if sum(&with) >= sum(&without) { with } else { without }
}
