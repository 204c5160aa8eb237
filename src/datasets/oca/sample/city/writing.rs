//! How people write a street: the spellings of one name, and what they put around an address.

use super::super::values::Draw;

/// Ways to write a name; see [`spelled`].
const STYLES: u32 = 7;

/// A street as somebody writes it.
pub(super) fn spelled(draw: &mut Draw, name: &str) -> String {
    let by_word = |change: &dyn Fn(&str) -> String| name.split(' ').map(change).collect::<Vec<_>>().join(" ");
    match draw.below(STYLES) {
        0 => name.to_owned(),
        1 => by_word(&ordinal),
        2 => by_word(&short),
        3 => by_word(&|word| short(&ordinal(word))),
        4 => by_word(&|word| match short(word) {
            short if short == word => short,
            short => format!("{short}."),
        }),
        5 => by_word(&|word| capital(&ordinal(word))),
        _ => match name.split_once(' ') {
            Some(("ST", rest)) => format!("SAINT {}", rest.replacen("S ", "'S ", 1)),
            Some(("FORT", rest)) => format!("FT {rest}"),
            Some(("AVENUE", rest)) => format!("AVE {rest}"),
            Some(("MOUNT", rest)) => format!("MT. {rest}"),
            _ => name.to_lowercase(),
        },
    }
}

fn ordinal(word: &str) -> String {
    let Ok(number) = word.parse::<u32>() else { return word.to_owned() };
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "TH",
        (1, _) => "ST",
        (2, _) => "ND",
        (3, _) => "RD",
        _ => "TH",
    };
    format!("{number}{ending}")
}

fn short(word: &str) -> String {
    let short = match word {
        "STREET" => "ST",
        "AVENUE" => "AVE",
        "BOULEVARD" => "BLVD",
        "PARKWAY" => "PKWY",
        "ROAD" => "RD",
        "PLACE" => "PL",
        "DRIVE" => "DR",
        "LANE" => "LN",
        "COURT" => "CT",
        "EAST" => "E",
        "WEST" => "W",
        "SOUTH" => "S",
        "FORT" => "FT",
        "MOUNT" => "MT",
        other => other,
    };
    short.to_owned()
}

fn capital(word: &str) -> String {
    let lower = word.to_lowercase();
    let mut letters = lower.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + letters.as_str())
}

/// An address with an apartment in the same line.
pub(super) fn with_apartment(draw: &mut Draw, house: &str, street: &str) -> String {
    let (floor, door) = (draw.between(1, 14), *draw.of(b"ABCDFGHJ") as char);
    match draw.below(12) {
        0 => format!("{house} {street} #{floor}{door}"),
        1 => format!("{house} {street} {floor}{door}"),
        2 => format!("{house} {street}, 2ND FLOOR"),
        3 => format!("{house} {street} {floor}R"),
        4 => format!("APT {floor}{door}, {house} {street}"),
        5 => format!("{house} {street} UNIT {floor}"),
        6 => format!("{house} {street} BASEMENT"),
        7 => format!("{house} {street}, APARTMENT {floor}{door}"),
        8 => format!("{house} {street} Apt. {floor}-{door}"),
        9 => format!("{house} APT {floor}{door} {street}"),
        10 => format!("{house} {street} 1ST FL"),
        _ => format!("{house} {street} APT {floor}{door}"),
    }
}

/// A second line that is an apartment.
pub(super) fn apartment(draw: &mut Draw) -> String {
    let (floor, door) = (draw.between(1, 14), *draw.of(b"ABCDFGHJ") as char);
    match draw.below(5) {
        0 => "2ND FLOOR".into(),
        1 => format!("#{floor}{door}"),
        2 => format!("UNIT {floor}"),
        _ => format!("APT {floor}{door}"),
    }
}
