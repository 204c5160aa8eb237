//! Answers and lines of bulk files, good and bad.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::dataset::slice::Comparator;
use crate::dataset::{Limits, Options, RowBatch, SinkClosed, Unseen};

const LINE: &str = "\"CENSUS\",\"CROPS\",\"FIELD CROPS\",\"CORN\",\"ALL CLASSES\",\"IRRIGATED, ENTIRE CROP\",\"GRAIN\",\"YIELD\",\"BU / ACRE\",\
    \"CORN, GRAIN\",\"TOTAL\",\"NOT SPECIFIED\",\"COUNTY\",\"51\",\"51\",\"VA\",\"VIRGINIA\",\"10\",\"\",\"003\",\"003\",\"X\",\"\",\"\",\
    \"00000000\",\"\",\"\",\"9000\",\"UNITED STATES\",\"VIRGINIA\",\"2012\",\"ANNUAL\",\"00\",\"00\",\"YEAR\",\"\",\
    \"2012-12-31 00:00:00\",\"1,161.2\",\"0.6\"\n";

#[derive(Default)]
struct Taken {
    rows: usize,
    cells: Vec<Vec<(String, String)>>,
    failed: Vec<FailedRecord>,
}

impl Sink for Taken {
    fn rows(&mut self, batch: RowBatch) -> Result<(), SinkClosed> {
        if batch.table != FACTS.name {
            return Ok(());
        }
        self.rows += batch.rows.num_rows();
        for row in 0..batch.rows.num_rows() {
            let schema = batch.rows.schema();
            let cells = schema.fields().iter().zip(batch.rows.columns()).filter_map(|(field, column)| {
                let texts = column.as_any().downcast_ref::<arrow::array::StringArray>()?;
                Some((field.name().clone(), texts.iter().nth(row)??.to_owned()))
            });
            self.cells.push(cells.collect());
        }
        Ok(())
    }

    fn failed(&mut self, record: FailedRecord) -> Result<(), SinkClosed> {
        self.failed.push(record);
        Ok(())
    }
}

impl Taken {
    fn cell(&self, row: usize, name: &str) -> &str {
        self.cells[row].iter().find(|(column, _)| column == name).map_or("", |(_, cell)| cell.as_str())
    }
}

fn read(bytes: &[u8], slice: Option<&Slice>) -> (Result<Parsed, ParseError>, Taken) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let options = Options::new();
    let input = ParseInput {
        path: file.path(),
        name: "a.json",
        tables: &[FACTS],
        file_no: 1,
        options: &options,
        secret: None,
        batch_records: 2,
        limits: Limits::default(),
        only_ordinals: &[],
        slice,
        holds_more: false,
    };
    let mut taken = Taken::default();
    (parse(&input, &mut taken), taken)
}

fn header() -> String {
    let names: Vec<_> = fields().map(|name| format!("\"{name}\"")).collect();
    names.join(",") + "\n"
}

fn answer(lines: &[&str]) -> String {
    header() + &lines.concat()
}

/// The same records as a bulk file.
fn bulk(lines: &[&str]) -> String {
    let tabs = |line: &str| {
        let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(line.as_bytes());
        let record = reader.records().next().unwrap().unwrap();
        record.iter().collect::<Vec<_>>().join("\t") + "\n"
    };
    let header = header().to_uppercase().replace("CV (%)", "CV_%");
    tabs(&header) + &lines.iter().map(|line| tabs(line)).collect::<String>()
}

