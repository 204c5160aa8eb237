//! Reads a question from an address: `/api/{postcode}/{dates}/{radius}?sbi=…&dataset=…`.

use jiff::ToSpan as _;
use jiff::civil::Date;

use crate::dataset::served::plain_postcode;
use crate::words::percent_decoded;

/// The largest radius in km, and the one that applies if none is given.
const RADIUS_MOST_KM: f64 = 100.0;
const RADIUS_KM: f64 = 1.0;
/// A valid question, whether or not there is such a postcode.
#[derive(Clone, Debug, PartialEq)]
pub struct PlaceQuestion {
    /// In capitals and without blanks.
    pub postcode: String,
    /// In ascending order, each once.
    pub dates: Vec<Date>,
    pub radius_km: f64,
    pub sbi: Option<String>,
    pub dataset: Option<String>,
}

/// A fault in a question: the field, and a message that repeats nothing of the input except days.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct AskFault {
    pub error: String,
    pub field: &'static str,
}

impl AskFault {
    pub(super) fn new(field: &'static str, error: impl Into<String>) -> Self {
        Self { error: error.into(), field }
    }
}

impl PlaceQuestion {
    /// Reads the path after `/api/` and the query; `dates_most` is the most days that a question may have.
    ///
    /// # Errors
    /// `None` if there is no such page; otherwise the fault.
    pub fn read(path: &str, query: Option<&str>, dates_most: usize) -> Result<Self, Option<AskFault>> {
        let segments: Vec<_> = path.split('/').collect();
        let (postcode, dates, radius) = match segments[..] {
            [postcode, dates] => (postcode, dates, None),
            [postcode, dates, radius] => (postcode, dates, Some(radius)),
            _ => return Err(None),
        };
        let text = |segment, field| {
            percent_decoded(segment).ok_or_else(|| AskFault::new(field, "it is not text in UTF-8"))
        };
        let mut question = Self {
            postcode: read_postcode(&text(postcode, "postcode")?)?,
            dates: read_dates(&text(dates, "date")?, dates_most)?,
            radius_km: match radius {
                Some(radius) => read_radius(&text(radius, "radius")?)?,
                None => RADIUS_KM,
            },
            sbi: None,
            dataset: None,
        };
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            let (field, into) = match &*name {
                "sbi" => ("sbi", &mut question.sbi),
                "dataset" => ("dataset", &mut question.dataset),
                _ => {
                    return Err(Some(AskFault::new(
                        "query",
                        "only sbi and dataset may follow the question mark",
                    )));
                }
            };
            if into.is_some() {
                return Err(Some(AskFault::new(field, "it is given twice")));
            }
            *into = Some(word(field, &value)?);
        }
        Ok(question)
    }

    /// The question in a canonical form: the same for two ways to write one question.
    pub fn canonical(&self) -> String {
        let dates: Vec<_> = self.dates.iter().map(ToString::to_string).collect();
        // The debug form quotes the values, so that a branch cannot be mistaken for another branch followed by a dataset.
        let (sbi, dataset) = (&self.sbi, &self.dataset);
        format!("{}/{}/{}?{sbi:?}&{dataset:?}", self.postcode, dates.join(";"), self.radius_km)
    }
}

/// A postcode in capitals and without blanks, if the text can be one.
pub fn read_postcode(text: &str) -> Result<String, AskFault> {
    let fault =
        || AskFault::new("postcode", "this is not a postcode: it has letters and digits, as in 1234AB");
    plain_postcode(text).ok_or_else(fault)
}

/// The name of a branch or of a dataset: any text that a database can hold, because names come from the data.
fn word(field: &'static str, text: &str) -> Result<String, AskFault> {
    match text.is_empty() || text.contains('\0') {
        false => Ok(text.to_owned()),
        true => Err(AskFault::new(field, "it is empty, or has a NUL character")),
    }
}

fn read_dates(text: &str, most: usize) -> Result<Vec<Date>, AskFault> {
    let mut dates = Vec::new();
    let too_many = || AskFault::new("date", format!("more than {most} days: ask for fewer"));
    for piece in text.split(';') {
        let (first, last) = match piece.split_once("..") {
            Some((first, last)) => (read_day(first)?, read_day(last)?),
            None => (read_day(piece)?, read_day(piece)?),
        };
        if first > last {
            return Err(AskFault::new("date", format!("{first}..{last} ends before it begins")));
        }
        let days = last.duration_since(first).as_hours() / 24 + 1;
        // A day that is given twice counts once, but the list must not grow without limit.
        if usize::try_from(days).map_or(true, |days| days > most) || dates.len() > 10 * most {
            return Err(too_many());
        }
        let mut day = first;
        loop {
            dates.push(day);
            if day >= last {
                break;
            }
            day = day.saturating_add(1.day());
        }
    }
    dates.sort_unstable();
    dates.dedup();
    if dates.len() > most {
        return Err(too_many());
    }
    Ok(dates)
}

