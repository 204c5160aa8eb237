//! The city's GeoSearch, version 2: one address per request, answered with building lots.
//!
//! It always finds something: for a street that does not exist, or a number that the street does not have, it returns a
//! real but wrong lot with the same confidence as a right one. So several candidates are requested. A candidate counts
//! only if its house number, street and borough are the typed ones, and all that count must be the same lot.

use std::time::Duration;

use serde::Deserialize;

use super::address::{HouseNumber, StreetLine};
use super::locality::{Borough, NotInTown, Town};
use super::located::{CONTRADICTION, GeoStatus, Located};
use super::street::{is_same_street, street};
use crate::dataset::ask::{Answer, Ask, Question, Reading, Unreadable, WebRequest};

pub const GEOSEARCH: Ask = Ask {
    name: "geosearch",
    base: "https://geosearch.planninglabs.nyc",
    version: "geosearch v2, rules 2",
    per_request: 1,
    in_flight: 4,
    timeout: Duration::from_secs(20),
    answer_bytes: 1 << 20,
    rounds: 2,
    pass,
    request,
    read,
    failed,
};

/// How many candidates are requested.
const CANDIDATES: usize = 10;

/// Longitudes and latitudes of the city, with some water around it.
const CITY: [(f64, f64); 2] = [(-74.30, -73.65), (40.45, 40.95)];

/// An address that can be asked for.
struct CityAddress {
    line: StreetLine,
    locality: Town,
    boroughs: Vec<Borough>,
}

fn address(question: &Question) -> Result<CityAddress, Box<Located>> {
    let field = |at: usize| question.fields.get(at).and_then(Option::as_deref);
    let line = StreetLine::read(field(0), field(1))?;
    let locality = Town::read(field(2), field(3), field(4));
    match locality.boroughs() {
        Ok(boroughs) => Ok(CityAddress { line, locality, boroughs }),
        Err(NotInTown::Outside) => {
            Err(Box::new(Located::nowhere(GeoStatus::Outside, Some(&line), "outside New York City")))
        }
        Err(NotInTown::Contradiction) => {
            Err(Box::new(Located::nowhere(GeoStatus::NoStreet, Some(&line), CONTRADICTION)))
        }
    }
}

fn pass(question: &Question) -> Option<Answer> {
    address(question).err().map(|located| located.answer(question))
}

/// The text of the request: number, street, borough and postal code, and nothing else of the address.
fn text(address: &CityAddress) -> String {
    let is_queens = address.boroughs.contains(&Borough::Queens);
    let number = if is_queens { &address.line.number.text } else { address.line.number.low() };
    let borough = address.boroughs.first().map_or("", |borough| borough.name());
    let zip = address.locality.zip.as_ref().map_or(String::new(), |zip| format!(" {zip}"));
    format!("{number} {}, {borough}, NY{zip}", address.line.street.join(" "))
}

fn request(questions: &[Question]) -> WebRequest {
    let text = questions.first().and_then(|question| address(question).ok()).map(|address| text(&address));
    let query = vec![("text", text.unwrap_or_default()), ("size", CANDIDATES.to_string())];
    WebRequest { path: "/v2/search", query, body: None }
}

fn failed(question: &Question, why: &str) -> Answer {
    let line = address(question).ok().map(|address| address.line);
    Located::nowhere(GeoStatus::Failed, line.as_ref(), format!("geosearch: {why}")).answer(question)
}

#[derive(Deserialize)]
struct Collection {
    geocoding: Option<Geocoding>,
    features: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Geocoding {
    query: Option<SearchQuery>,
}

#[derive(Deserialize)]
struct SearchQuery {
    text: Option<String>,
}

#[derive(Deserialize)]
struct Feature {
    geometry: Geometry,
    properties: Properties,
}

#[derive(Deserialize)]
struct Geometry {
    /// Longitude, latitude.
    coordinates: [f64; 2],
}

#[derive(Deserialize)]
struct Properties {
    housenumber: String,
    street: String,
    borough: String,
    postalcode: Option<String>,
    addendum: Addendum,
}

#[derive(Deserialize)]
struct Addendum {
    pad: PadAddendum,
}

#[derive(Deserialize)]
struct PadAddendum {
    bbl: String,
    bin: Option<String>,
    version: Option<String>,
}

/// A building lot at an address, as the service returns it.
struct Candidate {
    number: String,
    feature: Feature,
    borough: Borough,
}

impl Candidate {
    /// `None`: it is not an address, not in the city, or not a building lot.
    fn read(feature: serde_json::Value) -> Option<Self> {
        let feature: Feature = serde_json::from_value(feature).ok()?;
        let borough = Borough::of_city(&feature.properties.borough.to_uppercase())?;
        let number = HouseNumber::read(&feature.properties.housenumber)?.text;
        let bbl = &feature.properties.addendum.pad.bbl;
        let is_lot =
            bbl.len() == 10 && bbl.chars().all(|c| c.is_ascii_digit()) && bbl.starts_with(borough.digit());
        let is_here = feature
            .geometry
            .coordinates
            .iter()
            .zip(CITY)
            .all(|(degrees, (low, high))| (low..=high).contains(degrees));
        (is_lot && is_here).then_some(Self { number, feature, borough })
    }

    fn bbl(&self) -> &str {
        &self.feature.properties.addendum.pad.bbl
    }

