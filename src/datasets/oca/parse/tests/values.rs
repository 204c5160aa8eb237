//! Values, good and bad, and what fails with them.

use super::*;

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
