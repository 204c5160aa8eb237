//! The protocol of the service: requests and answers as values.

use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::columns::{COLUMNS, SECTOR};
use super::facts::fields;
use super::plan::Terms;
use super::{bulk, options, plan};
use crate::dataset::FileName;
use crate::dataset::asked::{AskRefusal, Asked, AskedSecret, GetRequest};
use crate::dataset::slice::{Comparator, Slice, SliceTest};
use crate::words::hex;

/// How the dataset asks the service.
pub(super) const QUICK_STATS: Asked = Asked {
    service: "Quick Stats",
    secret: AskedSecret {
        variable: "NASS_API_KEY",
        parameter: "key",
        whence: "https://quickstats.nass.usda.gov/api sends one by e-mail, free of charge",
    },
    // 50,000 records have some 25 MB.
    answer_bytes: 512 << 20,
    manners: options::manners,
    want: options::want,
    trial: options::trial,
    files: options::files,
    content,
    contents,
    fewer_contents: "name the sectors that are there: --filter sector_desc=CROPS",
    never: |column, value, others| options::never(column, value, others.iter().copied()),
    plan: |input| {
        let terms = Terms {
            years: options::years(input.options).map(|year| year.to_string()).collect(),
            limit: options::limit(input.options),
            max_age_days: options::max_age_days(input.options),
        };
        plan::plan(input, terms)
    },
    count: |slice| GetRequest { path: "/get_counts/", query: query(slice) },
    data: |slice| {
        let mut query = query(slice);
        query.push(("format".to_owned(), "CSV".to_owned()));
        GetRequest { path: "/api_GET/", query }
    },
    list: |column| GetRequest {
        path: "/get_param_values/",
        query: vec![("param".to_owned(), column.to_owned())],
    },
    read_count,
    read_list,
    refusal,
    begins,
    nothing: NOTHING,
    part_name,
};

/// The column that a bulk file has one value of.
const SECTOR_NAME: &str = COLUMNS[SECTOR];

/// The header of an answer, and nothing behind it.
const NOTHING: &str = "\"source_desc\",\"sector_desc\",\"group_desc\",\"commodity_desc\",\"class_desc\",\"prodn_practice_desc\",\
    \"util_practice_desc\",\"statisticcat_desc\",\"unit_desc\",\"short_desc\",\"domain_desc\",\"domaincat_desc\",\
    \"agg_level_desc\",\"state_ansi\",\"state_fips_code\",\"state_alpha\",\"state_name\",\"asd_code\",\"asd_desc\",\
    \"county_ansi\",\"county_code\",\"county_name\",\"region_desc\",\"zip_5\",\"watershed_code\",\"watershed_desc\",\
    \"congr_district_code\",\"country_code\",\"country_name\",\"location_desc\",\"year\",\"freq_desc\",\"begin_code\",\
    \"end_code\",\"reference_period_desc\",\"week_ending\",\"load_time\",\"Value\",\"CV (%)\"\n";

/// A slice as parameters of a request; several values of one name mean "or".
fn query(slice: &Slice) -> Vec<(String, String)> {
    let pairs = slice.tests.iter().flat_map(|test| {
        let suffix = match test.how {
            Comparator::In => "",
            Comparator::NotIn => "__NE",
            Comparator::AtMost => "__LE",
            Comparator::Below => "__LT",
            Comparator::AtLeast => "__GE",
            Comparator::Above => "__GT",
            Comparator::Like => "__LIKE",
            Comparator::NotLike => "__NOT_LIKE",
        };
        test.values.iter().map(move |value| (format!("{}{suffix}", test.column), value.clone()))
    });
    pairs.collect()
}

/// Reads `{"count": 913274}`, in which the number may also be a text.
fn read_count(answer: &[u8]) -> Option<u64> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let count = answer.get("count")?;
    count.as_u64().or_else(|| count.as_str()?.trim().replace(',', "").parse().ok())
}

/// Reads `{"state_alpha":["AK","AL"]}`.
fn read_list(column: &str, answer: &[u8]) -> Option<Vec<String>> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let values = answer.get(column)?.as_array()?;
    let values = values.iter().filter_map(Value::as_str).filter(|value| !value.is_empty());
    Some(values.map(str::to_owned).collect())
}

