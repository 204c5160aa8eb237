//! One walk over all that is wanted: it waits where something must be counted or fetched, and ends with all parts. It depends
//! only on the knowledge, so only the knowledge has to be kept.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use super::WalkState;
use super::knowledge::Knowledge;
use super::pack::{Atom, choose, pack, together};
use super::slices::{allowed, narrow, of_year, values_of, within};
use super::values::{Dimension, YEARS};
use super::weights::Weights;
use crate::dataset::asked::{AskedPart, PlanStep, PlannedPart};
use crate::dataset::slice::Slice;
use crate::words;

/// The level with by far the most rows.
const COUNTY: &str = "COUNTY";
/// If so few values exceed the limit together, they are taken one by one.
const FEW: usize = 4;
/// How often a count may change during the plan.
const DOUBTS: u32 = 4;

/// What to do about a service that contradicts itself.
pub(super) const LATER: &str =
    "run again later, because the service may be changing its data; or take the bulk files with --via bulk";

/// The result of a part of the walk; the error is a step that ends the walk early.
pub(super) type Walked<'a, T> = Pin<Box<dyn Future<Output = Result<T, PlanStep>> + Send + 'a>>;

pub(super) struct PlanWalk {
    pub(super) state: Arc<Mutex<WalkState>>,
    pub(super) weights: Weights,
    /// For each column split before, whether there were records before the first value (an empty cell sorts there).
    pub(super) rests: HashMap<Dimension, bool>,
    depth: usize,
}

impl PlanWalk {
    pub(super) fn new(state: Arc<Mutex<WalkState>>) -> Self {
        let mut weights = Weights::default();
        for part in WalkState::of(&state).knowledge.known.iter().rev() {
            for dimension in [Dimension::State, Dimension::Level, Dimension::County] {
                if let Some(values) = values_of(&part.slice, dimension).filter(|values| values.len() > 1) {
                    weights.learn(dimension, &within(&part.slice, dimension), &values, part.records);
                }
            }
        }
        Self { state, weights, rests: HashMap::new(), depth: 0 }
    }

    /// Walks over all that is wanted.
    ///
    /// # Errors
    /// The step that ends the plan: what is wanted cannot be had.
    pub(super) async fn all(mut self) -> Result<(), PlanStep> {
        let (want, years) = self.know(|known| (known.want.clone(), known.years.clone()));
        self.find_values(&want).await?;
        let records = self.count(&want).await;
        if records == 0 {
            self.say(&want, 0, "nothing is asked for");
            return self.part(&want, 0).await.map(drop);
        }
        let dimensions = match years.as_slice() {
            [year] => of_year(year),
            _ => YEARS,
        };
        let found = self.node(&want, records, dimensions).await?;
        self.admit(&want, (records, found), "in parts").await
    }

    /// Sees that as many records are planned as there are; `how` says how they were found, for people.
    ///
    /// # Errors
    /// [`PlanStep::Refuse`] if some are missing.
    pub(super) async fn admit(
        &self,
        slice: &Slice,
        (records, found): (u64, u64),
        how: &str,
    ) -> Result<(), PlanStep> {
        if found >= records {
            return Ok(());
        }
        // The number may have changed in the meantime.
        let records = self.recount(slice).await;
        match found < records {
            false => Ok(()),
            true => Err(PlanStep::Refuse {
                why: format!("{slice}: the service counts {records} records, and {found} of them {how}"),
                next: LATER,
            }),
        }
    }

    pub(super) fn know<T>(&self, ask: impl FnOnce(&Knowledge) -> T) -> T {
        ask(&WalkState::of(&self.state).knowledge)
    }

