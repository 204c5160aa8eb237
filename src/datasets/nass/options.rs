//! The options of this dataset: which years and which records are wanted, and how the service is asked.

use std::ops::RangeInclusive;

use serde_json::Value;

use super::facts::filters;
use super::near::near;
use super::plan::{LEVELS, SECTORS, SOURCES, STATES};
use crate::dataset::Options;
use crate::dataset::asked::{FilesInstead, Manners, Misasked};
use crate::dataset::slice::{Comparator, Slice, SliceTest};

/// The address of the service.
const API: &str = "https://quickstats.nass.usda.gov/api";
/// The folder of the bulk files.
const BULK: &str = "https://www.nass.usda.gov/datasets/";
/// With more requests than this, the bulk files are faster.
const MANY_CALLS: u64 = 100;
/// The most records in one answer.
const LIMIT: u64 = 50_000;
const RATE: f64 = 16.0;
/// The most requests per minute that `--api-rate` accepts, for a service of one's own.
const FASTEST: f64 = 100_000.0;
const MAX_AGE_DAYS: u32 = 30;
/// Columns of codes, and how many digits each of their codes has.
const CODES: [(&str, usize); 11] = [
    ("state_ansi", 2),
    ("state_fips_code", 2),
    ("asd_code", 2),
    ("county_ansi", 3),
    ("county_code", 3),
    ("zip_5", 5),
    ("watershed_code", 8),
    ("congr_district_code", 2),
    ("country_code", 4),
    ("begin_code", 2),
    ("end_code", 2),
];
/// There are no records before this year.
const FIRST_YEAR: i16 = 1850;

/// The options as they are typed.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Options of nass")]
pub struct NassOptions {
    /// nass: the first year
    #[arg(long = "from", value_name = "YEAR")]
    pub nass_from: Option<String>,
    /// nass: the last year [default: the first]
    #[arg(long = "to", value_name = "YEAR")]
    pub nass_to: Option<String>,
    /// nass: only records with this value in a column, as in commodity_desc=CORN; several for one column mean "or"; append __LE,
    /// __LT, __GT, __GE, __NE, __LIKE or __NOT_LIKE to the column to compare differently
    #[arg(long = "filter", value_name = "COLUMN=VALUE")]
    pub nass_filter: Vec<String>,
    /// nass: only this level of aggregation, such as COUNTY; may be given more than once
    #[arg(long = "agg-level", value_name = "LEVEL")]
    pub nass_agg_level: Vec<String>,
    /// nass: the table, as SCHEMA.TABLE if it is in another schema; it has a lock and ledger rows of its own [default:
    /// nass_facts]
    #[arg(long = "table", value_name = "[SCHEMA.]NAME")]
    pub nass_table: Option<String>,
    /// nass: api asks the service; bulk reads the bulk files; auto takes bulk where more than about 100 requests would be needed
    #[arg(long = "via", value_name = "auto|api|bulk", default_value = "auto")]
    pub nass_via: String,
    /// nass: the folder with the bulk files of the sectors, https://… (http://… only on this machine) or dir:PATH; the newest of each is
    /// taken [default: the one of NASS]
    #[arg(long = "bulk-url", value_name = "URL|dir:PATH")]
    pub nass_bulk_url: Option<String>,
    /// nass: where the service is, without /get_counts/ and /api_GET/ [default: the one of NASS]
    #[arg(long = "api-url", env = "MERGANSER_NASS_API_URL", value_name = "URL")]
    pub nass_api_url: Option<String>,
    /// nass: requests per minute, including counts and retries [default: 16]
    #[arg(long = "api-rate", value_name = "N")]
    pub nass_api_rate: Option<String>,
    /// nass: most records in one answer [default: 50000]
    #[arg(long = "api-limit", value_name = "N")]
    pub nass_api_limit: Option<String>,
    /// nass: days for which an archived answer is reused if its count is unchanged; 0 asks anew [default: 30]
    #[arg(long = "max-age", value_name = "DAYS")]
    pub nass_max_age: Option<String>,
}

