//! Documents that are too large, and documents that break off.

use super::*;

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
