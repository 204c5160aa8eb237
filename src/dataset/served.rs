//! The data of a dataset for `merganser serve`: places, and sums by day, place or zone, and branch.

use std::str::FromStr;

/// The tables that the server reads, and its vocabulary.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    /// postcode, lat, lon, zone.
    pub places: &'static str,
    /// date, zone, postcode, sbi, hits, delta.
    pub place_days: &'static str,
    /// date, zone, sbi, hits, delta.
    pub zone_days: &'static str,
    /// date: one row for each loaded day.
    pub days: &'static str,
    /// zone, first, last, sbi, hits: pieces that share no day and are large enough to be shown; hits are null for a
    /// smaller one.
    pub atoms: &'static str,
    /// The default for the fewest hits of any figure that is shown; 0: everything is shown, by place.
    pub min_count: u32,
    /// The singular and plural of what is counted: `hit`, `hits`.
    pub words: (&'static str, &'static str),
    /// What the deltas are compared with, worded to complete "fewer than …".
    pub compared_with: &'static str,
    /// The same packed, if the number of places and days requires it.
    pub packed: Option<PackedTables>,
    /// How the promotion maintains these tables; `None`: the dataset's own scripts do.
    pub sums: Option<&'static Sums>,
}

/// The fewest hits of a piece that a load chooses.
pub const PIECES_LEAST: u32 = 10;

/// The fewest hits of any figure that is shown, as given by the operator: `N`, or `DATASET=N` for one dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinCount {
    dataset: Option<String>,
    least: u32,
}

impl MinCount {
    /// The dataset that it names; `None`: it is for all of them.
    pub fn dataset(&self) -> Option<&str> {
        self.dataset.as_deref()
    }

    /// The value for a dataset with this default. A setting that does not name a dataset about people never shows more
    /// detail of it than its default: with two datasets, the setting may be meant for the other one.
    pub fn of(dataset: &str, own: u32, said: &[Self]) -> u32 {
        let last = |name: Option<&str>| said.iter().rev().find(|one| one.dataset.as_deref() == name);
        match (last(Some(dataset)), last(None)) {
            (Some(named), _) => named.in_force(),
            (None, Some(all)) => all.in_force().max(own),
            (None, None) => own,
        }
    }

    /// What the setting comes to: no piece has fewer hits than [`PIECES_LEAST`], so a smaller number would promise what it does not
    /// keep.
    fn in_force(&self) -> u32 {
        if self.is_raised() { PIECES_LEAST } else { self.least }
    }

    /// Is the setting smaller than what it comes to?
    pub fn is_raised(&self) -> bool {
        (1..PIECES_LEAST).contains(&self.least)
    }
}

impl FromStr for MinCount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (dataset, least) = text.split_once('=').map_or((None, text), |(name, least)| (Some(name), least));
        let least = least.trim().parse().map_err(|_| format!("`{text}` is neither N nor DATASET=N"))?;
        Ok(Self { dataset: dataset.map(|name| name.trim().to_owned()), least })
    }
}

/// Tables with many sums a row, in lines of cells that are separated by commas.
#[derive(Clone, Copy, Debug)]
pub struct PackedTables {
    /// date, zone, cells: a line for each place and branch, with postcode, hits, delta or nothing, branch.
    pub zone_points: &'static str,
    /// month (its first day), zone, postcode, hits, delta, cells.
    pub place_months: &'static str,
    /// month, zone, cells: a line for each day and branch, with day of the month, hits, delta or nothing, branch.
    pub zone_months: &'static str,
}

impl PackedTables {
    /// The tables, by their names in the server's statements.
    pub fn tables(&self) -> [(&'static str, &'static str); 3] {
        [
            ("zone_points", self.zone_points),
            ("place_months", self.place_months),
            ("zone_months", self.zone_months),
        ]
    }
}

/// Sums of records that the promotion maintains: removed records are subtracted and new ones added, in the transaction
/// that changes them. Records are counted by a date of theirs and may come late, so nothing is shown for days after the
/// newest one from [`newest`](super::Scripts::newest), and a comparison is shown only if the earlier day is loaded too.
#[derive(Clone, Copy, Debug)]
pub struct Sums {
    /// PostgreSQL: makes the view `pg_temp.candidates` of the records in `pg_temp.summed`: record_id, date, sbi and postcode. A record
    /// with several postcodes counts once, at the first that is a place; one without any, or without a date, does not.
    pub candidates: &'static str,
    /// All places.
    pub places: fn() -> Vec<SumPlace>,
    /// The delta of a day is the number of hits this many days earlier.
    pub earlier_days: u16,
}

/// A place that the program knows.
#[derive(Clone, Debug, PartialEq)]
pub struct SumPlace {
    pub postcode: String,
    /// In degrees.
    pub lat: f64,
    pub lon: f64,
    pub zone: String,
}

impl Served {
    /// All tables, by their names in the server's statements.
    pub fn tables(&self) -> [(&'static str, &'static str); 5] {
        [
            ("places", self.places),
            ("place_days", self.place_days),
            ("zone_days", self.zone_days),
            ("days", self.days),
            ("atoms", self.atoms),
        ]
    }

    /// The same, and the packed ones.
    pub fn all_tables(&self) -> Vec<(&'static str, &'static str)> {
        self.tables().into_iter().chain(self.packed.iter().flat_map(PackedTables::tables)).collect()
    }

    /// Variables of the promotion's PostgreSQL scripts besides the engine's.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let tables = self.tables().into_iter().map(|(name, table)| (name, table.to_owned()));
        let earlier = self.sums.map(|sums| ("earlier_days", sums.earlier_days.to_string()));
        tables.chain(earlier).chain([("pieces_least", PIECES_LEAST.to_string())]).collect()
    }
}

/// The longest postcode, in characters.
const LONGEST_POSTCODE: usize = 16;

/// A postcode in capitals and without blanks, as it is loaded and queried; `None`: it cannot be a postcode.
pub fn plain_postcode(text: &str) -> Option<String> {
    let code: String = text.chars().filter(|c| *c != ' ').map(|c| c.to_ascii_uppercase()).collect();
    let is_code = (1..=LONGEST_POSTCODE).contains(&code.len())
        && code.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
    is_code.then_some(code)
}

#[cfg(test)]
mod tests {
    use super::MinCount;

    #[test]
    fn people_are_told_of_in_more_detail_only_by_name() {
        let said = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<MinCount>>();
        for (texts, court, points) in [
            (&[][..], 10, 0),
            (&["0"], 10, 0),
            (&["25"], 25, 25),
            (&["court=0"], 0, 0),
            (&["5", "court=3"], 10, 10),
        ] {
            let said = said(texts);
            assert_eq!((MinCount::of("court", 10, &said), MinCount::of("points", 0, &said)), (court, points));
        }
        assert!("x".parse::<MinCount>().is_err() && "a=".parse::<MinCount>().is_err());
    }
}