impl NassOptions {
    /// Validates the options; those that are not given are left out of the result.
    ///
    /// # Errors
    /// A message for the person who typed them.
    pub fn read(&self) -> Result<Options, String> {
        let mut options = Options::new();
        for (name, text) in [("from", &self.nass_from), ("to", &self.nass_to)] {
            if let Some(text) = text {
                options.insert(name.to_owned(), year(name, text)?.into());
            }
        }
        let years = (self.nass_from.as_ref().and(options.get("from")), options.get("to"));
        if let (Some(from), Some(to)) = (years.0.and_then(Value::as_i64), years.1.and_then(Value::as_i64))
            && from > to
        {
            return Err(format!("--from {from} is after --to {to}"));
        }
        if !self.nass_filter.is_empty() {
            for text in &self.nass_filter {
                test(text)?;
            }
            options.insert("filter".to_owned(), self.nass_filter.clone().into());
        }
        if !self.nass_agg_level.is_empty() {
            let levels: Result<Vec<_>, _> =
                self.nass_agg_level.iter().map(|level| known("agg_level_desc", level)).collect();
            options.insert("agg_level".to_owned(), levels?.into());
        }
        if let Some(url) = self.bulk_url()? {
            options.insert("bulk_url".to_owned(), url.into());
        }
        options.insert("via".to_owned(), self.via()?.into());
        if let Some(url) = &self.nass_api_url {
            let url = url.trim().trim_end_matches('/');
            options.insert("api_url".to_owned(), url.into());
        }
        if let Some(text) = &self.nass_api_rate {
            let rate = text.trim().parse::<f64>().ok().filter(|rate| (0.01..=FASTEST).contains(rate));
            let rate =
                rate.ok_or_else(|| format!("--api-rate is a number of requests a minute, not `{text}`"))?;
            options.insert("api_rate".to_owned(), rate.into());
        }
        if let Some(text) = &self.nass_api_limit {
            let limit = text.trim().parse::<u64>().ok().filter(|limit| (1..=LIMIT).contains(limit));
            let limit = limit.ok_or_else(|| {
                format!("--api-limit is a number of records from 1 to {LIMIT}, not `{text}`")
            })?;
            options.insert("api_limit".to_owned(), limit.into());
        }
        if let Some(text) = &self.nass_max_age {
            let days = text.trim().parse::<u32>().ok().filter(|days| *days <= 36_500);
            let days = days.ok_or_else(|| format!("--max-age is a number of days, not `{text}`"))?;
            options.insert("max_age".to_owned(), days.into());
        }
        Ok(options)
    }

    fn via(&self) -> Result<String, String> {
        let via = self.nass_via.trim().to_ascii_lowercase();
        match ["auto", "api", "bulk"].contains(&via.as_str()) {
            true => Ok(via),
            false => Err(format!("--via is auto, api or bulk, not `{}`", self.nass_via)),
        }
    }

    fn is_other_service(&self) -> bool {
        self.nass_api_url.as_ref().is_some_and(|url| url.trim().trim_end_matches('/') != API)
    }

    /// The folder of the bulk files, if the run may take them.
    fn bulk_url(&self) -> Result<Option<String>, String> {
        let via = self.via()?;
        match self.nass_bulk_url.as_deref().map(str::trim) {
            Some(url) if !["dir:", "https:", "http:"].iter().any(|scheme| url.starts_with(scheme)) => {
                Err(format!(
                    "--bulk-url is a folder, https://… (http://… only on this machine) or dir:PATH, not `{url}`"
                ))
            }
            _ if via == "api" => Ok(None),
            Some(url) => Ok(Some(url.to_owned())),
            // The files of NASS say nothing about the records of another service.
            None if self.is_other_service() && via == "auto" => Ok(None),
            None if self.is_other_service() => Err(
                "--via bulk with another --api-url (MERGANSER_NASS_API_URL): it is not known where the bulk files \
                 of that service are; name their folder with --bulk-url"
                    .into(),
            ),
            None => Ok(Some(BULK.to_owned())),
        }
    }
}

fn year(option: &str, text: &str) -> Result<i16, String> {
    let year = text.trim().parse::<i16>().map_err(|_| format!("--{option} is a year, not `{text}`"))?;
    let this = jiff::Zoned::now().year();
    match year {
        ..FIRST_YEAR => Err(format!("--{option} {year}: there is nothing before {FIRST_YEAR}")),
        _ if year > this => Err(format!("--{option} {year} is in the future")),
        _ => Ok(year),
    }
}

