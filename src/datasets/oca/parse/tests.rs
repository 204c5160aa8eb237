mod texts;
mod writers;

use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::super::options::of_level;
use super::super::tables::TABLES;
use super::*;
use crate::dataset::records::RECORDS;
use crate::dataset::{Limits, RowBatch, Unknown};

/// Keeps everything as text: table -> rows -> column -> value (`∅` for null).
#[derive(Default)]
struct Collected {
    rows: BTreeMap<String, Vec<BTreeMap<String, String>>>,
    failed: Vec<FailedRecord>,
    batches: usize,
    is_closed: bool,
}

impl Sink for Collected {
    fn rows(&mut self, batch: RowBatch) -> Result<(), SinkClosed> {
        if self.is_closed {
            return Err(SinkClosed);
        }
        self.batches += 1;
        let options = FormatOptions::default().with_null("∅");
        let names: Vec<_> = batch.rows.schema().fields().iter().map(|f| f.name().clone()).collect();
        let columns = batch.rows.columns();
        let columns: Vec<_> = columns.iter().map(|c| ArrayFormatter::try_new(c, &options).unwrap()).collect();
        for row in 0..batch.rows.num_rows() {
            let values = columns.iter().map(|column| column.value(row).to_string());
            let values = names.iter().cloned().zip(values).collect();
            self.rows.entry(batch.table.to_owned()).or_default().push(values);
        }
        Ok(())
    }

    fn failed(&mut self, record: FailedRecord) -> Result<(), SinkClosed> {
        self.failed.push(record);
        Ok(())
    }
}

impl Collected {
    fn count(&self, table: &str) -> usize {
        self.rows.get(table).map_or(0, Vec::len)
    }

    fn column(&self, table: &str, column: &str) -> Vec<&str> {
        self.rows.get(table).into_iter().flatten().map(|row| row[column].as_str()).collect()
    }

    /// The only value of a column.
    fn one(&self, table: &str, column: &str) -> &str {
        let column = self.column(table, column);
        assert_eq!(column.len(), 1, "{:?}", self.failed);
        column[0]
    }
}

fn zip(files: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        let options = SimpleFileOptions::default().compression_method(method);
        match name.strip_suffix('/') {
            Some(directory) => zip.add_directory(directory, options).unwrap(),
            None => {
                zip.start_file(*name, options).unwrap();
                zip.write_all(content).unwrap();
            }
        }
    }
    zip.finish().unwrap().into_inner()
}

fn zipped(document: &[u8]) -> Vec<u8> {
    zip(&[("LandlordTenantExtract.xml", document)], CompressionMethod::Deflated)
}

const LIMITS: Limits = Limits {
    record_bytes: 16 << 20,
    text_bytes: 1 << 20,
    depth: 64,
    rows: 100_000,
    list_bytes: 1 << 20,
    unpacked_bytes: 1 << 30,
    unpacked_ratio: 1100,
    ratio_free_bytes: 0,
    fragment_bytes: 200,
};

struct Options {
    level: u8,
    batch_records: usize,
    only: Vec<u64>,
    limits: Limits,
}

const OPTIONS: Options = Options { level: 2, batch_records: 1000, only: Vec::new(), limits: LIMITS };

fn parse_zip(archive: &[u8], options: &Options, sink: &mut dyn Sink) -> Result<Parsed, ParseError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file.zip");
    std::fs::write(&path, archive).unwrap();
    let input = ParseInput {
        path: &path,
        name: "a.zip",
        tables: TABLES,
        file_no: 7,
        options: &of_level(options.level),
        secret: None,
        batch_records: options.batch_records,
        limits: options.limits,
        only_ordinals: &options.only,
        slice: None,
        holds_more: false,
    };
    parse(&input, sink)
}

fn parse_with(document: impl AsRef<[u8]>, options: &Options) -> (Collected, Parsed) {
    let mut sink = Collected::default();
    let parsed = parse_zip(&zipped(document.as_ref()), options, &mut sink).unwrap();
    assert_eq!(parsed.records_failed, sink.failed.len() as u64);
    let good = sink.count(RECORDS) as u64;
    assert_eq!(good, parsed.records_seen.min(good), "more records than cases");
    (sink, parsed)
}

fn document(cases: &str) -> String {
    format!("<Extract><RunDate>2026-11-14</RunDate><Indexes>{cases}</Indexes></Extract>")
}

fn parsed(cases: &str) -> (Collected, Parsed) {
    parse_with(document(cases), &OPTIONS)
}

/// Parses one case with the identity `a1` and this inside.
fn case(inside: &str) -> Collected {
    parsed(&format!("<Index><IndexNumberId>a1</IndexNumberId>{inside}</Index>")).0
}

/// The failure of a case that must fail alone: the cases around it are good.
fn failure(inside: impl AsRef<[u8]>) -> FailedRecord {
    let good = "<Index><IndexNumberId>g</IndexNumberId></Index>";
    let mut cases = document(&format!("{good}<Index>")).into_bytes();
    cases.truncate(cases.len() - "</Indexes></Extract>".len());
    let offset = cases.len() - "<Index>".len();
    cases.extend_from_slice(inside.as_ref());
    cases.extend_from_slice(format!("</Index>{good}</Indexes></Extract>").as_bytes());
    let (sink, parsed) = parse_with(cases, &OPTIONS);
    assert_eq!(sink.column("oca_index", "record_no"), ["30064771073", "30064771075"], "{:?}", sink.failed);
    assert!(
        sink.rows.keys().all(|table| table == "oca_index" || table == RECORDS),
        "a failed case left rows"
    );
    assert_eq!((parsed.records_seen, parsed.records_failed, parsed.complete), (3, 1, true));
    let failed = sink.failed.into_iter().next().unwrap();
    assert_eq!((failed.ordinal, failed.offset_bytes), (2, offset as u64));
    failed
}

