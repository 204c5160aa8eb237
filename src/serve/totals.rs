//! Sums by branch and by day.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

/// Branches of an answer at most.
pub const BRANCHES_MOST: usize = 10_000;

/// A branch over all days.
#[derive(Debug, Serialize)]
pub struct Stat {
    pub sbi: String,
    pub total: i64,
    pub delta: Option<i64>,
    pub percentage: Option<f64>,
}

/// The sum of a day over all branches.
#[derive(Debug, Serialize)]
pub struct Moment {
    pub date: Date,
    /// Null: there are some that may not be told by day, or none.
    pub hits: Option<i64>,
    pub delta: Option<i64>,
}

/// The change of a total since the hits that it is compared with (`delta`), as an unrounded fraction.
fn percentage(total: i64, delta: Option<i64>) -> Option<f64> {
    delta.map(|delta| if delta == 0 { 0.0 } else { (total - delta) as f64 / delta as f64 })
}

/// Hits, and the hits that they are compared with, if these are known.
pub type Sum = (i64, Option<i64>);

/// The lines of a packed row: what each is of (a postcode or a day of the month), its sum, and its branch. If it has no delta, that
/// is unknown.
pub fn unpacked(cells: &str) -> impl Iterator<Item = (&str, Sum, &str)> {
    cells.split('\n').filter_map(|line| {
        let mut parts = line.splitn(4, ',');
        let mut part = || parts.next().unwrap_or_default();
        let (of, hits, delta, branch) = (part(), part(), part(), part());
        Some((of, (hits.parse().ok()?, delta.parse().ok()), branch))
    })
}

/// A sum of no rows.
pub const NOTHING: Sum = (0, Some(0));

/// Adds to a sum. If either delta is unknown, so is the delta of the sum.
pub fn add(sum: &mut Sum, (hits, delta): Sum) {
    *sum = (sum.0 + hits, sum.1.zip(delta).map(|(sum, delta)| sum + delta));
}

/// Sums by branch and by day.
#[derive(Debug)]
pub struct Totals {
    stats: BTreeMap<String, Sum>,
    days: BTreeMap<Date, Sum>,
}

impl Totals {
    /// Begins with no hits on these days; the second value of each is its delta.
    pub fn new(days: impl Iterator<Item = (Date, Option<i64>)>) -> Self {
        let days = days.map(|(date, delta)| (date, (0, delta)));
        Self { stats: BTreeMap::new(), days: days.collect() }
    }

    /// Adds to the sum of a branch and, if the hits belong to a single day, to the sum of that day.
    pub fn add(&mut self, date: Option<Date>, sbi: String, sum: Sum) {
        self.add_branch(sbi, sum);
        if let Some(date) = date {
            self.add_day(date, sum);
        }
    }

    /// More branches than an answer may have?
    pub fn are_too_many(&self) -> bool {
        self.stats.len() > BRANCHES_MOST
    }

    pub fn add_branch(&mut self, sbi: String, sum: Sum) {
        add(self.stats.entry(sbi).or_insert(NOTHING), sum);
    }

    pub fn add_day(&mut self, date: Date, sum: Sum) {
        add(self.days.entry(date).or_insert(NOTHING), sum);
    }

    /// The sums by branch, in alphabetical order.
    pub fn stats(&self) -> Vec<Stat> {
        let stat = |(sbi, (total, delta)): (&String, &Sum)| Stat {
            sbi: sbi.clone(),
            total: *total,
            delta: *delta,
            percentage: percentage(*total, *delta),
        };
        self.stats.iter().map(stat).collect()
    }

    /// The sums by day, ascending.
    pub fn timeline(&self) -> Vec<Moment> {
        self.days
            .iter()
            .map(|(date, (hits, delta))| Moment { date: *date, hits: Some(*hits), delta: *delta })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::percentage;

    #[test]
    fn a_percentage_is_a_fraction_and_zero_where_nothing_was() {
        assert_eq!(percentage(80, Some(57)), Some(23.0 / 57.0));
        assert_eq!(percentage(80, Some(0)), Some(0.0));
        assert_eq!(percentage(80, None), None);
    }
}
