//! The ways in which people type an address: each gives the address and what is true of it.

use super::super::super::values::Draw;
use super::super::City;
use super::super::places::{borough_of, zip};
use super::super::streets::{Lot, Shape, Street};
use super::super::writing::{apartment, spelled, with_apartment};
use super::{Typed, any_lot, found, house, missed};

pub(super) fn street(city: &City, draw: &mut Draw, boro: u64) -> Option<Typed> {
    let (street, lot) = any_lot(city, draw, boro);
    let kind = match (lot.shape, street.is_doubled, street.name.as_bytes()[0]) {
        (Shape::Twin, ..) => return two_lots(city, draw, boro),
        (Shape::Condominium, ..) => "condominium",
        (_, true, _) => "street that is there twice",
        (_, _, b'0'..=b'9') => "numbered street",
        _ if lot.zip == 10_463 => "Marble Hill",
        _ if ["ST ", "FORT ", "AVENUE ", "MOUNT "].iter().any(|word| street.name.starts_with(word)) => {
            "saint, fort, avenue"
        }
        _ if ["EAST ", "WEST ", "SOUTH "].iter().any(|word| street.name.starts_with(word)) => "direction",
        _ => "street",
    };
    let line = format!("{} {}", house(draw, &lot), spelled(draw, &street.name));
    Some(found(draw, kind, &street, &lot, line))
}

pub(super) fn line_with_apartment(city: &City, draw: &mut Draw, boro: u64) -> Option<Typed> {
    let (street, lot) = any_lot(city, draw, boro);
    if lot.shape == Shape::Twin {
        return two_lots(city, draw, boro);
    }
    let (house, name) = (house(draw, &lot).to_string(), spelled(draw, &street.name));
    let line = with_apartment(draw, &house, &name);
    Some(found(draw, "apartment in the line", &street, &lot, line))
}

pub(super) fn second_line(city: &City, draw: &mut Draw, boro: u64) -> Option<Typed> {
    let (street, lot) = any_lot(city, draw, boro);
    if lot.shape == Shape::Twin {
        return two_lots(city, draw, boro);
    }
    let (house, name) = (house(draw, &lot).to_string(), spelled(draw, &street.name));
    let (street1, street2) = match draw.below(6) {
        0 => (house, name),
        1 => (apartment(draw), format!("{house} {name}")),
        _ => (format!("{house} {name}"), apartment(draw)),
    };
    let typed = found(draw, "two lines", &street, &lot, street1);
    Some(Typed { street2, ..typed })
}

/// In Queens alone. Where a lot has the number as it is typed, it is that one.
pub(super) fn unhyphenated(city: &City, draw: &mut Draw, _: u64) -> Option<Typed> {
    let fits = |street: &Street, lot: &Lot| street.is_hyphenated && lot.low.suffix.is_empty();
    let (street, lot) = city.find(draw, 4, fits)?;
    let number = house(draw, &lot);
    let other = street.other(&lot).filter(|_| lot.shape == Shape::Plain);
    let line = format!("{} {}", number.unhyphenated(), spelled(draw, &street.name));
    Some(found(draw, "unhyphenated in Queens", &street, &other.unwrap_or(lot), line))
}

fn suffixed(lot: &Lot) -> bool {
    matches!(lot.shape, Shape::Lettered | Shape::Letter | Shape::Half)
}

pub(super) fn suffix(city: &City, draw: &mut Draw, boro: u64) -> Option<Typed> {
    let (street, lot) = city.find(draw, boro, |_, lot| suffixed(lot))?;
    let its = street.other(&lot).unwrap_or(Lot { low: lot.high, ..lot });
    let house = match (its.low.suffix, draw.below(4)) {
        ("1/2", 0) => format!("{}-1/2", its.low.with("")),
        ("A", 0) => format!("{}-A", its.low.with("")),
        ("A", 1) => format!("{} A", its.low.with("")),
        _ => its.low.to_string(),
    };
    let line = format!("{house} {}", spelled(draw, &street.name));
    Some(found(draw, "suffix", &street, &its, line))
}

/// A letter or a fraction that the lot has not.
pub(super) fn other_suffix(city: &City, draw: &mut Draw, boro: u64) -> Option<Typed> {
    let (street, lot) =
        city.find(draw, boro, |_, lot| lot.shape == Shape::Single || lot.shape == Shape::Letter)?;
    let last = if lot.shape == Shape::Letter { "B" } else { *draw.of(&["A", "B", "1/2"]) };
    let line = format!("{} {}", lot.high.with(last), spelled(draw, &street.name));
    let typed = found(draw, "another suffix", &street, &lot, line);
    Some(missed("no_number", typed))
}

pub(super) fn condominium(city: &City, draw: &mut Draw, boro: u64) -> Option<Typed> {
    let (street, lot) = city.find(draw, boro, |_, lot| lot.shape == Shape::Condominium)?;
    let lot = if street.is_doubled && draw.chance(50) { street.elsewhere(&lot) } else { lot };
    let line = format!("{} {}", house(draw, &lot), spelled(draw, &street.name));
    Some(found(draw, "condominium", &street, &lot, line))
}

