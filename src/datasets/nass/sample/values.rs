//! The numbers of a sample. They depend only on the record and the seed, so a record is the same whatever else the sample
//! holds.

use std::io::Write as _;

use super::catalogue::SeriesItem;
use super::places::StatPlace;

/// A pseudo-random number made from several others (SplitMix64).
pub(super) fn mixed(numbers: &[u64]) -> u64 {
    numbers.iter().fold(0x9e37_79b9_7f4a_7c15, |state, number| {
        let mut z = (state ^ number).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// Draws pseudo-random numbers from a seed.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(numbers: &[u64]) -> Self {
        Self(mixed(numbers))
    }

    /// A number from 0 to `bound` - 1.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = mixed(&[self.0]);
        ((u128::from(self.0) * u128::from(bound)) >> 64) as u64
    }

    /// True with a probability of so many thousandths.
    fn chance(&mut self, thousandths: u64) -> bool {
        self.below(1_000) < thousandths
    }
}

/// The thousandths of figures that are suppressed: for small places of a census, and in a survey.
const IN_CENSUS: [(&str, u64); 3] = [("(D)", 140), ("(Z)", 15), ("(X)", 5)];
const IN_SURVEY: [(&str, u64); 4] = [("(D)", 20), ("(NA)", 12), ("(S)", 12), ("(Z)", 4)];

/// The code that replaces a value, if it is suppressed.
pub(super) fn code(place: &StatPlace, is_census: bool, dice: &mut Dice) -> Option<&'static str> {
    let codes: &[_] = if is_census { &IN_CENSUS } else { &IN_SURVEY };
    // Combined places withhold fewer figures.
    let bound = if place.is_combined { 10_000 } else { 1_000 };
    let mut left = dice.below(bound);
    for (code, thousandths) in codes {
        match left.checked_sub(*thousandths) {
            None => return Some(code),
            Some(rest) => left = rest,
        }
    }
    None
}

/// Adds a value in the notation of Quick Stats.
pub(super) fn add_value(out: &mut Vec<u8>, item: &SeriesItem, place: &StatPlace, year: i16, dice: &mut Dice) {
    let many = if place.is_small { 1 } else { 40 };
    match (item.statistic, item.unit) {
        ("YIELD", unit) => {
            // In tenths: the value on the best land, which grows every year.
            let best = match unit {
                "BU / ACRE" => match item.commodity {
                    "CORN" => 1_550,
                    "SOYBEANS" => 450,
                    _ => 650,
                },
                "TONS / ACRE" => 35,
                _ => 11_000,
            };
            let trend = 1_000 + 12 * u64::from(year.abs_diff(2000));
            let tenths = best * place.fertility / 100 * trend / 1_000 * (920 + dice.below(160)) / 1_000;
            add_grouped(out, tenths / 10);
            let _ = write!(out, ".{}", tenths % 10);
        }
        (_, unit) if unit.starts_with("PCT") => add_grouped(out, dice.below(101)),
        (_, unit) if unit.starts_with("INDEX") => {
            let _ = write!(out, "{}.{}", 80 + dice.below(60), dice.below(10));
        }
        (_, "YEARS") => {
            let _ = write!(out, "{}.{}", 50 + dice.below(14), dice.below(10));
        }
        (_, "OPERATIONS" | "PRODUCERS") => add_grouped(out, 1 + dice.below(900 * many)),
        (_, unit) if unit.starts_with("$ /") => {
            let _ = write!(out, "{}.{:02}", 1 + dice.below(300), dice.below(100));
        }
        (_, "$") => add_grouped(out, (1 + dice.below(9_000 * many)) * 1_000),
        _ => add_grouped(out, (1 + dice.below(4_000 * many)) * 50),
    }
}

/// Adds the coefficient of variation: a number, a code, or nothing.
pub(super) fn add_cv(out: &mut Vec<u8>, value_code: Option<&str>, is_census: bool, dice: &mut Dice) {
    // Surveys seldom have one.
    if !is_census && !dice.chance(60) {
        return;
    }
    match value_code {
        Some("(Z)") | None => match dice.below(100) {
            0..3 => out.extend_from_slice(b"(H)"),
            3..7 => out.extend_from_slice(b"(L)"),
            _ => {
                let tenths = 1 + dice.below(620);
                let _ = write!(out, "{}.{}", tenths / 10, tenths % 10);
            }
        },
        Some(code) => out.extend_from_slice(code.as_bytes()),
    }
}

/// Adds a number with commas between thousands.
fn add_grouped(out: &mut Vec<u8>, number: u64) {
    if number < 1_000 {
        let _ = write!(out, "{number}");
    } else {
        add_grouped(out, number / 1_000);
        let _ = write!(out, ",{:03}", number % 1_000);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (number, expected) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_034_005, "12,034,005")] {
            let mut out = Vec::new();
            add_grouped(&mut out, number);
            assert_eq!(out, expected.as_bytes());
        }
    }

    #[test]
    fn dice_fall_within_their_bounds_and_again_as_before() {
        let draws = |seed| {
            let mut dice = Dice::new(&[seed, 2]);
            (0..1_000).map(|_| dice.below(7)).collect::<Vec<_>>()
        };
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
        for side in 0..7 {
            let count = draws(1).iter().filter(|draw| **draw == side).count();
            assert!((100..190).contains(&count), "{side}: {count}");
        }
    }
}