/// Parses a filter in the notation of the service, with one value: `commodity_desc__LIKE=CORN%`.
fn test(text: &str) -> Result<SliceTest, String> {
    let Some((name, value)) = text.split_once('=') else {
        return Err(format!("--filter {text}: it is COLUMN=VALUE, as in commodity_desc=CORN"));
    };
    let (column, operator) = match name.trim().split_once("__") {
        Some((column, operator)) => (column.to_ascii_lowercase(), operator.to_ascii_uppercase()),
        None => (name.trim().to_ascii_lowercase(), String::new()),
    };
    if column == "year" {
        return Err("--filter year: the years are given by --from and --to".into());
    }
    if !filters().any(|known| known == column) {
        return Err(format!("--filter {text}: there is no column {column}{}", or_near(&column, filters())));
    }
    let how = match operator.as_str() {
        "" => Comparator::In,
        "NE" => Comparator::NotIn,
        "LE" => Comparator::AtMost,
        "LT" => Comparator::Below,
        "GE" => Comparator::AtLeast,
        "GT" => Comparator::Above,
        "LIKE" => Comparator::Like,
        "NOT_LIKE" => Comparator::NotLike,
        other => {
            let known = ["LE", "LT", "GT", "GE", "NE", "LIKE", "NOT_LIKE"];
            return Err(format!(
                "--filter {text}: there is no operator __{other}; there are __{}{}",
                known.join(", __"),
                or_near(other, known)
            ));
        }
    };
    let value = match how {
        Comparator::In | Comparator::NotIn => known(&column, value)?,
        _ => value.trim().to_uppercase(),
    };
    if value.is_empty() {
        return Err(format!("--filter {text}: it names no value"));
    }
    let is_order =
        !matches!(how, Comparator::In | Comparator::NotIn | Comparator::Like | Comparator::NotLike);
    // The service compares codes as numbers, we compare them as texts: of so many digits, that is the same.
    if let Some((_, digits)) = CODES.iter().find(|(code, _)| is_order && *code == column)
        && (value.len() != *digits || !value.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return Err(format!("--filter {text}: each {column} has {digits} digits, leading zeros among them"));
    }
    Ok(SliceTest::text(&column, how, vec![value]))
}

/// A value in the service's capitals; for a column with few values it must be one of them.
fn known(column: &str, value: &str) -> Result<String, String> {
    let value = value.trim().to_uppercase();
    let all = match column {
        "agg_level_desc" => LEVELS,
        "source_desc" => SOURCES,
        "sector_desc" => SECTORS,
        "state_alpha" => STATES,
        _ => return Ok(value),
    };
    match all.contains(&value.as_str()) {
        true => Ok(value),
        false => Err(never(column, &value, all.iter().copied())),
    }
}

/// What is said of a value that a column does not have.
pub(super) fn never<'a>(column: &str, value: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    format!("{column} is never {value}{}", or_near(value, known))
}

/// `; near to it: a, b`, or nothing.
fn or_near<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    match near(name, known) {
        near if near.is_empty() => String::new(),
        near => format!("; near to it: {}", near.join(", ")),
    }
}

