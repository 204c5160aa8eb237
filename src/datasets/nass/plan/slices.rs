//! Slices of a slice: fewer values of a column, and what is between the values.

use super::values::{Dimension, OF_CENSUS_YEAR, OF_YEAR, is_census};
use crate::dataset::slice::{Comparator, Slice, SliceTest};

pub(super) fn of_year(year: &str) -> &'static [Dimension] {
    if is_census(year) { OF_CENSUS_YEAR } else { OF_YEAR }
}

/// The values of a column that a slice is of; `None`: it says nothing of them.
pub(super) fn values_of(slice: &Slice, dimension: Dimension) -> Option<Vec<String>> {
    let test =
        slice.tests.iter().find(|test| test.column == dimension.column() && test.how == Comparator::In)?;
    Some(test.values.clone())
}

/// Values without those that the slice's other tests keep out.
pub(super) fn allowed(slice: &Slice, dimension: Dimension, values: Vec<String>) -> Vec<String> {
    let tests = || slice.tests.iter().filter(|test| test.column == dimension.column());
    values.into_iter().filter(|value| tests().all(|test| test.passes(value))).collect()
}

/// A slice of fewer values of a column.
pub(super) fn narrow(slice: &Slice, dimension: Dimension, values: &[String]) -> Slice {
    let column = dimension.column();
    let is_number = dimension == Dimension::Year;
    let mut tests = slice.tests.clone();
    tests.retain(|test| test.column != column || !is_number && test.how != Comparator::In);
    let mut values = values.to_vec();
    values.sort();
    let test = SliceTest { column: column.to_owned(), is_number, how: Comparator::In, values };
    Slice { tests }.and(test)
}

/// A slice before a value, behind it or up to it. Of two bounds on one side the narrower counts: the service would take what
/// is within either of them.
pub(super) fn beside(slice: &Slice, dimension: Dimension, how: Comparator, value: &str) -> Slice {
    let is_bound = |test: &&SliceTest| test.column == dimension.column() && test.how == how;
    let mut tests = slice.tests.clone();
    if let Some(known) = slice.tests.iter().find(is_bound) {
        if !known.passes(value) {
            return slice.clone();
        }
        tests.retain(|test| test != known);
    }
    Slice { tests }.and(SliceTest {
        column: dimension.column().to_owned(),
        is_number: dimension == Dimension::Year,
        how,
        values: vec![value.to_owned()],
    })
}

/// A slice behind the last of the values of a column, and between each two of them, which are sorted.
pub(super) fn gaps(slice: &Slice, dimension: Dimension, values: &[String]) -> Vec<Slice> {
    let behind = values.last().map(|last| beside(slice, dimension, Comparator::Above, last));
    let between = values.iter().zip(values.iter().skip(1)).map(|(low, high)| {
        let above = beside(slice, dimension, Comparator::Above, low);
        beside(&above, dimension, Comparator::Below, high)
    });
    behind.into_iter().chain(between).collect()
}

/// What a spread over a column is learned within: a census has other states than a survey.
pub(super) fn within(slice: &Slice, dimension: Dimension) -> String {
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

/// The rows of either of two slices that differ in the values of one column alone; `None`: they differ in more.
pub(super) fn union(a: &Slice, b: &Slice) -> Option<Slice> {
    let only = |a: &Slice, b: &Slice| -> Vec<SliceTest> {
        a.tests.iter().filter(|test| !b.tests.contains(test)).cloned().collect()
    };
    match (only(a, b).as_slice(), only(b, a).as_slice()) {
        ([one], [other])
            if one.column == other.column && [one.how, other.how] == [Comparator::In, Comparator::In] =>
        {
            let mut tests = a.tests.clone();
            tests.retain(|test| test != one);
            let mut values = [one.values.as_slice(), &other.values].concat();
            values.sort();
            values.dedup();
            Some(Slice { tests }.and(SliceTest { values, ..one.clone() }))
        }
        _ => None,
    }
}
