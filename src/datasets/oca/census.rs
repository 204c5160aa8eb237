//! The batch geocoder of the Census Bureau: many addresses per request, answered with places on streets and their
//! tracts.
//!
//! Answers come in any order and are identified by our id. A place is interpolated along a street's range of numbers,
//! so it is a point, not a building lot.

use std::collections::HashMap;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::address::StreetLine;
use super::locality::{Borough, NotInTown, Town};
use super::located::{CONTRADICTION, GeoStatus, Located};
use super::street::is_same_street;
use crate::dataset::ask::{Answer, Ask, Question, Reading, RequestBody, Unreadable, WebRequest};

pub const CENSUS: Ask = Ask {
    name: "census",
    base: "https://geocoding.geo.census.gov",
    version: "census Public_AR_Current Census2010_Current, rules 3",
    per_request: 500,
    in_flight: 2,
    timeout: Duration::from_secs(120),
    answer_bytes: 8 << 20,
    rounds: 3,
    pass,
    request,
    read,
    failed,
};

const BENCHMARK: &str = "Public_AR_Current";
/// The tracts of 2010, as the column `ct` has them.
const VINTAGE: &str = "Census2010_Current";

/// No line that is sent contains lower-case letters.
const BOUNDARY: &str = "merganser-part-of-form";

/// Longitudes and latitudes of the state.
const STATE: [(f64, f64); 2] = [(-79.8, -71.8), (40.4, 45.1)];

/// An address that can be asked for.
struct StateAddress {
    line: StreetLine,
    locality: Town,
}

fn address(question: &Question) -> Result<StateAddress, Box<Located>> {
    let field = |at: usize| question.fields.get(at).and_then(Option::as_deref);
    let line = StreetLine::read(field(0), field(1))?;
    let locality = Town::read(field(2), field(3), field(4));
    if locality.is_outside_the_state() {
        return Err(Box::new(Located::nowhere(
            GeoStatus::Outside,
            Some(&line),
            "outside the state of New York",
        )));
    }
    if locality.boroughs() == Err(NotInTown::Contradiction) {
        return Err(Box::new(Located::nowhere(GeoStatus::NoStreet, Some(&line), CONTRADICTION)));
    }
    if locality.city.is_none() && locality.zip.is_none() {
        let why = "neither a city nor a postal code";
        return Err(Box::new(Located::nowhere(GeoStatus::NoStreet, Some(&line), why)));
    }
    Ok(StateAddress { line, locality })
}

fn pass(question: &Question) -> Option<Answer> {
    address(question).err().map(|located| located.answer(question))
}

fn failed(question: &Question, why: &str) -> Answer {
    let line = address(question).ok().map(|address| address.line);
    Located::nowhere(GeoStatus::Failed, line.as_ref(), format!("census: {why}")).answer(question)
}

impl StateAddress {
    /// The number that is asked for: the low one of a range.
    fn number(&self) -> &str {
        let is_queens = self.locality.boroughs().is_ok_and(|boroughs| boroughs.contains(&Borough::Queens));
        if is_queens { &self.line.number.text } else { self.line.number.low() }
    }

    /// Number and street, city, state and postal code, as they are sent: no comma and no quote in any of them.
    fn row(&self) -> String {
        let city = self.locality.city.as_deref().unwrap_or_default();
        let zip = self.locality.zip.as_deref().unwrap_or_default();
        format!("{} {},{city},NY,{zip}", self.number(), self.line.street.join(" "))
    }

    /// The id of a row is a hash of its content, so that the answer to another row cannot be mistaken for its own.
    fn id(row: &str) -> String {
        let hash = Sha256::digest(row);
        let head = hash.iter().take(8).fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        (head % 1_000_000_000_000_000).to_string()
    }
}

fn request(questions: &[Question]) -> WebRequest {
    let mut rows = String::new();
    for address in questions.iter().filter_map(|question| address(question).ok()) {
        let row = address.row();
        rows.push_str(&format!("{},{row}\r\n", StateAddress::id(&row)));
    }
    let mut body = String::new();
    for (name, value) in [("benchmark", BENCHMARK), ("vintage", VINTAGE)] {
        body.push_str(&format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        ));
    }
    body.push_str(&format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"addressFile\"; filename=\"addresses.csv\"\r\n\
         Content-Type: text/csv\r\n\r\n{rows}\r\n--{BOUNDARY}--\r\n"
    ));
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let body = Some(RequestBody { content_type, bytes: body.into_bytes() });
    WebRequest { path: "/geocoder/geographies/addressbatch", query: Vec::new(), body }
}

