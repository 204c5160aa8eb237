//! Adds up single days from packed rows, one for each zone and day. Ten thousand places are read several times faster than from a
//! row for each of them.

use std::collections::BTreeMap;
use std::pin::pin;

use futures_util::TryStreamExt as _;
use hashbrown::{HashMap, HashSet};
use jiff::civil::Date;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Statement, Transaction};

use super::places::Within;
use super::totals::{NOTHING, Sum, add, unpacked};

/// Sums by day, by branch and by place.
#[derive(Debug, Default)]
pub struct DaySums {
    pub days: BTreeMap<Date, Sum>,
    pub branches: HashMap<String, Sum>,
    pub places: HashMap<String, Sum>,
}

/// Which lines of a zone count.
#[derive(Clone, Copy, Debug, Default)]
struct CountedLines<'a> {
    /// Only these postcodes; `None`: the whole zone.
    postcodes: Option<&'a HashSet<&'a str>>,
    /// Only this branch; `None`: all.
    sbi: Option<&'a str>,
}

impl DaySums {
    /// Adds the lines of a packed row, each with postcode, hits, delta (or nothing) and branch.
    fn unpack(&mut self, date: Date, cells: &str, counted: CountedLines<'_>) {
        let mut day = None;
        for (postcode, sum, branch) in unpacked(cells) {
            if counted.sbi.is_some_and(|sbi| sbi != branch)
                || counted.postcodes.is_some_and(|postcodes| !postcodes.contains(postcode))
            {
                continue;
            }
            add(day.get_or_insert(NOTHING), sum);
            // A name is copied only if it is new.
            add(self.branches.entry_ref(branch).or_insert(NOTHING), sum);
            add(self.places.entry_ref(postcode).or_insert(NOTHING), sum);
        }
        if let Some(day) = day {
            add(self.days.entry(date).or_insert(NOTHING), day);
        }
    }
}

/// Adds up what lies within a radius on these days, of one branch or of all.
///
/// # Errors
/// Any error of the server.
pub async fn days(
    transaction: &Transaction<'_>,
    statement: &Statement,
    days: &[Date],
    within: &Within,
    sbi: Option<&str>,
) -> Result<DaySums, tokio_postgres::Error> {
    let mut sums = DaySums::default();
    if days.is_empty() {
        return Ok(sums);
    }
    let cut: HashSet<_> = within.cut.iter().map(String::as_str).collect();
    let postcodes: HashSet<_> = within.cut_postcodes.iter().map(String::as_str).collect();
    let zones: Vec<_> = within.whole.iter().chain(&within.cut).collect();
    let asked: [&(dyn ToSql + Sync); 2] = [&days, &zones];
    let mut rows = pin!(transaction.query_raw(statement, asked).await?);
    while let Some(row) = rows.try_next().await? {
        let (date, zone, cells): (Date, &str, &str) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let postcodes = cut.contains(zone).then_some(&postcodes);
        sums.unpack(date, cells, CountedLines { postcodes, sbi });
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn lines_of_a_zone_are_added_up() {
        let (first, second) = (date(2024, 2, 1), date(2024, 2, 2));
        let mut sums = DaySums::default();
        sums.unpack(first, "1011AA,5,4,a\n1011AB,2,,b\n1011AA,7,8,a,b", CountedLines::default());
        sums.unpack(second, "1011AA,1,1,a", CountedLines::default());
        assert_eq!(sums.days.into_iter().collect::<Vec<_>>(), [(first, (14, None)), (second, (1, Some(1)))]);
        assert_eq!((sums.places["1011AA"], sums.places["1011AB"]), ((13, Some(13)), (2, None)));
        assert_eq!((sums.branches["a"], sums.branches["b"]), ((6, Some(5)), (2, None)));
        assert_eq!(sums.branches["a,b"], (7, Some(8)));
    }

    #[test]
    fn of_a_zone_that_is_cut_the_places_within_count_and_of_branches_the_one_that_is_asked_for() {
        let day = date(2024, 2, 1);
        let cells = "1011AA,5,4,a\n1011AB,2,,a\n1011AA,7,8,b";
        let (mut cut, mut one) = (DaySums::default(), DaySums::default());
        let postcodes = HashSet::from(["1011AA"]);
        cut.unpack(day, cells, CountedLines { postcodes: Some(&postcodes), sbi: None });
        assert_eq!((cut.days[&day], cut.places.len()), ((12, Some(12)), 1));
        one.unpack(day, cells, CountedLines { postcodes: Some(&postcodes), sbi: Some("b") });
        assert_eq!((one.days[&day], one.branches.len()), ((7, Some(8)), 1));
    }
}
