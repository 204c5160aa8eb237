//! Streets of the made city, their lots, and the rows that the address directory has of them.

use std::fmt;

use super::places::zip;
use super::{City, LOTS_PER_STREET};

/// A house number: `65`, `331A`, `65 1/2`, `35-12`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct House {
    pub(super) before: u64,
    /// The digits behind the hyphen; none: the number has none.
    pub(super) behind: Option<u64>,
    /// Nothing, a letter or a fraction.
    pub(super) suffix: &'static str,
}

impl House {
    /// So many numbers further on the street.
    pub(super) fn plus(self, more: u64) -> Self {
        match self.behind {
            Some(behind) => Self { behind: Some(behind + more), ..self },
            None => Self { before: self.before + more, ..self },
        }
    }

    pub(super) fn with(self, suffix: &'static str) -> Self {
        Self { suffix, ..self }
    }

    /// Without its hyphen, as some people write it.
    pub(super) fn unhyphenated(self) -> Self {
        let before = self.behind.map_or(self.before, |behind| self.before * 100 + behind);
        Self { before, behind: None, ..self }
    }

    /// Eleven characters that sort, as the directory has them.
    pub(super) fn sorts(self) -> String {
        let code = match self.suffix {
            "" => "AA",
            "1/2" => "AH",
            "A" => "MB",
            "B" => "MC",
            other => unreachable!("no house has the suffix {other}"),
        };
        let hyphen = u8::from(self.behind.is_some());
        format!("{hyphen}{:05}{:03}{code}", self.before, self.behind.unwrap_or_default())
    }
}

impl fmt::Display for House {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.before)?;
        if let Some(behind) = self.behind {
            write!(f, "-{behind:02}")?;
        }
        if self.suffix.contains('/') {
            f.write_str(" ")?;
        }
        f.write_str(self.suffix)
    }
}

/// What is special to a lot. Where a shape speaks of another lot, that one is made beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// One number.
    Single,
    /// Three numbers of one side.
    Wide,
    /// `331` to `331A`.
    Lettered,
    /// `331`; `331A` is another lot.
    Letter,
    /// `65`; `65 1/2` is another lot.
    Half,
    /// Another lot has the same number, under another postal code.
    Twin,
    /// In Queens: `35-12`; `3512` is another lot.
    Plain,
    /// Three numbers, of units that one lot is billed for.
    Condominium,
}

/// A street of the made city.
#[derive(Clone, Debug)]
pub(super) struct Street {
    pub(super) boro: u64,
    /// Its number in the borough.
    pub(super) at: u64,
    pub(super) name: String,
    pub(super) is_hyphenated: bool,
    /// It has even numbers alone.
    pub(super) is_one_sided: bool,
    /// In Queens: a second street of the same name and numbers lies elsewhere.
    pub(super) is_doubled: bool,
    /// Postal codes of its first half, its second, and of twins.
    zips: [u64; 3],
    before: u64,
}

/// A lot with one address range on its street.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lot {
    pub(super) place: u64,
    pub(super) shape: Shape,
    pub(super) low: House,
    pub(super) high: House,
    pub(super) zip: u64,
    /// Borough, block and lot.
    pub(super) bbl: u64,
    /// 0: the directory has none, or two.
    pub(super) bin: u64,
}

/// Where the second street of a name has its lots.
const ELSEWHERE_BLOCK: u64 = 50_000;

impl City {
    /// A street of a borough.
    pub(super) fn street(&self, boro: u64, at: u64) -> Street {
        let at = at % self.streets;
        let (kind, group) = (at % 16, at / 16);
        let is_beach = boro == 4 && kind == 13;
        let is_hyphenated = boro == 4 && !is_beach;
        let first = self.hash(boro, at, 1);
        let is_marble_hill = boro == 1 && kind == 14 && group % 8 == 1;
        let zone = if is_beach { 3 } else { first % 3 };
        let of_code = |number: u64| if is_marble_hill { 10_463 } else { zip(boro, zone, first / 8 + number) };
        let before = if is_hyphenated { 10 + first / 512 % 120 } else { 100 * (first / 512 % 30) };
        Street {
            boro,
            at,
            name: name(boro, kind, group),
            is_hyphenated,
            is_one_sided: kind == 8,
            is_doubled: boro == 4 && kind == 2 && group.is_multiple_of(2),
            zips: [of_code(0), of_code(1), of_code(2)],
            before,
        }
    }

    fn shape(&self, street: &Street, place: u64) -> Shape {
        match (place, self.hash(street.boro, street.at, 100 + place) % 16) {
            (0 | 1, _) => Shape::Single,
            (2, _) if street.at % 4 == 1 => Shape::Condominium,
            (_, 0..=6) => Shape::Single,
            (_, 7..=9) => Shape::Wide,
            (_, 10) => Shape::Lettered,
            (_, 11 | 12) => Shape::Letter,
            (_, 13) => Shape::Half,
            (_, 14) if street.boro != 4 => Shape::Twin,
            (_, _) if street.is_hyphenated && !street.is_doubled => Shape::Plain,
            _ => Shape::Single,
        }
    }

    /// The lot at a place of a street, from 0 to 23.
    pub(super) fn lot(&self, street: &Street, place: u64) -> Lot {
        let place = place % LOTS_PER_STREET;
        let shape = self.shape(street, place);
        let (side, slot) = if street.is_one_sided { (0, place) } else { (place % 2, place / 2) };
        let low = match street.is_hyphenated {
            true => House {
                before: street.before + slot / 4,
                behind: Some(12 * (slot % 4) + 2 + side),
                suffix: "",
            },
            false => House { before: street.before + 12 * slot + 2 - side, behind: None, suffix: "" },
        };
        let high = match shape {
            Shape::Wide | Shape::Condominium => low.plus(4),
            Shape::Lettered => low.with("A"),
            _ => low,
        };
        let block = street.at + 1;
        let number = if shape == Shape::Condominium { 7501 } else { 1 + 3 * place };
        let has_bin = !(place == 5 && street.at % 4 < 2);
        Lot {
            place,
            shape,
            low,
            high,
            zip: street.zips[(place / 12) as usize],
            bbl: bbl(street.boro, block, number),
            bin: if has_bin { bin(street, place * 2) } else { 0 },
        }
    }