fn refusal(status: u16, answer: &[u8]) -> AskRefusal {
    let text = String::from_utf8_lossy(answer).to_ascii_lowercase();
    match status {
        413 => AskRefusal::TooMany(limit(&text)),
        400 if text.contains("exceeds limit") => AskRefusal::TooMany(limit(&text)),
        400 => AskRefusal::Nothing,
        401 | 403 if text.contains("unauthorized") || status == 401 => AskRefusal::Unknown,
        408 | 425 | 429 | 500.. => AskRefusal::Busy,
        _ => AskRefusal::Refused,
    }
}

/// Reads the number in `exceeds limit=50000`, with or without blanks.
fn limit(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once("limit")?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let digits: String =
        rest.chars().take_while(|c| c.is_ascii_digit() || *c == ',').filter(|c| *c != ',').collect();
    digits.parse().ok().filter(|limit| *limit > 0)
}

/// Checks that an answer begins with the names of its columns.
pub(super) fn begins(bytes: &[u8]) -> Result<(), &'static str> {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).to_ascii_lowercase();
    let start = start.trim_start_matches('\u{feff}').trim_start();
    match start.chars().next() {
        None => Err("is empty"),
        Some('<') => Err("is a web page"),
        Some('{' | '[') => Err("is JSON instead of a table"),
        _ if fields().any(|name| start.trim_start_matches('"').starts_with(&name.to_ascii_lowercase())) => {
            Ok(())
        }
        _ => Err("does not begin with the names of its columns"),
    }
}

/// The name of an archived answer, such as `2012-AL+3-1a2b3c4d.20261126T102030Z.csv.gz`: years and states for people, a
/// checksum of the whole request, and the time of the request.
fn part_name(slice: &Slice, asked_at: Timestamp) -> String {
    let some = |column: &str| {
        let test = slice.tests.iter().find(|test| test.column == column && test.how == Comparator::In)?;
        let first = test.values.first()?.replace(|c: char| !c.is_ascii_alphanumeric(), "");
        Some(match test.values.len() {
            1 => first,
            more => format!("{first}+{}", more - 1),
        })
    };
    let bound = |how: Comparator| {
        let test = slice.tests.iter().find(|test| test.column == "year" && test.how == how);
        test.and_then(|test| test.values.first().cloned())
    };
    let years = some("year")
        .or_else(|| Some(format!("{}to{}", bound(Comparator::AtLeast)?, bound(Comparator::AtMost)?)));
    let told = [years, some("source_desc"), some("state_alpha"), some("agg_level_desc"), some("county_code")];
    let told: Vec<_> =
        told.into_iter().flatten().map(|part| part.chars().take(12).collect::<String>()).collect();
    let digest = Sha256::digest(serde_json::to_vec(slice).unwrap_or_default());
    let checksum = hex(&digest[..6]);
    format!("{}-{checksum}.{}.csv.gz", told.join("-"), asked_at.strftime("%Y%m%dT%H%M%SZ"))
}

/// The sector of a bulk file: `crops` in `qs.crops_20260102.txt.gz`. Files of the census repeat records of these.
fn content(name: &str) -> Option<&str> {
    let (sector, day) = name.strip_prefix("qs.")?.strip_suffix(".txt.gz")?.rsplit_once('_')?;
    let is_day = day.len() == 8 && day.bytes().all(|byte| byte.is_ascii_digit());
    (is_day && bulk::SECTORS.iter().any(|(_, known)| *known == sector)).then_some(sector)
}

/// The sectors' files that a slice needs, unless its filters leave a sector out, and what each file has of the slice.
fn contents(want: &Slice) -> Vec<(&'static str, Slice)> {
    let needed = |(sector, file): &(&str, &'static str)| {
        let mut tests = want.tests.iter().filter(|test| test.column == SECTOR_NAME);
        let slice = || want.and(SliceTest::text(SECTOR_NAME, Comparator::In, vec![(*sector).to_owned()]));
        tests.all(|test| test.passes(sector)).then(|| (*file, slice()))
    };
    bulk::SECTORS.iter().filter_map(needed).collect()
}

