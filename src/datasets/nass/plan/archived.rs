//! Finds answers in the archive for a slice: parts that together are the slice, or one larger part that contains it. Also finds
//! values that need no check because the archive has answers with them.

use super::super::options::never;
use super::WalkState;
use super::cover::Covering;
use super::slices::union;
use super::values::is_listed;
use super::walk::PlanWalk;
use crate::dataset::asked::{AskedPart, PlanStep, PlannedPart};
use crate::dataset::slice::{Comparator, Slice, SliceTest};

impl PlanWalk {
    /// Parts of the archive that are all of a slice, with their counts. One that is older than a day is counted by itself, since
    /// revisions of several parts may cancel each other out; a younger one is believed, unless what is counted of all does not
    /// add up.
    pub(super) async fn cover(&self, slice: &Slice, records: u64) -> Option<Vec<(Slice, u64)>> {
        let (mut cover, limit) = self.know(|known| (known.cover(slice, records), known.limit));
        let sum = |cover: &[Covering]| cover.iter().map(|part| part.records).sum::<u64>();
        let is_too_large = |part: &Covering| part.records > limit && !part.is_there();
        let before = sum(&cover);
        if cover.is_empty() || cover.iter().any(is_too_large) {
            return None;
        }
        // Where only some changed, it is not far off.
        if before != records && (cover.len() < 2 || before.abs_diff(records) * 5 > records) {
            return None;
        }
        // All of it fits into one answer.
        if records <= limit && cover.iter().filter(|part| !part.is_there()).count() > 1 {
            return None;
        }
        if before == records {
            for part in &mut cover {
                part.records = match part.is_aged {
                    true => self.count(&part.slice).await,
                    false => self.recent(&part.slice, part.records).await,
                };
            }
        }
        if sum(&cover) != records {
            for part in &mut cover {
                part.records = match part.is_new {
                    true => self.recent(&part.slice, part.records).await,
                    false => self.count(&part.slice).await,
                };
            }
        }
        if sum(&cover) != records || cover.iter().any(is_too_large) {
            return None;
        }
        let there = cover.into_iter().filter(|part| part.records > 0);
        Some(there.map(|part| (part.slice, part.records)).collect())
    }

    /// Uses a part of the archive that contains a slice and more, if none of it has changed: records outside the slice are
    /// skipped when the part is read.
    pub(super) async fn is_within_archived(&mut self, slice: &Slice, records: u64) -> bool {
        let larger = self.know(|known| {
            let holds = |part: &&AskedPart| {
                part.records >= records && slice.is_within(&part.slice) && part.slice != *slice
            };
            known.fresh().filter(holds).min_by_key(|part| part.records).cloned()
        });
        let Some(part) = larger else { return false };
        if self.count(&part.slice).await != part.records {
            return false;
        }
        // A part is read only once, so everything wanted from it must be one slice.
        let mut state = WalkState::of(&self.state);
        let is_it =
            |planned: &PlannedPart| planned.part.as_ref().is_some_and(|known| known.name == part.name);
        let Some(planned) = state.parts.iter_mut().find(|planned| is_it(planned)) else {
            drop(state);
            self.take(slice, records, Some(part));
            return true;
        };
        let Some(both) = union(&planned.slice, slice) else { return false };
        planned.slice = both;
        planned.records += records;
        drop(state);
        self.say(slice, records, &format!("archived as {}", part.name));
        true
    }

    /// Checks that the values of the filters exist: a misspelt value finds nothing, without an error.
    ///
    /// # Errors
    /// [`PlanStep::Misasked`] names the first value that does not exist, and similar ones.
    pub(super) async fn find_values(&self, want: &Slice) -> Result<(), PlanStep> {
        let is_looked_up = |test: &&SliceTest| {
            matches!(test.how, Comparator::In | Comparator::NotIn) && !is_listed(&test.column)
        };
        for test in want.tests.iter().filter(is_looked_up) {
            let new: Vec<_> = self.know(|known| {
                let seen = known.seen_values(&test.column);
                test.values.iter().filter(|value| !seen.contains(value.as_str())).cloned().collect()
            });
            if new.is_empty() {
                continue;
            }
            let listed = self.listed(&test.column).await;
            for value in new.into_iter().filter(|value| !listed.contains(value)) {
                // The list may be cut short.
                let alone = SliceTest { how: Comparator::In, values: vec![value.clone()], ..test.clone() };
                if self.count(&Slice::default().and(alone)).await == 0 {
                    let listed = listed.iter().map(String::as_str);
                    return Err(PlanStep::Misasked(never(&test.column, &value, listed)));
                }
            }
        }
        Ok(())
    }
}
