use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::*;
use crate::datasets::oca::tables::TABLES;

fn options(cases: u64, out: &Path) -> SampleOptions {
    SampleOptions {
        cases,
        out: out.to_owned(),
        seed: 7,
        run_date: date(2026, 11, 14),
        initial: Some(2024),
        level: 2,
        deletes: 20,
        malformed: 0,
    }
}

fn unpacked(sample: &SampleFile) -> String {
    let mut zip = zip::ZipArchive::new(File::open(&sample.path).unwrap()).unwrap();
    assert_eq!(zip.len(), 1);
    let mut xml = String::new();
    zip.by_name("LandlordTenantExtract.xml").unwrap().read_to_string(&mut xml).unwrap();
    assert_eq!(xml.len() as u64, sample.xml_bytes);
    assert_eq!(sample.path.metadata().unwrap().len(), sample.zip_bytes);
    xml
}

/// One case: for every element with text or without children its path below the case and its text,
/// in document order, and how often each path came.
#[derive(Debug, Default)]
struct Case {
    leaves: Vec<(String, String)>,
    counts: BTreeMap<String, usize>,
}

impl Case {
    fn all<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a str> {
        self.leaves.iter().filter(move |(p, _)| p == path).map(|(_, text)| text.as_str())
    }

    fn one(&self, path: &str) -> Option<&str> {
        self.leaves.iter().find(|(p, _)| p == path).map(|(_, text)| text.as_str())
    }

    fn deleted(&self) -> bool {
        self.counts.contains_key("Delete")
    }
}

/// Reads the document, which must be well formed.
fn cases(xml: &str) -> Vec<Case> {
    let mut reader = Reader::from_str(xml);
    reader.config_mut().expand_empty_elements = true;
    let (mut cases, mut path, mut text) = (Vec::new(), Vec::<String>::new(), String::new());
    let mut leaf = false;
    loop {
        match reader.read_event().expect("the document is well formed") {
            Event::Start(start) => {
                path.push(start.local_name().as_ref().to_owned());
                match path.as_slice() {
                    [_, _, index] if index == "Index" => cases.push(Case::default()),
                    [_, _, _, below @ ..] if !below.is_empty() => {
                        *cases.last_mut().unwrap().counts.entry(below.join("/")).or_default() += 1;
                    }
                    _ => {}
                }
                text.clear();
                leaf = true;
            }
            Event::End(_) => {
                if leaf && path.len() > 3 {
                    let leaf = (path[3..].join("/"), std::mem::take(&mut text));
                    cases.last_mut().unwrap().leaves.push(leaf);
                }
                path.pop();
                leaf = false;
            }
            Event::Text(part) => text.push_str(&part),
            Event::GeneralRef(name) => {
                text.push_str(quick_xml::escape::resolve_predefined_entity(&name).expect("a known entity"));
            }
            Event::Eof => break,
            _ => {}
        }
    }
    assert!(path.is_empty());
    cases
}

fn made(options: &SampleOptions) -> (SampleFile, Vec<Case>) {
    let sample = write_sample(options).unwrap();
    let cases = cases(&unpacked(&sample));
    assert_eq!(cases.len() as u64, sample.cases + sample.deletes);
    (sample, cases)
}

fn ids(cases: &[Case]) -> Vec<&str> {
    cases.iter().filter_map(|case| case.one("IndexNumberId")).collect()
}

#[test]
fn same_options_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = SampleOptions { malformed: 3, ..options(300, dir.path()) };
    let mut bytes = || {
        let sample = write_sample(&options).unwrap();
        options.out = options.out.join("again");
        std::fs::read(sample.path).unwrap()
    };
    assert!(bytes() == bytes());
    options.seed += 1;
    let other = std::fs::read(write_sample(&options).unwrap().path).unwrap();
    options.seed -= 1;
    assert!(other != std::fs::read(write_sample(&options).unwrap().path).unwrap());
}

