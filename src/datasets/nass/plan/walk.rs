//! One walk over all that is wanted, from what was counted so far: it ends where something must be counted or fetched, or
//! with all parts. The same knowledge gives the same walk, so nothing but the knowledge has to be kept.

use super::CountPlan;
use super::values::{Dimension, OF_CENSUS_YEAR, OF_YEAR, YEARS, is_census};
use super::weights::Weights;
use crate::dataset::asked::{AskedPart, PlanStep, PlannedPart};
use crate::dataset::slice::{Comparator, Slice, SliceTest};

/// A request is planned this full where the numbers are guessed.
const FILLED: f64 = 0.95;
/// One that is less full gets more values, which costs a count.
const HALF_EMPTY: f64 = 0.4;
/// The level whose rows are by far the most.
const COUNTY: &str = "COUNTY";
/// How often a count may change under our eyes.
const DOUBTS: u32 = 4;

/// Values that were counted together.
#[derive(Clone, Debug)]
struct Atom {
    values: Vec<String>,
    records: u64,
}

pub(super) struct PlanWalk<'a> {
    plan: &'a CountPlan,
    weights: Weights,
    pub(super) parts: Vec<PlannedPart>,
    pub(super) tree: Vec<String>,
    depth: usize,
}

impl<'a> PlanWalk<'a> {
    pub(super) fn new(plan: &'a CountPlan) -> Self {
        let mut weights = Weights::default();
        for part in plan.known.iter().rev() {
            for dimension in [Dimension::State, Dimension::Level, Dimension::County] {
                if let Some(values) = values_of(&part.slice, dimension).filter(|values| values.len() > 1) {
                    weights.learn(dimension, &within(&part.slice, dimension), &values, part.records);
                }
            }
        }
        Self { plan, weights, parts: Vec::new(), tree: Vec::new(), depth: 0 }
    }

    /// Walks over all that is wanted.
    pub(super) fn all(&mut self) -> Result<(), PlanStep> {
        let want = &self.plan.want;
        let records = self.count(want)?;
        if records == 0 {
            self.say(want, 0, "nothing is asked for");
            return self.part(want, 0).map(drop);
        }
        let dimensions = match self.plan.years.as_slice() {
            [year] => of_year(year),
            _ => YEARS,
        };
        self.node(want, records, dimensions).map(drop)
    }

    /// What was counted, or that it must be.
    fn count(&self, slice: &Slice) -> Result<u64, PlanStep> {
        self.plan.count_of(slice).ok_or_else(|| PlanStep::Count(slice.clone()))
    }

    /// Plans a slice of so many records; gives how many its parts have.
    fn node(&mut self, slice: &Slice, records: u64, dimensions: &[Dimension]) -> Result<u64, PlanStep> {
        if records == 0 {
            return Ok(0);
        }
        if let Some(cover) = self.cover(slice, records)? {
            self.say(slice, records, &format!("{} part(s) of the archive", cover.len()));
            self.depth += 1;
            let mut sum = 0;
            for (slice, records) in cover {
                sum += self.part(&slice, records)?;
            }
            self.depth -= 1;
            return Ok(sum);
        }
        if records <= self.plan.limit {
            return self.part(slice, records);
        }
        let [dimension, rest @ ..] = dimensions else {
            return Err(PlanStep::Refuse(format!(
                "{slice} has {records} records, more than the {} of one answer, and cannot be split further",
                self.plan.limit
            )));
        };
        let state = values_of(slice, Dimension::State).filter(|states| states.len() == 1);
        let values = match values_of(slice, *dimension) {
            Some(values) => Some(values),
            None if *dimension == Dimension::Year => Some(self.plan.years.clone()),
            // A county's number says nothing without its state.
            None => {
                match dimension.values(state.as_ref().and_then(|states| states.first()).map(String::as_str)) {
                    Some(values) => Some(values),
                    None if *dimension == Dimension::County => None,
                    None => Some(self.listed(dimension.column())?),
                }
            }
        };
        match values.map(|values| allowed(slice, *dimension, values)) {
            Some(values) if values.len() > 1 => {
                self.say(slice, records, &format!("by {}", dimension.column()));
                self.depth += 1;
                let sum = self.split(slice, records, *dimension, values, rest)?;
                self.depth -= 1;
                Ok(sum)
            }
            _ => self.node(slice, records, rest),
        }
    }

