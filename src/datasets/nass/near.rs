//! Names that somebody may have meant.

/// Up to three of the known names that are near to one that is not known, the nearest first.
pub(super) fn near<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let name = name.to_ascii_lowercase();
    let mut found: Vec<_> = known
        .into_iter()
        .filter_map(|known| {
            let lower = known.to_ascii_lowercase();
            let contains =
                name.len() >= 3 && (lower.contains(&name) || name.contains(&lower) && lower.len() >= 3);
            let distance = distance(&name, &lower);
            let alike = name.bytes().zip(lower.bytes()).take_while(|(a, b)| a == b).count();
            let is_near = contains || alike >= 5 || distance <= (name.len() / 3).max(1);
            is_near.then_some((distance, known))
        })
        .collect();
    found.sort();
    found.into_iter().take(3).map(|(_, known)| known).collect()
}

/// How many letters must be put in, taken out or changed.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<_> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, letter) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (place, other) in b.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[place + 1];
            row[place + 1] = changed.min(row[place] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_near() {
        let known = ["commodity_desc", "county_code", "country_code", "year"];
        assert_eq!(near("comodity_desc", known), ["commodity_desc"]);
        assert_eq!(near("county_cod", known), ["county_code", "country_code"]);
        assert_eq!(near("COUNTIES", ["COUNTY", "STATE"]), ["COUNTY"]);
        assert_eq!(near("commodity", known), ["commodity_desc"]);
        assert!(near("colour", known).is_empty());
    }
}