const FULL: &str = "<Index><IndexNumberId>a1</IndexNumberId><Court>Kings County Civil Court</Court>\
    <FiledDate>2016-06-23</FiledDate><PropertyType>Residential</PropertyType>\
    <Classification>Non-Payment</Classification><SpecialtyDesignations>\
    <SpecialtyDesignationType>NYCHA</SpecialtyDesignationType>\
    <SpecialtyDesignationType>HPD</SpecialtyDesignationType></SpecialtyDesignations>\
    <Status>Active</Status><DisposedDate/><PrimaryClaimTotal>8189.50</PrimaryClaimTotal>\
    <PrimaryClaimCauseOfActions><PrimaryClaimCauseOfAction><CauseOfActionType>Rent</CauseOfActionType>\
    <Amount>11214</Amount></PrimaryClaimCauseOfAction></PrimaryClaimCauseOfActions>\
    <PropertyAddresses><PropertyAddress><Street1>1 Main St</Street1><Street2>Apt 2</Street2>\
    <City>Jamaica</City><State>New York</State><PostalCode>11432</PostalCode></PropertyAddress></PropertyAddresses>\
    <Parties><Party><Role>Petitioner</Role></Party><Party><Role>Respondent</Role>\
    <Undertenant>true</Undertenant></Party></Parties>\
    <Appearances><Appearance><AppearanceDateTime>2016-06-24T09:30:00</AppearanceDateTime>\
    <MotionSequence>1</MotionSequence><AppearanceOutcomes><AppearanceOutcome>\
    <AppearanceOutcomeType>Adjourned: 06/23/2016</AppearanceOutcomeType></AppearanceOutcome>\
    </AppearanceOutcomes></Appearance><Appearance><AppearanceOutcomes><AppearanceOutcome/><AppearanceOutcome/>\
    </AppearanceOutcomes></Appearance></Appearances>\
    <Judgments><Judgment><Warrants><Warrant><Sequence>1</Sequence><PropertiesOnWarrant>\
    <PropertyOnWarrant><City>Bronx</City><State>New York</State></PropertyOnWarrant>\
    <PropertyOnWarrant><City>New York</City><PostalCode>10001</PostalCode></PropertyOnWarrant>\
    </PropertiesOnWarrant></Warrant></Warrants><Sequence>3</Sequence><WithPossession>true</WithPossession>\
    <EnteredDateTime>2016-07-01T00:00:00.25</EnteredDateTime>\
    <Creditors><Creditor><Role>Petitioner</Role></Creditor></Creditors></Judgment>\
    <Judgment><Sequence>4</Sequence><Warrants><Warrant/><Warrant/></Warrants></Judgment>\
    <Judgment><Warrants><Warrant/></Warrants></Judgment></Judgments></Index>";

#[test]
fn a_whole_case_becomes_rows_of_every_table() {
    let (sink, parsed) = parsed(FULL);
    assert!(sink.failed.is_empty() && parsed.unknown.is_empty(), "{:?} {:?}", sink.failed, parsed.unknown);
    assert_eq!((parsed.records_seen, parsed.records_deleted, parsed.complete), (1, 0, true));
    assert_eq!(parsed.run_date, Some(jiff::civil::date(2026, 11, 14)));
    assert_eq!(parsed.document_bytes, document(FULL).len() as u64);
    let index = &sink.rows["oca_index"][0];
    assert_eq!(index["record_no"], ((7_i64 << 32) + 1).to_string());
    for (column, value) in [
        ("indexnumberid", "a1"),
        ("court", "Kings County Civil Court"),
        ("fileddate", "2016-06-23"),
        ("specialtydesignationtypes", "[NYCHA, HPD]"),
        ("disposeddate", "∅"),
        ("disposedreason", "∅"),
        ("primaryclaimtotal", "8189.50"),
    ] {
        assert_eq!(index[column], value, "{column}");
    }
    assert_eq!(sink.one("oca_causes", "amount"), "11214");
    assert_eq!(sink.one("oca_addresses", "street1"), "1 Main St");
    assert_eq!(sink.column("oca_parties", "role"), ["Petitioner", "Respondent"]);
    assert_eq!(sink.column("oca_parties", "undertenant"), ["∅", "true"]);
    assert_eq!(sink.column("oca_appearances", "appearancedatetime"), ["2016-06-24T09:30:00", "∅"]);
    assert_eq!(sink.column("oca_appearances", "motionsequence"), ["1", "∅"]);
    assert_eq!(sink.column("oca_judgments", "entereddatetime"), ["2016-07-01T00:00:00.250", "∅", "∅"]);
    assert_eq!(sink.column("oca_judgments", "withpossession"), ["true", "∅", "∅"]);
    assert_eq!(sink.column("oca_judgments", "creditorsroles"), ["[Petitioner]", "∅", "∅"]);
    // A warrant has its judgment's sequence, even if that comes after it.
    assert_eq!(sink.column("oca_warrants", "judgmentsequence"), ["3", "4", "4", "∅"]);
    assert_eq!(sink.column("oca_warrants", "sequence"), ["1", "∅", "∅", "∅"]);
    assert_eq!(sink.column("oca_warrants", "propertiesonwarrantcities")[0], "[Bronx, New York]");
    assert_eq!(sink.column("oca_warrants", "propertiesonwarrantstates")[0], "[New York]");
    assert_eq!(sink.column("oca_warrants", "propertiesonwarrantpostalcodes")[0], "[10001]");
    // Every row of every table has the case's identity and number.
    for (table, rows) in &sink.rows {
        let id = if table == RECORDS { "record_id" } else { "indexnumberid" };
        assert!(rows.iter().all(|row| row[id] == "a1" && row["record_no"] == index["record_no"]), "{table}");
    }
    assert_eq!(sink.one(RECORDS, "is_delete"), "false");
}

#[test]
fn appearance_ids_join_outcomes_and_stay_the_same() {
    let (sink, _) = parsed(FULL);
    let appearances = sink.column("oca_appearances", "appearanceid");
    // printf 'a1/0' | sha256sum, and a1/1; the first 8 bytes without the sign bit
    assert_eq!(appearances, ["4830490358418209218", "5974665333047253668"]);
    let outcomes = sink.column("oca_appearance_outcomes", "appearanceid");
    assert_eq!(outcomes, [appearances[0], appearances[1], appearances[1]]);
    let (again, _) =
        parse_with(document(&format!("<Index/>{FULL}")), &Options { batch_records: 1, ..OPTIONS });
    assert_eq!(again.column("oca_appearances", "appearanceid"), appearances);
}