#[test]
fn rows_per_case_are_those_of_the_feed() {
    let dir = tempfile::tempdir().unwrap();
    let (sample, cases) = made(&options(5_000, dir.path()));
    let count = |path: &str| cases.iter().filter_map(|c| c.counts.get(path)).sum::<usize>() as f64;
    let live = sample.cases as f64;
    let outcome = "Appearances/Appearance/AppearanceOutcomes/AppearanceOutcome";
    for (path, per_case) in [
        ("PrimaryClaimCauseOfActions/PrimaryClaimCauseOfAction", 1.0),
        ("PropertyAddresses/PropertyAddress", 1.0),
        ("Parties/Party", 2.6),
        ("Events/Event", 1.9),
        ("Appearances/Appearance", 1.9),
        (outcome, 1.9),
        ("Motions/Motion", 0.54),
        ("Decisions/Decision", 0.5),
        ("Judgments/Judgment", 0.46),
        ("Judgments/Judgment/Warrants/Warrant", 0.4),
    ] {
        let ratio = count(path) / live;
        assert!((ratio / per_case - 1.0).abs() < 0.07, "{path}: {ratio}, not {per_case}");
    }
    let share = |path: &str, value: &str| cases.iter().filter(|c| c.one(path) == Some(value)).count() as f64;
    assert!((share("Classification", "Non-Payment") / live - 0.82).abs() < 0.02);
    let typed = share("PropertyType", "Residential") + share("PropertyType", "Commercial");
    assert!((typed / live - 0.73).abs() < 0.02);
    let designated =
        cases.iter().filter(|c| c.one("SpecialtyDesignations/SpecialtyDesignationType").is_some());
    assert!((designated.count() as f64) < 0.3 * live);
    let bytes_per_case = sample.xml_bytes as f64 / live;
    assert!((3_200.0..3_800.0).contains(&bytes_per_case), "{bytes_per_case} bytes per case");
}

#[test]
fn every_element_is_one_of_the_feeds_and_every_column_has_values() {
    let dir = tempfile::tempdir().unwrap();
    let (_, cases) = made(&options(2_000, dir.path()));
    let written: BTreeSet<&str> = cases
        .iter()
        .flat_map(|c| &c.leaves)
        .filter(|(_, text)| !text.is_empty())
        .map(|(p, _)| p.as_str())
        .collect();
    let mut named = BTreeSet::from(["IndexNumberId".to_owned()]);
    for table in TABLES {
        for column in table.columns {
            if let crate::dataset::CellSource::Element(path) = column.source {
                named.insert([table.element, path].join("/").trim_start_matches('/').to_owned());
            }
        }
    }
    let named: BTreeSet<&str> = named.iter().map(String::as_str).collect();
    assert_eq!(written, named);
}

#[test]
fn no_case_comes_twice_and_deletes_come_last() {
    let dir = tempfile::tempdir().unwrap();
    for initial in [Some(2024), None] {
        let (_, cases) = made(&SampleOptions { initial, ..options(500, dir.path()) });
        let ids = ids(&cases);
        assert!(ids.iter().all(|id| id.len() == 64 && id.bytes().all(|b| b"0123456789ABCDEF".contains(&b))));
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 520);
        assert_eq!(cases.iter().position(Case::deleted), Some(500));
        assert!(cases[500..].iter().all(|case| case.deleted() && case.leaves.len() == 2));
    }
}

#[test]
fn an_incremental_extract_sends_cases_of_its_year_again() {
    let dir = tempfile::tempdir().unwrap();
    let (initial, before) = made(&SampleOptions {
        initial: Some(2026),
        run_date: date(2026, 11, 7),
        ..options(1_000, dir.path())
    });
    let (incremental, after) = made(&SampleOptions { initial: None, ..options(500, dir.path()) });
    assert!(initial.path.ends_with("LandlordTenant.Initial.FiledIn2026.2026-11-07.zip"));
    assert!(incremental.path.ends_with("LandlordTenant.Incr.2026-11-14.zip"));
    let before: BTreeMap<&str, &Case> = ids(&before).into_iter().zip(&before).take(1_000).collect();
    let again = |case: &&Case| before.contains_key(case.one("IndexNumberId").unwrap());
    let (live, deleted) = after.split_at(500);
    assert_eq!(live.iter().filter(again).count(), 300);
    // Four of five deletes name a case that was sent.
    assert_eq!(deleted.iter().filter(again).count(), 16);
    let mut moved_on = 0;
    for case in live.iter().filter(again) {
        let earlier = before[case.one("IndexNumberId").unwrap()];
        for path in
            ["Court", "Classification", "PropertyAddresses/PropertyAddress/Street1", "PrimaryClaimTotal"]
        {
            assert_eq!(case.one(path), earlier.one(path));
        }
        moved_on += u32::from(case.leaves != earlier.leaves);
    }
    assert!(moved_on > 250);
}

#[test]
fn level_1_is_level_2_without_street_lines() {
    let dir = tempfile::tempdir().unwrap();
    let second = unpacked(&write_sample(&options(300, dir.path())).unwrap());
    let first = unpacked(&write_sample(&SampleOptions { level: 1, ..options(300, dir.path()) }).unwrap());
    assert!(!first.contains("<Street"));
    assert!(second.contains("<Street2>APT "));
    let streetless = second.lines().filter(|line| !line.trim_start().starts_with("<Street"));
    assert!(streetless.eq(first.lines()));
}

