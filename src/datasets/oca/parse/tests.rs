mod archives;
mod damaged;
mod limits;
mod texts;
mod values;
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

fn unreadable(archive: &[u8]) -> String {
    match parse_zip(archive, &OPTIONS, &mut Collected::default()) {
        Err(ParseError::Unreadable { file, reason }) => {
            assert_eq!(file, "file.zip");
            reason
        }
        other => panic!("{other:?}"),
    }
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
