//! A service, a database and a store of a test's own.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use merganser::datasets::nass::bulk;
use merganser::datasets::nass::columns::{COLUMNS, Fields, position};
use merganser::datasets::nass::quickstats::QuickStats;
use merganser::datasets::nass::quickstats::records::StatRecords;
use tempfile::TempDir;

use crate::support::merganser;
use crate::support::pipeline::{Pipeline, Ran};
use crate::support::quickstats::QuickStatsServer;

/// The key of the tests, which must be nowhere.
pub const KEY: &str = "a-key-that-nobody-may-see-5D41402A";

/// A service with these records and a folder of bulk files, a database and a store.
pub struct World {
    pub server: QuickStatsServer,
    pub pipeline: Pipeline,
    bulk: TempDir,
}

impl World {
    pub async fn new(hint: &str, records: StatRecords, limit: usize) -> Self {
        Self::with_rate(hint, records, limit, None).await
    }

    /// A service that bears so many requests in a while, and answers more with 429 and a page.
    pub async fn with_rate(
        hint: &str,
        records: StatRecords,
        limit: usize,
        rate: Option<(usize, Duration)>,
    ) -> Self {
        let bulk = tempfile::tempdir().unwrap();
        let mut api = QuickStats::new(records);
        (api.limit, api.key) = (limit, Some(KEY.into()));
        let server = QuickStatsServer::with(api, rate, Some(bulk.path()));
        let pipeline = Pipeline::new(hint).await.env([("NASS_API_KEY".to_owned(), KEY.to_owned())]);
        Self { server, pipeline, bulk }
    }

    /// The arguments of a run over these years.
    pub fn words<'a>(&'a self, from: &'a str, to: &'a str, url: &'a str) -> Vec<&'a str> {
        vec![
            "run",
            "nass",
            "--from",
            from,
            "--to",
            to,
            "--api-url",
            url,
            "--api-rate",
            "60000",
            "--api-limit",
            "2000",
        ]
    }

    /// Where the bulk files are.
    pub fn bulk(&self) -> &Path {
        self.bulk.path()
    }

    /// Writes the bulk file of a sector.
    pub fn write_bulk(&self, sector: &str, day: &str, records: &StatRecords) -> PathBuf {
        self.write_lines(sector, day, &lines(records))
    }

    /// Writes a bulk file of these lines.
    pub fn write_lines(&self, sector: &str, day: &str, lines: &[u8]) -> PathBuf {
        let path = self.bulk().join(bulk::file_name(sector, day.parse().unwrap()));
        std::fs::write(&path, packed(lines)).unwrap();
        path
    }

    /// All words of a run over these years, with more options, where the pipeline does not add its own.
    pub fn all_words(&self, from: &str, to: &str, more: &[&str]) -> Vec<String> {
        let url = self.server.api_url();
        let folder = |name: &str| self.pipeline.folder().join(name).display().to_string();
        let (database, store) = (self.pipeline.database.url(), format!("file:{}", folder("store")));
        let work = folder("work");
        let own = ["--database-url", &database, "--store", &store, "--work-dir", &work];
        let words = self.words(from, to, &url).into_iter().chain(own).chain(more.iter().copied());
        words.map(str::to_owned).collect()
    }

    /// A run over these years at one of whose fault points something happens.
    pub async fn run_broken(&self, from: &str, to: &str, fault: &str) -> Ran {
        let words = self.all_words(from, to, &[]);
        let envs = [("NASS_API_KEY", KEY.to_owned()), ("FAULTS", fault.to_owned())];
        let ran = tokio::task::spawn_blocking(move || Ran::new(merganser(words, envs)));
        ran.await.expect("the run is over")
    }

    /// A run over these years, with more options.
    pub async fn run(&self, from: &str, to: &str, more: &[&str]) -> Ran {
        let url = self.server.api_url();
        let mut words = self.words(from, to, &url);
        for option in ["--api-rate", "--api-limit"].iter().filter(|option| more.contains(option)) {
            let at = words.iter().position(|word| word == option).unwrap();
            words.drain(at..at + 2);
        }
        words.extend(more);
        self.pipeline.other(&words).await
    }

    /// The records of these years are the rows of the table, every cell, and no other row is there.
    pub async fn holds(&self, years: std::ops::RangeInclusive<i32>) {
        let mut api = None;
        self.server.change(|quick_stats| api = Some(quick_stats.records.clone()));
        let api = api.unwrap();
        let expected = (0..api.len()).map(|row| api.fields(row));
        let expected =
            expected.filter(|fields| years.contains(&fields[position("year").unwrap()].parse().unwrap()));
        holds(&self.pipeline, expected).await;
    }
}

