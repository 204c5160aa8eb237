//! The texts about time that all records of a year share.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday, date};

/// The texts of a year.
#[derive(Default)]
pub(super) struct SampleYear {
    pub(super) number: i16,
    pub(super) text: String,
    /// The Sundays that end its weeks, beginning with the first week; the entry before it is empty.
    pub(super) weeks: Vec<String>,
    /// The load times of its records, by source.
    pub(super) loaded: [Vec<String>; 2],
    pub(super) revised: Vec<String>,
}

/// The day after which all revisions come.
const REVISIONS: Date = date(2025, 6, 2);

impl SampleYear {
    pub(super) fn new(number: i16, revisions: u16) -> Self {
        let new_year = date(number, 1, 1);
        let first = match new_year.weekday() {
            Weekday::Sunday => new_year,
            _ => new_year.nth_weekday(1, Weekday::Sunday).unwrap_or(new_year),
        };
        let weeks = (0..52_i32).map(|week| first.saturating_add((week * 7).days()).to_string());
        // A census is loaded two years later, a survey in the following year or shortly after.
        let at = |years: i16, month: i8, day: i8, time: &str| {
            let year = (number + years).min(2025);
            format!("{year}-{month:02}-{day:02} {time}")
        };
        Self {
            number,
            text: number.to_string(),
            weeks: [String::new()].into_iter().chain(weeks).collect(),
            loaded: [
                vec![at(2, 2, 13, "12:00:00"); 4],
                [(1, 12), (2, 10), (3, 5), (5, 11)]
                    .map(|(month, day)| at(1, month, day, "15:00:03"))
                    .to_vec(),
            ],
            revised: (0..i64::from(revisions))
                .map(|weeks| format!("{} 12:00:00", REVISIONS.saturating_add(weeks.weeks())))
                .collect(),
        }
    }
}
