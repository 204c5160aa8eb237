//! Finds parts of the archive that together are all of a slice.

use super::knowledge::Knowledge;
use crate::dataset::asked::AskedPart;
use crate::dataset::slice::Slice;

/// Up to this many overlapping parts, every choice is tried; with more, the newest are taken.
const TANGLE: usize = 16;

impl Knowledge {
    /// Parts that lie within a slice of `records` records and do not overlap, with their counts: parts that are all of the
    /// slice if there are such, otherwise the newest.
    pub(super) fn cover(&self, slice: &Slice, records: u64) -> Vec<(Slice, u64)> {
        let within: Vec<_> =
            self.known.iter().filter(|part| part.records > 0 && part.slice.is_within(slice)).collect();
        let newest = newest(&within);
        let cover = match sum(&newest) == records {
            true => newest,
            // Simultaneous runs, or runs over other years, have split the records in different ways.
            false => Some(most(&within)).filter(|most| sum(most) == records).unwrap_or(newest),
        };
        cover.into_iter().map(|part| (part.slice.clone(), part.records)).collect()
    }
}

fn sum(parts: &[&AskedPart]) -> u64 {
    parts.iter().map(|part| part.records).sum()
}

fn overlaps(part: &AskedPart, others: &[&AskedPart]) -> bool {
    others.iter().any(|other| other.slice.overlaps(&part.slice))
}

/// Parts that do not overlap, taken in their order.
fn newest<'a>(parts: &[&'a AskedPart]) -> Vec<&'a AskedPart> {
    let mut taken: Vec<&AskedPart> = Vec::new();
    for part in parts {
        if !overlaps(part, &taken) {
            taken.push(part);
        }
    }
    taken
}

/// The parts that do not overlap and have the most records.
fn most<'a>(parts: &[&'a AskedPart]) -> Vec<&'a AskedPart> {
    let mut left = parts.to_vec();
    let mut taken = Vec::new();
    while let Some(first) = left.pop() {
        // All parts that are connected to it by overlaps.
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

/// The same for a few parts: tries with and without the first.
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
