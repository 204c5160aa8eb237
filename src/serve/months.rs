//! Adds up whole months from packed rows, one for each place and month. This is several times faster than letting the database
//! add up a row for each place, day and branch.

use std::collections::BTreeMap;
use std::pin::pin;

use futures_util::TryStreamExt as _;
use hashbrown::HashMap;
use jiff::ToSpan as _;
use jiff::civil::Date;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Statement, Transaction};

use super::places::Within;
use super::totals::{NOTHING, Sum, add, unpacked};

/// Sums by day and by branch.
#[derive(Debug, Default)]
pub struct MonthSums {
    /// For the first day of each month, the sums of its days; the first day is at 0.
    days: BTreeMap<Date, [Option<Sum>; 31]>,
    pub branches: HashMap<String, Sum>,
}

impl MonthSums {
    /// The days that have a row.
    pub fn days(&self) -> impl Iterator<Item = (Date, Sum)> {
        self.days.iter().flat_map(|(month, days)| {
            let dated = (0_i64..).zip(days).map(|(after, sum)| (month.saturating_add(after.days()), *sum));
            dated.filter_map(|(date, sum)| Some((date, sum?)))
        })
    }

    /// Adds the lines of a packed row, each with the day of the month, hits, delta (or nothing) and branch.
    fn unpack(&mut self, month: Date, cells: &str) {
        let days = self.days.entry(month).or_default();
        for (day, sum, branch) in unpacked(cells) {
            let Ok(day) = day.parse::<usize>() else { continue };
            if let Some(known) = days.get_mut(day.wrapping_sub(1)) {
                add(known.get_or_insert(NOTHING), sum);
            }
            add(self.branches.entry_ref(branch).or_insert(NOTHING), sum);
        }
    }
}

/// Splits days into whole months, given by their first days, and the other days. `days` are in ascending order, each once.
pub fn whole_months(days: &[Date]) -> (Vec<Date>, Vec<Date>) {
    let (mut months, mut others) = (Vec::new(), Vec::new());
    let mut at = 0;
    while let Some(day) = days.get(at) {
        let length = usize::from(day.days_in_month().unsigned_abs());
        let is_whole = day.day() == 1 && days.get(at + length - 1) == Some(&day.last_of_month());
        if is_whole {
            months.push(*day);
            at += length;
        } else {
            others.push(*day);
            at += 1;
        }
    }
    (months, others)
}

/// Adds up what lies within a radius in whole months, given by their first days.
///
/// # Errors
/// Any error of the server.
pub async fn months(
    transaction: &Transaction<'_>,
    statement: &Statement,
    months: &[Date],
    within: &Within,
) -> Result<MonthSums, tokio_postgres::Error> {
    let mut sums = MonthSums::default();
    if months.is_empty() {
        return Ok(sums);
    }
    let asked: [&(dyn ToSql + Sync); 4] = [&months, &within.whole, &within.cut, &within.cut_postcodes];
    let mut rows = pin!(transaction.query_raw(statement, asked).await?);
    while let Some(row) = rows.try_next().await? {
        sums.unpack(row.try_get(0)?, row.try_get(1)?);
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn range(first: Date, last: Date) -> Vec<Date> {
        first.series(1.day()).take_while(|day| *day <= last).collect()
    }

    #[test]
    fn months_are_whole_or_days() {
        let (months, others) = whole_months(&range(date(2024, 1, 31), date(2024, 4, 1)));
        assert_eq!(months, [date(2024, 2, 1), date(2024, 3, 1)]);
        assert_eq!(others, [date(2024, 1, 31), date(2024, 4, 1)]);
        let mut gap = range(date(2023, 2, 1), date(2023, 2, 28));
        gap.remove(9);
        assert_eq!(whole_months(&gap), (vec![], gap.clone()));
        gap.extend([date(2023, 3, 1), date(2023, 3, 2)]);
        assert_eq!(whole_months(&gap), (vec![], gap.clone()), "as many days, but not all");
        assert_eq!(whole_months(&[]), (vec![], vec![]));
    }

    #[test]
    fn lines_are_added_up_and_what_is_not_known_stays_unknown() {
        let mut sums = MonthSums::default();
        let month = date(2024, 2, 1);
        sums.unpack(month, "1,5,4,a\n1,2,,b\n29,7,8,a,b");
        sums.unpack(month, "1,1,1,a");
        let days: Vec<_> = sums.days().collect();
        assert_eq!(days, [(date(2024, 2, 1), (8, None)), (date(2024, 2, 29), (7, Some(8)))]);
        assert_eq!(sums.branches["a"], (6, Some(5)));
        assert_eq!((sums.branches["b"], sums.branches["a,b"]), ((2, None), (7, Some(8))));
    }
}