    /// The other building of a corner lot's address: the next street, and the number there. Only the first lot of a
    /// street is at a corner.
    pub(super) fn around_the_corner(&self, street: &Street) -> (Street, House) {
        let next = self.street(street.boro, street.at + 1);
        let house = match next.is_hyphenated {
            true => House { before: next.before + 40, behind: Some(2), suffix: "" },
            false => House { before: next.before + 302, behind: None, suffix: "" },
        };
        (next, house)
    }

    /// What the second lot of a street is called, beside its address; few are.
    pub(super) fn place_name(&self, street: &Street) -> Option<String> {
        let (first, second) = (stem(street.at % 400), stem(street.at / 400));
        street.at.is_multiple_of(3).then(|| format!("{first} {second} HOUSES"))
    }
}

impl Street {
    /// The lot that a lot's shape speaks of beside itself; none: there is no other.
    pub(super) fn other(&self, lot: &Lot) -> Option<Lot> {
        let (low, zip) = match lot.shape {
            Shape::Letter => (lot.low.with("A"), lot.zip),
            Shape::Half => (lot.low.with("1/2"), lot.zip),
            Shape::Twin => (lot.low, self.zips[2]),
            Shape::Plain => (lot.low.unhyphenated(), lot.zip),
            _ => return None,
        };
        Some(Lot { low, high: low, zip, bbl: lot.bbl + 1, bin: bin(self, lot.place * 2 + 1), ..*lot })
    }

    /// The same lot on the second street of this name.
    pub(super) fn elsewhere(&self, lot: &Lot) -> Lot {
        let is_other = lot.bbl % 3 == bbl(self.boro, self.at + 1, 2 + 3 * lot.place) % 3;
        let which = if is_other { 74 } else { 50 } + lot.place;
        let bin = if lot.bin == 0 { 0 } else { bin(self, which) };
        Lot { zip: zip(4, 3, self.at), bbl: lot.bbl + ELSEWHERE_BLOCK * 10_000, bin, ..*lot }
    }

    /// Does a postal code tell a lot from its twin?
    pub(super) fn twins_differ(&self, lot: &Lot) -> bool {
        self.zips[2] != lot.zip
    }
}

pub(super) fn bbl(boro: u64, block: u64, lot: u64) -> u64 {
    boro * 1_000_000_000 + block * 10_000 + lot
}

/// The number of a building: `which` is below 100.
pub(super) fn bin(street: &Street, which: u64) -> u64 {
    street.boro * 1_000_000 + 1 + street.at * 100 + which
}

/// Words that no rule of spelling knows.
fn stem(number: u64) -> String {
    const FIRST: [&str; 20] = [
        "ASH", "BEL", "CAR", "DOR", "EL", "FAIR", "GREN", "HOL", "IRV", "KEL", "LIN", "MAR", "NOR", "OAK",
        "PEM", "QUIN", "RED", "SUT", "TIL", "WAR",
    ];
    const LAST: [&str; 20] = [
        "FORD", "MONT", "WOOD", "TON", "VILLE", "LEY", "HURST", "BURY", "MERE", "DALE", "WICK", "GATE",
        "COTE", "BROOK", "RIDGE", "FIELD", "SHAW", "THORPE", "BECK", "COMBE",
    ];
    let (first, last) = (FIRST[(number % 20) as usize], LAST[(number / 20 % 20) as usize]);
    if number < 400 { format!("{first}{last}") } else { format!("{first}{last}HAM") }
}

fn name(boro: u64, kind: u64, group: u64) -> String {
    const LETTERS: &[u8] = b"ABCDFGHIJKLMOPQRTUVXYZ";
    let (number, stem) = (group + 1, stem(group));
    if boro == 4 {
        return match kind {
            0 => format!("{number} STREET"),
            2 => format!("{number} AVENUE"),
            4 => format!("{number} ROAD"),
            6 => format!("{number} DRIVE"),
            10 => format!("{number} PLACE"),
            13 => format!("BEACH {number} STREET"),
            _ => of_words(kind, &stem),
        };
    }
    match kind {
        0 => format!("EAST {number} STREET"),
        1 => format!("WEST {number} STREET"),
        2 => format!("{number} AVENUE"),
        9 if (group as usize) < LETTERS.len() => format!("AVENUE {}", char::from(LETTERS[group as usize])),
        13 => format!("SOUTH {number} STREET"),
        _ => of_words(kind, &stem),
    }
}

fn of_words(kind: u64, stem: &str) -> String {
    match kind {
        1 => format!("{stem} COURT"),
        4 => format!("{stem} STREET"),
        5 => format!("{stem} BOULEVARD"),
        6 => format!("{stem} PLACE"),
        3 => format!("{stem} AVENUE"),
        7 => format!("ST {stem}S PLACE"),
        8 => format!("FORT {stem} ROAD"),
        9 => format!("MOUNT {stem} PARKWAY"),
        10 => format!("{stem} ROAD"),
        11 => format!("{stem} PARK SOUTH"),
        12 => format!("{stem} DRIVE"),
        14 => format!("{stem} LANE"),
        _ => format!("{stem} PARK"),
    }
}