#[test]
fn the_schema_is_the_tables_and_types_are_exact() {
    struct Schemas(BTreeMap<&'static str, Vec<(String, String)>>);
    impl Sink for Schemas {
        fn rows(&mut self, batch: RowBatch) -> Result<(), SinkClosed> {
            let fields = batch.rows.schema();
            let fields = fields.fields().iter().map(|f| (f.name().clone(), f.data_type().to_string()));
            self.0.insert(batch.table, fields.collect());
            if batch.table == "oca_judgments" {
                // Kept apart by their builders: arrays of no element are null, not empty.
                assert!(batch.rows["creditorsroles"].as_list::<i32>().is_null(1));
                assert_eq!(batch.rows["record_no"].as_primitive::<Int64Type>().value(0), (7 << 32) + 1);
            }
            Ok(())
        }
        fn failed(&mut self, record: FailedRecord) -> Result<(), SinkClosed> {
            panic!("{record:?}")
        }
    }
    let rest =
        "<Events><Event/></Events><Motions><Motion/></Motions><Decisions><Decision/></Decisions></Index>";
    let full = FULL.replace("</Index>", rest);
    let mut schemas = Schemas(BTreeMap::new());
    parse_zip(&zipped(document(&full).as_bytes()), &OPTIONS, &mut schemas).unwrap();
    for table in TABLES {
        let mut names = vec!["record_no"];
        names.extend(table.parsed().map(|column| column.name));
        let schema: Vec<_> = schemas.0[table.name].iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(schema, names, "{}", table.name);
    }
    let type_of = |table: &str, column: &str| {
        schemas.0[table].iter().find(|(name, _)| name == column).unwrap().1.clone()
    };
    assert_eq!(type_of("oca_index", "record_no"), "Int64");
    assert_eq!(type_of("oca_index", "fileddate"), "Date32");
    assert_eq!(type_of("oca_index", "primaryclaimtotal"), "Utf8");
    assert!(type_of("oca_index", "specialtydesignationtypes").starts_with("List("));
    assert!(type_of("oca_judgments", "entereddatetime").starts_with("Timestamp(µs"));
    assert_eq!(type_of("oca_judgments", "withpossession"), "Boolean");
    assert_eq!(type_of("oca_judgments", "sequence"), "Int32");
    assert_eq!(type_of("oca_appearances", "appearanceid"), "Int64");
    assert_eq!(schemas.0[RECORDS].len(), 5);
}

#[test]
fn prefixes_and_namespaces_do_not_matter() {
    let prefixed = FULL.replace("</", "</p:").replace('<', "<p:").replace("<p:/p:", "</p:");
    let (plain, _) = parsed(FULL);
    let (sink, parsed) = parsed(&prefixed.replace("<p:Index>", "<p:Index xmlns:p='urn:x' note='a > b'>"));
    assert_eq!(sink.rows, plain.rows);
    let unknown: Vec<_> = parsed.unknown.iter().map(|(path, unknown)| (path.as_str(), unknown)).collect();
    assert_eq!(unknown, [("@note", &Unknown { count: 1, example: "a > b".into() })]);
}

#[test]
fn text_is_what_an_xml_parser_gives() {
    let highlight = |xml: &str| {
        let inside =
            format!("<HighlightNoPersonallyIdentifyingInfo>{xml}</HighlightNoPersonallyIdentifyingInfo>");
        let sink = case(&format!("<Decisions><Decision>{inside}</Decision></Decisions>"));
        sink.one("oca_decisions", "highlight").to_owned()
    };
    assert_eq!(highlight("a &amp;&lt;&#65;&#x42; b"), "a &<AB b");
    assert_eq!(highlight("<![CDATA[a &amp; <b>]]> c<!-- no --> d<?pi no?>e"), "a &amp; <b> c de");
    assert_eq!(highlight("one\r\ntwo\rthree\n....Rate:  \r\n"), "one\ntwo\nthree\n....Rate:  \n");
    assert_eq!(highlight("a&#13;&#10;b<![CDATA[\r\n]]>"), "a\r\nb\n");
    assert_eq!(highlight("  "), "  ");
    assert_eq!(highlight("\u{A0}é😀\u{FEFF}"), "\u{A0}é😀\u{FEFF}");
    assert_eq!(highlight("NULL"), "NULL");
    for empty in ["", "<!-- -->", "<![CDATA[]]>", "<?a?>"] {
        assert_eq!(highlight(empty), "∅", "{empty}");
    }
}

#[test]
fn typed_values_are_trimmed_and_empty_ones_are_null() {
    let sink = case(
        "<FiledDate> \r\n2020-02-29\t</FiledDate><DisposedDate>  </DisposedDate>\
         <PrimaryClaimTotal> 0<![CDATA[.00]]> </PrimaryClaimTotal><DateOfJuryDemand>2020<!-- -->-01-01</DateOfJuryDemand>",
    );
    assert_eq!(sink.one("oca_index", "fileddate"), "2020-02-29");
    assert_eq!(sink.one("oca_index", "disposeddate"), "∅");
    assert_eq!(sink.one("oca_index", "primaryclaimtotal"), "0.00");
    assert_eq!(sink.one("oca_index", "dateofjurydemand"), "2020-01-01");
    let sink = case("<PrimaryClaimTotal>&#48; </PrimaryClaimTotal>");
    assert_eq!(sink.one("oca_index", "primaryclaimtotal"), "0");
}

#[test]
fn a_bad_value_fails_its_case_and_no_other() {
    let id = "<IndexNumberId>a1</IndexNumberId>";
    for (path, value, reason) in [
        ("FiledDate", "2021-02-30", "not a date (YYYY-MM-DD)"),
        ("PrimaryClaimTotal", "1,000", "not a number (digits and an optional fraction)"),
        ("Appearances/Appearance/AppearanceDateTime", "2021-02-03", "not a date-time (YYYY-MM-DDTHH:MM:SS)"),
        ("Motions/Motion/Sequence", "2147483648", "not a whole number of 32 bits"),
        ("Judgments/Judgment/Sequence", "one", "not a whole number of 32 bits"),
        ("Judgments/Judgment/WithPossession", "True", "not true or false"),
        ("Judgments/Judgment/Warrants/Warrant/ExecutionStayedDays", "5.0", "not a whole number of 32 bits"),
    ] {
        let open: String = path.split('/').map(|name| format!("<{name}>")).collect();
        let close: String = path.split('/').rev().map(|name| format!("</{name}>")).collect();
        let bad = format!("<Parties><Party/></Parties>{open}{value}{close}");
        // The identity is found before and after the bad value.
        for inside in [format!("{id}{bad}"), format!("{bad}{id}")] {
            let failed = failure(&inside);
            assert_eq!(failed.reason, reason);
            assert_eq!(failed.field.as_deref(), Some(path));
            assert_eq!(failed.value.as_deref(), Some(value));
            assert_eq!(failed.record_id.as_deref(), Some("a1"));
            let whole = format!("<Index>{inside}</Index>");
            assert_eq!(failed.fragment.as_deref(), Some(&whole[..whole.len().min(200)]));
        }
    }
    let failed = failure(format!("<FiledDate>x</FiledDate><Status>&nbsp;</Status>{id}"));
    assert_eq!((failed.table, failed.reason.as_str()), (Some("oca_index"), "not a date (YYYY-MM-DD)"));
    let failed = failure(format!("<FiledDate>{}</FiledDate>", "é".repeat(600)));
    assert_eq!(failed.value.unwrap().chars().count(), 500);
    assert!(failed.fragment.unwrap().len() <= 200);
}

#[test]
fn text_that_xml_forbids_fails_its_case() {
    let bad = |text: &[u8]| {
        let start = b"<IndexNumberId>a1</IndexNumberId><Parties><Party><Role>".as_slice();
        let failed = failure([start, text, b"</Role></Party></Parties>"].concat());
        assert_eq!(failed.field.as_deref(), Some("Parties/Party/Role"), "{failed:?}");
        assert_eq!((failed.table, failed.record_id.as_deref()), (Some("oca_parties"), Some("a1")));
        (failed.reason, failed.value.unwrap())
    };
    assert_eq!(bad(b"a&nbsp;b"), ("unknown entity &nbsp;".into(), "&nbsp;".into()));
    assert_eq!(bad(b"&#xD800;").0, "bad character reference &#xD800;");
    assert_eq!(bad(b"&#0;").0, "the character U+0000 is not allowed in XML");
    assert_eq!(bad(b"&#8;").0, "the character U+0008 is not allowed in XML");
    assert_eq!(bad(b"a\0b").0, "the character U+0000 is not allowed in XML");
    assert_eq!(bad(b"<![CDATA[\x0B]]>").0, "the character U+000B is not allowed in XML");
    assert_eq!(bad(b"caf\xE9"), ("not valid UTF-8".into(), "caf\u{FFFD}".into()));
    assert_eq!(bad(b"a\xC3").0, "not valid UTF-8");
}

#[test]
fn bad_bytes_and_references_in_unknown_elements_fail_nothing() {
    let mut cases = document("").into_bytes();
    cases.truncate(cases.len() - "</Indexes></Extract>".len());
    cases.extend_from_slice(b"<Index><IndexNumberId>a1</IndexNumberId><Court>caf\xC3\xA9</Court>");
    cases.extend_from_slice(b"<Nick\xE9>&nbsp;\xFF&#0;\0</Nick\xE9></Index></Indexes></Extract>");
    let (sink, parsed) = parse_with(cases, &OPTIONS);
    assert_eq!(sink.one("oca_index", "court"), "café");
    assert_eq!(parsed.unknown.len(), 1);
}

#[test]
fn malformed_cases_fail_alone_and_keep_their_identity() {
    for (inside, reason) in [
        ("<Parties><Party></Parties>", "malformed XML: expected `</Party>`"),
        ("<Court>A & B</Court>", "malformed XML: entity or character reference not closed"),
        ("<Parties>", "malformed XML: expected `</Parties>`"),
        ("</Court>", "malformed XML: expected `</Index>`"),
        ("<!DOCTYPE x>", "malformed XML: a declaration inside"),
        ("<Notes><!ELEMENT x></Notes>", "malformed XML: "),
        ("<?xml version='1.0'?>", "malformed XML: a declaration inside"),
    ] {
        let id = "<IndexNumberId>a1</IndexNumberId>";
        let failed = failure(format!("{id}{inside}"));
        assert!(failed.reason.starts_with(reason), "{inside}: {}", failed.reason);
        assert_eq!(failed.record_id.as_deref(), Some("a1"), "{inside}");
    }
    // The identity after the break is found by its tags.
    let failed = failure("<Court>A & B</Court><IndexNumberId>a1</IndexNumberId>");
    assert_eq!((failed.record_id.as_deref(), failed.field.as_deref()), (Some("a1"), Some("Court")));
    let at = "<Index><Court>A ".len();
    assert!(failed.reason.ends_with(&format!("(byte {at} of the record)")), "{}", failed.reason);
}

#[test]
fn arrays_keep_order_duplicates_and_odd_texts() {
    let texts = ["b", "a", "b", "", "x, \"y\"", "\\{NULL}", "NULL", " "];
    let items: String = texts
        .iter()
        .map(|text| format!("<SpecialtyDesignationType>{text}</SpecialtyDesignationType>"))
        .collect();
    struct Array(Vec<Option<String>>);
    impl Sink for Array {
        fn rows(&mut self, batch: RowBatch) -> Result<(), SinkClosed> {
            if let Some(column) = batch.rows.column_by_name("specialtydesignationtypes") {
                let texts = column.as_list::<i32>().value(0);
                self.0.extend(texts.as_string::<i32>().iter().map(|text| text.map(str::to_owned)));
            }
            Ok(())
        }
        fn failed(&mut self, record: FailedRecord) -> Result<(), SinkClosed> {
            panic!("{record:?}")
        }
    }
    let mut sink = Array(Vec::new());
    let more =
        "<SpecialtyDesignations/><SpecialtyDesignations><SpecialtyDesignationType/></SpecialtyDesignations>";
    let inside = format!(
        "<IndexNumberId>a1</IndexNumberId><SpecialtyDesignations>{items}</SpecialtyDesignations>{more}"
    );
    let archive = zipped(document(&format!("<Index>{inside}</Index>")).as_bytes());
    parse_zip(&archive, &OPTIONS, &mut sink).unwrap();
    let mut expected: Vec<_> =
        texts.iter().map(|text| Some(text.to_string()).filter(|t| !t.is_empty())).collect();
    expected.push(None);
    assert_eq!(sink.0, expected);
    assert_eq!(case("<SpecialtyDesignations/>").one("oca_index", "specialtydesignationtypes"), "∅");
}

#[test]
fn the_first_of_a_repeated_element_is_taken() {
    let (sink, parsed) = parsed(
        "<Index><IndexNumberId>a1</IndexNumberId><IndexNumberId>a2</IndexNumberId><Status/><Status>Active</Status>\
         <FiledDate>2020-01-01</FiledDate><FiledDate>no date</FiledDate><FiledDate/></Index>",
    );
    assert_eq!(sink.one("oca_index", "indexnumberid"), "a1");
    assert_eq!(sink.one("oca_index", "fileddate"), "2020-01-01");
    assert_eq!(sink.one("oca_index", "status"), "∅");
    let unknown: Vec<_> =
        parsed.unknown.iter().map(|(p, u)| (p.as_str(), u.count, u.example.as_str())).collect();
    let expected = [
        ("FiledDate (repeated)", 2, "no date"),
        ("IndexNumberId (repeated)", 1, "a2"),
        ("Status (repeated)", 1, "Active"),
    ];
    assert_eq!(unknown, expected);
}

#[test]
fn unknown_elements_are_counted_by_path() {
    let (sink, parsed) = parsed(&format!(
        "<Index><IndexNumberId>a1</IndexNumberId><Parties><Party><NickName/><Role>Pet<b>x</b>itioner</Role></Party>\
         <Party><NickName><Court>{}</Court><Index>1</Index></NickName></Party></Parties><Index/></Index>",
        "é".repeat(200)
    ));
    assert_eq!(sink.column("oca_parties", "role"), ["Petitioner", "∅"]);
    assert_eq!(sink.one("oca_index", "court"), "∅");
    let unknown: Vec<_> = parsed.unknown.iter().map(|(p, u)| (p.as_str(), u.count)).collect();
    assert_eq!(unknown, [("Index", 1), ("Parties/Party/NickName", 2), ("Parties/Party/Role/b", 1)]);
    assert_eq!(parsed.unknown["Parties/Party/NickName"].example, "é".repeat(100));
    // However many there are, the report stays short.
    let many: String = (0..3000).map(|n| format!("<E{n}/>")).collect();
    let (sink, parsed) =
        super::tests::parsed(&format!("<Index><IndexNumberId>1</IndexNumberId>{many}</Index>"));
    assert!(sink.failed.is_empty());
    assert_eq!(parsed.unknown.len(), 1000);
    assert_eq!(parsed.unknown.values().map(|unknown| unknown.count).sum::<u64>(), 3000);
}

#[test]
fn deletes_need_only_their_identity() {
    let (sink, parsed) = parsed(
        "<Index><IndexNumberId> a1\n</IndexNumberId><Delete/></Index>\
         <Index><Delete>yes<x/></Delete><FiledDate>no date</FiledDate><IndexNumberId>a2</IndexNumberId>\
         <Parties><Party/></Parties></Index>\
         <Index><Court>A & B</Court><IndexNumberId>a3</IndexNumberId><Delete></Delete></Index>\
         <Index><Notes><Delete/></Notes><IndexNumberId>live</IndexNumberId></Index>\
         <Index><Delete/></Index>",
    );
    assert_eq!(sink.column(RECORDS, "record_id"), ["a1", "a2", "a3", "live"]);
    assert_eq!(sink.column(RECORDS, "is_delete"), ["true", "true", "true", "false"]);
    assert_eq!(sink.column("oca_index", "indexnumberid"), ["live"]);
    assert_eq!(sink.count("oca_parties"), 0);
    assert_eq!((parsed.records_deleted, parsed.records_failed), (3, 1));
    // Two of them carry more than that.
    assert_eq!(sink.column(RECORDS, "has_data"), ["false", "true", "true", "true"]);
    assert_eq!(parsed.deleted_with_data, 2);
    assert_eq!(sink.failed[0].reason, "no IndexNumberId");
}

#[test]
fn a_case_without_identity_fails() {
    for inside in ["", "<IndexNumberId/>", "<IndexNumberId> \n</IndexNumberId>", "<Court>x</Court>"] {
        let failed = failure(inside);
        assert_eq!((failed.reason.as_str(), failed.record_id), ("no IndexNumberId", None));
    }
    let (sink, parsed) = parsed("<Index/>");
    assert_eq!((sink.failed.len(), parsed.records_seen), (1, 1));
    let failed = failure(format!("<IndexNumberId>{}</IndexNumberId>", "x".repeat(501)));
    assert_eq!((failed.reason.as_str(), failed.record_id), ("longer than 500 bytes", None));
}

#[test]
fn level_1_has_no_street_lines() {
    let (sink, parsed) = parse_with(document(FULL), &Options { level: 1, ..OPTIONS });
    assert_eq!(sink.one("oca_addresses", "street1"), "∅");
    assert_eq!(sink.one("oca_addresses", "street2"), "∅");
    assert_eq!(sink.one("oca_addresses", "city"), "Jamaica");
    assert!(parsed.unknown.is_empty());
}

#[test]
fn only_some_records_can_be_parsed() {
    let cases = "<Index><IndexNumberId>1</IndexNumberId></Index><Index/>".repeat(3);
    let (sink, parsed) = parse_with(document(&cases), &Options { only: vec![3, 2], ..OPTIONS });
    assert_eq!(sink.column("oca_index", "record_no"), [((7_i64 << 32) + 3).to_string()]);
    assert_eq!(sink.failed.iter().map(|failed| failed.ordinal).collect::<Vec<_>>(), [2]);
    assert_eq!((parsed.records_seen, parsed.records_failed, parsed.complete), (6, 1, true));
}

#[test]
fn batches_hold_so_many_records_in_document_order() {
    let cases: String =
        (0..10).map(|n| format!("<Index><IndexNumberId>{n}</IndexNumberId></Index>")).collect();
    let (sink, _) = parse_with(document(&cases), &Options { batch_records: 4, ..OPTIONS });
    assert_eq!(sink.batches, 3 * 2);
    let expected: Vec<_> = (0..10).map(|n| n.to_string()).collect();
    assert_eq!(sink.column("oca_index", "indexnumberid"), expected);
    assert_eq!(sink.column(RECORDS, "record_id"), expected);
    // Large cases are not gathered until there are many.
    let large =
        format!("<Index><IndexNumberId>1</IndexNumberId><Court>{}</Court></Index>", "x".repeat(3 << 20));
    let limits = Limits { text_bytes: 4 << 20, ..LIMITS };
    let (sink, _) = parse_with(document(&large.repeat(4)), &Options { limits, ..OPTIONS });
    assert_eq!(sink.batches, 2 * 2);
}

#[test]
fn limits_hold() {
    let limits = Limits { record_bytes: 500, depth: 4, ..LIMITS };
    let long = format!("<Index><IndexNumberId>1</IndexNumberId><Court>{}</Court></Index>", "x".repeat(600));
    let deep = "<Index><IndexNumberId>2</IndexNumberId><a><b><c><d><e/></d></c></b></a></Index>";
    let fine = "<Index><IndexNumberId>3</IndexNumberId><a><b><c><d/></c></b></a></Index>";
    let (sink, _) = parse_with(document(&format!("{long}{deep}{fine}")), &Options { limits, ..OPTIONS });
    let failed: Vec<_> = sink.failed.iter().map(|f| (f.record_id.as_deref(), f.reason.as_str())).collect();
    assert_eq!(failed[0], (Some("1"), "the record is larger than 500 bytes"));
    assert_eq!(failed[1].0, Some("2"));
    assert!(failed[1].1.starts_with("elements are nested deeper than 4"));
    assert_eq!(sink.column(RECORDS, "record_id"), ["3"]);
    let full = Options { limits: Limits { depth: 7, ..LIMITS }, ..OPTIONS };
    assert!(parse_with(document(FULL), &full).0.failed.is_empty());
    let (sink, _) = parse_with(document(FULL), &Options { limits: Limits { depth: 6, ..LIMITS }, ..OPTIONS });
    assert_eq!(
        sink.failed[0].field.as_deref(),
        Some("Judgments/Judgment/Warrants/Warrant/PropertiesOnWarrant/PropertyOnWarrant/City")
    );
    let warrants = "<Warrant/>".repeat(100_000);
    let failed =
        failure(format!("<Judgments><Judgment><Warrants>{warrants}</Warrants></Judgment></Judgments>"));
    assert!(failed.reason.starts_with("the case has more than 100000 rows"));
}

#[test]
fn a_text_may_be_so_long_however_it_is_written() {
    let limits = Options { limits: Limits { text_bytes: 100, ..LIMITS }, ..OPTIONS };
    let court = |id: &str, xml: &str| {
        format!("<Index><IndexNumberId>{id}</IndexNumberId><Court>{xml}</Court><X>{xml}</X></Index>")
    };
    let cases = [
        court("just", &"x".repeat(100)),
        court("one more", &"x".repeat(101)),
        court("references", &"&#xE9;".repeat(51)),
        court("sections", &"<![CDATA[0123456789]]>".repeat(11)),
        // What is passed over is no text.
        court("comments", &"<!-- 0123456789 -->".repeat(11)),
    ];
    let (sink, _) = parse_with(document(&cases.concat()), &limits);
    assert_eq!(sink.column(RECORDS, "record_id"), ["just", "comments"]);
    let failed: Vec<_> = sink.failed.iter().map(|f| (f.record_id.as_deref(), f.reason.as_str())).collect();
    let reason = "longer than 100 bytes";
    assert_eq!(failed, ["one more", "references", "sections"].map(|id| (Some(id), reason)));
    assert!(sink.failed.iter().all(|failed| failed.field.as_deref() == Some("Court")));
}

#[test]
fn a_break_is_one_failed_record() {
    let start = "<X><Indexes><Index><IndexNumberId>1</IndexNumberId></Index>";
    let (sink, parsed) = parse_with(format!("{start}<Index><IndexNumberId>2</IndexNumberId><Co"), &OPTIONS);
    assert_eq!(sink.column(RECORDS, "record_id"), ["1"]);
    let failed = &sink.failed[0];
    assert_eq!((failed.ordinal, failed.offset_bytes), (2, start.len() as u64));
    assert_eq!(failed.reason, "the document breaks off: it ends inside a case");
    assert_eq!(failed.record_id.as_deref(), Some("2"));
    assert_eq!((parsed.complete, parsed.records_seen, parsed.records_failed), (false, 2, 1));
    let (sink, parsed) = parse_with(start, &OPTIONS);
    assert_eq!((sink.failed[0].ordinal, sink.failed[0].offset_bytes), (2, start.len() as u64));
    assert_eq!((parsed.complete, parsed.records_seen), (false, 1));
}

fn unreadable(archive: &[u8]) -> String {
    match parse_zip(archive, &OPTIONS, &mut Collected::default()) {
        Err(ParseError::Unreadable { file, reason }) => {
            assert_eq!(file, "file.zip");
            reason
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_archive_holds_one_xml_file() {
    let text = document(FULL);
    let xml = text.as_bytes();
    let deflated = CompressionMethod::Deflated;
    let two = zip(&[("a.xml", xml), ("b.XML", xml)], deflated);
    assert_eq!(unreadable(&two), "holds more than one XML file: a.xml, b.XML");
    assert_eq!(unreadable(&zip(&[("a.txt", xml)], deflated)), "holds no XML file");
    assert_eq!(unreadable(&zip(&[], deflated)), "holds no XML file");
    let others = zip(&[("x.xml/", b""), ("read.me", b"x"), ("../../a.xml", xml)], CompressionMethod::Stored);
    assert_eq!(parse_zip(&others, &OPTIONS, &mut Collected::default()).unwrap().records_seen, 1);
    // Two entries of one name: patched, as no writer makes them.
    let mut same = zip(&[("a.xml", xml), ("b.xml", xml)], deflated);
    for at in 0..same.len() - 5 {
        if &same[at..at + 5] == b"b.xml" {
            same[at] = b'a';
        }
    }
    assert_eq!(unreadable(&same), "holds several files of the same name");
}

#[test]
fn names_in_an_archive_are_only_compared() {
    let text = document(FULL);
    let long = "../".repeat(20_000) + ".xml";
    for name in ["/etc/passwd.xml", "..\\..\\a.xml", "a\0/b.xml", "\u{202E}lmx.xml", "C:\\a.XML", &long] {
        let archive = zip(&[(name, text.as_bytes())], CompressionMethod::Deflated);
        let mut sink = Collected::default();
        assert_eq!(parse_zip(&archive, &OPTIONS, &mut sink).unwrap().records_seen, 1, "{name:?}");
    }
    // An archive in an archive is not opened.
    let inner = zipped(text.as_bytes());
    assert_eq!(unreadable(&zip(&[("a.zip", &inner)], CompressionMethod::Stored)), "holds no XML file");
    assert!(unreadable(&zipped(&inner)).contains("not XML"));
}

#[test]
fn a_long_list_of_files_is_not_read() {
    let names: Vec<_> = (0..2000).map(|n| format!("{n}.txt")).collect();
    let mut files: Vec<_> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    files.push(("a.xml", b"<Extract><Indexes/></Extract>"));
    let archive = zip(&files, CompressionMethod::Stored);
    assert!(parse_zip(&archive, &OPTIONS, &mut Collected::default()).unwrap().complete);
    let limits = Limits { list_bytes: 64 << 10, ..LIMITS };
    let parsed = parse_zip(&archive, &Options { limits, ..OPTIONS }, &mut Collected::default());
    let Err(ParseError::Unreadable { reason, .. }) = parsed else { panic!("{parsed:?}") };
    assert!(reason.ends_with("its list of files is too long, or has no end"), "{reason}");
    // What is no archive is not searched for a list from one end to the other.
    let limits = Limits { list_bytes: 64 << 10, ..LIMITS };
    let parsed = parse_zip(&vec![b'P'; 1 << 20], &Options { limits, ..OPTIONS }, &mut Collected::default());
    let Err(ParseError::Unreadable { reason, .. }) = parsed else { panic!("{parsed:?}") };
    assert!(reason.ends_with("its list of files is too long, or has no end"), "{reason}");
}

/// The place of the central directory's entry.
fn central(archive: &[u8]) -> usize {
    memchr::memmem::rfind(archive, b"PK\x01\x02").unwrap()
}

#[test]
fn damaged_archives_are_unreadable() {
    let cases: String = (0..500).map(|n| FULL.replace("a1", &n.to_string())).collect();
    let good = zipped(document(&cases).as_bytes());
    assert!(parse_zip(&good, &OPTIONS, &mut Collected::default()).unwrap().complete);
    assert!(unreadable(b"PK").starts_with("is not a ZIP archive"));
    assert!(unreadable(b"").starts_with("is not a ZIP archive"));
    assert!(unreadable(&good[..good.len() / 2]).starts_with("is not a ZIP archive"));
    let patched = |offset: usize, bytes: &[u8]| {
        let mut archive = good.clone();
        let at = central(&archive) + offset;
        archive[at..at + bytes.len()].copy_from_slice(bytes);
        archive
    };
    assert_eq!(unreadable(&patched(16, b"abcd")), "the archive is damaged: Invalid checksum");
    assert_eq!(unreadable(&patched(8, &[1, 0])), "is encrypted");
    let size = document(&cases).len() as u32;
    let smaller = unreadable(&patched(24, &(size - 100).to_le_bytes()));
    assert!(smaller.starts_with("the archive is damaged: ") && smaller.contains("larger"), "{smaller}");
    let larger = unreadable(&patched(24, &(size + 1).to_le_bytes()));
    assert!(larger.starts_with("the archive is damaged: "), "{larger}");
    assert!(unreadable(&patched(10, &[12, 0])).contains("which is not read here"));
    // Bytes of the packed data itself.
    let mut archive = good.clone();
    archive[200..220].fill(0xFF);
    assert!(unreadable(&archive).starts_with("the archive is damaged: "));
    // Fewer packed bytes than there are: the stream ends early.
    let packed = u32::from_le_bytes(good[central(&good) + 20..][..4].try_into().unwrap());
    assert!(unreadable(&patched(20, &(packed - 30).to_le_bytes())).starts_with("the archive is damaged: "));
    // A document that breaks off does not hide a bad checksum.
    let mut archive = zipped(b"<X><Indexes><Index>");
    let at = central(&archive) + 16;
    archive[at] ^= 1;
    assert_eq!(unreadable(&archive), "the archive is damaged: Invalid checksum");
}

#[test]
fn archives_that_unpack_to_too_much_are_unreadable() {
    let archive = zipped(document(&" ".repeat(1 << 20)).as_bytes());
    let with =
        |limits: Limits| match parse_zip(&archive, &Options { limits, ..OPTIONS }, &mut Collected::default())
        {
            Err(ParseError::Unreadable { reason, .. }) => reason,
            other => panic!("{other:?}"),
        };
    assert!(with(Limits { unpacked_ratio: 100, ..LIMITS }).contains("100 for one packed byte"));
    assert!(with(Limits { unpacked_bytes: 1 << 20, ..LIMITS }).contains("at most 1048576 bytes"));
    // The list declares as many packed bytes as would let the document pass: more than the archive has.
    let mut swollen = archive.clone();
    let at = central(&archive) + 20;
    swollen[at..at + 4].copy_from_slice(&(1_u32 << 20).to_le_bytes());
    assert!(unreadable(&swollen).contains("1048576 packed bytes in an archive of"));
}

#[test]
fn errors_say_which_kind_they_are() {
    assert!(unreadable(&zipped(b"<html><p/></html>")).starts_with("wrong root <html>: "));
    let mut closed = Collected { is_closed: true, ..Collected::default() };
    let cases = FULL.repeat(5000);
    let closed = parse_zip(
        &zipped(document(&cases).as_bytes()),
        &Options { batch_records: 1, ..OPTIONS },
        &mut closed,
    );
    assert!(matches!(closed, Err(ParseError::Sink(SinkClosed))));
    let path = std::path::Path::new("/nowhere/file.zip");
    let input = ParseInput {
        path,
        name: "a.zip",
        tables: TABLES,
        file_no: 1,
        options: &of_level(2),
        secret: None,
        batch_records: 1,
        limits: LIMITS,
        only_ordinals: &[],
        slice: None,
        holds_more: false,
    };
    let missing = parse(&input, &mut Collected::default());
    assert!(matches!(missing, Err(ParseError::Io { file, .. }) if file == "file.zip"));
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]

    /// Whatever happens to a document's bytes, every case that began is good or failed, and only
    /// good ones have rows.
    #[test]
    fn damaged_documents_lose_nothing_silently(
        edits in proptest::collection::vec((0..3_usize, 0..10_000_usize, 0..PIECES.len()), 1..6)
    ) {
        let mut text = document(&FULL.replace("a1", "a2").repeat(2)).into_bytes();
        for (kind, at, piece) in edits {
            let at = at % text.len();
            let end = if kind == 0 { at } else { (at + kind * 3).min(text.len()) };
            text.splice(at..end, PIECES[piece].iter().copied());
        }
        let mut sink = Collected::default();
        match parse_zip(&zipped(&text), &OPTIONS, &mut sink) {
            Ok(parsed) => {
                let good = sink.count(RECORDS) as u64;
                let accounted = good + sink.failed.len() as u64;
                proptest::prop_assert_eq!(parsed.records_failed, sink.failed.len() as u64);
                // A break between two cases is a failure without a case.
                let between = u64::from(!parsed.complete && accounted == parsed.records_seen + 1);
                proptest::prop_assert_eq!(parsed.records_seen + between, accounted);
                let live = good - parsed.records_deleted;
                proptest::prop_assert_eq!(sink.count("oca_index") as u64, live);
                let numbers = sink.column("oca_index", "record_no");
                for rows in sink.rows.iter().filter(|(table, _)| *table != RECORDS).flat_map(|(_, rows)| rows) {
                    proptest::prop_assert!(numbers.contains(&rows["record_no"].as_str()));
                }
            }
            Err(ParseError::Unreadable { .. }) => proptest::prop_assert!(true),
            Err(error) => proptest::prop_assert!(false, "{}", error),
        }
    }
}

const PIECES: &[&[u8]] = &[
    b"",
    b"<",
    b">",
    b"&",
    b";",
    b"\"",
    b"'",
    b"/",
    b"</",
    b"\0",
    b"\xFF",
    b"<!--",
    b"-->",
    b"<![CDATA[",
    b"]]>",
    b"<?",
    b"?>",
    b"<Index>",
    b"</Index>",
    b"<Index/>",
    b"<Delete/>",
    b"<IndexNumberId>",
    b"</IndexNumberId>",
    b"</Indexes>",
    b"<Party>",
    b"</Party>",
    b"&#0;",
    b"&amp;",
    b"<!DOCTYPE x>",
    b"<Index><IndexNumberId>9</IndexNumberId>",
    b"<Parties/>",
    b"\r\n",
];

#[test]
fn values_that_must_occur_once_in_a_case_do() {
    let judgment = |sequence: &str, warrants: &str| {
        format!("<Judgment><Sequence>{sequence}</Sequence><Warrants>{warrants}</Warrants></Judgment>")
    };
    let warrant = |sequence: &str| format!("<Warrant><Sequence>{sequence}</Sequence></Warrant>");
    let decision = "<Decision><Sequence>1</Sequence></Decision>";
    let unnumbered = "<Decision/><Decision/>";
    let cases = [
        ("a", format!("<Decisions>{decision}{decision}</Decisions>")),
        ("b", format!("<Judgments>{}{}</Judgments>", judgment("1", ""), judgment("1", ""))),
        ("c", format!("<Judgments>{}</Judgments>", judgment("1", &(warrant("A") + &warrant("A"))))),
        // The same warrant number under two judgments, and numbers that are missing, are fine.
        ("d", format!("<Judgments>{}{}</Judgments>", judgment("1", &warrant("A")), judgment("2", &warrant("A")))),
        ("e", format!("<Decisions>{unnumbered}</Decisions>")),
        ("f", "<Motions><Motion><Sequence>1</Sequence></Motion><Motion><Sequence>1</Sequence></Motion></Motions>".into()),
    ];
    let cases = cases.map(|(id, rows)| format!("<Index><IndexNumberId>{id}</IndexNumberId>{rows}</Index>"));
    let (sink, _) = parsed(&cases.concat());
    let failed: Vec<_> =
        sink.failed.iter().map(|f| (f.record_id.as_deref(), f.table, f.value.as_deref())).collect();
    assert_eq!(
        failed,
        [
            (Some("a"), Some("oca_decisions"), Some("1")),
            (Some("b"), Some("oca_judgments"), Some("1")),
            (Some("c"), Some("oca_warrants"), Some("1/A")),
        ]
    );
    assert_eq!(sink.column(RECORDS, "record_id"), ["d", "e", "f"]);
}