/// Records as the lines of a bulk file.
pub fn lines(records: &StatRecords) -> Vec<u8> {
    let mut lines = Vec::new();
    bulk::add_header(&mut lines);
    for row in 0..records.len() {
        bulk::add_line(&mut lines, &records.fields(row));
    }
    lines
}

pub fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packer = bulk::packer(Vec::new());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// These records are the rows of the table, every cell, and no other row is there.
pub async fn holds<'a>(pipeline: &Pipeline, records: impl Iterator<Item = Fields<'a>>) {
    let expected: BTreeSet<String> = records.map(|fields| line(&fields)).collect();
    let cell = |name: &&str| match *name {
        "Value" => "coalesce(value::text, value_code, '')".to_owned(),
        "CV (%)" => "coalesce(cv::text, cv_code, '')".to_owned(),
        "load_time" => "coalesce(to_char(load_time, 'YYYY-MM-DD HH24:MI:SS'), '')".to_owned(),
        name => format!("coalesce({name}::text, '')"),
    };
    let cells: Vec<_> = COLUMNS.iter().map(cell).collect();
    let rows = pipeline.column(&format!("select concat_ws('|', {}) from nass_facts", cells.join(", "))).await;
    let count = rows.len();
    let found: BTreeSet<_> = rows.into_iter().collect();
    assert_eq!(count, found.len(), "no row is there twice");
    let missing: Vec<_> = expected.difference(&found).take(3).collect();
    let unexpected: Vec<_> = found.difference(&expected).take(3).collect();
    assert!(missing.is_empty() && unexpected.is_empty(), "missing {missing:#?}\nunexpected {unexpected:#?}");
}

/// A record as the table has it: figures without separators and blanks.
fn line(fields: &Fields<'_>) -> String {
    let cells = fields.iter().zip(COLUMNS).map(|(field, name)| match name {
        "Value" | "CV (%)" => field.trim().replace(',', ""),
        _ => (*field).to_owned(),
    });
    cells.collect::<Vec<_>>().join("|")
}

/// Years of some uneven states: state and district rows, counties, one combined row a district, suppressed figures, a
/// forecast beside the final one.
pub fn records(years: std::ops::RangeInclusive<i32>, a_state: usize) -> StatRecords {
    let mut records = StatRecords::default();
    for year in years {
        for (number, (state, fips)) in
            [("AL", "01"), ("CA", "06"), ("IA", "19"), ("TX", "48"), ("VA", "51")].iter().enumerate()
        {
            let count = a_state * (number + 1) / 3;
            for at in 0..count {
                let (level, county, ansi) = match at % 10 {
                    0 => ("STATE", String::new(), String::new()),
                    1 => ("AGRICULTURAL DISTRICT", String::new(), String::new()),
                    2 => ("COUNTY", "998".to_owned(), String::new()),
                    _ => {
                        let code = format!("{:03}", (at * 2 + 1) % 60);
                        ("COUNTY", code.clone(), code)
                    }
                };
                let value = match at % 7 {
                    0 => "(D)".to_owned(),
                    1 => "1,234.50".to_owned(),
                    _ => (at * 3).to_string(),
                };
                let (year, class, district) =
                    (year.to_string(), format!("CLASS {at}"), format!("{:02}", at % 9 * 10));
                let cells = [
                    ("source_desc", "SURVEY"),
                    ("sector_desc", "CROPS"),
                    ("group_desc", "FIELD CROPS"),
                    ("commodity_desc", if at % 2 == 0 { "CORN" } else { "OATS" }),
                    ("class_desc", class.as_str()),
                    ("statisticcat_desc", "YIELD"),
                    ("short_desc", "CORN, \"GRAIN\" - YIELD"),
                    ("agg_level_desc", level),
                    ("state_alpha", state),
                    ("state_fips_code", fips),
                    ("asd_code", district.as_str()),
                    ("county_code", county.as_str()),
                    ("county_ansi", ansi.as_str()),
                    ("year", year.as_str()),
                    ("freq_desc", "ANNUAL"),
                    ("reference_period_desc", if at % 3 == 0 { "YEAR - AUG FORECAST" } else { "YEAR" }),
                    ("load_time", "2016-02-18 00:00:00"),
                    ("Value", value.as_str()),
                    ("CV (%)", if at % 5 == 0 { "(H)" } else { "12.5" }),
                ];
                let mut fields: Fields<'_> = [""; COLUMNS.len()];
                for (name, text) in cells {
                    fields[position(name).unwrap()] = text;
                }
                records.push(&fields);
            }
        }
    }
    records
}
