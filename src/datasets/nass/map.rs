//! Maps of crop statistics: the figure of each county.

use super::counties::{STATES, counties};
use crate::dataset::map::{Division, Form, MapArea, MapOf, Measure, Measured, Panel, Rings, rings};

// Made by scripts/county-shapes; map/README.md says from which data.
const OUTLINES: &str = include_str!("map/state.tsv");

/// Areas that are on no map of the mainland and are not states.
const ELSEWHERE: [(&str, &str); 5] = [
    ("60", "American Samoa"),
    ("66", "Guam"),
    ("69", "Northern Mariana Islands"),
    ("72", "Puerto Rico"),
    ("78", "U.S. Virgin Islands"),
];

/// Former codes of counties, and the codes that replaced them.
const FORMER: [(&str, &str); 2] = [("02270", "02158"), ("46113", "46102")];

const WITHHELD: &str = "A county without a figure is not one with zero: nothing was published of it, or it is withheld. Of \
                        several years the median is shown.";
const YIELD: Measured = Measured::Figure { unit: "bushels an acre", about: WITHHELD };
const AREA: Measured = Measured::Figure { unit: "acres", about: WITHHELD };

/// Maps of crop statistics.
pub const MAP: MapOf = MapOf {
    divisions: &[Division {
        name: "county",
        about: "counties",
        area: "county",
        areas: "counties",
        without: "are of no county",
        hint: "the columns agg_level_desc and short_desc of the table say what there is",
        panels: &[UNITED_STATES],
        shapes,
    }],
    measures: &[
        Measure {
            name: "corn-yield",
            about: "yields of corn for grain",
            title: "Corn for grain, bushels an acre",
            of: YIELD,
        },
        Measure {
            name: "soybean-yield",
            about: "yields of soybeans",
            title: "Soybeans, bushels an acre",
            of: YIELD,
        },
        Measure { name: "wheat-yield", about: "yields of wheat", title: "Wheat, bushels an acre", of: YIELD },
        Measure {
            name: "corn-area",
            about: "areas of corn for grain",
            title: "Corn for grain, acres harvested",
            of: AREA,
        },
        Measure {
            name: "soybean-area",
            about: "areas of soybeans",
            title: "Soybeans, acres harvested",
            of: AREA,
        },
        Measure { name: "wheat-area", about: "areas of wheat", title: "Wheat, acres harvested", of: AREA },
        Measure {
            name: "cattle",
            about: "cattle on the first of January",
            title: "Cattle and calves on the first of January",
            of: Measured::Figure { unit: "head", about: WITHHELD },
        },
    ],
    count: include_str!("../../../sql/nass/map.pg.sql"),
    fewest: 0,
    records: "facts",
    credit: "This product uses the NASS API but is not endorsed or certified by NASS. Shapes: cartographic boundaries of the \
             U.S. Census Bureau, 2017, public domain (by way of us-atlas, ISC licence), simplified.",
};

const UNITED_STATES: Panel = Panel {
    title: "Counties of the United States",
    // The shapes are projected already.
    latitude: 0.0,
    labels: &[],
    ground: Vec::new,
    borders: outlines,
};

fn shapes() -> Vec<MapArea> {
    let area = |county: super::counties::County| {
        let former = FORMER.iter().filter(|(_, now)| *now == county.fips).map(|(former, _)| *former);
        MapArea {
            key: county.fips.to_owned(),
            name: county.name.to_owned(),
            place: state(&county.fips[..2]),
            codes: [county.fips].into_iter().chain(former).map(str::to_owned).collect(),
            panel: 0,
            form: match county.rings {
                "" => Form::Nowhere,
                lines => form(rings(lines)),
            },
        }
    };
    counties().map(area).collect()
}

/// A city too small for a ring is drawn as a circle.
fn form(rings: Rings) -> Form {
    match rings.as_slice() {
        [ring] if ring.len() == 1 => Form::Circle(ring[0]),
        _ => Form::Shape(rings),
    }
}

/// The name of a state for people.
fn state(code: &str) -> &'static str {
    let drawn = OUTLINES.lines().find_map(|line| {
        let mut cells = line.split('\t');
        (cells.next() == Some(code)).then(|| cells.next()).flatten()
    });
    let elsewhere = || ELSEWHERE.iter().find(|(known, _)| *known == code).map(|(_, name)| *name);
    let known = || STATES.iter().find(|(known, ..)| *known == code).map(|(.., name, _)| *name);
    drawn.or_else(elsewhere).or_else(known).unwrap_or_default()
}

fn outlines() -> Vec<Rings> {
    OUTLINES.lines().filter_map(|line| Some(rings(line.split('\t').nth(2)?))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_county_has_a_code_of_its_own_and_lies_on_the_plane() {
        let shapes = shapes();
        let codes: BTreeSet<_> = shapes.iter().flat_map(|area| &area.codes).collect();
        assert_eq!((shapes.len(), codes.len()), (3_231, 3_233));
        let (mut nowhere, mut cities) = (BTreeSet::new(), Vec::new());
        for area in &shapes {
            assert!(!area.place.is_empty() && !area.name.is_empty(), "{}", area.key);
            match &area.form {
                Form::Shape(rings) => {
                    assert!(rings.iter().all(|ring| ring.len() > 2), "{}", area.key);
                    // The Aleutians extend beyond the edge.
                    let is_there = |(east, north): &(i32, i32)| {
                        (-600..=9_750).contains(east) && (-6_100..=0).contains(north)
                    };
                    assert!(rings.iter().flatten().all(is_there), "{}", area.key);
                }
                Form::Circle(_) => cities.push(area.name.as_str()),
                Form::Nowhere => drop(nowhere.insert(&area.key[..2])),
            }
        }
        assert_eq!(nowhere, BTreeSet::from(["60", "66", "69", "72", "78"]), "all else is drawn");
        assert_eq!(cities, ["Falls Church", "Lexington", "Manassas Park"]);
    }

    #[test]
    fn counties_lie_where_they_are() {
        let shapes = shapes();
        let at = |fips: &str| {
            let area = shapes.iter().find(|area| area.codes.iter().any(|code| code == fips)).unwrap();
            let Form::Shape(rings) = &area.form else { panic!("{fips} is nowhere") };
            (format!("{}, {}", area.name, area.place), rings[0][0])
        };
        let (story, (east, north)) = at("19169");
        assert_eq!(story, "Story, Iowa");
        assert!((5_000..6_000).contains(&east) && (-2_800..-2_000).contains(&north), "{east} {north}");
        let [(_, los_angeles), (_, aroostook), (_, miami), (_, honolulu)] =
            ["06037", "23003", "12086", "15003"].map(at);
        assert!(los_angeles.0 < 1_200 && aroostook.0 > 9_000 && miami.1 < -5_400);
        assert!(honolulu.1 < -5_000 && honolulu.0 < 4_000, "Hawaii is below the south-west: {honolulu:?}");
        assert_eq!(at("46113").0, "Oglala Lakota, South Dakota");
        assert_eq!(outlines().len(), 51);
    }

    #[test]
    fn the_statement_knows_every_measure() {
        for measure in MAP.measures {
            assert!(MAP.count.contains(&format!("('{}', 'county', ", measure.name)), "{}", measure.name);
        }
        assert_eq!(MAP.count.matches("', 'county', '").count(), MAP.measures.len());
    }
}
