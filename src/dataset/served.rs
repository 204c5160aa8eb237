//! What `merganser serve` can tell of a dataset: places, and sums by day, place or zone, and branch.

/// The tables that the server reads, and its words.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    /// postcode, lat, lon, zone.
    pub places: &'static str,
    /// date, zone, postcode, sbi, hits, delta.
    pub place_days: &'static str,
    /// date, zone, sbi, hits, delta.
    pub zone_days: &'static str,
    /// date: a row for each day that is loaded.
    pub days: &'static str,
    /// zone, first, last, sbi, hits: pieces that share no day, large enough to be told of; hits are null of one that is not.
    pub atoms: &'static str,
    /// The hits that whatever is told must have, unless whoever serves says otherwise; 0: everything is told, by place.
    pub min_count: u32,
    /// One and several of what is counted: `hit`, `hits`.
    pub words: (&'static str, &'static str),
    /// What the deltas are, as it completes "fewer than …".
    pub compared_with: &'static str,
    /// The same of whole months, where there are so many places and days that they are needed.
    pub months: Option<Months>,
    /// How the promotion keeps these tables; `None`: the dataset's own scripts do.
    pub sums: Option<&'static Sums>,
}

/// Tables of whole months.
#[derive(Clone, Copy, Debug)]
pub struct Months {
    /// month (its first day), zone, postcode, hits, delta, cells.
    pub places: &'static str,
    /// month, zone, cells: a line for each day and branch, with day of the month, hits, delta or nothing, branch.
    pub zones: &'static str,
}

/// Sums of records, which the promotion keeps: what goes is taken off and what comes is added, in one transaction with both. Records are
/// counted by a day of theirs and may come late, so nothing is told of days behind the newest that [`newest`](super::Scripts::newest)
/// knows of, and what a day is compared with only where that day is loaded, too.
#[derive(Clone, Copy, Debug)]
pub struct Sums {
    /// PostgreSQL: makes the view `pg_temp.candidates` of the records in `pg_temp.summed`: record_id, date, sbi and postcode. A record
    /// with several postcodes counts once, at the first that is a place; one without any, or without a date, does not.
    pub candidates: &'static str,
    /// All places.
    pub places: fn() -> Vec<SumPlace>,
    /// The delta of a day is the hits so many days earlier.
    pub earlier_days: u16,
}

/// A place that the program knows.
#[derive(Clone, Debug, PartialEq)]
pub struct SumPlace {
    pub postcode: String,
    /// Degrees.
    pub lat: f64,
    pub lon: f64,
    pub zone: String,
}

impl Served {
    /// All tables, by the names that the server's statements give them.
    pub fn tables(&self) -> [(&'static str, &'static str); 5] {
        [
            ("places", self.places),
            ("place_days", self.place_days),
            ("zone_days", self.zone_days),
            ("days", self.days),
            ("atoms", self.atoms),
        ]
    }

    /// The same, and those of whole months.
    pub fn all_tables(&self) -> Vec<&'static str> {
        let months = self.months.map(|months| [months.places, months.zones]);
        self.tables().map(|(_, table)| table).into_iter().chain(months.into_iter().flatten()).collect()
    }

    /// What PostgreSQL scripts of the promotion may name beside the engine's variables.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let tables = self.tables().into_iter().map(|(name, table)| (name, table.to_owned()));
        let earlier = self.sums.map(|sums| ("earlier_days", sums.earlier_days.to_string()));
        tables.chain(earlier).collect()
    }
}

/// Letters of a postcode at most.
const LONGEST_POSTCODE: usize = 16;

/// A postcode in capitals and without blanks, as it is loaded and asked for; `None`: it can be none.
pub fn plain_postcode(text: &str) -> Option<String> {
    let code: String = text.chars().filter(|c| *c != ' ').map(|c| c.to_ascii_uppercase()).collect();
    let is_code = (1..=LONGEST_POSTCODE).contains(&code.len())
        && code.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
    is_code.then_some(code)
}