fn read(questions: &[Question], bytes: &[u8]) -> Result<Reading, Unreadable> {
    let mut asked: HashMap<String, Vec<(&Question, StateAddress)>> = HashMap::new();
    for question in questions {
        if let Ok(address) = address(question) {
            asked.entry(StateAddress::id(&address.row())).or_default().push((question, address));
        }
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Unreadable("is not text"))?;
    let mut found: HashMap<String, Option<RowOutcome>> = HashMap::new();
    for row in text.lines().filter_map(cells) {
        let Some(outcome) = RowOutcome::read(&row) else { continue };
        if !asked.contains_key(&row[0]) {
            continue;
        }
        // If two rows with the same id differ, neither is trusted.
        found
            .entry(row[0].clone())
            .and_modify(|known| *known = known.take().filter(|known| *known == outcome))
            .or_insert(Some(outcome));
    }
    if found.is_empty() && !asked.is_empty() {
        return Err(Unreadable("has no row for any of the questions"));
    }
    let mut reading = Reading::default();
    for (id, outcome) in found {
        let Some(outcome) = outcome else { continue };
        for (question, address) in &asked[&id] {
            let located = outcome.decide(address);
            let is_match = located.status == GeoStatus::Match;
            let answer = located.answer(question);
            // The same batch can give other answers a minute later.
            if is_match { reading.answers.push(answer) } else { reading.again.push(answer) }
        }
    }
    Ok(reading)
}

/// What one row says.
#[derive(Clone, Debug, PartialEq)]
enum RowOutcome {
    NoMatch,
    Tie,
    Match(Box<Matched>),
}

/// A place, as the row gives it.
#[derive(Clone, Debug, PartialEq)]
struct Matched {
    is_exact: bool,
    line: StreetLine,
    hnum: String,
    sname: String,
    city: String,
    state: String,
    zip: String,
    point: (f64, f64),
    /// Three digits, of the state of New York.
    county: Option<String>,
    /// Six digits.
    tract: Option<String>,
    /// Four digits.
    block: Option<String>,
}

impl RowOutcome {
    /// `None`: it is not a complete row of an answer.
    fn read(row: &[String]) -> Option<Self> {
        match (row.len(), row.get(2)?.as_str()) {
            (3, "No_Match") => Some(RowOutcome::NoMatch),
            (3, "Tie") => Some(RowOutcome::Tie),
            (8 | 12, "Match") => Matched::read(row).map(|matched| RowOutcome::Match(Box::new(matched))),
            _ => None,
        }
    }

    fn decide(&self, address: &StateAddress) -> Located {
        let line = Some(&address.line);
        match self {
            RowOutcome::NoMatch => Located::nowhere(GeoStatus::NoStreet, line, "census: No_Match"),
            RowOutcome::Tie => Located::nowhere(GeoStatus::Tie, line, "census: Tie"),
            RowOutcome::Match(matched) => matched.decide(address),
        }
    }
}

impl Matched {
    fn read(row: &[String]) -> Option<Self> {
        let is_exact = match row[3].as_str() {
            "Exact" => true,
            "Non_Exact" => false,
            _ => return None,
        };
        // `3 GRAMERCY PARK W, NEW YORK, NY, 10003`
        let parts: Vec<_> = row[4].split(',').map(str::trim).collect();
        let &[line, city, state, zip] = parts.as_slice() else { return None };
        let (hnum, sname) = line.split_once(' ')?;
        let line = StreetLine::read(Some(line), None).ok()?;
        let (longitude, latitude) = row[5].split_once(',')?;
        let point: (f64, f64) = (longitude.trim().parse().ok()?, latitude.trim().parse().ok()?);
        let place = |at: usize, digits: usize| {
            let code = row.get(at).filter(|code| code.len() == digits);
            code.filter(|code| code.chars().all(|c| c.is_ascii_digit())).cloned()
        };
        Some(Self {
            is_exact,
            line,
            hnum: hnum.to_owned(),
            sname: sname.to_owned(),
            city: city.to_owned(),
            state: state.to_owned(),
            zip: zip.to_owned(),
            point,
            county: place(9, 3).filter(|_| row.get(8).is_some_and(|state| state == "36")),
            tract: place(10, 6),
            block: place(11, 4),
        })
    }