/// City or postal code alone: four boroughs have the street.
pub(super) fn little_said(city: &City, draw: &mut Draw, boro: u64) -> Option<Typed> {
    let fits = |street: &Street, lot: &Lot| {
        lot.shape != Shape::Twin && !street.is_doubled && street.boro != 4 && lot.zip != 10_463
    };
    let (street, lot) = city.find(draw, if boro == 4 { 1 } else { boro }, fits)?;
    let line = format!("{} {}", house(draw, &lot), spelled(draw, &street.name));
    let typed = found(draw, "one street, two boroughs", &street, &lot, line);
    Some(match draw.below(3) {
        0 => Typed { postal_code: String::new(), ..typed },
        1 => Typed { city: String::new(), ..typed },
        _ => Typed { city: "New York".into(), ..typed },
    })
}

/// Two lots have the address: the postal code decides, or nothing does.
pub(super) fn two_lots(city: &City, draw: &mut Draw, boro: u64) -> Option<Typed> {
    let (street, lot, other) = match boro {
        4 => {
            let (street, lot) = city.find(draw, 4, |street, _| street.is_doubled)?;
            let other = street.elsewhere(&lot);
            (street, lot, other)
        }
        _ => {
            let (street, lot) = city.find(draw, boro, |_, lot| lot.shape == Shape::Twin)?;
            let other = street.other(&lot).expect("a twin has another");
            (street, lot, other)
        }
    };
    let line = format!("{} {}", house(draw, &lot), spelled(draw, &street.name));
    let its = if draw.chance(50) { &lot } else { &other };
    let typed = found(draw, "two lots", &street, its, line);
    let is_told = boro == 4 || street.twins_differ(&lot);
    if is_told && draw.chance(70) {
        return Some(typed);
    }
    // A village of Queens is told by its name, too.
    let name = (*draw.of(borough_of(boro).cities)).to_owned();
    let typed = match is_told {
        true => Typed { city: name, postal_code: String::new(), ..typed },
        false => typed,
    };
    Some(missed("tie", typed))
}

pub(super) fn also_known_as(city: &City, draw: &mut Draw, boro: u64) -> Option<Typed> {
    let (street, lot) = city.find(draw, boro, |_, lot| lot.place == 0)?;
    if street.is_doubled {
        return None;
    }
    let (next, number) = city.around_the_corner(&street);
    let first = format!("{} {}", lot.low, spelled(draw, &street.name));
    let second = format!("{number} {}", spelled(draw, &next.name));
    let (street1, street2) = match draw.below(5) {
        0 => (format!("{first} (AKA) {second}"), String::new()),
        1 => (format!("{first} A/K/A {second}"), String::new()),
        2 => (first, format!("AKA {second}")),
        3 => (format!("{second}, ALSO KNOWN AS {first}"), String::new()),
        _ => (format!("{first} AKA {second}"), String::new()),
    };
    let typed = found(draw, "also known as", &street, &lot, street1);
    Some(Typed { street2, ..typed })
}

/// Two addresses that are not of one lot.
pub(super) fn of_two_buildings(city: &City, draw: &mut Draw, boro: u64) -> Option<Typed> {
    let (street, lot) = city.find(draw, boro, |street, lot| lot.place < 10 && !street.is_doubled)?;
    let other = city.lot(&street, lot.place + 2);
    let names = [spelled(draw, &street.name), spelled(draw, &street.name)];
    let line = format!("{} {} AKA {} {}", lot.low, names[0], other.low, names[1]);
    let typed = found(draw, "also known as", &street, &lot, line);
    Some(missed("tie", typed))
}

/// Both ends of a range, as the directory has it.
pub(super) fn range(city: &City, draw: &mut Draw, boro: u64) -> Option<Typed> {
    let (street, lot) = city.find(draw, boro, |_, lot| lot.shape == Shape::Wide)?;
    let (low, high) = (lot.low, lot.high);
    let (last, high_number) = match high.behind {
        Some(behind) => (format!("{behind:02}"), high.to_string()),
        None => (format!("{:02}", high.before % 100), high.to_string()),
    };
    let is_short = high.behind.is_some() || low.before / 100 == high.before / 100 && low.before >= 100;
    let house = match draw.below(4) {
        // In Queens a hyphen is part of the number, also where no number has one.
        _ if boro == 4 && !street.is_hyphenated => format!("{low} TO {high_number}"),
        0 if is_short && high.behind.is_none() => format!("{low}-{last}"),
        0 | 1 if high.behind.is_some() => format!("{low}/{last}"),
        1 => format!("{low}/{high_number}"),
        2 => format!("{low} TO {high_number}"),
        _ if high.behind.is_some() => format!("{low} - {high_number}"),
        _ => format!("{low}-{high_number}"),
    };
    let line = format!("{house} {}", spelled(draw, &street.name));
    Some(found(draw, "typed range", &street, &lot, line))
}

