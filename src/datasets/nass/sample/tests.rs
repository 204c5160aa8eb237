use std::collections::HashSet;
use std::fs::File;
use std::io::BufReader;

use flate2::read::GzDecoder;
use jiff::civil::{Weekday, date};

use super::*;
use crate::datasets::nass::bulk::unpack;
use crate::datasets::nass::columns::{LOAD_TIME, NATURAL_KEY, SECTOR, VALUE, YEAR, position};
use crate::datasets::nass::quickstats::records::StatRecords;

pub(super) fn options(records: u64, out: &Path) -> RecordsSample {
    let out = out.to_owned();
    RecordsSample { records, seed: 1, years: (2000, 2024), revision: 0, day: date(2026, 1, 2), out }
}

fn read(files: &[SectorFile]) -> StatRecords {
    let mut records = StatRecords::default();
    for file in files {
        let before = records.len();
        let text = BufReader::new(GzDecoder::new(File::open(&file.path).unwrap()));
        unpack(text, &mut records).unwrap();
        assert_eq!((records.len() - before) as u64, file.records, "{}", file.path.display());
    }
    records
}

fn made(change: impl FnOnce(&mut RecordsSample)) -> StatRecords {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(20_000, folder.path());
    change(&mut options);
    read(&write_records(&options).unwrap())
}

fn key(records: &StatRecords, row: usize) -> Vec<String> {
    NATURAL_KEY.iter().map(|name| records.field(row, position(name).unwrap()).to_owned()).collect()
}

fn count(records: &StatRecords, column: &str, text: &str) -> usize {
    let column = position(column).unwrap();
    (0..records.len()).filter(|row| records.field(*row, column) == text).count()
}

#[test]
fn there_are_as_many_records_as_asked_for_and_no_key_twice() {
    let folder = tempfile::tempdir().unwrap();
    let files = write_records(&options(20_000, folder.path())).unwrap();
    let names: Vec<_> = files.iter().map(|file| file.path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names[..2], ["qs.animals_products_20260102.txt.gz", "qs.crops_20260102.txt.gz"]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5, "nothing else is left");
    let records = read(&files);
    assert_eq!(records.len(), 20_000);
    let keys: HashSet<_> = (0..records.len()).map(|row| key(&records, row)).collect();
    assert_eq!(keys.len(), records.len());
    for (sector, _) in SECTORS {
        assert!(count(&records, "sector_desc", sector) > 100, "{sector}");
    }
    assert_eq!(records.texts(YEAR).len(), 25);
    assert_eq!(records.texts(position("agg_level_desc").unwrap()).len(), 11);
    assert_eq!(records.texts(position("source_desc").unwrap()), ["CENSUS", "SURVEY"]);
}

#[test]
fn what_makes_life_hard_is_there() {
    let records = made(|_| {});
    for code in ["(D)", "(Z)", "(NA)", "(X)", "(S)"] {
        assert!(count(&records, "Value", code) > 5, "{code}");
    }
    for code in ["(H)", "(L)", "(D)", ""] {
        assert!(count(&records, "CV (%)", code) > 5, "{code}");
    }
    assert!(count(&records, "reference_period_desc", "YEAR - AUG FORECAST") > 5);
    assert!(count(&records, "freq_desc", "WEEKLY") > 5);
    assert!(count(&records, "domain_desc", "AREA OPERATED") > 100);
    assert!(count(&records, "county_code", "998") > 5);
    assert!(count(&records, "state_fips_code", "99") > 5 && count(&records, "state_fips_code", "98") > 0);
    let [county, ansi, week] =
        ["county_code", "county_ansi", "week_ending"].map(|name| position(name).unwrap());
    for row in 0..records.len() {
        let fields = records.fields(row);
        assert_eq!(fields[county] == "998", fields[county] != fields[ansi], "{fields:?}");
        let is_weekly = fields[position("freq_desc").unwrap()] == "WEEKLY";
        assert_eq!(is_weekly, fields[week].parse::<Date>().is_ok_and(|day| day.weekday() == Weekday::Sunday));
        let value = fields[VALUE].replace(',', "");
        assert!(value.starts_with('(') || value.parse::<f64>().is_ok(), "{fields:?}");
        assert!(fields[LOAD_TIME].parse::<jiff::civil::DateTime>().is_ok(), "{fields:?}");
    }
}

#[test]
fn the_same_options_give_the_same_bytes() {
    let folders = [1, 1, 2].map(|seed| {
        let folder = tempfile::tempdir().unwrap();
        write_records(&RecordsSample { seed, ..options(5_000, folder.path()) }).unwrap();
        fs::read(folder.path().join("qs.crops_20260102.txt.gz")).unwrap()
    });
    assert_eq!(folders[0], folders[1]);
    assert_ne!(folders[0], folders[2]);
}

#[test]
fn a_revision_changes_values_and_load_times_and_nothing_else() {
    let [before, once, twice] = [0, 1, 2].map(|revision| made(|options| options.revision = revision));
    let mut changed = [0, 0];
    for row in 0..before.len() {
        let fields = [&before, &once, &twice].map(|records| records.fields(row));
        assert_eq!(fields[0][..LOAD_TIME], fields[2][..LOAD_TIME]);
        for (at, pair) in [[0, 1], [1, 2]].into_iter().enumerate() {
            let [old, new] = pair.map(|revision: usize| fields[revision]);
            match old[LOAD_TIME] == new[LOAD_TIME] {
                true => assert_eq!(old, new),
                false => {
                    assert!(old[LOAD_TIME] < new[LOAD_TIME]);
                    changed[at] += usize::from(old[VALUE] != new[VALUE]);
                }
            }
        }
    }
    assert!(changed.iter().all(|changed| (250..450).contains(changed)), "{changed:?}");
}

#[test]
fn a_year_of_surveys_alone_has_no_census_and_years_are_those_asked_for() {
    let records = made(|options| options.years = (2018, 2019));
    assert_eq!((records.len(), records.texts(YEAR)), (20_000, vec!["2018", "2019"]));
    assert_eq!(count(&records, "source_desc", "CENSUS"), 0);
    assert!(!records.texts(SECTOR).contains(&"DEMOGRAPHICS"));
}

#[test]
fn what_cannot_be_made_is_refused_before_a_file_is() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("new");
    let refused = |options: RecordsSample| write_records(&options).unwrap_err().to_string();
    let too_many = RecordsSample { years: (2019, 2019), ..options(1 << 40, &out) };
    assert!(refused(too_many).contains("more than these years have room for"));
    assert!(refused(RecordsSample { years: (2019, 2018), ..options(9, &out) }).contains("from 2019 to 2018"));
    assert!(!out.exists());
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(refused(options(9, &file)).starts_with("cannot write"));
}