    fn zip(&self) -> Option<&str> {
        self.feature.properties.postalcode.as_deref().filter(|zip| !zip.is_empty())
    }

    /// The number of the building; `None` for a placeholder that ends in six zeros.
    fn bin(&self) -> Option<&str> {
        let bin = self.feature.properties.addendum.pad.bin.as_deref()?;
        let is_number = bin.len() == 7 && bin.chars().all(|c| c.is_ascii_digit());
        (is_number && !bin.ends_with("000000")).then_some(bin)
    }
}

fn read(questions: &[Question], bytes: &[u8]) -> Result<Reading, Unreadable> {
    let Some(question) = questions.first() else { return Ok(Reading::default()) };
    let collection: Collection = serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        serde_json::error::Category::Eof => Unreadable("breaks off"),
        serde_json::error::Category::Data => Unreadable("is not one of GeoSearch"),
        _ => Unreadable("is not JSON"),
    })?;
    let address = match address(question) {
        Ok(address) => address,
        Err(located) => return Ok(Reading { answers: vec![located.answer(question)], again: Vec::new() }),
    };
    let echo = collection.geocoding.and_then(|geocoding| geocoding.query).and_then(|query| query.text);
    if echo.is_some_and(|echo| bare(&echo) != bare(&text(&address))) {
        return Err(Unreadable("is to another question"));
    }
    let candidates: Vec<_> = collection.features.into_iter().filter_map(Candidate::read).collect();
    Ok(Reading { answers: vec![decide(&address, &candidates).answer(question)], again: Vec::new() })
}

/// Letters and digits alone.
fn bare(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

/// Decides the location of the address from the candidates.
fn decide(address: &CityAddress, candidates: &[Candidate]) -> Located {
    let line = Some(&address.line);
    let on_street: Vec<_> = candidates
        .iter()
        .filter(|candidate| address.boroughs.contains(&candidate.borough))
        .filter(|candidate| {
            is_same_street(&street(&candidate.feature.properties.street), &address.line.street)
        })
        .collect();
    if on_street.is_empty() {
        return Located::nowhere(GeoStatus::NoStreet, line, "geosearch: no candidate is on this street");
    }
    let spellings = spellings(&address.line.number);
    let agreeing = spellings.iter().find_map(|spelling| {
        let agrees = |candidate: &&&Candidate| {
            candidate.number == spelling.number && (spelling.is_of)(candidate.borough)
        };
        let agreeing: Vec<_> = on_street.iter().filter(agrees).copied().collect();
        (!agreeing.is_empty()).then_some(agreeing)
    });
    let Some(mut agreeing) = agreeing else {
        return Located::nowhere(GeoStatus::NoNumber, line, "geosearch: no candidate has this number");
    };
    let zip = address.locality.zip.as_deref();
    let is_one_lot =
        |candidates: &[&Candidate]| candidates.windows(2).all(|pair| pair[0].bbl() == pair[1].bbl());
    let is_elsewhere = |candidate: &&Candidate| candidate.zip().is_some_and(|other| Some(other) != zip);
    if !is_one_lot(&agreeing) {
        agreeing.retain(|candidate| zip.is_some() && candidate.zip() == zip);
    }
    let Some(first) = agreeing.first().filter(|_| is_one_lot(&agreeing)) else {
        return Located::nowhere(GeoStatus::Tie, line, "geosearch: several lots have this address");
    };
    // Queens has streets of one name in several places, and a city's name that nobody knows may be another place's.
    let needs_zip = first.borough == Borough::Queens || address.locality.hangs_on_the_zip();
    if zip.is_some() && needs_zip && agreeing.iter().all(is_elsewhere) {
        let why = "geosearch: this address is in another postal code";
        return Located::nowhere(GeoStatus::NoStreet, line, why);
    }
    let [longitude, latitude] = first.feature.geometry.coordinates;
    let properties = &first.feature.properties;
    let is_one_building = agreeing.iter().all(|candidate| candidate.bin() == first.bin());
    Located {
        status: GeoStatus::Match,
        sname: Some(properties.street.clone()),
        hnum: Some(properties.housenumber.clone()),
        boro: Some(first.borough),
        point: Some((longitude, latitude)),
        bin: first.bin().filter(|_| is_one_building).map(str::to_owned),
        bbl: Some(first.bbl().to_owned()),
        msg2: properties.addendum.pad.version.as_ref().map(|version| format!("geosearch {version}")),
        zip_code: first.zip().map(str::to_owned),
        ..Located::default()
    }
    .of(line)
}

/// A house number as it may be written in some boroughs.
struct Spelling {
    number: String,
    is_of: fn(Borough) -> bool,
}

/// How the number may be written there, in the order of trying. As typed first: a hyphen is part of a number in Queens, and
/// makes a range elsewhere.
fn spellings(number: &HouseNumber) -> Vec<Spelling> {
    let mut spellings = vec![Spelling { number: number.text.clone(), is_of: |_| true }];
    if number.hyphen.is_some() {
        let low = number.low().to_owned();
        spellings.push(Spelling { number: low, is_of: |borough| borough != Borough::Queens });
    }
    let is_queens: fn(Borough) -> bool = |borough| borough == Borough::Queens;
    spellings.extend(number.split().map(|number| Spelling { number, is_of: is_queens }));
    spellings
}

#[cfg(test)]
mod tests;