    /// The values of a column, or that they must be asked for.
    fn listed(&self, column: &str) -> Result<Vec<String>, PlanStep> {
        self.plan.lists.get(column).cloned().ok_or_else(|| PlanStep::List(column.to_owned()))
    }

    /// Plans a slice that is over by the values of a column: values are counted together and packed together.
    fn split(
        &mut self,
        slice: &Slice,
        records: u64,
        dimension: Dimension,
        values: Vec<String>,
        rest: &[Dimension],
    ) -> Result<u64, PlanStep> {
        let (mut atoms, mut over) = (Vec::new(), Vec::new());
        let left = self.resolve(slice, dimension, (values.clone(), records), &mut atoms, &mut over)?;
        let mut sum = 0;
        let mut is_doubtful = false;
        for atom in pack(atoms, self.plan.limit) {
            let part = narrow(slice, dimension, &atom.values);
            let found = match atom.records {
                0 => 0,
                records => self.part(&part, records)?,
            };
            is_doubtful |= found != atom.records;
            sum += found;
        }
        if dimension == Dimension::State && over.len() > 1 && rest.first() == Some(&Dimension::Level) {
            // Together, so that what is small in each of them fills a request.
            let together: u64 = over.iter().map(|atom| atom.records).sum();
            let values: Vec<_> = over.iter().flat_map(|atom| atom.values.clone()).collect();
            let all = narrow(slice, dimension, &values);
            let level = Dimension::Level;
            let has_counties =
                values_of(slice, level).is_none_or(|levels| levels.iter().any(|known| known == COUNTY));
            if has_counties && self.count(&narrow(&all, level, &[COUNTY.to_owned()]))? == together {
                // Nothing in them is small: each is known already, and goes by its counties.
                let rest = rest.get(2..).unwrap_or_default();
                for atom in over {
                    sum += self.node(&narrow(slice, dimension, &atom.values), atom.records, rest)?;
                }
            } else {
                sum += self.node(&all, together, rest)?;
            }
        } else {
            for atom in over {
                let rest = match (dimension, atom.values.as_slice()) {
                    (Dimension::Year, [year]) => of_year(year),
                    _ => rest,
                };
                sum += self.node(&narrow(slice, dimension, &atom.values), atom.records, rest)?;
            }
        }
        if left > 0 || is_doubtful {
            sum += self.remainder(slice, dimension, &values, sum, rest)?;
        }
        Ok(sum)
    }

