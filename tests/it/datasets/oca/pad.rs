//! The address directory: typed lines against small directories, every way of typing with similar wrong addresses. A
//! wrong lot is worse than none.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use merganser::clients::duckdb::{DuckLimits, Staging};
use merganser::run::answered::portion;
use merganser::sql;

use super::lookup::{look_up, write_reference};

/// Real buildings, in a folder beside the checkout or one further up.
const BUILDINGS: &str = "shared/data/geo/hpd_registrations.csv";

/// One range of a small directory.
#[derive(Clone, Debug)]
struct Range {
    boro: u64,
    block: u64,
    lot: u64,
    bin: u64,
    low: String,
    high: String,
    street: String,
    zip: String,
    parity: String,
    kind: String,
}

impl Range {
    fn bbl(&self) -> u64 {
        self.boro * 1_000_000_000 + self.block * 10_000 + self.lot
    }
}

/// A line as somebody types it, and the right answer.
struct Line {
    street1: Option<String>,
    street2: Option<String>,
    city: Option<String>,
    zip: Option<String>,
}

#[derive(Debug)]
struct Found {
    status: String,
    bbl: Option<String>,
    bin: Option<String>,
    lat: Option<f64>,
    msg: Option<String>,
}

/// Splits a line of CSV into its cells.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            c => cells.last_mut().unwrap().push(c),
        }
    }
    cells
}

fn rows(path: &Path) -> Vec<Vec<String>> {
    fs::read_to_string(path).unwrap().lines().skip(1).map(cells).collect()
}

/// A house number in the directory's sortable form.
fn sorted(shown: &str) -> String {
    if shown.is_empty() {
        return String::new();
    }
    let digits = shown.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffix = match &shown[digits.len()..] {
        "" => "AA",
        "A" => "MB",
        other => panic!("no code of {other}"),
    };
    match digits.split_once('-') {
        Some((before, behind)) => format!("1{before:0>5}{behind:0>3}{suffix}"),
        None => format!("0{digits:0>5}000{suffix}"),
    }
}

/// Runs the reference's own scripts over a small directory, asks, and returns the answers in order.
fn answers(ranges: &[Range], billing: &[[u64; 5]], lots: &[u64], lines: &[Line]) -> Vec<Found> {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let mut text = String::from(
        "\"boro\",\"block\",\"lot\",\"bin\",\"lhnd\",\"lhns\",\"hhnd\",\"hhns\",\"scboro\",\"stname\",\"addrtype\",\"parity\",\"zipcode\"\n",
    );
    for r in ranges {
        let high = if r.high.is_empty() { &r.low } else { &r.high };
        writeln!(
            text,
            "\"{}\",\"{:05}\",\"{:04}\",\"{}\",\"{:12}\",\"{:11}\",\"{:12}\",\"{:11}\",\"{}\",\"{:32}\",\"{:1}\",\"{}\",\"{:5}\"",
            r.boro,
            r.block,
            r.lot,
            r.bin,
            r.low,
            sorted(&r.low),
            high,
            sorted(high),
            r.boro,
            r.street,
            r.kind,
            r.parity,
            r.zip
        )
        .unwrap();
    }
    fs::write(path("addresses"), text).unwrap();
    let mut text = String::from("loboro,loblock,lolot,hilot,billboro,billblock,billlot\n");
    for [boro, block, low, high, bill] in billing {
        writeln!(text, "{boro},{block:05},{low:04},{high:04},{boro},{block:05},{bill:04}").unwrap();
    }
    fs::write(path("billing"), text).unwrap();
    let mut text = String::from("bbl,place,version\n");
    for (at, bbl) in lots.iter().enumerate() {
        writeln!(text, "{bbl}.00000000,{at},26v1").unwrap();
    }
    fs::write(path("pluto"), text).unwrap();

    let staging = Staging::create(folder.path(), DuckLimits { memory_mib: 256, threads: 1 }).unwrap();
    let (addresses, billing, pluto) = (path("addresses"), path("billing"), path("pluto"));
    let variables = [
        ("addresses", addresses.as_str()),
        ("billing", &billing),
        ("pluto", &pluto),
        ("bbl", "bbl"),
        ("cd", "'101'"),
        ("council", "'1'"),
        ("ct", "'1'"),
        ("cb", "'1'"),
        ("bct", "null"),
        ("bctcb", "null"),
        ("zip", "'10001'"),
        ("address", "''"),
        ("units_res", "'1,700'"),
        ("units_total", "'1,700'"),
        ("latitude", "(40.7 + place::int / 1000000)::varchar"),
        ("longitude", "'-73.9'"),
        ("version", "version"),
    ];
    let files = write_reference(&staging, &variables, folder.path());
    let mut script = String::from(
        "create or replace table questions (key varchar, street1 varchar, street2 varchar, city varchar, \
         state varchar, postalcode varchar);\n",
    );
    let literal = |text: &Option<String>| text.as_deref().map_or("null".to_owned(), sql::literal);
    for some in lines.iter().enumerate().collect::<Vec<_>>().chunks(500) {
        let values = some.iter().map(|(at, line)| {
            let [a, b, c, z] = [&line.street1, &line.street2, &line.city, &line.zip].map(literal);
            format!("('{at}', {a}, {b}, {c}, 'NY', {z})")
        });
        writeln!(script, "insert into questions values {};", values.collect::<Vec<_>>().join(",\n")).unwrap();
    }
    // Rendered text is inserted as one variable, because the lines hold colons and quotes.
    staging.execute("put the questions", ":script", &[("script", &script)]).unwrap();
    let files: Vec<_> = files.iter().map(|(name, file)| (*name, file.as_str())).collect();
    look_up(&staging, &files, portion(staging.memory_mib()));
    let query = "select status, bbl, bin, lat::double, msg from answers order by key::int";
    let read = |row: &duckdb::Row<'_>| {
        Ok(Found {
            status: row.get(0)?,
            bbl: row.get(1)?,
            bin: row.get(2)?,
            lat: row.get(3)?,
            msg: row.get(4)?,
        })
    };
    let found = staging.query("read the answers", query, read).unwrap();
    assert_eq!(found.len(), lines.len(), "one answer for each question");
    found
}

