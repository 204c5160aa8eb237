//! Splits a street line as people type it into house number and street, each in a normalised spelling, so that two of
//! them can be compared. A part that is not understood stays as it is, and then matches nothing: no place is better
//! than a wrong one.

use super::street::{ENDS, is_kind, street};

/// A house number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HouseNumber {
    /// `25`, `35-12`, `111A`, `65 1/2`, `25 REAR`.
    pub(super) text: String,
    /// The position of a hyphen between two numbers: a single number in Queens, elsewhere a range.
    pub(super) hyphen: Option<usize>,
}

impl HouseNumber {
    /// Reads what a service writes.
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = tidy(text);
        let words: Vec<_> = text.split_whitespace().collect();
        let (number, rest) = take_number(&words)?;
        rest.is_empty().then_some(number)
    }

    /// The low number of a range.
    pub(super) fn low(&self) -> &str {
        self.hyphen.map_or(&self.text, |at| &self.text[..at])
    }

    /// Without a hyphen, as it would be written in Queens: `3512` is `35-12`.
    pub(super) fn split(&self) -> Option<String> {
        let is_plain = self.text.chars().all(|c| c.is_ascii_digit()) && (3..=5).contains(&self.text.len());
        let at = self.text.len().checked_sub(2)?;
        is_plain.then(|| format!("{}-{}", &self.text[..at], &self.text[at..]))
    }
}

/// A street line with a number and a street.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StreetLine {
    pub(super) number: HouseNumber,
    /// The words of the street, spelled out, ordinals as bare numbers: `EAST`, `193`, `STREET`.
    pub(super) street: Vec<String>,
}

/// Why the address cannot be looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoLine {
    Empty,
    Box,
    NoNumber,
    NoStreet(HouseNumber),
}

/// The longest name of a street; PAD has at most 32 characters.
const LONGEST: usize = 60;

impl StreetLine {
    /// Reads the two lines of an address. The second may be the street where the first is none.
    ///
    /// # Errors
    /// Fails if they contain no house number with a street.
    pub(super) fn read(street1: Option<&str>, street2: Option<&str>) -> Result<Self, NoLine> {
        let (first, second) = (street1.unwrap_or_default(), street2.unwrap_or_default());
        let found = match one_line(first) {
            Err(NoLine::NoStreet(number)) => {
                one_line(&format!("{first} {second}")).or(Err(NoLine::NoStreet(number)))
            }
            Err(why) => match (one_line(second), why) {
                (Ok(line), _) => Ok(line),
                (Err(second), NoLine::Empty) => Err(second),
                (Err(_), why) => Err(why),
            },
            found => found,
        };
        match found {
            Ok(line) if line.street.join(" ").len() > LONGEST => Err(NoLine::NoStreet(line.number)),
            found => found,
        }
    }
}

fn one_line(text: &str) -> Result<StreetLine, NoLine> {
    let text = tidy(text);
    if text.is_empty() {
        return Err(NoLine::Empty);
    }
    if is_box(&text) {
        return Err(NoLine::Box);
    }
    let words: Vec<_> = text.split_whitespace().collect();
    let (mut number, rest) = take_number(&words).ok_or(NoLine::NoNumber)?;
    let mut rest = without_unit(rest);
    // `25 MAIN STREET REAR` is another building than `25 MAIN STREET`.
    if let [street @ .., last] = rest
        && BEHIND.contains(last)
        && !street.is_empty()
        && number.hyphen.is_none()
    {
        (number.text, rest) = (format!("{} {last}", number.text), street);
    }
    let street = street(&rest.join(" "));
    if street.is_empty() { Err(NoLine::NoStreet(number)) } else { Ok(StreetLine { number, street }) }
}