    /// Does the place match the address? The service's own `Exact` is not relied on.
    fn decide(&self, address: &StateAddress) -> Located {
        let (line, locality) = (&address.line, &address.locality);
        let (longitude, latitude) = self.point;
        let nowhere = |status, what: &str| {
            let why = format!("census: its match has another {what}");
            Located::nowhere(status, Some(line), why)
        };
        let is_in_state = self.state == "NY"
            && [longitude, latitude]
                .iter()
                .zip(STATE)
                .all(|(degrees, (low, high))| (low..=high).contains(degrees));
        let has_zip = |zip: &str| self.zip == *zip;
        let is_called = locality.is_called(&self.city);
        let borough = self.county.as_deref().and_then(Borough::of_county);
        let is_in_borough = match (&self.county, locality.boroughs()) {
            (Some(_), Ok(boroughs)) => borough.is_some_and(|borough| boroughs.contains(&borough)),
            // The city's name says that it is in none of the boroughs.
            (_, Err(_)) => borough.is_none(),
            (None, Ok(_)) => true,
        };
        if !is_in_state {
            return nowhere(GeoStatus::Outside, "state");
        }
        if !is_same_street(&self.line.street, &line.street) {
            return nowhere(GeoStatus::NoStreet, "street");
        }
        if self.line.number.text != address.number() {
            return nowhere(GeoStatus::NoNumber, "number");
        }
        if !locality.zip.as_deref().is_none_or(has_zip) {
            return nowhere(GeoStatus::NoStreet, "postal code");
        }
        // A place has several names, and one postal code.
        if !is_called && (!self.is_exact || locality.zip.is_none()) {
            return nowhere(GeoStatus::NoStreet, "city");
        }
        if !is_in_borough {
            return nowhere(GeoStatus::NoStreet, "borough");
        }
        let (ct, block) = self.tract_and_block(borough);
        let is_exact = if self.is_exact { "Exact" } else { "Non_Exact" };
        Located {
            status: GeoStatus::Match,
            sname: Some(self.sname.clone()),
            hnum: Some(self.hnum.clone()),
            boro: borough,
            point: Some(self.point),
            ct,
            msg2: Some(match block {
                Some(block) => format!("census {is_exact}, block {block}"),
                None => format!("census {is_exact}"),
            }),
            zip_code: Some(self.zip.clone()).filter(|zip| !zip.is_empty()),
            ..Located::default()
        }
        .of(Some(line))
    }
}

impl Matched {
    /// The tract, and the block in the Census' fifteen digits. The number of a tract is unique only in its county: beside a
    /// borough the tract is written as the city does, elsewhere in the Census' eleven digits.
    fn tract_and_block(&self, borough: Option<Borough>) -> (Option<String>, Option<String>) {
        let (Some(county), Some(code)) = (&self.county, &self.tract) else { return (None, None) };
        let whole = format!("36{county}{code}");
        let block = self.block.as_ref().map(|block| format!("{whole}{block}"));
        let ct = if borough.is_some() { tract(code) } else { Some(whole) };
        (ct, block)
    }
}

/// The number of a tract as the city writes it: `005000` is 50, `022602` is 226.02.
fn tract(code: &str) -> Option<String> {
    let whole: u32 = code.get(..4)?.parse().ok()?;
    Some(match code.get(4..)? {
        "00" => whole.to_string(),
        part => format!("{whole}.{part}"),
    })
}

/// The cells of a CSV line; `None`: it is incomplete.
fn cells(line: &str) -> Option<Vec<String>> {
    let (mut cells, mut cell, mut rest) = (Vec::new(), String::new(), line.chars().peekable());
    loop {
        if rest.next_if_eq(&'"').is_some() {
            loop {
                match rest.next()? {
                    '"' if rest.next_if_eq(&'"').is_some() => cell.push('"'),
                    '"' => break,
                    c => cell.push(c),
                }
            }
        } else {
            while let Some(c) = rest.next_if(|c| *c != ',') {
                cell.push(c);
            }
        }
        cells.push(std::mem::take(&mut cell));
        match rest.next() {
            Some(',') => {}
            None => return Some(cells),
            Some(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests;
