//! The values of the columns by which a request is split, and what is guessed of them before anything is counted.

use std::collections::HashMap;
use std::sync::LazyLock;

/// How a request is split, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Dimension {
    Year,
    Source,
    State,
    Level,
    County,
    Group,
    Commodity,
    Category,
}

/// For what is more than one year.
pub(super) const YEARS: &[Dimension] = &[Dimension::Year];
/// For one year. A state that is over is taken by level first, since district and state rows have no county.
pub(super) const OF_YEAR: &[Dimension] = &[
    Dimension::State,
    Dimension::Level,
    Dimension::State,
    Dimension::County,
    Dimension::Group,
    Dimension::Commodity,
    Dimension::Category,
];
/// For a year of the census, which has far more.
pub(super) const OF_CENSUS_YEAR: &[Dimension] = &[
    Dimension::Source,
    Dimension::State,
    Dimension::Level,
    Dimension::State,
    Dimension::County,
    Dimension::Group,
    Dimension::Commodity,
    Dimension::Category,
];

pub(in super::super) const SOURCES: &[&str] = &["CENSUS", "SURVEY"];
pub(in super::super) const SECTORS: &[&str] =
    &["ANIMALS & PRODUCTS", "CROPS", "DEMOGRAPHICS", "ECONOMICS", "ENVIRONMENTAL"];
pub(in super::super) const LEVELS: &[&str] = &[
    "COUNTY",
    "STATE",
    "AGRICULTURAL DISTRICT",
    "NATIONAL",
    "REGION : MULTI-STATE",
    "REGION : SUB-STATE",
    "WATERSHED",
    "ZIP CODE",
    "CONGRESSIONAL DISTRICT",
    "INTERNATIONAL",
    "AMERICAN INDIAN RESERVATION",
];
/// Two letters each; `US` is the nation, `OT` what is of no state.
pub(in super::super) const STATES: &[&str] = &[
    "AK", "AL", "AR", "AS", "AZ", "CA", "CO", "CT", "DC", "DE", "FL", "GA", "GU", "HI", "IA", "ID", "IL",
    "IN", "KS", "KY", "LA", "MA", "MD", "ME", "MI", "MN", "MO", "MP", "MS", "MT", "NC", "ND", "NE", "NH",
    "NJ", "NM", "NV", "NY", "OH", "OK", "OR", "OT", "PA", "PR", "RI", "SC", "SD", "TN", "TX", "US", "UT",
    "VA", "VI", "VT", "WA", "WI", "WV", "WY",
];

/// The counties of each state, by their codes.
const COUNTIES: &str = include_str!("counties.tsv");

/// What is put together from several counties of a district.
const COMBINED: &str = "998";

/// Has a column so few values that they are known here? They are looked at before anything is asked.
pub(in super::super) fn is_listed(column: &str) -> bool {
    ["year", "agg_level_desc", "source_desc", "sector_desc", "state_alpha"].contains(&column)
}

impl Dimension {
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Source => "source_desc",
            Self::State => "state_alpha",
            Self::Level => "agg_level_desc",
            Self::County => "county_code",
            Self::Group => "group_desc",
            Self::Commodity => "commodity_desc",
            Self::Category => "statisticcat_desc",
        }
    }

    /// May there be records of none of its values, or of one that nobody knows? What is of no state, for one.
    pub(super) fn may_leave_rest(self) -> bool {
        matches!(self, Self::State | Self::County)
    }

    /// Its values, where they are known beforehand; `state` is the one that the request is of.
    pub(super) fn values(self, state: Option<&str>) -> Option<Vec<String>> {
        let texts = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        match self {
            Self::Source => Some(texts(SOURCES)),
            Self::State => Some(texts(STATES)),
            Self::Level => Some(texts(LEVELS)),
            Self::County => Some(counties(state?)),
            Self::Year | Self::Group | Self::Commodity | Self::Category => None,
        }
    }

    /// How many records a value has, compared with the others, before anything is known.
    pub(super) fn guess(self, value: &str) -> f64 {
        match self {
            Self::Year if is_census(value) => 3.0,
            Self::State => match value {
                "US" => 40.0,
                "OT" | "AS" | "GU" | "MP" | "VI" | "DC" => 2.0,
                _ => 20.0 + known_counties(value).len() as f64,
            },
            Self::Source if value == "CENSUS" => 2.0,
            Self::Level => match value {
                "COUNTY" => 20.0,
                "STATE" | "AGRICULTURAL DISTRICT" => 5.0,
                "NATIONAL" => 2.0,
                _ => 1.0,
            },
            Self::County if value == COMBINED => 5.0,
            _ => 1.0,
        }
    }
}

/// Years of the census of agriculture end in 2 or 7.
pub(super) fn is_census(year: &str) -> bool {
    year.ends_with(['2', '7'])
}

/// The codes of a state's counties: those that are known, the odd numbers between them, which a list may lack, and
/// what is combined.
fn counties(state: &str) -> Vec<String> {
    let known = known_counties(state);
    let last =
        known.iter().filter_map(|code| code.parse().ok()).filter(|code| *code < 500).max().unwrap_or(33);
    let odd = (1..=last)
        .step_by(2)
        .map(|code: u32| format!("{code:03}"))
        .filter(|code| !known.contains(&code.as_str()));
    let known = known.iter().map(|code| (*code).to_owned());
    known.chain(odd).chain([COMBINED.to_owned()]).collect()
}

fn known_counties(state: &str) -> &'static [&'static str] {
    static KNOWN: LazyLock<HashMap<&str, Vec<&str>>> = LazyLock::new(|| {
        let lines = COUNTIES.lines().filter_map(|line| line.split_once('\t'));
        lines
            .map(|(state, codes)| (state, codes.split(' ').filter(|code| *code != COMBINED).collect()))
            .collect()
    });
    KNOWN.get(state).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counties_are_those_of_their_state_and_what_is_combined() {
        assert_eq!(counties("RI").first().map(String::as_str), Some("001"));
        assert_eq!(counties("XX").last().map(String::as_str), Some("998"));
        assert!(counties("TX").len() > 200);
        assert!(STATES.is_sorted(), "{STATES:?}");
    }
}