    /// Waits until something is known; until then the plan's next step is `step`, which finds it out.
    pub(super) async fn learn<T>(&self, step: PlanStep, known: impl Fn(&Knowledge) -> Option<T>) -> T {
        std::future::poll_fn(|_| {
            let mut state = WalkState::of(&self.state);
            match known(&state.knowledge) {
                Some(known) => Poll::Ready(known),
                None => {
                    state.waits_for = Some(step.clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// The number of records of a slice.
    pub(super) async fn count(&self, slice: &Slice) -> u64 {
        self.learn(PlanStep::Count(slice.clone()), |known| known.count_of(slice)).await
    }

    /// The number of records of a slice, which was so many when it was last known. It is asked for again if an answer says
    /// otherwise.
    pub(super) async fn recent(&self, slice: &Slice, records: u64) -> u64 {
        let known = self.know(|known| {
            let records = known.count_of(slice).unwrap_or(records);
            let is_doubtful =
                known.doubts(slice) > 0 && known.part_of(slice).is_none_or(|part| part.records != records);
            (!is_doubtful).then_some(records)
        });
        match known {
            Some(records) => records,
            None => self.count(slice).await,
        }
    }

    /// The values of a column.
    pub(super) async fn listed(&self, column: &str) -> Vec<String> {
        self.learn(PlanStep::List(column.to_owned()), |known| known.list_of(column).cloned()).await
    }

    /// Plans a slice of so many records; returns how many records its parts have.
    pub(super) fn node<'a>(
        &'a mut self,
        slice: &'a Slice,
        records: u64,
        dimensions: &'a [Dimension],
    ) -> Walked<'a, u64> {
        Box::pin(async move {
            if records == 0 {
                return Ok(0);
            }
            let records = self.recent(slice, records).await;
            if let Some(cover) = self.cover(slice, records).await {
                let parts = words::counted(cover.len() as u64, "part");
                self.say(slice, records, &format!("{parts} of the archive"));
                self.depth += 1;
                let mut sum = 0;
                for (slice, records) in cover {
                    sum += self.part(&slice, records).await?;
                }
                self.depth -= 1;
                return Ok(sum);
            }
            if self.is_within_archived(slice, records).await {
                return Ok(records);
            }
            let limit = self.know(|known| known.limit);
            if records <= limit {
                return self.part(slice, records).await;
            }
            let [dimension, rest @ ..] = dimensions else {
                return Err(PlanStep::Refuse {
                    why: format!(
                        "{slice} has {records} records, more than the {limit} of one answer, and cannot be split further"
                    ),
                    next: "ask for fewer years, give a narrower --filter, or take the bulk files with --via bulk",
                });
            };
            match self.values(slice, *dimension).await {
                Some(values) if values.len() > 1 => {
                    self.say(slice, records, &format!("by {}", dimension.column()));
                    self.depth += 1;
                    let sum = self.split(slice, records, values, (*dimension, dimensions)).await?;
                    self.depth -= 1;
                    Ok(sum)
                }
                _ => self.node(slice, records, rest).await,
            }
        })
    }

    /// The values of a column by which a slice can be split; `None`: it cannot be split by this column.
    async fn values(&self, slice: &Slice, dimension: Dimension) -> Option<Vec<String>> {
        if dimension == Dimension::County && !may_have_counties(slice) {
            return None;
        }
        let state = values_of(slice, Dimension::State).filter(|states| states.len() == 1);
        let values = match values_of(slice, dimension) {
            Some(values) => values,
            None if dimension == Dimension::Year => self.know(|known| known.years.clone()),
            None => {
                match dimension.values(state.as_ref().and_then(|states| states.first()).map(String::as_str)) {
                    Some(values) => values,
                    // The code of a county is only meaningful within a state.
                    None if dimension == Dimension::County => return None,
                    None => self.listed(dimension.column()).await,
                }
            }
        };
        Some(allowed(slice, dimension, values))
    }

    /// Plans a slice that exceeds the limit: counts groups of values of a column, and packs them into requests.
    async fn split(
        &mut self,
        slice: &Slice,
        records: u64,
        values: Vec<String>,
        (dimension, dimensions): (Dimension, &[Dimension]),
    ) -> Result<u64, PlanStep> {
        let rest = dimensions.get(1..).unwrap_or_default();
        let (mut atoms, mut over) = (Vec::new(), Vec::new());
        let mut values = values;
        values.sort();
        let first = self.first_values(slice, dimension, records, &mut values).await;
        let is_all =
            !dimension.may_leave_rest() || first.is_some() || self.rests.get(&dimension) == Some(&false);
        let rest_of = records.saturating_sub(first.as_ref().map_or(0, |first| first.records));
        // The years are known completely, because they are the ones that are wanted.
        let all = (values.clone(), rest_of, (is_all, dimension == Dimension::Year));
        let left = self.resolve(slice, dimension, all, &mut atoms, &mut over).await?;
        let limit = self.know(|known| known.limit);
        let mut sum = 0;
        if let Some(first) = &first {
            sum += self.node(&first.slice, first.records, rest).await?;
        }
        for atom in pack(atoms, limit) {
            let part = narrow(slice, dimension, &atom.values);
            sum += match self.recent(&part, atom.records).await {
                // The number has grown in the meantime. If it is the slice itself, that one's count was too high.
                records if records > limit && part != *slice => self.node(&part, records, dimensions).await?,
                records => self.part(&part, records).await?,
            };
        }
        if dimension == Dimension::State && over.len() > 1 && rest.first() == Some(&Dimension::Level) {
            // Handled together, so that small values from each of them can fill a request.
            let together: u64 = over.iter().map(|atom| atom.records).sum();
            let values: Vec<_> = over.iter().flat_map(|atom| atom.values.clone()).collect();
            let all = narrow(slice, dimension, &values);
            let level = Dimension::Level;
            if may_have_counties(slice)
                && self.count(&narrow(&all, level, &[COUNTY.to_owned()])).await == together
            {
                // None of them has small values: each of the next values is known already, so continue with the counties.
                let rest = rest.get(2..).unwrap_or_default();
                for atom in over {
                    sum += self.node(&narrow(slice, dimension, &atom.values), atom.records, rest).await?;
                }
            } else {
                sum += self.node(&all, together, rest).await?;
            }
        } else {
            for atom in over {
                let rest = match (dimension, atom.values.as_slice()) {
                    (Dimension::Year, [year]) => of_year(year),
                    _ => rest,
                };
                sum += self.node(&narrow(slice, dimension, &atom.values), atom.records, rest).await?;
            }
        }
        if sum != records {
            // What was planned is not what was counted.
            let is_doubtful = sum + left != records;
            let has_first = first.is_some();
            let last = first.map(|first| first.last);
            // The value that the first request excludes comes before its last value.
            values.retain(|value| Some(value) > last.as_ref());
            let known = last.into_iter().chain(values).collect();
            sum += self
                .remainder(slice, (dimension, rest), (known, has_first), (records, sum), is_doubtful)
                .await?;
        } else {
            self.rests.entry(dimension).or_insert(false);
        }
        Ok(sum)
    }

    /// Counts groups of values until each fits into a request; single values that do not fit are added to `over`. Returns how
    /// many records have none of the values; this is 0 if these are all values (`is_all`), which may be a guess, or certain
    /// (`is_certain`).
    fn resolve<'a>(
        &'a mut self,
        slice: &'a Slice,
        dimension: Dimension,
        (mut values, mut records, (is_all, is_certain)): (Vec<String>, u64, (bool, bool)),
        atoms: &'a mut Vec<Atom>,
        over: &'a mut Vec<Atom>,
    ) -> Walked<'a, u64> {
        Box::pin(async move {
            let (limit, within) = (self.know(|known| known.limit), within(slice, dimension));
            while !values.is_empty() {
                if records <= limit || values.len() == 1 {
                    let all = narrow(slice, dimension, &values);
                    // If the remaining values were counted together, that count is used. Otherwise, if nothing else can be
                    // left, the number is what the others leave, and the answer will prove it. Values with too many records, or
                    // with none, get no answer that could prove it, so for them it is used only if it is certain.
                    let is_known = is_certain || is_all && (1..=limit).contains(&records);
                    let found = match self.know(|known| known.count_of(&all)) {
                        None if !is_known => self.count(&all).await,
                        counted => counted.unwrap_or(records),
                    };
                    self.weights.learn(dimension, &within, &values, found);
                    let atom = Atom { values, records: found };
                    if found <= limit {
                        atoms.push(atom);
                    } else {
                        over.push(atom);
                    }
                    return Ok(records.saturating_sub(found));
                }
                let spread = self.weights.spread(dimension, &within, &values, records);
                let is_known = self.weights.knows(dimension, &within, &values);
                let is_few = is_all && values.len() <= FEW;
                // If a few exceed the limit together, only the largest is counted alone.
                let most = if is_few { 0.0 } else { together(records, limit, is_known) };
                let some = choose(&values, &spread, most);
                let found = self.count(&narrow(slice, dimension, &some)).await;
                self.weights.learn(dimension, &within, &some, found);
                values.retain(|value| !some.contains(value));
                records = records.saturating_sub(found);
                if found > limit && some.len() > 1 {
                    records +=
                        self.resolve(slice, dimension, (some, found, (true, true)), atoms, over).await?;
                    continue;
                }
                let atom = Atom { values: some, records: found };
                if found > limit {
                    over.push(atom);
                } else {
                    atoms.push(atom);
                }
            }
            Ok(records)
        })
    }

    /// Plans a request, or takes its answer from the archive; returns its number of records.
    async fn part(&mut self, slice: &Slice, records: u64) -> Result<u64, PlanStep> {
        let records = self.recent(slice, records).await;
        let (found, doubts, fetches) =
            self.know(|known| (known.part_of(slice).cloned(), known.doubts(slice), known.fetches));
        if let Some(part) = found.as_ref().filter(|part| part.records == records) {
            self.take(slice, records, Some(part.clone()));
            return Ok(records);
        }
        if doubts > DOUBTS {
            let what = match found {
                Some(part) => format!("its answer has {}", part.records),
                None => "does not give them at once".to_owned(),
            };
            return Err(PlanStep::Refuse {
                why: format!(
                    "{slice}: the service counts {records} records, but {what}, however often it was asked"
                ),
                next: LATER,
            });
        }
        if !fetches {
            self.take(slice, records, None);
            return Ok(records);
        }
        let is_it = |known: &Knowledge| known.part_of(slice).filter(|part| part.records == records).cloned();
        let part = self.learn(PlanStep::Fetch { slice: slice.clone(), records }, is_it).await;
        self.take(slice, records, Some(part));
        Ok(records)
    }

    pub(super) fn take(&mut self, slice: &Slice, records: u64, part: Option<AskedPart>) {
        let how = match &part {
            Some(part) => format!("archived as {}", part.name),
            None => "one request".to_owned(),
        };
        self.say(slice, records, &how);
        let planned = PlannedPart { slice: slice.clone(), records, part };
        WalkState::of(&self.state).parts.push(planned);
    }

    pub(super) fn say(&self, slice: &Slice, records: u64, how: &str) {
        let line = format!("{}{slice}: {records} records, {how}", "  ".repeat(self.depth));
        WalkState::of(&self.state).tree.push(line);
    }
}

/// Whether the levels of a slice include the one of the counties: the rows of all others have no code of a county.
fn may_have_counties(slice: &Slice) -> bool {
    values_of(slice, Dimension::Level).is_none_or(|levels| levels.iter().any(|level| level == COUNTY))
}
