//! Suggests known names for a misspelt one.

use strsim::osa_distance;

/// Up to three known names that are similar to `name`, the most similar first.
pub(super) fn near<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let name = name.to_ascii_lowercase();
    let mut found: Vec<_> = known
        .into_iter()
        .filter_map(|known| {
            let lower = known.to_ascii_lowercase();
            let contains =
                name.len() >= 3 && (lower.contains(&name) || name.contains(&lower) && lower.len() >= 3);
            let distance = osa_distance(&name, &lower);
            let alike = name.bytes().zip(lower.bytes()).take_while(|(a, b)| a == b).count();
            let is_near = contains || alike >= 5 || distance <= (name.len() / 3).max(1);
            is_near.then_some((distance, known))
        })
        .collect();
    found.sort();
    found.into_iter().take(3).map(|(_, known)| known).collect()
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
