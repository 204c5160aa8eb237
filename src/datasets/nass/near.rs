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

/// How many letters must be put in, taken out, changed, or exchanged with the next one.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<_>, Vec<_>) = (a.chars().collect(), b.chars().collect());
    // The rows before, of which the last is the newest.
    let mut rows: [Vec<usize>; 2] = [Vec::new(), (0..=b.len()).collect()];
    for (at, letter) in a.iter().enumerate() {
        let [older, old] = &rows;
        let mut row = vec![at + 1];
        for (place, other) in b.iter().enumerate() {
            let changed = old[place] + usize::from(letter != other);
            let mut least = changed.min(old[place + 1] + 1).min(row[place] + 1);
            if at > 0 && place > 0 && a[at - 1] == *other && *letter == b[place - 1] {
                least = least.min(older[place - 1] + 1);
            }
            row.push(least);
        }
        let [_, old] = rows;
        rows = [old, row];
    }
    rows[1].last().copied().unwrap_or_default()
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
        assert_eq!(near("CRON", ["CORN", "CROPS", "OATS"]), ["CORN"]);
        assert_eq!(near("commodity", known), ["commodity_desc"]);
        assert!(near("colour", known).is_empty());
    }
}