    /// Counts values together until each group fits into a request; single ones that do not are put into `over`. Gives how
    /// many records are of none of them.
    fn resolve(
        &mut self,
        slice: &Slice,
        dimension: Dimension,
        (mut values, mut records): (Vec<String>, u64),
        atoms: &mut Vec<Atom>,
        over: &mut Vec<Atom>,
    ) -> Result<u64, PlanStep> {
        let (limit, within) = (self.plan.limit, within(slice, dimension));
        while !values.is_empty() {
            if records <= limit || values.len() == 1 {
                let all = narrow(slice, dimension, &values);
                // What was counted of all that is left counts; else it is what the others left, which an answer proves.
                let found = match self.plan.count_of(&all) {
                    None if records > limit => self.count(&all)?,
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
            let some = choose(&values, &spread, limit as f64 * FILLED, true);
            let found = self.count(&narrow(slice, dimension, &some))?;
            self.weights.learn(dimension, &within, &some, found);
            values.retain(|value| !some.contains(value));
            records = records.saturating_sub(found);
            if found > limit && some.len() > 1 {
                records += self.resolve(slice, dimension, (some, found), atoms, over)?;
                continue;
            }
            let room = limit.saturating_sub(found);
            let atom = Atom { values: some, records: found };
            if found > limit {
                over.push(atom);
                continue;
            }
            atoms.push(atom);
            if (found as f64) < limit as f64 * HALF_EMPTY && !values.is_empty() && records > limit {
                let spread = self.weights.spread(dimension, &within, &values, records);
                let more = choose(&values, &spread, room as f64 * FILLED, false);
                if !more.is_empty() {
                    let found = self.count(&narrow(slice, dimension, &more))?;
                    self.weights.learn(dimension, &within, &more, found);
                    values.retain(|value| !more.contains(value));
                    records = records.saturating_sub(found);
                    if found <= limit {
                        atoms.push(Atom { values: more, records: found });
                    } else {
                        records += self.resolve(slice, dimension, (more, found), atoms, over)?;
                    }
                }
            }
        }
        Ok(records)
    }

    /// What the values that are known do not add up to is a part, too.
    fn remainder(
        &mut self,
        slice: &Slice,
        dimension: Dimension,
        values: &[String],
        sum: u64,
        rest: &[Dimension],
    ) -> Result<u64, PlanStep> {
        // It may have changed meanwhile.
        let records = self.plan.counted_again(slice).ok_or_else(|| PlanStep::Count(slice.clone()))?;
        if records <= sum {
            return Ok(0);
        }
        let mut found = sum;
        // Values that nobody knew of, as the service lists them; its list may be cut short.
        let listed = match dimension {
            Dimension::Year => Vec::new(),
            _ => self.listed(dimension.column())?,
        };
        let others: Vec<_> = listed.into_iter().filter(|value| !values.contains(value)).collect();
        let others = allowed(slice, dimension, others);
        let mut known = values.to_vec();
        if !others.is_empty() {
            let more = narrow(slice, dimension, &others);
            let records = self.count(&more)?;
            found += self.node(&more, records, rest)?;
            known.extend(others);
        }
        // What is between the values that are known: of a name that is repeated, one that must differ is enough, so "none of
        // these" cannot be asked.
        for gap in gaps(slice, dimension, known) {
            if found >= records {
                break;
            }
            let between = self.count(&gap)?;
            found += self.node(&gap, between, rest)?;
        }
        match found < records {
            false => Ok(found - sum),
            true => Err(PlanStep::Refuse(format!(
                "{slice}: the service counts {records} records, and {found} of them by {}",
                dimension.column()
            ))),
        }
    }

    /// A request, or what the archive has of it; gives how many records it has.
    fn part(&mut self, slice: &Slice, records: u64) -> Result<u64, PlanStep> {
        // Counted again because it did not have what was meant.
        let records = self.plan.count_of(slice).unwrap_or(records);
        let found = self.plan.part_of(slice);
        match found {
            Some(part) if part.records == records => {
                self.take(slice, records, Some(part.clone()));
                Ok(records)
            }
            Some(_) if self.plan.is_doubted(slice) && self.plan.count_of(slice).is_none() => {
                Err(PlanStep::Count(slice.clone()))
            }
            _ if self.plan.doubts(slice) > DOUBTS => Err(PlanStep::Refuse(format!(
                "{slice} has another number of records each time that it is asked for: run again later"
            ))),
            _ if !self.plan.fetches => {
                self.take(slice, records, None);
                Ok(records)
            }
            _ => Err(PlanStep::Fetch { slice: slice.clone(), records }),
        }
    }

    fn take(&mut self, slice: &Slice, records: u64, part: Option<AskedPart>) {
        let how = match &part {
            Some(part) => format!("archived as {}", part.name),
            None => "one request".to_owned(),
        };
        self.say(slice, records, &how);
        self.parts.push(PlannedPart { slice: slice.clone(), records, part });
    }

    /// Parts of the archive that are all of a slice, with their counts: theirs if they add up to what is counted now, else
    /// each counted anew, if it seems that only some changed.
    fn cover(&self, slice: &Slice, records: u64) -> Result<Option<Vec<(Slice, u64)>>, PlanStep> {
        let mut cover: Vec<&AskedPart> = Vec::new();
        for part in self.plan.known.iter().filter(|part| part.records > 0 && part.slice.is_within(slice)) {
            if !cover.iter().any(|taken| taken.slice.overlaps(&part.slice)) {
                cover.push(part);
            }
        }
        let sum: u64 = cover.iter().map(|part| part.records).sum();
        if cover.is_empty() || cover.iter().any(|part| part.records > self.plan.limit) {
            return Ok(None);
        }
        if sum == records {
            return Ok(Some(cover.iter().map(|part| (part.slice.clone(), part.records)).collect()));
        }
        if cover.len() < 2 || sum.abs_diff(records) * 5 > records {
            return Ok(None);
        }
        let mut counted = Vec::new();
        for part in cover {
            counted.push((part.slice.clone(), self.count(&part.slice)?));
        }
        let fits = counted.iter().all(|(_, found)| *found <= self.plan.limit);
        let sum: u64 = counted.iter().map(|(_, found)| found).sum();
        counted.retain(|(_, found)| *found > 0);
        Ok((fits && sum == records).then_some(counted))
    }

    fn say(&mut self, slice: &Slice, records: u64, how: &str) {
        self.tree.push(format!("{}{slice}: {records} records, {how}", "  ".repeat(self.depth)));
    }
}

fn of_year(year: &str) -> &'static [Dimension] {
    if is_census(year) { OF_CENSUS_YEAR } else { OF_YEAR }
}

/// The values of a column that a slice is of; `None`: it says nothing of them.
fn values_of(slice: &Slice, dimension: Dimension) -> Option<Vec<String>> {
    let test =
        slice.tests.iter().find(|test| test.column == dimension.column() && test.how == Comparator::In)?;
    Some(test.values.clone())
}

/// Values without those that the slice's other tests keep out.
fn allowed(slice: &Slice, dimension: Dimension, values: Vec<String>) -> Vec<String> {
    let tests = || slice.tests.iter().filter(|test| test.column == dimension.column());
    values.into_iter().filter(|value| tests().all(|test| test.passes(value))).collect()
}

/// A slice of fewer values of a column.
fn narrow(slice: &Slice, dimension: Dimension, values: &[String]) -> Slice {
    let column = dimension.column();
    let is_number = dimension == Dimension::Year;
    let mut tests = slice.tests.clone();
    tests.retain(|test| test.column != column || !is_number && test.how != Comparator::In);
    let mut values = values.to_vec();
    values.sort();
    let test = SliceTest { column: column.to_owned(), is_number, how: Comparator::In, values };
    Slice { tests }.and(test)
}

/// A slice between the values of a column, before the first and behind the last.
fn gaps(slice: &Slice, dimension: Dimension, mut values: Vec<String>) -> Vec<Slice> {
    values.sort();
    let test = |how: Comparator, value: &String| SliceTest {
        column: dimension.column().to_owned(),
        is_number: dimension == Dimension::Year,
        how,
        values: vec![value.clone()],
    };
    let (Some(first), Some(last)) = (values.first(), values.last()) else { return Vec::new() };
    let before = slice.and(test(Comparator::Below, first));
    let behind = slice.and(test(Comparator::Above, last));
    let between = values.windows(2).map(|pair| match pair {
        [low, high] => slice.and(test(Comparator::Above, low)).and(test(Comparator::Below, high)),
        _ => slice.clone(),
    });
    [behind, before].into_iter().chain(between).collect()
}

/// What a spread over a column is learned within: a census has other states than a survey.
fn within(slice: &Slice, dimension: Dimension) -> String {
    let columns = match dimension {
        Dimension::County => &[Dimension::State][..],
        _ => &[Dimension::Source, Dimension::Level],
    };
    let told = columns.iter().filter_map(|column| match values_of(slice, *column)?.as_slice() {
        [value] => Some(value.clone()),
        _ => None,
    });
    told.collect::<Vec<_>>().join("/")
}

/// Values that together have about so many records, the largest first.
fn choose(values: &[String], spread: &[f64], most: f64, at_least_one: bool) -> Vec<String> {
    let mut order: Vec<_> = (0..values.len()).collect();
    order.sort_by(|a, b| spread[*b].total_cmp(&spread[*a]).then(values[*a].cmp(&values[*b])));
    let (mut some, mut sum) = (Vec::new(), 0.0);
    for at in order {
        if at_least_one && some.is_empty() || sum + spread[at] <= most {
            sum += spread[at];
            some.push(values[at].clone());
        }
    }
    some
}

/// Puts counted values together into as few requests as fit, the largest first.
fn pack(mut atoms: Vec<Atom>, limit: u64) -> Vec<Atom> {
    atoms.retain(|atom| atom.records > 0);
    atoms.sort_by(|a, b| b.records.cmp(&a.records).then(a.values.cmp(&b.values)));
    let mut packed: Vec<Atom> = Vec::new();
    for atom in atoms {
        match packed.iter_mut().find(|known| known.records + atom.records <= limit) {
            Some(known) => {
                known.records += atom.records;
                known.values.extend(atom.values);
            }
            None => packed.push(atom),
        }
    }
    packed
}
