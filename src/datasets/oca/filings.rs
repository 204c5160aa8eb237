//! The court extract's data for the server: cases by filing date, postal code and kind.

use super::map;
use crate::dataset::CellSource::Made;
use crate::dataset::ColumnType::{self, BigInt, Date, Numeric, Text};
use crate::dataset::derived::{Derived, DerivedKind};
use crate::dataset::map::{Form, Point, Rings};
use crate::dataset::served::{Served, SumPlace, Sums};
use crate::dataset::{Column, Table};

/// A small number of cases could identify people.
const FEWEST: u32 = 10;
/// Whole weeks instead of a year, so that a Monday is compared with a Monday.
const EARLIER_DAYS: u16 = 364;

/// The data for `merganser serve`.
pub(super) const SERVED: Served = Served {
    places: PLACES.table.name,
    place_days: PLACE_DAYS.table.name,
    zone_days: ZONE_DAYS.table.name,
    days: DAYS.table.name,
    atoms: ATOMS.table.name,
    min_count: FEWEST,
    words: ("filing", "filings"),
    compared_with: "a year before",
    packed: None,
    sums: Some(&SUMS),
};

const SUMS: Sums =
    Sums { candidates: include_str!("../../../sql/oca/15_filed.pg.sql"), places, earlier_days: EARLIER_DAYS };

pub(super) const PLACES: Derived = kept(
    "oca_filing_places",
    &[made("postcode", Text), made("lat", Numeric), made("lon", Numeric), made("zone", Text)],
);

pub(super) const DAYS: Derived =
    kept("oca_filing_days", &[made("date", Date), made("hits", BigInt), made("delta", BigInt)]);

pub(super) const PLACE_DAYS: Derived = kept(
    "oca_filing_place_days",
    &[
        made("date", Date),
        made("zone", Text),
        made("postcode", Text),
        made("sbi", Text),
        made("hits", BigInt),
        made("delta", BigInt),
    ],
);

pub(super) const ZONE_DAYS: Derived = kept(
    "oca_filing_zone_days",
    &[made("date", Date), made("zone", Text), made("sbi", Text), made("hits", BigInt), made("delta", BigInt)],
);

pub(super) const ATOMS: Derived = kept(
    "oca_filing_atoms",
    &[made("zone", Text), made("first", Date), made("last", Date), made("sbi", Text), made("hits", BigInt)],
);

/// One of the tables, which one script makes together, with their keys.
const fn kept(name: &'static str, columns: &'static [Column]) -> Derived {
    Derived {
        table: Table { name, element: "", unique: &[], columns },
        kind: DerivedKind::Reference { keys: "" },
        make: include_str!("../../../sql/oca/14_filings.pg.sql"),
    }
}

const fn made(name: &'static str, kind: ColumnType) -> Column {
    Column::new(name, kind, Made)
}

/// Digits of a postal code that make a zone outside the city, where an area has few cases.
const ZONE_DIGITS: usize = 3;

/// The postal codes of the state. In the city, each is at the centre of its ZIP area, which is its zone.
fn places() -> Vec<SumPlace> {
    let mut places = Vec::new();
    for area in map::zips() {
        let (zone, middle) = match &area.form {
            Form::Shape(rings) => (area.key.as_str(), middle(rings)),
            Form::Circle(point) => {
                (&area.key[..ZONE_DIGITS.min(area.key.len())], Some((f64::from(point.0), f64::from(point.1))))
            }
            Form::Nowhere => continue,
        };
        let Some((east, north)) = middle else { continue };
        let place = |code: &String| SumPlace {
            postcode: code.clone(),
            lat: north / 10_000.0,
            lon: east / 10_000.0,
            zone: zone.to_owned(),
        };
        places.extend(area.codes.iter().map(place));
    }
    places
}

/// The centre of gravity of the largest ring.
fn middle(rings: &Rings) -> Option<(f64, f64)> {
    let weighed = rings.iter().filter_map(|ring| weigh(ring));
    weighed.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, middle)| middle)
}

/// Area and centre of gravity of a ring; `None`: it has no area.
fn weigh(ring: &[Point]) -> Option<(f64, (f64, f64))> {
    let (origin_east, origin_north) = *ring.first()?;
    let near = |point: &Point| (f64::from(point.0 - origin_east), f64::from(point.1 - origin_north));
    let (mut area, mut east, mut north) = (0.0, 0.0, 0.0);
    for (at, from) in ring.iter().enumerate() {
        let (from, to) = (near(from), near(&ring[(at + 1) % ring.len()]));
        let cross = from.0 * to.1 - to.0 * from.1;
        area += cross / 2.0;
        east += (from.0 + to.0) * cross / 6.0;
        north += (from.1 + to.1) * cross / 6.0;
    }
    (area != 0.0)
        .then(|| (area.abs(), (f64::from(origin_east) + east / area, f64::from(origin_north) + north / area)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_postal_code_is_one_place_of_the_state() {
        let places = places();
        let codes: BTreeSet<_> = places.iter().map(|place| &place.postcode).collect();
        assert_eq!(codes.len(), places.len());
        assert!(places.len() > 1_800, "{}", places.len());
        for place in &places {
            assert!((40.4..45.1).contains(&place.lat) && (-79.9..-71.8).contains(&place.lon), "{place:?}");
        }
        let find = |code: &str| places.iter().find(|place| place.postcode == code).unwrap();
        let (chelsea, tower, buffalo) = (find("10001"), find("10118"), find("14201"));
        assert_eq!((chelsea.lat, chelsea.lon, &*chelsea.zone), (tower.lat, tower.lon, "10001"));
        assert!(
            (chelsea.lat - 40.7506).abs() < 0.005 && (chelsea.lon + 73.9972).abs() < 0.005,
            "{chelsea:?}"
        );
        assert_eq!(buffalo.zone, "142");
    }

    #[test]
    fn the_middle_of_a_square_is_its_middle_whichever_way_it_is_drawn() {
        let square = vec![(10, 10), (20, 10), (20, 20), (10, 20)];
        let back = square.iter().rev().copied().collect();
        for ring in [square, back] {
            assert_eq!(middle(&vec![vec![(0, 0), (1, 0), (1, 1)], ring]), Some((15.0, 15.0)));
        }
        assert_eq!(middle(&vec![vec![(0, 0), (1, 1)]]), None);
    }
}
