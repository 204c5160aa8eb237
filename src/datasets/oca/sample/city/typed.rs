//! Addresses as people type them, each with what is true of it.

mod ways;

use self::ways::{
    also_known_as, between_ranges, condominium, contradiction, line_with_apartment, little_said, named_place,
    no_such_number, noise, of_two_buildings, other_side, other_suffix, range, range_of_two, second_line,
    street, suffix, two_lots, unhyphenated, unknown_street,
};
use super::super::values::{Draw, Weighted};
use super::places::{borough_of, geoid, tract, villages};
use super::streets::{House, Lot, Shape, Street};
use super::{City, LOTS_PER_STREET};

/// An address as it is typed, and what is true of it.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Typed {
    /// The way of typing.
    pub(super) kind: &'static str,
    /// Empty: there is none.
    pub(in super::super) street1: String,
    pub(in super::super) street2: String,
    pub(in super::super) city: String,
    pub(in super::super) postal_code: String,
    /// What must come out.
    pub(super) status: &'static str,
    /// 0: none.
    pub(super) bbl: u64,
    pub(super) bin: u64,
    /// The census tract of a lot.
    pub(super) geoid: Option<String>,
}

/// How a way of typing makes an address in a borough; none: the streets at hand have no lot for it.
type Typing = fn(&City, &mut Draw, u64) -> Option<Typed>;

/// The ways of typing, in per cent.
const WAYS: Weighted<Typing> = Weighted::new(&[
    (27, street),
    (15, line_with_apartment),
    (9, second_line),
    (7, unhyphenated),
    (6, suffix),
    (3, other_suffix),
    (4, condominium),
    (4, little_said),
    (4, two_lots),
    (4, also_known_as),
    (1, of_two_buildings),
    (5, range),
    (1, range_of_two),
    (3, named_place),
    (2, other_side),
    (2, between_ranges),
    (1, no_such_number),
    (1, unknown_street),
    (1, contradiction),
]);

/// What is left of a hundred when the ways above have lots: not an address at all.
const NOISE_PERCENT: u32 = 3;

/// An address in a borough.
pub(in super::super) fn typed(city: &City, draw: &mut Draw, boro: u64) -> Typed {
    if draw.chance(NOISE_PERCENT) {
        return noise(draw, boro);
    }
    let way = draw.pick(&WAYS);
    way(city, draw, boro).or_else(|| street(city, draw, boro)).expect("every street has lots")
}

/// An address of the city, typed for somewhere else: the city has the street, and the number.
pub(in super::super) fn typed_outside(city: &City, draw: &mut Draw, there: &str, postal_code: &str) -> Typed {
    let boro = u64::from(draw.between(1, 5));
    let typed = street(city, draw, boro).expect("every street has lots");
    Typed {
        kind: "outside",
        city: there.to_owned(),
        postal_code: postal_code.to_owned(),
        status: "outside",
        bbl: 0,
        bin: 0,
        geoid: None,
        ..typed
    }
}

impl City {
    fn any_street(&self, draw: &mut Draw, boro: u64) -> Street {
        self.street(boro, u64::from(draw.below(self.streets as u32)))
    }

    /// A lot that is as it shall be, looked for from anywhere on.
    fn find(&self, draw: &mut Draw, boro: u64, fits: fn(&Street, &Lot) -> bool) -> Option<(Street, Lot)> {
        /// Half of all streets have any shape of lot.
        const STREETS: u64 = 40;
        let (at, place) = (u64::from(draw.below(self.streets as u32)), u64::from(draw.below(24)));
        (at..at + STREETS).find_map(|at| {
            let street = self.street(boro, at);
            let lots = (place..place + LOTS_PER_STREET).map(|place| self.lot(&street, place));
            lots.into_iter().find(|lot| fits(&street, lot)).map(|lot| (street.clone(), lot))
        })
    }
}

/// A number of the lot's, its hyphen as the directory has it.
fn house(draw: &mut Draw, lot: &Lot) -> House {
    match lot.shape {
        Shape::Wide | Shape::Condominium => lot.low.plus(2 * u64::from(draw.below(3))),
        _ => lot.low,
    }
}

fn city_name(draw: &mut Draw, boro: u64, zip: u64) -> String {
    let name = match boro == 4 && draw.chance(70) {
        true => draw.of(villages(zip)),
        false => draw.of(borough_of(boro).cities),
    };
    (*name).to_owned()
}

/// A line of a lot, where the lot is, and that it is found.
fn found(draw: &mut Draw, kind: &'static str, street: &Street, lot: &Lot, street1: String) -> Typed {
    // Whose lots in Marble Hill these are, the postal code says, and the people write what it says.
    let city = if lot.zip == 10_463 { "Bronx".into() } else { city_name(draw, street.boro, lot.zip) };
    let postal_code = match draw.chance(10) {
        true => format!("{}-{}", lot.zip, draw.between(1001, 9999)),
        false => lot.zip.to_string(),
    };
    Typed {
        kind,
        street1,
        street2: String::new(),
        city,
        postal_code,
        status: "match",
        bbl: lot.bbl,
        bin: lot.bin,
        geoid: Some(geoid(street.boro, tract(street.at))),
    }
}

/// The same, and that there is no lot.
fn missed(status: &'static str, typed: Typed) -> Typed {
    Typed { status, bbl: 0, bin: 0, geoid: None, ..typed }
}

/// Any lot that one address has, or one of a street that is there twice.
fn any_lot(city: &City, draw: &mut Draw, boro: u64) -> (Street, Lot) {
    let street = city.any_street(draw, boro);
    let lot = city.lot(&street, u64::from(draw.below(LOTS_PER_STREET as u32)));
    match street.is_doubled && draw.chance(50) {
        true => (street.clone(), street.elsewhere(&lot)),
        false => (street, lot),
    }
}