/// What the name of a part, or of a bulk file, says.
pub(super) fn file_name(name: &str) -> Option<FileName> {
    if content(name).is_some() {
        let day = name.strip_suffix(".txt.gz")?.get(name.len() - 15..)?;
        let run_date = jiff::civil::Date::strptime("%Y%m%d", day).ok()?;
        return Some(FileName { run_date: Some(run_date), order_key: day.to_owned() });
    }
    let (what, time) = name.strip_suffix(".csv.gz")?.rsplit_once('.')?;
    let is_time = time.len() == 16 && time.ends_with('Z') && time.as_bytes().get(8) == Some(&b'T');
    let day = time.get(..8)?;
    let is_plain =
        !what.is_empty() && what.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-+".contains(&byte));
    if !is_time || !is_plain || !time[9..15].bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let run_date = jiff::civil::Date::strptime("%Y%m%d", day).ok()?;
    Some(FileName { run_date: Some(run_date), order_key: time.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_comes_as_a_number_or_as_a_text() {
        assert_eq!(read_count(br#"{"count": 913274}"#), Some(913_274));
        assert_eq!(read_count(br#"{"count": "913274"}"#), Some(913_274));
        assert_eq!(read_count(b"<html>"), None);
        assert_eq!(read_list("year", br#"{"year":["2012","", "2013"]}"#).unwrap(), ["2012", "2013"]);
    }

    #[test]
    fn a_refusal_says_what_it_means() {
        for text in [r#"{"error":["exceeds limit=50000"]}"#, r#"{"error":["exceeds limit = 50,000"]}"#] {
            assert_eq!(refusal(413, text.as_bytes()), AskRefusal::TooMany(Some(50_000)));
        }
        assert_eq!(refusal(413, b""), AskRefusal::TooMany(None));
        assert_eq!(refusal(400, br#"{"error":["bad request - invalid query"]}"#), AskRefusal::Nothing);
        assert_eq!(refusal(401, br#"{"error":["unauthorized"]}"#), AskRefusal::Unknown);
        assert_eq!(refusal(429, b"<html>"), AskRefusal::Busy);
        assert_eq!(refusal(503, b""), AskRefusal::Busy);
        assert_eq!(refusal(404, b""), AskRefusal::Refused);
    }

    #[test]
    fn an_answer_begins_with_its_columns() {
        assert_eq!(begins(NOTHING.as_bytes()), Ok(()));
        assert_eq!(begins(b"SOURCE_DESC\tSECTOR_DESC"), Ok(()));
        assert_eq!(begins("\u{feff}source_desc,".as_bytes()), Ok(()));
        for bad in [&b"<html>"[..], b"", b"{\"data\"", b"hello"] {
            assert!(begins(bad).is_err());
        }
        let names: Vec<_> = NOTHING.trim().split(',').map(|name| name.trim_matches('"')).collect();
        assert!(fields().eq(names));
    }

    #[test]
    fn a_part_has_a_name_that_can_be_read_back() {
        let states = ["AL", "AK"].map(str::to_owned).to_vec();
        let slice = Slice::default()
            .and(SliceTest::number("year", Comparator::In, vec!["2012".into()]))
            .and(SliceTest::text("state_alpha", Comparator::In, states));
        let time: Timestamp = "2026-11-26T10:20:30.5Z".parse().unwrap();
        let name = part_name(&slice, time);
        assert!(name.starts_with("2012-AL+1-") && name.ends_with(".20261126T102030Z.csv.gz"), "{name}");
        let meaning = file_name(&name).unwrap();
        assert_eq!(meaning.order_key, "20261126T102030Z");
        assert_eq!(meaning.run_date.unwrap().to_string(), "2026-11-26");
        for bad in
            ["a.csv.gz", "2012.20261126T102030.csv.gz", "x/2012.20261126T102030Z.csv.gz", "nass_facts.csv"]
        {
            assert_eq!(file_name(bad), None, "{bad}");
        }
        assert_ne!(part_name(&Slice::default(), time), name);
        let bulk = file_name("qs.animals_products_20260102.txt.gz").unwrap();
        assert_eq!(
            (bulk.order_key.as_str(), content("qs.animals_products_20260102.txt.gz")),
            ("20260102", Some("animals_products"))
        );
        assert_eq!(file_name("qs.census2022_20260102.txt.gz"), None);
        let needed = |slice: &Slice| contents(slice).into_iter().map(|(file, _)| file).collect::<Vec<_>>();
        assert_eq!(needed(&slice).len(), 5);
        let crops = slice.and(SliceTest::text("sector_desc", Comparator::In, vec!["CROPS".into()]));
        assert_eq!(contents(&crops), [("crops", crops.clone())]);
        let others = slice.and(SliceTest::text("sector_desc", Comparator::Like, vec!["E%".into()]));
        assert_eq!(needed(&others), ["economics", "environmental"]);
        assert_eq!(query(&slice)[0], ("state_alpha".to_owned(), "AL".to_owned()));
    }
}
