//! Boroughs of the made city: their postal codes, what people write as their city, and where they lie.

/// A borough.
pub(in super::super) struct MadeBorough {
    /// As the address directory counts them.
    pub(in super::super) boro: u64,
    /// PLUTO's letters.
    pub(super) letters: &'static str,
    /// County of the census.
    pub(super) county: &'static str,
    /// What people write as the city, the most usual first.
    pub(super) cities: &'static [&'static str],
    /// South and west of its square.
    pub(super) south: f64,
    pub(super) west: f64,
}

/// All five, in the directory's order.
pub(in super::super) const BOROUGHS: [MadeBorough; 5] = [
    borough(1, "MN", "061", &["New York", "NEW YORK", "Manhattan", "NYC"], 40.75, -74.00),
    borough(2, "BX", "005", &["Bronx", "BRONX"], 40.85, -73.90),
    borough(3, "BK", "047", &["Brooklyn", "BROOKLYN", "Kings"], 40.62, -74.00),
    borough(4, "QN", "081", &["Queens", "QUEENS"], 40.70, -73.80),
    borough(5, "SI", "085", &["Staten Island", "STATEN ISLAND", "Richmond"], 40.52, -74.20),
];

const fn borough(
    boro: u64,
    letters: &'static str,
    county: &'static str,
    cities: &'static [&'static str],
    south: f64,
    west: f64,
) -> MadeBorough {
    MadeBorough { boro, letters, county, cities, south, west }
}

/// The borough of a number from 1 to 5.
pub(super) fn borough_of(boro: u64) -> &'static MadeBorough {
    &BOROUGHS[(boro - 1) as usize]
}

/// The postal code of that number in a borough; in Queens `zone` is one of four.
pub(super) fn zip(boro: u64, zone: u64, number: u64) -> u64 {
    match (boro, zone % 4) {
        (1, _) => 10_001 + number % 40,
        // 10463 is also Manhattan's, of Marble Hill.
        (2, _) => 10_451 + number % 12,
        (3, _) => 11_201 + number % 39,
        (4, 0) => 11_101 + number % 6,
        (4, 1) => 11_354 + number % 30,
        (4, 2) => 11_411 + number % 26,
        (4, _) => 11_691 + number % 7,
        _ => 10_301 + number % 14,
    }
}

/// Villages of Queens by the first three digits of their postal codes.
pub(super) fn villages(zip: u64) -> &'static [&'static str] {
    match zip / 100 {
        111 => &["Astoria", "Long Island City"],
        113 => &["Flushing", "Elmhurst"],
        114 => &["Jamaica", "Hollis"],
        _ => &["Far Rockaway", "Arverne"],
    }
}

/// Tracts of a borough are squares, so many in a row and in a column.
pub(super) const TRACTS_A_SIDE: u64 = 8;
/// Degrees that a tract is wide and high.
pub(super) const TRACT_DEGREES: f64 = 0.01;

/// Which tract of its borough a street lies in.
pub(super) fn tract(at: u64) -> u64 {
    at % (TRACTS_A_SIDE * TRACTS_A_SIDE)
}

/// South-west corner of a tract: latitude, longitude.
pub(super) fn corner(boro: u64, tract: u64) -> (f64, f64) {
    let borough = borough_of(boro);
    let north = (tract / TRACTS_A_SIDE) as f64 * TRACT_DEGREES;
    let east = (tract % TRACTS_A_SIDE) as f64 * TRACT_DEGREES;
    (borough.south + north, borough.west + east)
}

/// The census' number of a tract.
pub(super) fn geoid(boro: u64, tract: u64) -> String {
    format!("36{}{:06}", borough_of(boro).county, (tract + 1) * 100)
}