#[test]
fn broken_cases_are_broken_in_turn() {
    fn repeats<'a>(mut values: impl Iterator<Item = &'a str>) -> bool {
        let mut seen = BTreeSet::new();
        values.any(|value| !seen.insert(value))
    }
    let dir = tempfile::tempdir().unwrap();
    let (sample, cases) = made(&SampleOptions { malformed: 30, ..options(1_000, dir.path()) });
    assert_eq!(sample.malformed, 30);
    let mut flaws = [0; 6];
    for case in &cases[..1_000] {
        let is_bad = |text: Option<&str>, ok: fn(&str) -> bool| text.is_some_and(|t| !t.is_empty() && !ok(t));
        let found = [
            is_bad(case.one("FiledDate"), |t| t.parse::<Date>().is_ok()),
            case.one("IndexNumberId").is_none(),
            is_bad(case.one("PrimaryClaimTotal"), |t| t.parse::<f64>().is_ok()),
            is_bad(case.one("Judgments/Judgment/WithPossession"), |t| t.parse::<bool>().is_ok()),
            repeats(case.all("Judgments/Judgment/Sequence")),
            repeats(case.all("Decisions/Decision/Sequence")),
        ];
        assert!(found.iter().filter(|flaw| **flaw).count() <= 1);
        flaws.iter_mut().zip(found).for_each(|(sum, flaw)| *sum += u32::from(flaw));
    }
    assert_eq!(flaws, [5; 6]);
}

#[test]
fn dates_follow_each_other() {
    let dir = tempfile::tempdir().unwrap();
    for (initial, run_date) in
        [(Some(2024), date(2026, 11, 14)), (None, date(2026, 1, 1)), (Some(2022), date(2022, 1, 1))]
    {
        let (_, cases) = made(&SampleOptions { initial, run_date, deletes: 0, ..options(400, dir.path()) });
        let first = initial.map_or(date(2025, 12, 23), |year| date(year, 1, 1));
        for case in &cases {
            let dates = |path: &str| -> Vec<Date> {
                case.all(path).filter(|text| !text.is_empty()).map(|text| text.parse().unwrap()).collect()
            };
            let [filed] = dates("FiledDate")[..] else { panic!("a case is filed once") };
            assert!(first <= filed && filed <= run_date);
            assert!(initial.is_none_or(|year| filed.year() == year));
            let heard = dates("Appearances/Appearance/AppearanceDateTime");
            assert!(heard.is_sorted() && heard.iter().all(|day| *day >= filed));
            let judged = dates("Judgments/Judgment/FiledDate");
            assert!(judged.iter().all(|day| heard.last().is_none_or(|last| day >= last)));
            for path in ["OrderedDate", "MarshalRequestDate", "IssuedDate", "ExecutionDate", "VacatedDate"] {
                let days = dates(&format!("Judgments/Judgment/Warrants/Warrant/{path}"));
                assert!(days.iter().all(|day| *day >= judged[0] && *day <= run_date));
            }
            assert!(dates("Events/Event/FiledDate").iter().all(|day| (filed..=run_date).contains(day)));
        }
    }
}

#[test]
fn highlights_keep_what_a_careless_reader_would_trim() {
    let dir = tempfile::tempdir().unwrap();
    let (_, cases) = made(&options(1_000, dir.path()));
    let path = "Decisions/Decision/HighlightNoPersonallyIdentifyingInfo";
    let highlights: Vec<&str> = cases.iter().flat_map(|case| case.all(path)).collect();
    assert!(highlights.iter().all(|text| text.ends_with('\n') && text.len() <= 750));
    assert!(highlights.iter().any(|text| text.chars().count() > 450));
    assert!(highlights.iter().any(|text| text.contains("\n.....Interest Rate:  \n")));
    assert!(highlights.iter().any(|text| text.contains('&') && text.contains(".....Amount:  $")));
}