/// In capitals, without decoration; the first of several addresses.
fn tidy(text: &str) -> String {
    let text = text.replace('½', " 1/2 ").replace(['–', '—'], "-").to_uppercase();
    let text = AKA.iter().fold(text, |text, aka| text.replace(aka, " AKA "));
    let mut depth = 0u32;
    let mut tidied = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            '\'' | '’' => {}
            '#' => tidied.push_str(" #"),
            ',' | ';' => tidied.push_str(" , "),
            c if c.is_ascii_alphanumeric() || c == '-' || c == '/' => tidied.push(c),
            _ => tidied.push(' '),
        }
    }
    let words: Vec<_> = tidied.split_whitespace().collect();
    let end = words.iter().position(|word| *word == "AKA").unwrap_or(words.len());
    let mut kept: Vec<String> = Vec::new();
    for word in &words[..end] {
        match *word {
            // A comma ends the line once there is more than a number before it.
            "," if kept.len() > 1 => break,
            "," => {}
            word => {
                // `35 - 12` is `35-12`.
                let is_number = kept.len() == 1 && kept[0].starts_with(|c: char| c.is_ascii_digit());
                if is_number && (word.starts_with('-') || kept[0].ends_with('-')) {
                    kept[0].push_str(word);
                } else {
                    kept.push(word.to_owned());
                }
            }
        }
    }
    kept.join(" ")
}

/// Words before another address of the same building.
const AKA: [&str; 4] = ["(AKA)", "(A/K/A)", "A/K/A", "A.K.A."];

fn is_box(text: &str) -> bool {
    let joined = text.replace(' ', "");
    joined.contains("POBOX") || joined.contains("POSTOFFICEBOX") || text.starts_with("BOX ")
}

const BEHIND: [&str; 3] = ["FRONT", "REAR", "GARAGE"];

/// The number that the words begin with, and what follows it.
fn take_number<'a, 'w>(words: &'w [&'a str]) -> Option<(HouseNumber, &'w [&'a str])> {
    let (first, mut rest) = words.split_first()?;
    let (low, high) = first.split_once('-').map_or((*first, None), |(low, high)| (low, Some(high)));
    let (low, high) = (part(low)?, high.map_or(Some(None), |high| part(high).map(Some))?);
    if low.starts_with('0') {
        return None;
    }
    let hyphen = high.is_some().then_some(low.len());
    let mut text = high.map_or(low.clone(), |high| format!("{low}-{high}"));
    if let [next, after @ ..] = rest
        // There is a Front Street.
        && (is_fraction(next) || BEHIND.contains(next) && !after.first().is_some_and(|word| is_kind(word)))
    {
        (text, rest) = (format!("{text} {next}"), after);
    }
    Some((HouseNumber { text, hyphen }, rest))
}

/// Digits with perhaps one letter behind; an ordinal is none.
fn part(text: &str) -> Option<String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_uppercase());
    let is_number = !digits.is_empty() && digits.len() <= 6 && digits.chars().all(|c| c.is_ascii_digit());
    (is_number && text.len() - digits.len() <= 1).then(|| text.to_owned())
}

fn is_fraction(text: &str) -> bool {
    let is_digit = |text: &str| text.len() == 1 && text.starts_with(|c: char| c.is_ascii_digit());
    text.split_once('/').is_some_and(|(above, below)| is_digit(above) && is_digit(below))
}

/// Words that begin a part of a building.
const UNITS: &[&str] = &[
    "APT",
    "APTS",
    "APARTMENT",
    "UNIT",
    "SUITE",
    "STE",
    "ROOM",
    "RM",
    "FLOOR",
    "FLR",
    "FL",
    "BASEMENT",
    "BSMT",
    "PENTHOUSE",
    "PH",
    "LOBBY",
    "STORE",
];

