//! The name of a street in one spelling, so that two can be compared.

/// Streets end with these; a number behind them is an apartment's. Not a road or a route, which may have a number.
pub(super) const ENDS: &[&str] = &[
    "STREET",
    "ST",
    "AVENUE",
    "AVE",
    "AV",
    "PLACE",
    "PL",
    "BOULEVARD",
    "BLVD",
    "DRIVE",
    "DR",
    "LANE",
    "LN",
    "COURT",
    "CT",
    "TERRACE",
    "TER",
    "PARKWAY",
    "PKWY",
    "CONCOURSE",
];

/// A street in one spelling, word by word.
pub(super) fn street(text: &str) -> Vec<String> {
    let text = text.replace(['\'', '’'], "").to_uppercase();
    let words: Vec<&str> =
        text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let count = words.len();
    let spelled = words.iter().enumerate().map(|(at, word)| {
        let (is_first, is_last) = (at == 0, at + 1 == count);
        let next = words.get(at + 1).copied().unwrap_or_default();
        let before = at.checked_sub(1).map(|at| words[at]).unwrap_or_default();
        let is_end = is_last || at + 2 == count && direction(next).is_some();
        if let Some(number) = ordinal(word) {
            return number;
        }
        // `AVENUE N` is a letter, `N 7 STREET` and `PARK AVENUE N` are directions; of `N STREET` nobody knows.
        let is_before = is_first && count > 1 && (count > 2 || !is_kind(next));
        let is_after = is_last && count > 2 || is_last && count == 2 && !is_kind(before);
        if let Some(direction) = direction(word).filter(|_| is_before || is_after) {
            return direction.to_owned();
        }
        match *word {
            "ST" if is_end && !is_first => "STREET".to_owned(),
            "ST" => "SAINT".to_owned(),
            "FT" if !is_end => "FORT".to_owned(),
            "MT" if !is_end => "MOUNT".to_owned(),
            "DOCTOR" if is_first => "DR".to_owned(),
            "DR" if is_first => "DR".to_owned(),
            "BWAY" | "BDWAY" => "BROADWAY".to_owned(),
            "AVE" | "AV" => "AVENUE".to_owned(),
            word if is_first => word.to_owned(),
            word => suffix(word).to_owned(),
        }
    });
    spelled.collect()
}

/// Are two streets, each in one spelling, the same?
pub(super) fn is_same_street(one: &[String], other: &[String]) -> bool {
    // `MAC DOUGAL` and `MACDOUGAL`; with numbers `1 11 STREET` would be `11 1 STREET`.
    let has_digit = |words: &[String]| words.iter().any(|word| word.contains(|c: char| c.is_ascii_digit()));
    one == other || !has_digit(one) && !has_digit(other) && one.concat() == other.concat()
}

fn direction(word: &str) -> Option<&'static str> {
    Some(match word {
        "N" | "NORTH" => "NORTH",
        "E" | "EAST" => "EAST",
        "S" | "SOUTH" => "SOUTH",
        "W" | "WEST" => "WEST",
        _ => return None,
    })
}

/// `193RD` and `FIRST` as bare numbers.
fn ordinal(word: &str) -> Option<String> {
    const WORDS: [&str; 12] = [
        "FIRST", "SECOND", "THIRD", "FOURTH", "FIFTH", "SIXTH", "SEVENTH", "EIGHTH", "NINTH", "TENTH",
        "ELEVENTH", "TWELFTH",
    ];
    if let Some(at) = WORDS.iter().position(|other| *other == word) {
        return Some((at + 1).to_string());
    }
    let digits = ["ST", "ND", "RD", "TH"].iter().find_map(|ending| word.strip_suffix(ending)).unwrap_or(word);
    let is_number = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
    is_number.then(|| digits.trim_start_matches('0').to_owned()).filter(|digits| !digits.is_empty())
}

/// A kind of street, spelled out; any other word as it is.
fn suffix(word: &str) -> &str {
    match word {
        "AVE" | "AV" | "AVEN" | "AVN" => "AVENUE",
        "ST" | "STR" => "STREET",
        "BLVD" | "BL" | "BLV" | "BOUL" => "BOULEVARD",
        "RD" => "ROAD",
        "PL" => "PLACE",
        "PKWY" | "PKY" | "PWY" => "PARKWAY",
        "DR" | "DRV" => "DRIVE",
        "LN" => "LANE",
        "CT" => "COURT",
        "TER" | "TERR" => "TERRACE",
        "SQ" => "SQUARE",
        "EXPY" | "EXPWY" => "EXPRESSWAY",
        "TPKE" | "TPK" => "TURNPIKE",
        "HWY" => "HIGHWAY",
        "CIR" => "CIRCLE",
        "CRES" => "CRESCENT",
        "PLZ" => "PLAZA",
        "CONC" => "CONCOURSE",
        "GDNS" => "GARDENS",
        "HTS" => "HEIGHTS",
        "ALY" => "ALLEY",
        "EXT" => "EXTENSION",
        "RTE" | "RT" => "ROUTE",
        word => word,
    }
}

/// Is it a kind of street, spelled out or not?
pub(super) fn is_kind(word: &str) -> bool {
    suffix(word) != word || ENDS.contains(&word) || ["ROAD", "SQUARE", "ALLEY", "LOOP", "WAY"].contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streets_are_the_same_in_every_spelling_and_otherwise_not() {
        let same = |one: &str, other: &str| is_same_street(&street(one), &street(other));
        assert!(same("E 37TH ST", "EAST 37 STREET") && same("MacDougal St", "MAC DOUGAL STREET"));
        for (one, other) in [
            ("37 STREET", "EAST 37 STREET"),
            ("37 STREET", "37 AVENUE"),
            ("AVENUE N", "AVENUE"),
            ("1 ROAD", "11 ROAD"),
        ] {
            assert!(!same(one, other), "{one}, {other}");
        }
    }
}