fn packed(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn an_answer_and_a_bulk_file_say_the_same() {
    let suppressed = LINE
        .replace("1,161.2", "                 (D)")
        .replace("\"0.6\"", "\"(H)\"")
        .replace("GRAIN", "SILAGE");
    let lines = [LINE, &suppressed];
    let mut all = Vec::new();
    for bytes in [
        answer(&lines).into_bytes(),
        packed(&answer(&lines)),
        format!("\u{feff}{}", answer(&lines)).into_bytes(),
        answer(&lines).replace('\n', "\r\n").into_bytes(),
        answer(&lines).replace("2012-12-31 00:00:00", "2012-12-31 00:00:00.000").into_bytes(),
        bulk(&lines).into_bytes(),
        packed(&bulk(&lines)),
    ] {
        let (parsed, taken) = read(&bytes, None);
        let parsed = parsed.unwrap();
        assert_eq!((parsed.records_seen, parsed.records_failed, parsed.complete), (2, 0, true));
        assert_eq!(
            (taken.cell(0, "value"), taken.cell(0, "cv"), taken.cell(0, "fips")),
            ("1161.2", "0.6", "51003")
        );
        assert_eq!(
            (taken.cell(1, "value"), taken.cell(1, "value_code"), taken.cell(1, "cv_code")),
            ("", "(D)", "(H)")
        );
        assert_eq!(taken.cell(0, "prodn_practice_desc"), "IRRIGATED, ENTIRE CROP");
        assert_eq!(taken.cell(0, "record_id").len(), 32);
        assert_ne!(taken.cell(0, "record_id"), taken.cell(1, "record_id"));
        all.push(taken.cells);
    }
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{all:#?}");
}

#[test]
fn a_bad_record_fails_with_its_key_and_the_others_are_taken() {
    let cases = [
        (LINE.replace("1,161.2", "many"), Some("Value"), true),
        (LINE.replace("\"0.6\"", "\"x\""), Some("CV (%)"), true),
        (LINE.replace("2012-12-31 00:00:00", "soon"), Some("load_time"), true),
        // The key itself cannot be read, so nobody knows which row it is.
        (LINE.replace("\"2012\"", "\"12\""), Some("year"), false),
        (LINE.replace("\"YEAR\",\"\"", "\"YEAR\",\"2012-13-45\""), Some("week_ending"), false),
        (LINE.replace(",\"0.6\"", ""), None, false),
    ];
    for (line, field, has_key) in cases {
        let (parsed, taken) = read(answer(&[&line, LINE]).as_bytes(), None);
        assert_eq!((parsed.unwrap().records_failed, taken.rows), (1, 1), "{line}");
        let failed = &taken.failed[0];
        assert_eq!((failed.field.as_deref(), failed.ordinal), (field, 1));
        assert_eq!(failed.record_id.is_some(), has_key, "{}", failed.reason);
        assert!(failed.offset_bytes > 0 && failed.fragment.is_some());
    }
}

#[test]
fn a_record_that_was_not_asked_for_fails() {
    let slice = Slice::default().and(SliceTest::text("state_alpha", Comparator::In, vec!["VA".into()]));
    let (parsed, taken) = read(answer(&[LINE, &LINE.replace("\"VA\"", "\"NC\"")]).as_bytes(), Some(&slice));
    assert_eq!((parsed.unwrap().records_failed, taken.rows), (1, 1));
    assert!(taken.failed[0].reason.contains("not asked for: state_alpha = VA"), "{}", taken.failed[0].reason);
}

/// Others are skipped, but a line of another sector is in the wrong file, and nobody else would ever tell of it.
#[test]
fn of_a_bulk_file_a_line_of_another_sector_fails() {
    let text = |column: &str, value: &str| SliceTest::text(column, Comparator::In, vec![value.into()]);
    let slice = Slice::default().and(text("state_alpha", "VA")).and(text("sector_desc", "CROPS"));
    let lines = [LINE, &LINE.replace("\"VA\"", "\"NC\""), &LINE.replace("\"CROPS\"", "\"ECONOMICS\"")];
    let (parsed, taken) = read(bulk(&lines).as_bytes(), Some(&slice));
    let parsed = parsed.unwrap();
    assert_eq!((parsed.records_seen, parsed.records_failed, taken.rows), (2, 1, 1));
    let failed = &taken.failed[0];
    assert_eq!((failed.reason.as_str(), failed.ordinal), ("it was not asked for: sector_desc = CROPS", 3));
    assert!(failed.record_id.is_some());
}

/// Which row a line with a column too few or too many means, nobody knows. But its year tells that it is none of those.
#[test]
fn a_line_of_another_length_is_skipped_where_its_year_is_not_wanted() {
    let year = |how, year: &str| SliceTest::number("year", how, vec![year.into()]);
    let slice = |from: &str, to: &str| {
        Slice::default().and(year(Comparator::AtLeast, from)).and(year(Comparator::AtMost, to))
    };
    let shorter = LINE.replace("\"0.6\"", "").trim_end().trim_end_matches(',').to_owned() + "\n";
    let before = LINE.replace("\"CROPS\",", "");
    let longer = LINE.replace("\"CROPS\",", "\"CROPS\",\"\",");
    for line in [&shorter, &before, &longer] {
        for (slice, failed) in
            [(slice("2010", "2014"), 1), (slice("2013", "2015"), 0), (slice("1990", "2011"), 0)]
        {
            let (parsed, taken) = read(bulk(&[LINE, line]).as_bytes(), Some(&slice));
            let parsed = parsed.unwrap();
            assert_eq!((parsed.records_failed, taken.rows as u64), (failed, failed), "{line} {slice}");
        }
    }
    // Without a year, it may be any.
    let broken = LINE.split(",\"VA\"").next().unwrap().to_owned() + "\n";
    let (parsed, taken) = read(bulk(&[&broken]).as_bytes(), Some(&slice("2013", "2015")));
    assert_eq!((parsed.unwrap().records_failed, taken.failed[0].record_id.is_none()), (1, true));
}

/// A row would be deleted because the line that holds it cannot be read.
#[test]
fn a_line_of_a_bulk_file_fails_where_a_tested_cell_cannot_be_read() {
    let text = |column: &str, value: &str| SliceTest::text(column, Comparator::In, vec![value.into()]);
    let year = |how, year: &str| SliceTest::number("year", how, vec![year.into()]);
    let slice = Slice::default()
        .and(text("sector_desc", "CROPS"))
        .and(text("state_alpha", "VA"))
        .and(year(Comparator::AtLeast, "2010"))
        .and(year(Comparator::AtMost, "2014"));
    let with = |line: &str, year: &str| line.replace("\"2012\"", &format!("\"{year}\""));
    for bad in ["20Z2", "", "12"] {
        let elsewhere = LINE.replace("\"VA\"", "\"NC\"");
        let lines = [LINE, &with(LINE, bad), &with(&elsewhere, bad), &with(LINE, "2009")];
        let (parsed, taken) = read(bulk(&lines).as_bytes(), Some(&slice));
        let parsed = parsed.unwrap();
        assert_eq!((parsed.records_seen, parsed.records_failed, taken.rows), (2, 1, 1), "{bad}");
        let failed = &taken.failed[0];
        assert_eq!((failed.field.as_deref(), failed.reason.as_str()), (Some("year"), "it is not a year"));
        assert!(failed.record_id.is_none(), "it may mean any row");
        // The sector says that it is none of those, and that it is in the wrong file.
        let other = with(&LINE.replace("\"CROPS\"", "\"ECONOMICS\""), bad);
        let (parsed, taken) = read(bulk(&[&other]).as_bytes(), Some(&slice));
        assert_eq!((parsed.unwrap().records_failed, taken.failed[0].record_id.is_some()), (1, true));
    }
    let mut bytes = bulk(&[LINE]).into_bytes();
    let at = bytes.windows(4).position(|window| window == b"\tVA\t").unwrap();
    bytes[at + 1] = 0xff;
    let (parsed, taken) = read(&bytes, Some(&slice));
    assert_eq!((parsed.unwrap().records_failed, taken.failed[0].record_id.is_none()), (1, true));
}

#[test]
fn a_value_that_no_line_of_a_bulk_file_has_is_told_with_those_that_there_are() {
    let text = |column: &str, values: &[&str]| {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        SliceTest::text(column, Comparator::In, values)
    };
    let slice = Slice::default()
        .and(text("commodity_desc", &["CORN", "CRON"]))
        .and(text("class_desc", &["ALL CLASSES"]))
        .and(SliceTest::text("util_practice_desc", Comparator::NotIn, vec!["SILAG".into()]))
        .and(text("state_alpha", &["NC"]));
    let lines = [LINE, &LINE.replace("\"CORN\"", "\"OATS\""), LINE];
    let (parsed, _) = read(bulk(&lines).as_bytes(), Some(&slice));
    let mut unseen = parsed.unwrap().unseen;
    unseen.iter_mut().for_each(|unseen| unseen.others.sort());
    let said = |column: &str, value: &str, others: &[&str]| Unseen {
        column: column.into(),
        values: vec![value.into()],
        others: others.iter().map(|other| (*other).to_owned()).collect(),
    };
    let expected =
        [said("commodity_desc", "CRON", &["CORN", "OATS"]), said("util_practice_desc", "SILAG", &["GRAIN"])];
    assert_eq!(unseen, expected);
    let (parsed, _) = read(answer(&lines).as_bytes(), Some(&slice));
    assert!(parsed.unwrap().unseen.is_empty(), "the plan of the service has looked them up");
}

#[test]
fn what_is_no_table_is_unreadable_and_what_breaks_off_is_incomplete() {
    for bad in ["", "<html>busy</html>", "{\"data\":[]}", "a,b\n1,2\n", "source_desc,year\nX,2012\n"] {
        let (parsed, _) = read(bad.as_bytes(), None);
        assert!(matches!(parsed, Err(ParseError::Unreadable { .. })), "{bad}");
    }
    let lines: String = (0..2_000).map(|n| LINE.replace("CORN, GRAIN", &format!("CORN {n}"))).collect();
    let whole = packed(&(header() + &lines));
    let (parsed, taken) = read(&whole[..whole.len() * 2 / 3], None);
    let parsed = parsed.unwrap();
    assert!(!parsed.complete && parsed.records_seen < 2_000 && taken.rows > 0);
}

#[test]
fn a_column_that_nobody_knows_is_told() {
    let (parsed, taken) = read(answer(&[LINE]).replace("\n", ",\"x\"\n").as_bytes(), None);
    let parsed = parsed.unwrap();
    assert_eq!((parsed.unknown.keys().next().map(String::as_str), taken.rows), (Some("x"), 1));
}