fn read_day(text: &str) -> Result<Date, AskFault> {
    let is_plain = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if !is_plain {
        return Err(AskFault::new(
            "date",
            "days are written 2013-01-31, several with ; between them, a range as 2013-01-01..2013-01-31",
        ));
    }
    text.parse().map_err(|_| AskFault::new("date", format!("{text} is not a day of the calendar")))
}

fn read_radius(text: &str) -> Result<f64, AskFault> {
    let is_plain = text.len() <= 20
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let radius = text.parse::<f64>().ok().filter(|radius| is_plain && *radius > 0.0);
    match radius {
        Some(radius) if radius <= RADIUS_MOST_KM => Ok(radius),
        _ => Err(AskFault::new(
            "radius",
            format!("a radius is a number of km, more than 0 and at most {RADIUS_MOST_KM}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Result<PlaceQuestion, Option<AskFault>> {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        PlaceQuestion::read(path, query, 400)
    }

    fn days(path: &str) -> Vec<String> {
        read(path).unwrap().dates.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_asked_is_read_in_one_form() {
        let question = read("1234%20ab/2013-01-08;2013-01-01;2013-01-01").unwrap();
        assert_eq!((question.postcode.as_str(), question.radius_km), ("1234AB", 1.0));
        assert_eq!(days("1234AB/2013-01-08;2013-01-01;2013-01-01"), ["2013-01-01", "2013-01-08"]);
        assert_eq!(days("1/2012-02-28..2012-03-01"), ["2012-02-28", "2012-02-29", "2012-03-01"]);
        let question = read("1234AB/2013-01-01?sbi=Illegal%20Lockout").unwrap();
        assert_eq!(question.sbi.as_deref(), Some("Illegal Lockout"));
        let question = read("1234AB/2013-01-01?sbi=Caf%C3%A9%20%27a%27%20%26%20b").unwrap();
        assert_eq!(question.sbi.as_deref(), Some("Café 'a' & b"));
        let question = read("1234AB/2013-01-01/2.50?sbi=01.1&dataset=x").unwrap();
        assert_eq!((question.radius_km, question.sbi.as_deref()), (2.5, Some("01.1")));
        assert_eq!(
            read("1/2013-01-01/2").unwrap().canonical(),
            read("1/2013-01-01;2013-01-01/2.0").unwrap().canonical()
        );
        assert_ne!(
            read("1/2013-01-01?sbi=a%26&dataset=b").unwrap().canonical(),
            read("1/2013-01-01?sbi=a&dataset=%26b").unwrap().canonical()
        );
    }

    #[test]
    fn each_fault_names_its_field() {
        for (path, field) in [
            ("1234AB/2013-02-30", "date"),
            ("1234AB/", "date"),
            ("1234AB/2013-01-01;", "date"),
            ("1234AB/2013-01-02..2013-01-01", "date"),
            ("1234AB/2013-01-01..9999-12-31", "date"),
            ("1234AB/-001-01-01", "date"),
            ("1234AB/2013-01-01'--", "date"),
            ("/2013-01-01", "postcode"),
            ("12'34/2013-01-01", "postcode"),
            ("%ff/2013-01-01", "postcode"),
            ("%/2013-01-01", "postcode"),
            ("12345678901234567/2013-01-01", "postcode"),
            ("1234AB/2013-01-01/0", "radius"),
            ("1234AB/2013-01-01/-1", "radius"),
            ("1234AB/2013-01-01/NaN", "radius"),
            ("1234AB/2013-01-01/1e9", "radius"),
            ("1234AB/2013-01-01/inf", "radius"),
            ("1234AB/2013-01-01/100.01", "radius"),
            ("1234AB/2013-01-01/", "radius"),
            ("1234AB/2013-01-01/1.2.3", "radius"),
            ("1234AB/2013-01-01?sbi=", "sbi"),
            ("1234AB/2013-01-01?sbi=1&sbi=2", "sbi"),
            ("1234AB/2013-01-01?sbi=%00", "sbi"),
            ("1234AB/2013-01-01?dataset=", "dataset"),
            ("1234AB/2013-01-01?limit=1", "query"),
        ] {
            assert_eq!(read(path).unwrap_err().expect(path).field, field, "{path}");
        }
        for path in ["1234AB", "1234AB/2013-01-01/1/2", ""] {
            assert_eq!(read(path), Err(None), "{path}");
        }
    }
}
