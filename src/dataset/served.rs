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
