//! Exact sums within a radius: from packed rows, or row by row where a dataset has none.

use std::pin::pin;

use futures_util::TryStreamExt as _;
use hashbrown::HashMap;
use jiff::civil::Date;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement, Transaction};

use super::days::{self, DaySums};
use super::months::{self, MonthSums, whole_months};
use super::places::Within;
use super::totals::{NOTHING, Sum, Totals, add};

/// The most places that an answer lists.
pub const POINTS_MOST: usize = 1_000;

/// The statements for exact sums.
pub struct ExactStatements {
    /// Sums and points, by row.
    pub rows: [Statement; 2],
    /// Days from a packed table, if there is one that may be read.
    pub days: Option<Statement>,
    /// Months, and points of months, from packed tables, likewise.
    pub months: Option<[Statement; 2]>,
}

/// The places with the most hits, most hits first, then by postcode.
#[derive(Debug, Default, PartialEq)]
pub struct MostPlaces {
    /// At most [`POINTS_MOST`].
    pub places: Vec<(String, Sum)>,
    /// The number of places that have a row.
    pub total: usize,
}

impl MostPlaces {
    fn of(sums: HashMap<String, Sum>) -> Self {
        let total = sums.len();
        let mut places: Vec<_> = sums.into_iter().collect();
        let order = |a: &(String, Sum), b: &(String, Sum)| b.1.0.cmp(&a.1.0).then_with(|| a.0.cmp(&b.0));
        if total > POINTS_MOST {
            places.select_nth_unstable_by(POINTS_MOST, order);
            places.truncate(POINTS_MOST);
        }
        places.sort_unstable_by(order);
        Self { places, total }
    }

    /// Rows with postcode, hits, delta and the number of all places, in their order.
    fn read(rows: &[Row]) -> Result<Self, tokio_postgres::Error> {
        let total = rows.first().map_or(Ok(0), |row| row.try_get::<_, i64>(3))?;
        let place = |row: &Row| Ok((row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?)));
        let places = rows.iter().map(place).collect::<Result<_, tokio_postgres::Error>>()?;
        Ok(Self { places, total: total as usize })
    }
}

/// Adds up what lies within a radius on these days, of one branch or of all.
///
/// # Errors
/// Any error of the server.
pub async fn exact(
    transaction: &Transaction<'_>,
    statements: &ExactStatements,
    within: &Within,
    (days, sbi): (&[Date], Option<&str>),
    totals: &mut Totals,
) -> Result<MostPlaces, tokio_postgres::Error> {
    // The totals of places and months are those of all branches.
    let (whole, others) = match (&statements.months, sbi) {
        (Some(_), None) => whole_months(days),
        _ => (Vec::new(), days.to_vec()),
    };
    let of_days = match &statements.days {
        Some(cells) => days::days(transaction, cells, &others, within, sbi).await?,
        None if others.is_empty() && statements.months.is_some() => DaySums::default(),
        None => return by_row(transaction, &statements.rows, within, (days, sbi), totals).await,
    };
    packed(transaction, of_days, statements.months.as_ref(), within, &whole, totals).await
}

async fn by_row(
    transaction: &Transaction<'_>,
    [sums, points]: &[Statement; 2],
    Within { whole, cut, cut_postcodes, .. }: &Within,
    (days, sbi): (&[Date], Option<&str>),
    totals: &mut Totals,
) -> Result<MostPlaces, tokio_postgres::Error> {
    let most = POINTS_MOST as i64;
    let asked: [&(dyn ToSql + Sync); 6] = [&days, whole, cut, cut_postcodes, &sbi, &most];
    // Sent one after the other, answered by one snapshot.
    let ((), rows) =
        tokio::try_join!(sum_up(transaction, sums, &asked[..5], totals), transaction.query(points, &asked))?;
    MostPlaces::read(&rows)
}

/// Adds rows up as they come: there is one for each day and branch.
async fn sum_up(
    transaction: &Transaction<'_>,
    statement: &Statement,
    asked: &[&(dyn ToSql + Sync)],
    totals: &mut Totals,
) -> Result<(), tokio_postgres::Error> {
    let mut rows = pin!(transaction.query_raw(statement, asked.iter().copied()).await?);
    while let Some(row) = rows.try_next().await? {
        let (date, sbi): (Date, String) = (row.try_get(0)?, row.try_get(1)?);
        totals.add(Some(date), sbi, (row.try_get(2)?, row.try_get(3)?));
        if totals.are_too_many() {
            break;
        }
    }
    Ok(())
}

/// Adds whole months to the sums of single days.
async fn packed(
    transaction: &Transaction<'_>,
    of_days: DaySums,
    statements: Option<&[Statement; 2]>,
    within: &Within,
    whole_months: &[Date],
    totals: &mut Totals,
) -> Result<MostPlaces, tokio_postgres::Error> {
    let Within { whole, cut, cut_postcodes, .. } = within;
    let has_days = !of_days.days.is_empty();
    let (of_months, points) = match statements.filter(|_| !whole_months.is_empty()) {
        Some([cells, points]) => {
            // Which places have the most is known once the days are added.
            let most = (!has_days).then_some(POINTS_MOST as i64);
            let asked: [&(dyn ToSql + Sync); 5] = [&whole_months, whole, cut, cut_postcodes, &most];
            // Sent one after the other, answered by one snapshot.
            tokio::try_join!(
                months::months(transaction, cells, whole_months, within),
                transaction.query(points, &asked)
            )?
        }
        None => (MonthSums::default(), Vec::new()),
    };
    of_days.days.into_iter().chain(of_months.days()).for_each(|(date, sum)| totals.add_day(date, sum));
    of_days.branches.into_iter().chain(of_months.branches).for_each(|(sbi, sum)| totals.add_branch(sbi, sum));
    let of_months = MostPlaces::read(&points)?;
    if !has_days {
        return Ok(of_months);
    }
    let mut places = of_days.places;
    for (postcode, sum) in of_months.places {
        add(places.entry(postcode).or_insert(NOTHING), sum);
    }
    Ok(MostPlaces::of(places))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_places_with_the_most_hits_come_first() {
        let sums = |number: i64| (0..number).map(|at| (format!("{at:04}"), (at / 2, None))).collect();
        let most = MostPlaces::of(sums(3_000));
        assert_eq!((most.places.len(), most.total), (POINTS_MOST, 3_000));
        assert_eq!(most.places[0], ("2998".into(), (1_499, None)));
        assert_eq!(most.places[1].0, "2999");
        assert_eq!(most.places[999].0, "2001");
        assert_eq!(MostPlaces::of(sums(3)).places.len(), 3);
        assert_eq!(MostPlaces::of(HashMap::new()), MostPlaces::default());
    }
}
