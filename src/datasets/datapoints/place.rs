//! Validates the cells of a place: a postcode, its coordinates and its zone.

use super::point::PointFlaw;
use crate::dataset::served::plain_postcode;

/// A valid place; its coordinates are kept as they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ZonedPlace {
    pub postcode: String,
    pub lat: String,
    pub lon: String,
    pub zone: String,
}

/// The columns of places.csv, in the order in which [`ZonedPlace::read`] expects them.
pub(super) const COLUMNS: [&str; 4] = ["postcode", "lat", "lon", "zone"];

/// The most characters in the name of a zone.
const LONGEST: usize = 40;

impl ZonedPlace {
    /// Validates cells; `cell` returns `None` for a cell that is not valid text.
    ///
    /// # Errors
    /// The first invalid cell.
    pub(super) fn read<'a>(cell: impl Fn(usize) -> Option<&'a str>) -> Result<Self, PointFlaw> {
        let flaw = |at: usize, reason: &str| PointFlaw {
            field: COLUMNS[at],
            value: cell(at).unwrap_or_default().chars().take(500).collect(),
            reason: reason.to_owned(),
        };
        let text = |at: usize| cell(at).ok_or_else(|| flaw(at, "it is not text in UTF-8"));
        let degrees = |at: usize, most: f64| -> Result<String, PointFlaw> {
            let text = text(at)?;
            let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || b".-".contains(&byte));
            let value = text.parse::<f64>().ok().filter(|value| is_plain && (-most..=most).contains(value));
            match value {
                Some(_) => Ok(text.to_owned()),
                None => Err(flaw(at, &format!("it is not a number of degrees from -{most} to {most}"))),
            }
        };
        let zone = text(3)?;
        Ok(Self {
            postcode: plain_postcode(text(0)?).ok_or_else(|| flaw(0, "it is no postcode"))?,
            lat: degrees(1, 90.0)?,
            lon: degrees(2, 180.0)?,
            zone: match zone.is_empty() || zone.chars().count() > LONGEST {
                false => zone.to_owned(),
                true => return Err(flaw(3, "it is not a zone, which has 1 to 40 characters")),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_are_numbers_in_their_range() {
        let read = |lat: &'static str, lon: &'static str| {
            let cells = ["1011ab", lat, lon, "101"];
            ZonedPlace::read(|at| Some(cells[at]))
        };
        assert_eq!(read("52.37", "-4.9").unwrap().postcode, "1011AB");
        for (lat, lon, field) in
            [("90.1", "4", "lat"), ("NaN", "4", "lat"), ("52", "", "lon"), ("52", "1e2", "lon")]
        {
            assert_eq!(read(lat, lon).unwrap_err().field, field);
        }
    }
}
