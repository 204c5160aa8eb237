//! States and counties with their codes and locations. map/README.md says where names and shapes come from.

/// A line for each county of the states, of Puerto Rico and of the islands: its code, its name, its rings.
pub(super) const COUNTIES: &str = include_str!("map/county.tsv");

/// Code, abbreviation and name of each state, and a weight that grows with the number of its records.
pub(super) const STATES: [(&str, &str, &str, u32); 51] = [
    ("01", "AL", "ALABAMA", 2),
    ("02", "AK", "ALASKA", 1),
    ("04", "AZ", "ARIZONA", 2),
    ("05", "AR", "ARKANSAS", 4),
    ("06", "CA", "CALIFORNIA", 80),
    ("08", "CO", "COLORADO", 4),
    ("09", "CT", "CONNECTICUT", 1),
    ("10", "DE", "DELAWARE", 1),
    ("12", "FL", "FLORIDA", 4),
    ("13", "GA", "GEORGIA", 4),
    ("15", "HI", "HAWAII", 1),
    ("16", "ID", "IDAHO", 4),
    ("17", "IL", "ILLINOIS", 10),
    ("18", "IN", "INDIANA", 7),
    ("19", "IA", "IOWA", 24),
    ("20", "KS", "KANSAS", 9),
    ("21", "KY", "KENTUCKY", 4),
    ("22", "LA", "LOUISIANA", 3),
    ("23", "ME", "MAINE", 1),
    ("24", "MD", "MARYLAND", 2),
    ("25", "MA", "MASSACHUSETTS", 1),
    ("26", "MI", "MICHIGAN", 5),
    ("27", "MN", "MINNESOTA", 9),
    ("28", "MS", "MISSISSIPPI", 3),
    ("29", "MO", "MISSOURI", 6),
    ("30", "MT", "MONTANA", 4),
    ("31", "NE", "NEBRASKA", 10),
    ("32", "NV", "NEVADA", 1),
    ("33", "NH", "NEW HAMPSHIRE", 1),
    ("34", "NJ", "NEW JERSEY", 1),
    ("35", "NM", "NEW MEXICO", 2),
    ("36", "NY", "NEW YORK", 4),
    ("37", "NC", "NORTH CAROLINA", 5),
    ("38", "ND", "NORTH DAKOTA", 6),
    ("39", "OH", "OHIO", 6),
    ("40", "OK", "OKLAHOMA", 5),
    ("41", "OR", "OREGON", 4),
    ("42", "PA", "PENNSYLVANIA", 4),
    ("44", "RI", "RHODE ISLAND", 1),
    ("45", "SC", "SOUTH CAROLINA", 2),
    ("46", "SD", "SOUTH DAKOTA", 6),
    ("47", "TN", "TENNESSEE", 3),
    ("48", "TX", "TEXAS", 40),
    ("49", "UT", "UTAH", 2),
    ("50", "VT", "VERMONT", 1),
    ("51", "VA", "VIRGINIA", 3),
    ("53", "WA", "WASHINGTON", 5),
    ("54", "WV", "WEST VIRGINIA", 1),
    ("55", "WI", "WISCONSIN", 8),
    ("56", "WY", "WYOMING", 2),
    ("72", "PR", "PUERTO RICO", 1),
];

/// A county.
#[derive(Clone, Copy, Debug)]
pub(super) struct County {
    /// Five digits; the first two are the state's.
    pub(super) fips: &'static str,
    /// The name as the Census Bureau writes it: `Doña Ana`.
    pub(super) name: &'static str,
    /// The borders as the map draws them; empty: the county is not on the map.
    pub(super) rings: &'static str,
}

/// All counties, ordered by their codes.
pub(super) fn counties() -> impl Iterator<Item = County> {
    COUNTIES.lines().filter_map(|line| {
        let mut cells = line.split('\t');
        let (fips, name, rings) = (cells.next()?, cells.next()?, cells.next()?);
        Some(County { fips, name, rings })
    })
}

/// The name as Quick Stats writes it: in ASCII capitals, without apostrophes and dots.
pub(super) fn plain(name: &str) -> String {
    let chars = name.chars().filter(|c| !['\'', '.'].contains(c));
    let ascii = chars.map(|c| match c {
        'á' => 'A',
        'é' => 'E',
        'í' => 'I',
        'ó' => 'O',
        'ú' | 'ü' => 'U',
        'ñ' => 'N',
        c => c.to_ascii_uppercase(),
    });
    ascii.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_every_state_has_counties() {
        let all: Vec<_> = counties().collect();
        assert!(all.len() > 3_200 && all.windows(2).all(|two| two[0].fips < two[1].fips));
        assert!(all.iter().all(|county| county.fips.len() == 5 && plain(county.name).is_ascii()));
        for (state, ..) in STATES {
            assert!(all.iter().any(|county| county.fips.starts_with(state)), "{state}");
        }
        assert_eq!(["Doña Ana", "St. Mary's"].map(plain), ["DONA ANA", "ST MARYS"]);
    }
}