/// The street alone, without apartments.
fn without_unit<'a, 'w>(words: &'w [&'a str]) -> &'w [&'a str] {
    let has_digit = |word: &str| word.contains(|c: char| c.is_ascii_digit());
    let is_unit = |at: &usize| {
        let word = words[*at];
        let is_glued = word.strip_prefix("APT").is_some_and(has_digit);
        let is_behind = |from: usize| words[from.min(*at)..*at].iter().any(|before| ENDS.contains(before));
        // A street may begin with `ST`, and there may be an `AVENUE 3`.
        let has_ended =
            is_behind(1) || words[0] == "BROADWAY" || *at > 1 && ["AVENUE", "AVE"].contains(&words[0]);
        UNITS.contains(&word) || is_glued || word.starts_with('#') || has_digit(word) && has_ended
    };
    let from = match words {
        // The line is nothing but an apartment.
        [first, ..] if first.starts_with('#') || *first == "APT" || *first == "APARTMENT" => 0,
        _ => (1..words.len()).find(is_unit).unwrap_or(words.len()),
    };
    // `2ND FLOOR`: the number belongs to the floor, if a street is left without it.
    let is_floor = words.get(from).is_some_and(|word| ["FLOOR", "FLR", "FL"].contains(word));
    let before = from.checked_sub(1).map(|at| words[at]).filter(|_| is_floor && from > 2);
    &words[..if before.is_some_and(has_digit) { from - 1 } else { from }]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        StreetLine::read(Some(text), None).map_or_else(
            |why| format!("{why:?}"),
            |line| format!("{} | {}", line.number.text, line.street.join(" ")),
        )
    }

    #[test]
    fn typed_lines_come_apart() {
        for (typed, expected) in [
            ("65 EAST 193RD STREET", "65 | EAST 193 STREET"),
            ("65 E. 193rd St., Apt. 3B", "65 | EAST 193 STREET"),
            ("11-50 44th Road", "11-50 | 44 ROAD"),
            ("11 - 50 44th Rd", "11-50 | 44 ROAD"),
            ("388-390 GRAND CONCOURSE (AKA) 160 EAST 144TH STREET", "388-390 | GRAND CONCOURSE"),
            ("388-390 GRAND CONCOURSE AKA 160 EAST 144TH STREET", "388-390 | GRAND CONCOURSE"),
            ("388 GRAND CONCOURSE A/K/A 160 EAST 144TH STREET", "388 | GRAND CONCOURSE"),
            ("1279 37 st 2nd floor", "1279 | 37 STREET"),
            ("25 Fifth Ave #4", "25 | 5 AVENUE"),
            ("25 Avenue N 4F", "25 | AVENUE N"),
            ("25 AVE D", "25 | AVENUE D"),
            ("25 FRONT ST", "25 | FRONT STREET"),
            ("950 St Nicholas Ave 12", "950 | SAINT NICHOLAS AVENUE"),
            ("350 St. John's Pl", "350 | SAINT JOHNS PLACE"),
            ("20 Ft. Washington Ave", "20 | FORT WASHINGTON AVENUE"),
            ("3 GRAMERCY PARK W", "3 | GRAMERCY PARK WEST"),
            ("200 E BROADWAY", "200 | EAST BROADWAY"),
            ("22999 US HWY 59 N", "22999 | US HIGHWAY 59 NORTH"),
            ("65 1/2 Main St", "65 1/2 | MAIN STREET"),
            ("65½ Main St", "65 1/2 | MAIN STREET"),
            ("111A Main St Rear", "111A REAR | MAIN STREET"),
            ("25 REAR MAIN STREET", "25 REAR | MAIN STREET"),
            ("12, Main Street", "12 | MAIN STREET"),
            ("12 Main\tStreet\u{7}", "12 | MAIN STREET"),
            ("UNKNOWN", "NoNumber"),
            ("5TH AVENUE", "NoNumber"),
            ("0 Main Street", "NoNumber"),
            ("APT 3B", "NoNumber"),
            ("P.O. Box 123", "Box"),
            ("\u{1}\u{2}", "Empty"),
            ("", "Empty"),
        ] {
            assert_eq!(read(typed), expected, "{typed}");
        }
        assert!(matches!(StreetLine::read(Some("123 #4"), None), Err(NoLine::NoStreet(_))));
        assert!(matches!(StreetLine::read(Some(&"12 QWERTY".repeat(30)), None), Err(NoLine::NoStreet(_))));
    }

    #[test]
    fn the_second_line_may_be_the_street() {
        let read = |one, two| {
            StreetLine::read(Some(one), Some(two)).map(|line| (line.number.text, line.street.join(" ")))
        };
        assert_eq!(read("c/o somebody", "12 Main St"), Ok(("12".into(), "MAIN STREET".into())));
        assert_eq!(read("12", "Main St"), Ok(("12".into(), "MAIN STREET".into())));
        assert_eq!(read("", "12 Main St"), Ok(("12".into(), "MAIN STREET".into())));
        assert_eq!(read("12 Main St", "14 Main St"), Ok(("12".into(), "MAIN STREET".into())));
        assert_eq!(read("12 Main St", "Apt 4"), Ok(("12".into(), "MAIN STREET".into())));
    }

    #[test]
    fn numbers_are_read_as_services_write_them() {
        assert_eq!(HouseNumber::read("1279 GARAGE").unwrap().text, "1279 GARAGE");
        assert_eq!(HouseNumber::read("3512").unwrap().split().as_deref(), Some("35-12"));
    }
}
