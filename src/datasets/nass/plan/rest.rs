//! Plans the rest: records that belong to none of the known values of a column, because the value is empty (and sorts before
//! all others) or was not known.

use super::pack::FILLED;
use super::slices::{allowed, beside, gaps, narrow, within};
use super::values::Dimension;
use super::walk::PlanWalk;
use crate::dataset::asked::PlanStep;
use crate::dataset::slice::{Comparator, Slice, SliceTest};

/// The first values of a column, together with everything that sorts before them.
pub(super) struct FirstValues {
    pub slice: Slice,
    pub records: u64,
    /// The last of these values.
    pub last: String,
}

impl PlanWalk {
    /// Takes the first of the sorted values together with everything before them, if something is known to sort before them.
    /// Otherwise records without a value would need a request of their own.
    pub(super) async fn first_values(
        &mut self,
        slice: &Slice,
        dimension: Dimension,
        records: u64,
        values: &mut Vec<String>,
    ) -> Option<FirstValues> {
        let is_split = slice.tests.iter().any(|test| test.column == dimension.column());
        if is_split || self.rests.get(&dimension) != Some(&true) {
            return None;
        }
        let within = within(slice, dimension);
        let limit = self.know(|known| known.limit) as f64;
        let full = limit * FILLED;
        let spread = self.weights.spread(dimension, &within, values, records);
        let (mut sum, mut first, mut without) = (0.0, Vec::new(), None);
        for (value, records) in values.iter().zip(spread) {
            if first.len() + 1 >= values.len() {
                break;
            }
            if sum + records <= full {
                sum += records;
                first.push(value.clone());
            } else if sum >= full / 2.0 {
                break;
            } else if records > limit {
                // It is split anyway, and so are the small ones beside it.
                first.push(value.clone());
                break;
            } else if without.is_none() {
                // It fits alone, and a request can exclude one value.
                without = Some(value.clone());
            } else {
                break;
            }
        }
        let last = first.last()?.clone();
        values.retain(|value| !first.contains(value));
        let mut slice = beside(slice, dimension, Comparator::AtMost, &last);
        if let Some(value) = without.filter(|value| *value < last) {
            slice = slice.and(SliceTest::text(dimension.column(), Comparator::NotIn, vec![value]));
        }
        let records = self.count(&slice).await;
        self.weights.learn(dimension, &within, &first, records);
        Some(FirstValues { slice, records, last })
    }

    /// Plans the records that have none of the known values, which must be sorted. `has_first`: everything before the first
    /// value is already planned together with it. `records` is the number of all records, `found` the number already planned;
    /// returns how many more are planned.
    pub(super) async fn remainder(
        &mut self,
        slice: &Slice,
        (dimension, rest): (Dimension, &[Dimension]),
        (mut known, has_first): (Vec<String>, bool),
        (mut records, sum): (u64, u64),
        is_doubtful: bool,
    ) -> Result<u64, PlanStep> {
        if is_doubtful {
            records = self.recount(slice).await;
        }
        let mut found = sum;
        if let Some(first) = known.first().filter(|_| found < records && !has_first) {
            let before = beside(slice, dimension, Comparator::Below, first);
            let between = self.count(&before).await;
            self.rests.insert(dimension, between > 0);
            found += self.node(&before, between, rest).await?;
        }
        // Values that were not known, from the service's list, which may be cut short.
        if found < records && dimension != Dimension::Year {
            let is_new = |value: &String| known.first() < Some(value) && !known.contains(value);
            let others: Vec<_> = self.listed(dimension.column()).await.into_iter().filter(is_new).collect();
            let others = allowed(slice, dimension, others);
            if !others.is_empty() {
                let more = narrow(slice, dimension, &others);
                let records = self.count(&more).await;
                found += self.node(&more, records, rest).await?;
                known.extend(others);
                known.sort();
            }
        }
        // The gaps between known values. A request cannot exclude several values, because conditions on one column are joined
        // by "or".
        for gap in gaps(slice, dimension, &known) {
            if found >= records {
                break;
            }
            let between = self.count(&gap).await;
            found += self.node(&gap, between, rest).await?;
        }
        self.admit(slice, (records, found), &format!("by {}", dimension.column())).await?;
        Ok(found - sum)
    }

    /// The result of a second count.
    pub(super) async fn recount(&self, slice: &Slice) -> u64 {
        self.learn(PlanStep::Count(slice.clone()), |known| known.counted_again(slice)).await
    }
}