/// A range from one lot to the next.
pub(super) fn range_of_two(city: &City, draw: &mut Draw, boro: u64) -> Option<Typed> {
    let fits = |street: &Street, lot: &Lot| !street.is_hyphenated && lot.place < 10;
    let (street, lot) = city.find(draw, boro, fits)?;
    let other = city.lot(&street, lot.place + 2);
    let to = if boro == 4 { " TO " } else { "-" };
    let line = format!("{}{to}{} {}", lot.low, other.low, spelled(draw, &street.name));
    let typed = found(draw, "typed range", &street, &lot, line);
    Some(missed("tie", typed))
}

pub(super) fn named_place(city: &City, draw: &mut Draw, boro: u64) -> Option<Typed> {
    let fits =
        |street: &Street, lot: &Lot| lot.place == 1 && street.at.is_multiple_of(3) && !street.is_doubled;
    let (street, lot) = city.find(draw, boro, fits)?;
    let name = city.place_name(&street)?;
    let line = match draw.below(3) {
        0 => format!("{name} APT 4B"),
        1 => name.to_lowercase(),
        _ => name,
    };
    Some(found(draw, "place name", &street, &lot, line))
}

/// The number across the street, where nothing is.
pub(super) fn other_side(city: &City, draw: &mut Draw, boro: u64) -> Option<Typed> {
    let fits = |street: &Street, lot: &Lot| street.is_one_sided && lot.shape != Shape::Twin;
    let (street, lot) = city.find(draw, boro, fits)?;
    let line = format!("{} {}", lot.low.plus(1), spelled(draw, &street.name));
    let typed = found(draw, "other side of the street", &street, &lot, line);
    Some(missed("no_number", typed))
}

/// A number behind a range and before the next.
pub(super) fn between_ranges(city: &City, draw: &mut Draw, boro: u64) -> Option<Typed> {
    let (street, lot) = city.find(draw, boro, |_, lot| lot.shape != Shape::Twin)?;
    let by = if lot.high == lot.low { 2 } else { 6 };
    let line = format!("{} {}", lot.low.plus(by), spelled(draw, &street.name));
    let typed = found(draw, "between two ranges", &street, &lot, line);
    Some(missed("no_number", typed))
}

pub(super) fn no_such_number(city: &City, draw: &mut Draw, boro: u64) -> Option<Typed> {
    let (street, lot) = any_lot(city, draw, boro);
    let line = format!("{} {}", draw.of(&["0", "99999", "9998"]), spelled(draw, &street.name));
    let typed = found(draw, "no such number", &street, &lot, line);
    Some(missed("no_number", typed))
}

pub(super) fn unknown_street(city: &City, draw: &mut Draw, boro: u64) -> Option<Typed> {
    let (street, lot) = any_lot(city, draw, boro);
    let name = draw.of(&["ZZQQXX STREET", "NOWHERE PLAZA", "999TH STREET", "AVENUE OF THE FINCHES"]);
    let typed = found(draw, "no such street", &street, &lot, format!("{} {name}", lot.low));
    Some(missed("no_street", typed))
}

/// The postal code is of another borough than the city.
pub(super) fn contradiction(city: &City, draw: &mut Draw, boro: u64) -> Option<Typed> {
    let (street, lot) = any_lot(city, draw, boro);
    let other = if boro == 3 { 5 } else { 3 };
    let line = format!("{} {}", house(draw, &lot), spelled(draw, &street.name));
    let typed = found(draw, "contradiction", &street, &lot, line);
    let city = if other == 3 { "Brooklyn" } else { "Staten Island" };
    let postal_code = lot.zip.to_string();
    Some(missed("tie", Typed { city: city.into(), postal_code, ..typed }))
}

/// What is no address.
pub(super) fn noise(draw: &mut Draw, boro: u64) -> Typed {
    let code = zip(boro, 1, u64::from(draw.below(12)));
    let box_number = draw.between(1, 9999);
    let (kind, status, street1) = match draw.below(8) {
        0 => ("post-office box", "no_street", format!("PO BOX {box_number}")),
        1 => ("post-office box", "no_street", format!("P.O. Box {box_number}")),
        2 => ("noise", "no_street", "UNKNOWN".to_owned()),
        3 => ("noise", "no_street", format!("APT {}", apartment(draw).replace('#', ""))),
        4 => ("noise", "no_street", "x%$ ".repeat(50)),
        5 => ("noise", "no_line", ", .".to_owned()),
        6 => ("noise", "no_line", String::new()),
        _ => ("noise", "no_street", "N/A & <none>".to_owned()),
    };
    let city = (*draw.of(borough_of(boro).cities)).to_owned();
    Typed { kind, street1, city, postal_code: code.to_string(), status, ..Typed::default() }
}
