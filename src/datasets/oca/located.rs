//! The location of an address, as cells of the columns that geocoding fills.

use super::address::{HouseNumber, NoLine, StreetLine};
use super::locality::Borough;
use crate::dataset::ask::{Answer, Question};

/// The columns of an answer, in order.
pub const COLUMNS: [&str; 20] = [
    "status",
    "house_number",
    "street_name",
    "borough_code",
    "place_name",
    "sname",
    "hnum",
    "boro",
    "lat",
    "lon",
    "bin",
    "bbl",
    "cd",
    "ct",
    "council",
    "grc",
    "grc2",
    "msg",
    "msg2",
    "zip_code",
];

/// Why an address is not looked up if its city and postal code contradict each other.
pub(super) const CONTRADICTION: &str = "city and postal code are in different boroughs";

/// The result of looking up an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum GeoStatus {
    /// One building lot, or one place on a street.
    Match,
    /// Several, and nothing decides between them.
    Tie,
    /// No house number, or one that the street does not have.
    NoNumber,
    NoStreet,
    /// Outside the area of the service, or outside the state.
    Outside,
    NoLine,
    /// The service gave no answer.
    #[default]
    Failed,
}

impl GeoStatus {
    const fn word(self) -> &'static str {
        match self {
            GeoStatus::Match => "match",
            GeoStatus::Tie => "tie",
            GeoStatus::NoNumber => "no_number",
            GeoStatus::NoStreet => "no_street",
            GeoStatus::Outside => "outside",
            GeoStatus::NoLine => "no_line",
            GeoStatus::Failed => "failed",
        }
    }
}

/// What a service gives. The codes of the planning department's own program (`grc`), and `borough_code` and
/// `place_name`, which the older job left empty, come from none.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Located {
    pub(super) status: GeoStatus,
    /// As typed, after splitting.
    pub(super) house_number: Option<String>,
    pub(super) street_name: Option<String>,
    /// As the service writes them.
    pub(super) sname: Option<String>,
    pub(super) hnum: Option<String>,
    pub(super) boro: Option<Borough>,
    /// Longitude and latitude in degrees.
    pub(super) point: Option<(f64, f64)>,
    pub(super) bin: Option<String>,
    pub(super) bbl: Option<String>,
    pub(super) ct: Option<String>,
    pub(super) msg: Option<String>,
    pub(super) msg2: Option<String>,
    pub(super) zip_code: Option<String>,
}

impl Located {
    /// No location, with the reason; `line`: the address as far as it could be split.
    pub(super) fn nowhere(status: GeoStatus, line: Option<&StreetLine>, why: impl Into<String>) -> Self {
        Self { status, msg: Some(why.into()), ..Self::default() }.of(line)
    }

    /// Of this typed line.
    pub(super) fn of(self, line: Option<&StreetLine>) -> Self {
        let house_number = line.map(|line| line.number.text.clone());
        let street_name = line.map(|line| line.street.join(" "));
        Self { house_number, street_name, ..self }
    }

    /// The answer to this question.
    pub(super) fn answer(self, question: &Question) -> Answer {
        let lasting = self.status != GeoStatus::Failed;
        let (lon, lat) = self.point.unzip();
        // To a centimetre: what is behind that is the noise of reading numbers.
        let degrees = |degrees: f64| ((degrees * 1e7).round() / 1e7).to_string();
        let cells = vec![
            Some(self.status.word().to_owned()),
            self.house_number,
            self.street_name,
            None,
            None,
            self.sname,
            self.hnum,
            self.boro.map(|borough| borough.name().to_owned()),
            lat.map(degrees),
            lon.map(degrees),
            self.bin,
            self.bbl,
            None,
            self.ct,
            None,
            None,
            None,
            self.msg,
            self.msg2,
            self.zip_code,
        ];
        debug_assert_eq!(cells.len(), COLUMNS.len());
        Answer { key: question.key.clone(), cells, lasting }
    }
}

impl From<NoLine> for Box<Located> {
    fn from(why: NoLine) -> Self {
        let (status, words) = match why {
            NoLine::Empty => (GeoStatus::NoLine, "no street line"),
            NoLine::Box => (GeoStatus::NoLine, "a post-office box"),
            NoLine::NoNumber => (GeoStatus::NoNumber, "no house number"),
            NoLine::NoStreet(_) => (GeoStatus::NoStreet, "no street"),
        };
        let house_number = match why {
            NoLine::NoStreet(HouseNumber { text, .. }) => Some(text),
            _ => None,
        };
        Box::new(Located { house_number, ..Located::nowhere(status, None, words) })
    }
}
