//! Validates the cells of a data point.

use jiff::civil::Date;

use crate::dataset::served::plain_postcode;

/// The most bytes of a branch.
const LONGEST: usize = 16;

/// A valid data point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DataPoint {
    pub date: Date,
    pub hour: i32,
    pub id_activity: i64,
    pub postcode: String,
    pub hits: i32,
    pub delta: Option<i32>,
    pub sbi: String,
}

/// The columns of a file of points, in the order in which [`DataPoint::read`] expects them.
pub(super) const COLUMNS: [&str; 7] = ["date", "hour", "id_activity", "postcode", "hits", "delta", "sbi"];

/// An invalid cell: its column, its value and the reason.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PointFlaw {
    pub field: &'static str,
    pub value: String,
    pub reason: String,
}

impl DataPoint {
    /// Validates cells; `cell` returns `None` for a cell that is not valid text.
    ///
    /// # Errors
    /// The first invalid cell.
    pub(super) fn read<'a>(cell: impl Fn(usize) -> Option<&'a str>) -> Result<Self, PointFlaw> {
        let flaw = |at: usize, reason: &str| PointFlaw {
            field: COLUMNS[at],
            value: cell(at).unwrap_or_default().chars().take(500).collect(),
            reason: reason.to_owned(),
        };
        let text = |at: usize| cell(at).ok_or_else(|| flaw(at, "it is not text in UTF-8"));
        let number = |at: usize, what: &str| -> Result<i64, PointFlaw> {
            text(at)?.parse().map_err(|_| flaw(at, &format!("it is not a {what}")))
        };
        let count = |at: usize| -> Result<i32, PointFlaw> {
            let number = number(at, "whole number")?;
            i32::try_from(number)
                .ok()
                .filter(|number| *number >= 0)
                .ok_or_else(|| flaw(at, &format!("it is not between 0 and {}", i32::MAX)))
        };
        let hour = number(1, "hour")?;
        let hour = i32::try_from(hour).ok().filter(|hour| (0..24).contains(hour));
        let sbi = text(6)?;
        Ok(Self {
            date: day(text(0)?).ok_or_else(|| flaw(0, "it is not a day (YYYY-MM-DD)"))?,
            hour: hour.ok_or_else(|| flaw(1, "it is not an hour from 0 to 23"))?,
            id_activity: number(2, "whole number")?,
            postcode: plain_postcode(text(3)?).ok_or_else(|| flaw(3, "it is not a postcode"))?,
            hits: count(4)?,
            delta: if text(5)?.is_empty() { None } else { Some(count(5)?) },
            sbi: match sbi.is_empty() || sbi.chars().count() > LONGEST {
                false => sbi.to_owned(),
                true => return Err(flaw(6, "it is not a branch: 1 to 16 characters")),
            },
        })
    }
}

/// A day in the form YYYY-MM-DD.
pub(super) fn day(text: &str) -> Option<Date> {
    let is_plain = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    // PostgreSQL has no year 0.
    text.parse().ok().filter(|day: &Date| is_plain && day.year() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cells: [&str; 7]) -> Result<DataPoint, PointFlaw> {
        DataPoint::read(|at| Some(cells[at]))
    }

    #[test]
    fn a_point_is_read_and_its_postcode_made_plain() {
        let point = read(["2013-01-01", "12", "1234", "1234 ab", "35", "", "01.1"]).unwrap();
        assert_eq!((point.postcode.as_str(), point.delta, point.sbi.as_str()), ("1234AB", None, "01.1"));
        let letters = "é".repeat(16);
        let point = read(["2013-01-01", "12", "1234", "1234 ab", "35", "", &letters]).unwrap();
        assert_eq!(point.sbi, letters, "characters are counted, and not bytes");
    }

    #[test]
    fn each_bad_cell_is_named() {
        let good = ["2013-01-01", "12", "1234", "1234AB", "35", "22", "1"];
        for (at, bad) in [
            (0, "2013-02-30"),
            (0, "01-01-2013"),
            (0, "2013-01-01T00"),
            (0, ""),
            (1, "24"),
            (1, "-1"),
            (1, "noon"),
            (2, "x"),
            (3, ""),
            (3, "1234AB; drop table"),
            (4, "many"),
            (4, "-1"),
            (4, "1.5"),
            (4, "2147483648"),
            (4, ""),
            (5, "n/a"),
            (6, ""),
            (6, "12345678901234567"),
        ] {
            let mut cells = good;
            cells[at] = bad;
            assert_eq!(read(cells).unwrap_err().field, COLUMNS[at], "{bad}");
        }
    }
}
