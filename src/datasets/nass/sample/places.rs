//! The places of a sample: the nation, states, districts, counties and other areas.

use crate::datasets::nass::counties::{STATES, counties, plain};

/// A place, with the fields that name it.
#[derive(Clone, Debug)]
pub(super) struct StatPlace {
    /// The fields from the level to the location, separated by tabs.
    pub(super) fields: String,
    pub(super) weight: u64,
    /// A county or similar place, which has fewer records than a state.
    pub(super) is_small: bool,
    /// The only source that reports on the place; `None`: both do.
    pub(super) of: Option<PlaceOf>,
    /// Several places reported as one, whose figures need not be withheld.
    pub(super) is_combined: bool,
    /// The quality of the land for corn, in per cent.
    pub(super) fertility: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlaceOf {
    Census,
    Survey,
}

/// The fields that name a place; unused ones are empty.
#[derive(Clone, Default)]
struct Named<'a> {
    level: &'a str,
    /// Code, abbreviation and name.
    state: [&'a str; 3],
    /// Code and name.
    district: [&'a str; 2],
    county: [&'a str; 2],
    region: &'a str,
    zip: &'a str,
    /// Code and name.
    watershed: [&'a str; 2],
    congress: &'a str,
    /// Code and name; empty: the United States.
    country: [&'a str; 2],
    location: &'a str,
}

impl Named<'_> {
    fn fields(&self) -> String {
        let [state, letters, state_name] = self.state;
        let [county, county_name] = self.county;
        // ANSI has no codes for the nation and for combined counties.
        let state_ansi = if state < "90" { state } else { "" };
        let county_ansi = if county == COMBINED[0] { "" } else { county };
        let [watershed, watershed_name] = self.watershed;
        let watershed = if watershed.is_empty() { "00000000" } else { watershed };
        let [country, country_name] = if self.country[0].is_empty() { HERE } else { self.country };
        [
            self.level,
            state_ansi,
            state,
            letters,
            state_name,
            self.district[0],
            self.district[1],
            county_ansi,
            county,
            county_name,
            self.region,
            self.zip,
            watershed,
            watershed_name,
            self.congress,
            country,
            country_name,
            self.location,
        ]
        .join("\t")
    }
}

const HERE: [&str; 2] = ["9000", "UNITED STATES"];
const COMBINED: [&str; 2] = ["998", "OTHER (COMBINED) COUNTIES"];

/// The districts of a state, from the north-west to the south-east.
const DISTRICTS: [[&str; 2]; 9] = [
    ["10", "NORTHWEST"],
    ["20", "NORTH CENTRAL"],
    ["30", "NORTHEAST"],
    ["40", "WEST CENTRAL"],
    ["50", "CENTRAL"],
    ["60", "EAST CENTRAL"],
    ["70", "SOUTHWEST"],
    ["80", "SOUTH CENTRAL"],
    ["90", "SOUTHEAST"],
];

const REGIONS: [&str; 6] =
    ["CORN BELT", "DELTA STATES", "LAKE STATES", "MOUNTAIN STATES", "NORTHERN PLAINS", "PACIFIC STATES"];

const WATERSHEDS: [[&str; 2]; 12] = [
    ["01000000", "NEW ENGLAND REGION"],
    ["02000000", "MID ATLANTIC REGION"],
    ["03000000", "SOUTH ATLANTIC-GULF REGION"],
    ["04000000", "GREAT LAKES REGION"],
    ["05000000", "OHIO REGION"],
    ["06000000", "TENNESSEE REGION"],
    ["07000000", "UPPER MISSISSIPPI REGION"],
    ["08000000", "LOWER MISSISSIPPI REGION"],
    ["10000000", "MISSOURI REGION"],
    ["11000000", "ARKANSAS-WHITE-RED REGION"],
    ["17000000", "PACIFIC NORTHWEST REGION"],
    ["18000000", "CALIFORNIA REGION"],
];

const COUNTRIES: [[&str; 2]; 3] = [["1220", "CANADA"], ["2010", "MEXICO"], ["1000", "WORLD"]];

/// Weights are given in these parts of a thousandth of a state's weight.
const PART: u64 = 1_000;

/// All places; those of a state are together.
pub(super) fn places() -> Vec<StatPlace> {
    let nation = Named {
        level: "NATIONAL",
        state: ["99", "US", "US TOTAL"],
        location: "US TOTAL",
        ..Named::default()
    };
    let mut places = vec![large(&nation, 6_000 * PART, None)];
    for (code, letters, name, weight) in STATES {
        of_state([code, letters, name], u64::from(weight) * PART, &mut places);
    }
    let others = Named {
        level: "STATE",
        state: ["98", "OT", "OTHER STATES"],
        location: "OTHER STATES",
        ..Named::default()
    };
    places.push(large(&others, 150 * PART, Some(PlaceOf::Survey)));
    for region in REGIONS {
        let location = format!("REGION : MULTI-STATE, {region}");
        let named = Named { level: "REGION : MULTI-STATE", region, location: &location, ..Named::default() };
        places.push(large(&named, 100 * PART, Some(PlaceOf::Survey)));
    }
    for country in COUNTRIES {
        let named = Named { level: "INTERNATIONAL", country, location: country[1], ..Named::default() };
        places.push(large(&named, 50 * PART, Some(PlaceOf::Survey)));
    }
    for watershed in WATERSHEDS {
        let named = Named { level: "WATERSHED", watershed, location: watershed[1], ..Named::default() };
        places.push(small(&named, 60 * PART, Some(PlaceOf::Census)));
    }
    places
}

fn large(named: &Named<'_>, weight: u64, of: Option<PlaceOf>) -> StatPlace {
    StatPlace { is_small: false, is_combined: true, ..small(named, weight, of) }
}

fn small(named: &Named<'_>, weight: u64, of: Option<PlaceOf>) -> StatPlace {
    StatPlace { fields: named.fields(), weight, is_small: true, of, is_combined: false, fertility: 80 }
}

/// A county and its location in its state.
struct Seated {
    code: &'static str,
    name: String,
    district: usize,
    fertility: u64,
}

fn of_state(state: [&'static str; 3], weight: u64, places: &mut Vec<StatPlace>) {
    let name = state[2];
    let base = Named { state, location: name, ..Named::default() };
    places.push(large(&Named { level: "STATE", ..base.clone() }, 250 * weight, None));
    let seated = seated(state[0]);
    let used: Vec<_> =
        (0..DISTRICTS.len()).filter(|at| seated.iter().any(|county| county.district == *at)).collect();
    let districts = used.len() as u64;
    for at in &used {
        let district = DISTRICTS[*at];
        let location = format!("{name}, {}", district[1]);
        let of_district = Named { district, location: &location, ..base.clone() };
        let named = Named { level: "AGRICULTURAL DISTRICT", ..of_district.clone() };
        places.push(StatPlace {
            is_combined: true,
            ..small(&named, 80 * weight / districts, Some(PlaceOf::Survey))
        });
        let location = format!("{location}, {}", COMBINED[1]);
        let named = Named { level: "COUNTY", county: COMBINED, location: &location, ..of_district };
        places.push(StatPlace {
            is_combined: true,
            ..small(&named, 40 * weight / districts, Some(PlaceOf::Survey))
        });
    }
    // The first county has the largest share; the last ones have little.
    let share = |rank: usize| (if rank == 0 { 3 } else { 1 }) * 100_000 / (rank as u64 + 8);
    let shares: u64 = (0..seated.len()).map(share).sum();
    for (rank, county) in seated.iter().enumerate() {
        let district = DISTRICTS[county.district];
        let location = format!("{name}, {}, {}", district[1], county.name);
        let named = Named {
            level: "COUNTY",
            district,
            county: [county.code, &county.name],
            location: &location,
            ..base.clone()
        };
        let place = small(&named, 560 * weight * share(rank) / shares, None);
        places.push(StatPlace { fertility: county.fertility, ..place });
    }
    parts_of_state(&base, weight, places);
}

/// Adds the parts of a state other than its counties.
fn parts_of_state(base: &Named<'_>, weight: u64, places: &mut Vec<StatPlace>) {
    let [code, _, name] = base.state;
    for number in 1..4 {
        let zip = format!("{:05}", code.parse::<u32>().unwrap_or(0) * 1_000 + 1_000 + number * 37);
        let location = format!("{name}, {zip}");
        let named = Named { level: "ZIP CODE", zip: &zip, location: &location, ..base.clone() };
        places.push(small(&named, 10 * weight, Some(PlaceOf::Census)));
    }
    for congress in ["01", "02"] {
        let location = format!("{name}, DISTRICT {congress}");
        let level = "CONGRESSIONAL DISTRICT";
        let named = Named { level, congress, location: &location, ..base.clone() };
        places.push(small(&named, 10 * weight, Some(PlaceOf::Census)));
    }
    let regions: &[(&str, &str, PlaceOf)] = match code {
        "06" => &[
            ("REGION : SUB-STATE", "SACRAMENTO VALLEY", PlaceOf::Survey),
            ("REGION : SUB-STATE", "SAN JOAQUIN VALLEY", PlaceOf::Survey),
        ],
        "04" => &[("AMERICAN INDIAN RESERVATION", "NAVAJO NATION", PlaceOf::Census)],
        "46" => &[("AMERICAN INDIAN RESERVATION", "PINE RIDGE", PlaceOf::Census)],
        _ => &[],
    };
    for (level, region, of) in regions {
        let location = format!("{name}, {region}");
        let named = Named { level, region, location: &location, ..base.clone() };
        places.push(small(&named, 20 * weight, Some(*of)));
    }
}

/// The counties of a state; the districts are the ninths of its map.
fn seated(state: &str) -> Vec<Seated> {
    let counties: Vec<_> = counties().filter(|county| county.fips.starts_with(state)).collect();
    let middles: Vec<_> = counties.iter().map(|county| middle(county.rings)).collect();
    let ends = |pick: fn(&(i64, i64)) -> i64| {
        let least = middles.iter().map(pick).min().unwrap_or(0);
        (least, middles.iter().map(pick).max().unwrap_or(0) - least + 1)
    };
    let ((west, width), (south, height)) = (ends(|middle| middle.0), ends(|middle| middle.1));
    let seated = counties.iter().zip(&middles).map(|(county, (x, y))| {
        let (column, row) = ((x - west) * 3 / width, 2 - (y - south) * 3 / height);
        Seated {
            code: &county.fips[2..],
            name: plain(county.name),
            district: usize::try_from(row * 3 + column).unwrap_or(0),
            fertility: fertility(*x, *y),
        }
    });
    seated.collect()
}

/// The mean of the corners of the largest ring.
fn middle(rings: &str) -> (i64, i64) {
    let ring = rings.split(';').next().unwrap_or_default();
    let numbers: Vec<i64> = ring.split(' ').filter_map(|number| number.parse().ok()).collect();
    let (mut at, mut sum) = ((0, 0), (0, 0));
    for step in numbers.chunks_exact(2) {
        at = (at.0 + step[0], at.1 + step[1]);
        sum = (sum.0 + at.0, sum.1 + at.1);
    }
    let corners = i64::try_from(numbers.len() / 2).unwrap_or(1).max(1);
    (sum.0 / corners, sum.1 / corners)
}

/// The best land for corn lies in Iowa and Illinois.
fn fertility(x: i64, y: i64) -> u64 {
    let (across, down) = ((x - 5_900) / 10, (y + 2_500) / 8);
    let distance = across * across + down * down;
    (55 + 55 * 60_000 / (60_000 + distance)).unsigned_abs()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn places_have_eighteen_fields_and_no_two_are_the_same() {
        let places = places();
        assert!(places.len() > 3_500);
        let keys: BTreeSet<_> = places
            .iter()
            .map(|place| {
                let fields: Vec<_> = place.fields.split('\t').collect();
                assert_eq!(fields.len(), 18, "{}", place.fields);
                assert!(place.weight > 0, "{}", place.fields);
                [0, 2, 5, 8, 10, 11, 12, 14, 15].map(|at| fields[at].to_owned())
            })
            .collect();
        assert_eq!(keys.len(), places.len());
        let levels: BTreeSet<_> = keys.iter().map(|key| key[0].as_str()).collect();
        assert_eq!(levels.len(), 11, "{levels:?}");
    }

    #[test]
    fn combined_counties_come_once_a_district_and_are_no_county() {
        let places = places();
        let of_iowa = |what: &str| {
            places
                .iter()
                .filter(|place| place.fields.contains("\tIA\t") && place.fields.contains(what))
                .count()
        };
        assert_eq!(of_iowa("COUNTY\t19\t19\tIA"), 99 + 9);
        assert_eq!(of_iowa("\t\t998\tOTHER (COMBINED) COUNTIES\t"), 9);
        assert_eq!(of_iowa("AGRICULTURAL DISTRICT"), 9);
        let story =
            places.iter().find(|place| place.fields.contains("\tIOWA\t50\tCENTRAL\t169\t169\tSTORY\t"));
        assert!(story.is_some_and(|story| story.fertility > 100), "{story:?}");
    }
}
