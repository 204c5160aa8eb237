//! Decides what may be shown. Small numbers are dropped here, before anything is drawn, so that no later code knows
//! them.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::classes::Classes;
use crate::dataset::map::{MapArea, Measured};

/// Records of one area, as the database counts them.
pub struct Row {
    /// The area's key; none: records without an area.
    pub area: Option<String>,
    /// Or the figure of the area.
    pub records: u64,
    pub first: Date,
    pub last: Date,
}

/// The number of an area; `None`: it is zero or too small to be shown, which are not distinguished.
pub type ShownNumber = Option<u64>;

/// Areas with their numbers, and what may be shown for all of them together.
///
/// Everything derived from it depends only on the numbers that are shown, so that no sum reveals one that is not: the
/// total covers only the shown areas, the classes are made from these, and the records without an area are given as a
/// rough share.
pub struct MapCounts {
    pub areas: Vec<(MapArea, ShownNumber)>,
    pub classes: Classes,
    /// The percentage of records without an area, roughly; `None`: few or none.
    pub without: Option<u64>,
    pub fewest: u64,
    pub measured: Measured,
}

impl MapCounts {
    pub fn new(shapes: Vec<MapArea>, rows: &[Row], measured: Measured, fewest: u64) -> Self {
        let fewest = match measured {
            Measured::Records => fewest,
            Measured::Figure { .. } => 0,
        };
        let shown = |records: u64| Some(records).filter(|records| *records >= fewest);
        let found: BTreeMap<_, _> =
            rows.iter().filter_map(|row| Some((row.area.as_deref()?, row.records))).collect();
        let areas: Vec<_> = shapes
            .into_iter()
            .map(|area| {
                let records = found.get(area.key.as_str()).copied();
                (area, records.and_then(shown))
            })
            .collect();
        let numbers: Vec<_> = areas.iter().filter_map(|(_, shown)| *shown).collect();
        let total: u64 = numbers.iter().sum();
        let without = rows.iter().find(|row| row.area.is_none()).and_then(|row| shown(row.records));
        let without = without.filter(|_| matches!(measured, Measured::Records));
        let without = without.map(|without| rough_share(without, without + total, fewest));
        Self { areas, classes: Classes::of(&numbers), without, fewest, measured }
    }

    /// How many areas are shown with their numbers.
    pub fn shown(&self) -> usize {
        self.areas.iter().filter(|(_, shown)| shown.is_some()).count()
    }

    /// The sum of the numbers that are shown.
    pub fn total(&self) -> u64 {
        self.areas.iter().filter_map(|(_, shown)| *shown).sum()
    }
}

/// The share of `part` in `all`, in per cent: to the nearest five, or to the nearest one if a hundredth hides an area's number.
/// Only the whole is given as a hundred.
fn rough_share(part: u64, all: u64, fewest: u64) -> u64 {
    let step = if all >= 100 * fewest { 1 } else { 5 };
    let nearest = (part * 200 + all * step) / (all * step * 2) * step;
    if part == all { 100 } else { nearest.clamp(step, 100 - step) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::map::Form;

    fn counts(records: &[u64], without: u64) -> MapCounts {
        measured(records, without, Measured::Records)
    }

    fn measured(records: &[u64], without: u64, measured: Measured) -> MapCounts {
        let day = jiff::civil::date(2026, 1, 1);
        let row = |area: Option<String>, records| Row { area, records, first: day, last: day };
        let area = |key: usize| MapArea {
            key: key.to_string(),
            name: key.to_string(),
            place: "",
            codes: Vec::new(),
            panel: 0,
            form: Form::Nowhere,
        };
        let mut rows: Vec<_> =
            records.iter().enumerate().map(|(key, records)| row(Some(key.to_string()), *records)).collect();
        rows.push(row(None, without));
        MapCounts::new((0..records.len() + 1).map(area).collect(), &rows, measured, 10)
    }

    #[test]
    fn a_small_number_is_let_go_and_is_in_no_sum() {
        let found = counts(&[9, 10, 1, 1_000], 0);
        let shown: Vec<_> = found.areas.iter().map(|(_, shown)| *shown).collect();
        assert_eq!(shown, [None, Some(10), None, Some(1_000), None]);
        assert_eq!((found.shown(), found.total(), found.without), (2, 1_010, None));
    }

    #[test]
    fn a_figure_is_shown_however_small_and_none_is_not_zero() {
        let found = measured(&[0, 9, 1_234], 0, Measured::Figure { unit: "acres", about: "" });
        let shown: Vec<_> = found.areas.iter().map(|(_, shown)| *shown).collect();
        assert_eq!(shown, [Some(0), Some(9), Some(1_234), None]);
    }

    #[test]
    fn what_is_hidden_changes_nothing_that_is_said() {
        let said = |hidden| {
            let counts = counts(&[500, hidden, 80], 30);
            (counts.shown(), counts.total(), counts.without, counts.classes)
        };
        for hidden in 1..10 {
            assert_eq!(said(hidden), said(0), "{hidden}");
        }
    }

    #[test]
    fn records_without_an_area_are_a_rough_share() {
        for (without, said) in
            [(0, None), (9, None), (10, Some(1)), (50, Some(5)), (600, Some(38)), (10_000_000, Some(99))]
        {
            assert_eq!(counts(&[1_000], without).without, said, "{without}");
        }
        for (without, said) in [(10, Some(10)), (60, Some(40)), (200, Some(65)), (800, Some(90))] {
            assert_eq!(counts(&[100], without).without, said, "{without}");
        }
        assert_eq!(counts(&[9], 10).without, Some(100));
    }
}
