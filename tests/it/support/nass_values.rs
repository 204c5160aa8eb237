//! Real values and real answers of Quick Stats, where they are at hand.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use merganser::datasets::nass::columns::{COLUMNS, Fields, position};
use merganser::datasets::nass::quickstats::records::StatRecords;

/// A file of the data that lies beside the checkout, or one folder further up; a test says that it was skipped.
pub fn real(name: &str) -> Option<PathBuf> {
    let places = ["../shared", "../../shared"].map(|place| Path::new(env!("CARGO_MANIFEST_DIR")).join(place));
    let found =
        places.into_iter().map(|place| place.join("data/nass").join(name)).find(|path| path.is_file());
    if found.is_none() {
        not_tested(&format!("real values of Quick Stats: data/nass/{name} is not there"));
    }
    found
}

/// Says that a test has looked at nothing. A test's own output is only seen when it fails; this is always.
fn not_tested(what: &str) {
    let _ = writeln!(std::io::stderr(), "\n*** NOT TESTED: {what} ***");
}

/// 308,121 values of counties from 2005 to 2015, as records of the API. They were published without suppressed cells,
/// districts and times; those are made up here, the same for all.
pub fn real_values() -> Option<StatRecords> {
    let (series, counties) = (table(&real("series.csv")?), table(&real("counties.csv")?));
    let unpacked = Command::new("xz").arg("-dc").arg(real("observations.csv.xz")?).output();
    let Ok(unpacked) = unpacked else {
        not_tested("real values of Quick Stats: there is no program xz");
        return None;
    };
    assert!(unpacked.status.success(), "{}", String::from_utf8_lossy(&unpacked.stderr));
    let series: HashMap<_, _> = series.iter().map(|row| (row["series"].as_str(), row)).collect();
    let key = |row: &HashMap<String, String>| (row["state_fips_code"].clone(), row["county_code"].clone());
    let counties: HashMap<_, _> = counties.iter().map(|row| (key(row), row)).collect();
    let text = String::from_utf8(unpacked.stdout).expect("it is CSV");
    let mut records = StatRecords::default();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("series,state_fips_code,county_code,year,value,cv"));
    for line in lines {
        let cells: Vec<_> = line.split(',').collect();
        let [number, state, county, year, value, cv] = cells[..] else { panic!("{line}") };
        let series = series[number];
        let place = counties[&(state.to_owned(), county.to_owned())];
        let value = grouped(value);
        let mut location = place["state_name"].clone();
        location += ", ";
        location += &place["county_name"];
        let mut fields: Fields<'_> = [""; COLUMNS.len()];
        for row in [series, place] {
            for (name, text) in row {
                if let Some(at) = position(name) {
                    fields[at] = text;
                }
            }
        }
        for (name, text) in [
            ("source_desc", "SURVEY"),
            ("sector_desc", "CROPS"),
            ("group_desc", "FIELD CROPS"),
            ("domain_desc", "TOTAL"),
            ("domaincat_desc", "NOT SPECIFIED"),
            ("agg_level_desc", "COUNTY"),
            ("state_ansi", state),
            ("county_ansi", county),
            ("watershed_code", "00000000"),
            ("country_code", "9000"),
            ("country_name", "UNITED STATES"),
            ("location_desc", &location),
            ("year", year),
            ("freq_desc", "ANNUAL"),
            ("begin_code", "00"),
            ("end_code", "00"),
            ("reference_period_desc", "YEAR"),
            ("load_time", "2016-02-18 00:00:00"),
            ("Value", &value),
            ("CV (%)", cv),
        ] {
            fields[position(name).expect("a column")] = text;
        }
        records.push(&fields);
    }
    Some(records)
}

/// `1234.5` as Quick Stats writes it: `1,234.5`.
fn grouped(number: &str) -> String {
    let (whole, rest) = number.split_at(number.find('.').unwrap_or(number.len()));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

/// The rows of a CSV by the names of their columns.
pub fn table(path: &Path) -> Vec<HashMap<String, String>> {
    let text = fs::read_to_string(path).expect("it is there");
    let mut lines = text.lines().map(cells);
    let names = lines.next().expect("a header");
    lines.map(|cells| names.iter().cloned().zip(cells).collect()).collect()
}

/// Cells without commas, or in quotes.
pub fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            c => cells.last_mut().expect("there is one").push(c),
        }
    }
    cells
}