/// The slice of all records that the run wants.
pub(super) fn want(options: &Options) -> Result<Slice, Misasked> {
    let misasked = |message: String| Misasked { message, hint: None, is_missing: false };
    let number = |name: &str| options.get(name).and_then(Value::as_i64);
    let Some(from) = number("from") else {
        return Err(Misasked {
            message: "the years are not given".into(),
            hint: Some("--from 2005 --to 2015".into()),
            is_missing: true,
        });
    };
    let to = number("to").unwrap_or(from);
    if from > to {
        return Err(misasked(format!("--from {from} is after --to {to}")));
    }
    let mut slice = Slice::default();
    for test in match from == to {
        true => vec![SliceTest::number("year", Comparator::In, vec![from.to_string()])],
        false => vec![
            SliceTest::number("year", Comparator::AtLeast, vec![from.to_string()]),
            SliceTest::number("year", Comparator::AtMost, vec![to.to_string()]),
        ],
    } {
        slice = slice.and(test);
    }
    let texts = |name: &str| {
        let values = options.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        values.into_iter().filter_map(|value| value.as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let mut tests = Vec::new();
    for text in texts("filter") {
        tests.push(test(&text).map_err(misasked)?);
    }
    let levels = texts("agg_level");
    tests.extend(
        levels.into_iter().map(|level| SliceTest::text("agg_level_desc", Comparator::In, vec![level])),
    );
    // Several values for one column mean "or", as in the service.
    let mut joined: Vec<SliceTest> = Vec::new();
    for test in tests {
        let is_list = [Comparator::In, Comparator::Like].contains(&test.how);
        match joined.iter_mut().find(|known| is_list && known.column == test.column && known.how == test.how)
        {
            Some(known) => known.values.extend(test.values),
            None => joined.push(test),
        }
    }
    for (at, test) in joined.iter().enumerate() {
        if joined[..at].iter().any(|known| (&known.column, known.how) == (&test.column, test.how)) {
            return Err(Misasked {
                message: format!("--filter compares {} in the same way more than once", test.column),
                hint: Some(
                    "give one of them: the service would take records that pass any of them, not all".into(),
                ),
                is_missing: false,
            });
        }
    }
    for mut test in joined {
        test.values.sort();
        test.values.dedup();
        slice = slice.and(test);
    }
    Ok(slice)
}

/// A state and a year with few records.
pub(super) fn trial() -> Slice {
    let state = SliceTest::text("state_alpha", Comparator::In, vec!["RI".into()]);
    Slice::default().and(state).and(SliceTest::number("year", Comparator::In, vec!["2016".into()]))
}

/// The options of a run over these years against a service that returns `limit` records at a time and accepts requests as fast
/// as we can send them. Archived answers are reused for `max_age` days.
pub fn of_service((from, to): (i16, i16), url: &str, limit: u64, max_age: u32) -> Options {
    Options::from_iter([
        ("from".to_owned(), from.into()),
        ("to".to_owned(), to.into()),
        ("api_url".to_owned(), url.into()),
        ("api_rate".to_owned(), FASTEST.into()),
        ("api_limit".to_owned(), limit.into()),
        ("max_age".to_owned(), max_age.into()),
    ])
}

/// Whether the run takes the bulk files instead of asking the service.
pub(super) fn files(options: &Options) -> FilesInstead {
    let text = |name: &str| options.get(name).and_then(Value::as_str).map(str::to_owned);
    match (text("bulk_url"), text("via").as_deref()) {
        (Some(url), Some("bulk")) => FilesInstead::Always(url),
        (Some(url), Some("auto")) => FilesInstead::Beyond(url, MANY_CALLS),
        _ => FilesInstead::Never,
    }
}

/// The years of a run.
pub(super) fn years(options: &Options) -> RangeInclusive<i64> {
    let number = |name: &str| options.get(name).and_then(Value::as_i64);
    let from = number("from").unwrap_or_default();
    from..=number("to").unwrap_or(from)
}

/// The most records in an answer.
pub(super) fn limit(options: &Options) -> u64 {
    options.get("api_limit").and_then(Value::as_u64).unwrap_or(LIMIT)
}

/// For how many days an archived answer can replace a new one.
pub(super) fn max_age_days(options: &Options) -> u32 {
    let days = options.get("max_age").and_then(Value::as_u64);
    days.and_then(|days| u32::try_from(days).ok()).unwrap_or(MAX_AGE_DAYS)
}

/// The address of the service and the rate of requests. A window may have as many requests as the rate allows, and a burst
/// more.
pub(super) fn manners(options: &Options) -> Manners {
    let per_minute = options.get("api_rate").and_then(Value::as_f64).unwrap_or(RATE);
    let burst = 10;
    Manners {
        base: options.get("api_url").and_then(Value::as_str).unwrap_or(API).to_owned(),
        per_minute,
        burst,
        window: (300, (per_minute * 5.0).floor() as u32 + burst),
        max_age_days: max_age_days(options),
    }
}

#[cfg(test)]
mod tests;