#[test]
fn options_that_make_no_sense_write_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let good = options(5, &out);
    for bad in [
        SampleOptions { level: 3, ..good.clone() },
        SampleOptions { malformed: 6, ..good.clone() },
        SampleOptions { initial: Some(2027), ..good.clone() },
        SampleOptions { initial: Some(24), ..good.clone() },
    ] {
        assert!(matches!(write_sample(&bad), Err(SampleError::Options(_))));
    }
    assert!(!out.exists());
    std::fs::write(&out, "in the way").unwrap();
    assert!(matches!(write_sample(&good), Err(SampleError::Io { .. })));
    std::fs::remove_file(&out).unwrap();
    let empty = SampleOptions { cases: 0, deletes: 0, ..good };
    let (sample, none) = made(&empty);
    assert!(none.is_empty() && sample.path.starts_with(&out));
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn a_turn_comes_evenly() {
    for (some, all) in [(0, 7), (3, 7), (7, 7), (1, 1_000), (299, 1_000)] {
        let turns: Vec<u64> = (0..all).filter_map(|i| turn(i, some, all)).collect();
        assert!(turns.into_iter().eq(0..some), "{some} of {all}");
    }
}

/// `cargo test --release --lib sample -- --ignored --nocapture`
#[test]
#[ignore = "measures; run it optimised"]
fn speed() {
    let dir = tempfile::tempdir().unwrap();
    let start = std::time::Instant::now();
    let sample = write_sample(&options(200_000, dir.path())).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{:.0} cases/s, {:.0} MB/s of XML, {} bytes per case, packed {:.1} to 1",
        sample.cases as f64 / seconds,
        sample.xml_bytes as f64 / seconds / 1e6,
        sample.xml_bytes / sample.cases,
        sample.xml_bytes as f64 / sample.zip_bytes as f64
    );
}

fn reference(dir: &Path) -> SampleReference {
    SampleReference { dir: dir.to_owned(), lots: LEAST_LOTS }
}

#[test]
fn a_reference_changes_the_addresses_alone_and_is_the_same_every_time() {
    let dir = tempfile::tempdir().unwrap();
    let plain = unpacked(&write_sample(&options(400, &dir.path().join("plain"))).unwrap());
    let names = ["bobaadr.txt", "bobabbl.txt", "pluto.csv", "tracts.csv", "truth.csv"];
    let made = |name: &str| {
        let dir = dir.path().join(name);
        let sample = write_sample_with_reference(&options(400, &dir), &reference(&dir)).unwrap();
        let files = names.map(|name| std::fs::read_to_string(dir.join(name)).unwrap());
        (unpacked(&sample), files)
    };
    let (xml, files) = made("a");
    assert!((xml.as_str(), &files) == (made("b").0.as_str(), &made("c").1));
    let others = |xml: &str| -> Vec<String> {
        let is_address = |line: &str| {
            ["<Street", "<City", "<PostalCode"].iter().any(|name| line.trim_start().starts_with(name))
        };
        xml.lines().filter(|line| !is_address(line)).map(str::to_owned).collect()
    };
    let (others, plain) = (others(&xml), others(&plain));
    // Where a city or a postal code is missing, what else is missing may be an empty element in another place.
    let filled = |lines: &[String]| -> Vec<String> {
        let mut lines = lines.to_vec();
        lines.retain(|line| !line.contains("/>") && !line.contains("></"));
        lines
    };
    assert_eq!(filled(&others), filled(&plain));
    // One row of truth an address, with the lines that the case has.
    let cases = cases(&xml);
    let addresses: usize =
        cases.iter().filter_map(|case| case.counts.get("PropertyAddresses/PropertyAddress")).sum();
    assert_eq!(files[4].lines().count(), addresses + 1);
    for case in &cases[..400] {
        let id = case.one("IndexNumberId").unwrap();
        let line = case.one("PropertyAddresses/PropertyAddress/Street1").unwrap_or_default();
        let told = |row: &str| row.starts_with(id) && row.contains(&line.replace('"', "\"\""));
        let has_address = case.counts.contains_key("PropertyAddresses/PropertyAddress");
        assert_eq!(files[4].lines().any(told), has_address, "{id}: {line}");
    }
}

#[test]
fn a_reference_takes_street_lines_and_a_city_of_some_size() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let good = (options(5, &out), reference(&out));
    let level_1 = SampleOptions { level: 1, ..good.0.clone() };
    let small = SampleReference { lots: 10, ..good.1.clone() };
    for (options, reference) in [(&level_1, &good.1), (&good.0, &small)] {
        let made = write_sample_with_reference(options, reference);
        assert!(matches!(made, Err(SampleError::Options(_))));
    }
    assert!(!out.exists());
}

#[test]
fn the_truth_says_nothing_of_broken_cases() {
    let dir = tempfile::tempdir().unwrap();
    let options = SampleOptions { malformed: 300, ..options(300, dir.path()) };
    write_sample_with_reference(&options, &reference(dir.path())).unwrap();
    assert_eq!(std::fs::read_to_string(dir.path().join("truth.csv")).unwrap().lines().count(), 1);
}