/// Control characters are written as `<11>`, a missing value as `<null>`.
fn typed(cell: &str) -> Option<String> {
    if cell == "<null>" {
        return None;
    }
    let mut text = cell.to_owned();
    for code in [1_u8, 2, 9, 11] {
        text = text.replace(&format!("<{code}>"), &char::from(code).to_string());
    }
    Some(text)
}

#[test]
fn each_way_of_typing_is_the_right_lot_or_none() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/pad");
    let ranges: Vec<_> = rows(&folder.join("ranges.csv")).iter().map(|cells| range(cells)).collect();
    let lines = rows(&folder.join("lines.csv"));
    let typed: Vec<_> = lines
        .iter()
        .map(|cells| Line {
            street1: typed(&cells[0]),
            street2: typed(&cells[1]),
            city: typed(&cells[2]),
            zip: typed(&cells[3]),
        })
        .collect();
    let mut lots: Vec<_> = ranges.iter().filter(|r| r.lot < 1001).map(Range::bbl).collect();
    lots.push(1_000_047_501);
    // PLUTO lacks one of the lots, which keeps its number.
    lots.retain(|bbl| *bbl != 2_000_960_001);
    let found = answers(&ranges, &[[1, 4, 1001, 1100, 7501]], &lots, &typed);
    let mut wrong = Vec::new();
    for (cells, found) in lines.iter().zip(&found) {
        let (expected, is_lot) = (&cells[4], cells[4].chars().all(|c| c.is_ascii_digit()));
        let right = match is_lot {
            true => found.status == "match" && found.bbl.as_ref() == Some(expected),
            // The table gives the reason.
            false => {
                let is_said = found.msg.is_some() || found.status == "no_line";
                found.status == *expected && found.bbl.is_none() && found.lat.is_none() && is_said
            }
        };
        if !right {
            wrong.push(format!("{cells:?}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    let at = |line: &str| lines.iter().position(|cells| cells[0] == line).unwrap();
    let placeholder = &found[at("5 STONE STREET")];
    assert_eq!(
        placeholder.bin, None,
        "a number that is a borough's placeholder is no building: {placeholder:?}"
    );
    let unknown = &found[at("130 FT INDEPENDENCE ST")];
    assert_eq!(unknown.lat, None, "{unknown:?}");
}

fn range(cells: &[String]) -> Range {
    let number = |at: usize| cells[at].parse().unwrap();
    Range {
        boro: number(0),
        block: number(1),
        lot: number(2),
        bin: number(3),
        low: cells[4].clone(),
        high: cells[5].clone(),
        street: cells[6].clone(),
        zip: cells[7].clone(),
        parity: cells[8].clone(),
        kind: cells[9].clone(),
    }
}

fn ordinal(number: u32) -> &'static str {
    match (number % 10, number % 100) {
        (_, 11..=13) => "TH",
        (1, _) => "ST",
        (2, _) => "ND",
        (3, _) => "RD",
        _ => "TH",
    }
}

/// A street in the spellings that people use.
fn spellings(street: &str) -> Vec<String> {
    let with = |change: &dyn Fn(&str) -> String| street.split(' ').map(change).collect::<Vec<_>>().join(" ");
    let ordinals = |word: &str| match word.parse::<u32>() {
        Ok(number) => format!("{number}{}", ordinal(number)),
        Err(_) => word.to_owned(),
    };
    let short = |word: &str| {
        let short = match word {
            "STREET" => "ST",
            "AVENUE" => "AVE",
            "BOULEVARD" => "BLVD",
            "PARKWAY" => "PKWY",
            "ROAD" => "RD",
            "PLACE" => "PL",
            "DRIVE" => "DR",
            "EAST" => "E",
            "WEST" => "W",
            "NORTH" => "N",
            "SOUTH" => "S",
            other => other,
        };
        short.to_owned()
    };
    vec![
        street.to_owned(),
        with(&ordinals),
        with(&short),
        with(&|word| short(&ordinals(word))),
        with(&|word| format!("{}.", short(word))),
        street.to_lowercase(),
        street.strip_prefix("ST ").map_or(street.to_owned(), |rest| format!("SAINT {rest}")),
    ]
}

#[test]
fn real_buildings_are_found_in_every_spelling_and_never_the_decoys() {
    let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().skip(1).take(2);
    let Some(text) = above.find_map(|folder| fs::read_to_string(folder.join(BUILDINGS)).ok()) else {
        // A test's own output is seen only when it fails, and this always.
        let _ = writeln!(std::io::stderr(), "\n*** NOT TESTED: real buildings: {BUILDINGS} is not there ***");
        return;
    };
    let known = [("MANHATTAN", "New York"), ("BRONX", "Bronx"), ("BROOKLYN", "Kings"), ("QUEENS", "Queens")];
    let cities: BTreeMap<_, _> = known.into_iter().collect();
    let (mut ranges, mut lines, mut truth) = (Vec::new(), Vec::new(), Vec::new());
    for cells in text.lines().skip(1).map(cells) {
        let number = |at: usize| cells[at].parse::<u64>().unwrap();
        let (boro, house, street, zip) = (number(2), &cells[4], &cells[7], &cells[9]);
        let last = |shown: &str| shown.rsplit('-').next().unwrap().parse::<u64>().unwrap();
        let (low, high) = (cells[5].clone(), cells[6].clone());
        let parity = if last(&low) % 2 == last(&high) % 2 { 2 - last(&low) % 2 } else { 0 };
        let real = Range {
            boro,
            block: number(10),
            lot: number(11),
            bin: number(12),
            low: low.clone(),
            high: high.clone(),
            street: street.clone(),
            zip: zip.clone(),
            parity: parity.to_string(),
            kind: String::new(),
        };
        let next = |by: u64| match high.rsplit_once('-') {
            Some((before, _)) => format!("{before}-{:02}", last(&high) + by),
            None => (last(&high) + by).to_string(),
        };
        let decoy = |boro: u64, lot: u64, number: String, zip: &str| Range {
            boro,
            block: 90_000 + real.block % 9_000,
            lot,
            bin: boro * 1_000_000 + 900_000 + lot,
            parity: "0".into(),
            low: number.clone(),
            high: number,
            zip: zip.into(),
            ..real.clone()
        };
        // Wrong addresses: the other side of the street, the neighbour, the same street elsewhere.
        if parity != 0 {
            ranges.push(decoy(boro, 11, next(1), zip));
        }
        ranges.push(decoy(boro, 12, next(2), zip));
        ranges.push(decoy(if boro == 3 { 2 } else { 3 }, 13, house.replace('-', ""), ""));
        if boro == 4 {
            ranges.push(decoy(4, 14, house.clone(), "11697"));
        }
        for (at, spelled) in spellings(street).into_iter().enumerate() {
            let unhyphenated = house.replace('-', "");
            let typed = [
                (format!("{house} {spelled}"), None),
                (format!("{house} {spelled}"), Some("APT 4B")),
                (format!("{house} {spelled} APT 4B"), None),
                (format!("{house} {spelled} #{at}A"), None),
                (format!("{house} {spelled}, 2ND FLOOR"), None),
                (format!("{house} {spelled} 3R"), None),
                (format!("{unhyphenated} {spelled}"), None),
                (format!("APT 4B, {house} {spelled}"), None),
            ];
            for (street1, street2) in typed {
                let city = cities.get(cells[3].as_str()).copied().unwrap_or("Staten Island");
                lines.push(Line {
                    street1: Some(street1),
                    street2: street2.map(str::to_owned),
                    city: Some(city.into()),
                    zip: Some(zip.clone()),
                });
                truth.push((real.bbl().to_string(), real.bin));
            }
        }
        ranges.push(real);
    }
    let lots: Vec<_> = ranges.iter().map(Range::bbl).collect();
    let found = answers(&ranges, &[], &lots, &lines);
    let (mut matched, mut wrong, mut missed) = (0, Vec::new(), Vec::new());
    for ((line, found), (bbl, bin)) in lines.iter().zip(&found).zip(&truth) {
        let is_bin = found.bin.as_ref().is_none_or(|said| *said == bin.to_string());
        match found.status.as_str() {
            "match" if found.bbl.as_ref() == Some(bbl) && is_bin => matched += 1,
            "match" => wrong.push(format!("{:?}: {found:?}, and it is {bbl} {bin}", line.street1)),
            _ => missed.push(format!("{:?}: {found:?}", line.street1)),
        }
    }
    eprintln!(
        "{} lines: {matched} right, {} wrong, {} without a lot; {:.2} % found",
        lines.len(),
        wrong.len(),
        missed.len(),
        100.0 * f64::from(matched) / lines.len() as f64
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(matched as usize * 100 >= lines.len() * 98, "{}", missed.join("\n"));
}
