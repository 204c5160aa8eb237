//! The address of a made case, as it is written in different ways.

use super::city::Typed;
use super::places::{Area, Locality, PLACES};
use super::values::{Draw, MISSING, STREET2};
use super::xml::{Xml, digits, two_digits};

/// Where the property is.
pub(super) struct Property {
    pub(super) place: &'static Locality,
    area: &'static Area,
    /// The address names the county as its city, or as well as its city.
    city_is_county: bool,
    city_and_county: bool,
    /// The last four digits of a postal code of nine.
    extension: Option<u32>,
    /// Its address in a made city, which counts in the place of the area.
    pub(super) typed: Option<Typed>,
}

impl Property {
    /// A property in one of the courts' districts.
    pub(super) fn new(facts: &mut Draw) -> Self {
        let place = facts.pick(&PLACES);
        let area = facts.of(place.areas);
        let written = facts.below(100);
        let (city_is_county, city_and_county) = (written < 12, written == 99);
        let extension = facts.chance(10).then(|| facts.between(1001, 9999));
        Self { place, area, city_is_county, city_and_county, extension, typed: None }
    }

    /// Writes what an address and a warrant have in common.
    pub(super) fn city_state_and_postal_code(&self, xml: &mut Xml) {
        if let Some(typed) = &self.typed {
            return typed_place(xml, typed);
        }
        xml.element("City", |out, _| {
            let city = if self.city_is_county { self.place.county } else { self.area.city };
            out.extend_from_slice(city.as_bytes());
            if self.city_and_county {
                out.extend_from_slice(b", ");
                out.extend_from_slice(self.place.county.as_bytes());
            }
        });
        xml.text("State", "New York");
        xml.element("PostalCode", |out, _| {
            out.extend_from_slice(self.area.postal_code.as_bytes());
            if let Some(extension) = self.extension {
                out.push(b'-');
                digits(out, u64::from(extension));
            }
        });
    }

    /// The borough of its court, by its number; none: it is not of the city.
    pub(super) fn boro(&self) -> Option<u64> {
        let counties = ["New York", "Bronx", "Kings", "Queens", "Richmond"];
        counties.iter().position(|county| *county == self.place.county).map(|at| at as u64 + 1)
    }

    /// City and postal code of its area.
    pub(super) fn city_and_postal_code(&self) -> (&'static str, &'static str) {
        (self.area.city, self.area.postal_code)
    }

    /// Draws the street lines whether they are written or not: the rest of the case is the same.
    pub(super) fn street_lines(&self, xml: &mut Xml, facts: &mut Draw, written: bool) {
        let (name, low, high) = *facts.of(self.area.streets);
        let house = facts.between(u32::from(low), u32::from(high));
        let in_block = facts.between(1, 59);
        let short = facts.chance(15);
        let second = facts.pick(&STREET2);
        let (floor, door) = (facts.between(1, 14), facts.below(12));
        if !written {
            return;
        }
        xml.element("Street1", |out, _| {
            digits(out, u64::from(house));
            if self.place.hyphenated {
                out.push(b'-');
                two_digits(out, u64::from(in_block));
            }
            out.push(b' ');
            let shortened = SUFFIXES.iter().find_map(|(long, abbreviation)| {
                name.strip_suffix(long).filter(|_| short).map(|stem| (stem, *abbreviation))
            });
            let (stem, suffix) = shortened.unwrap_or((name, ""));
            out.extend_from_slice(stem.as_bytes());
            out.extend_from_slice(suffix.as_bytes());
        });
        if second == MISSING {
            // Not by way of `Xml::text`, whose count of missing values is the same at either level.
            return;
        }
        xml.element("Street2", |out, _| {
            out.extend_from_slice(second.as_bytes());
            if second.ends_with([' ', '#']) {
                digits(out, u64::from(floor));
                out.extend(b"ABCDEFGH".get(door as usize));
            }
        });
    }
}

/// Writes an address of a made city.
pub(super) fn typed_address(xml: &mut Xml, typed: &Typed) {
    for (name, line) in [("Street1", &typed.street1), ("Street2", &typed.street2)] {
        if !line.is_empty() {
            xml.element(name, |out, _| escape(out, line));
        }
    }
    typed_place(xml, typed);
}

fn typed_place(xml: &mut Xml, typed: &Typed) {
    xml.text("City", &typed.city);
    xml.text("State", "New York");
    xml.text("PostalCode", &typed.postal_code);
}

fn escape(out: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            byte => out.push(byte),
        }
    }
}

/// How one address in seven shortens the last word of its street.
const SUFFIXES: &[(&str, &str)] = &[
    ("AVENUE", "AVE"),
    ("STREET", "ST"),
    ("BOULEVARD", "BLVD"),
    ("PARKWAY", "PKWY"),
    ("ROAD", "RD"),
    ("PLACE", "PL"),
];
