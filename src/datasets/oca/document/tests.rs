use super::super::block::{BLOCK_BYTES, HEAD_BYTES};
use super::*;

fn limits() -> Limits {
    Limits::default()
}

/// The cases of a document: ordinal, offset, kind, text.
type Cases = Vec<(u64, u64, ItemKind, String)>;

fn split_all(source: impl Read, limits: &Limits, only: &[u64]) -> Result<(Cases, Split), SplitError> {
    let mut cases = Vec::new();
    let split = split(source, limits, only, |block| {
        for item in block.items {
            let text = String::from_utf8_lossy(&block.data[item.range]).into_owned();
            cases.push((item.ordinal, item.offset_bytes, item.kind, text));
        }
        true
    })?;
    Ok((cases, split))
}

/// Splits, and checks that every offset is where the case stands in the document.
fn cases(document: &str) -> (Vec<(ItemKind, String)>, Split) {
    let (cases, split) = split_all(document.as_bytes(), &limits(), &[]).unwrap();
    assert_eq!(split.document_bytes, document.len() as u64);
    let mut plain = Vec::new();
    for (at, (ordinal, offset, kind, text)) in cases.into_iter().enumerate() {
        assert_eq!(ordinal, at as u64 + 1);
        assert!(document[offset as usize..].starts_with(&text), "{text} is not at {offset}");
        plain.push((kind, text));
    }
    (plain, split)
}

fn good(document: &str) -> Vec<String> {
    let (cases, split) = cases(document);
    assert!(split.complete, "{cases:?}");
    assert_eq!(split.records_seen, cases.len() as u64);
    let is_case = |(kind, text)| if kind == ItemKind::Case { text } else { panic!("{kind:?}: {text}") };
    cases.into_iter().map(is_case).collect()
}

fn break_of(document: &str) -> (usize, String) {
    let (mut cases, split) = cases(document);
    assert!(!split.complete);
    match cases.pop() {
        Some((ItemKind::Break(reason), _)) => {
            assert!(cases.iter().all(|(kind, _)| *kind == ItemKind::Case));
            (cases.len(), reason)
        }
        other => panic!("{other:?}"),
    }
}

fn unusable(document: &[u8]) -> String {
    match split_all(document, &limits(), &[]) {
        Err(SplitError::Unusable(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn cases_are_found_below_the_root_and_below_indexes() {
    let two = ["<Index><a>1</a></Index>", "<Index/>"];
    let joined = two.join("\n");
    assert_eq!(good(&format!("<Extract><Indexes>{joined}</Indexes></Extract>")), two);
    assert_eq!(good(&format!("<?xml version='1.0'?>\n<X><!-- <Index> --><Sender/>{joined}</X>\n")), two);
    assert_eq!(good(&format!("\u{FEFF}<X><Indexes>{joined}</Indexes></X>")), two);
    assert_eq!(good("<X><Indexes/></X>").len(), 0);
    // An Index anywhere else is not a case.
    assert_eq!(good("<X><Sender><Index>1</Index></Sender><Indexes><a><Index/></a></Indexes></X>").len(), 0);
    assert_eq!(good("<Index><Sender/></Index>").len(), 0);
}

#[test]
fn prefixes_do_not_matter() {
    let document = "<p:E xmlns:p='u'><p:Indexes><p:Index p:a='>'><Index></Index></p:Index ><p:Index\n/>\
                    </p:Indexes><RunDate>2026-11-14</RunDate></p:E>";
    let (cases, split) = split_all(document.as_bytes(), &limits(), &[]).unwrap();
    let texts: Vec<_> = cases.iter().map(|case| case.3.as_str()).collect();
    assert_eq!(texts, ["<p:Index p:a='>'><Index></Index></p:Index>", "<p:Index\n/>"]);
    assert_eq!(split.run_date, Some(jiff::civil::date(2026, 11, 14)));
}

#[test]
fn the_run_date_is_the_roots_own() {
    let date = |document: &str| split_all(document.as_bytes(), &limits(), &[]).unwrap().1.run_date;
    let day = Some(jiff::civil::date(2026, 1, 2));
    assert_eq!(
        date("<X><Sender><RunDate>2020-01-01</RunDate></Sender><RunDate> 2026-01-02\n</RunDate></X>"),
        day
    );
    assert_eq!(
        date("<X><RunDate>2026<!-- -->-01<![CDATA[-]]>&#48;2</RunDate><RunDate>2027-01-01</RunDate></X>"),
        day
    );
    assert_eq!(date("<X><RunDate>soon</RunDate></X>"), None);
    assert_eq!(date("<X><RunDate/></X>"), None);
}

#[test]
fn end_tags_in_comments_and_cdata_end_nothing() {
    let case = "<Index><!-- </Index> <Index> --><a><![CDATA[</Index>]]></a><?x </Index>?></Index>";
    assert_eq!(good(&format!("<X><Indexes>{case}{case}</Indexes></X>")), [case, case]);
}

#[test]
fn a_break_keeps_the_cases_before_it() {
    let start = "<X><Indexes><Index>1</Index><Index>2</Index>";
    assert_eq!(break_of(&format!("{start}<Index><a>")), (2, "it ends inside a case".to_owned()));
    assert_eq!(break_of(start), (2, "it ends inside <Indexes>".to_owned()));
    assert_eq!(break_of(&format!("{start}</Indexes>")).1, "it ends inside <X>");
    assert_eq!(break_of(&format!("{start}</X>")).1, "</X> stands where </Indexes> should");
    assert_eq!(break_of(&format!("{start}</Indexes></X></X>")).1, "</X> closes nothing");
    assert_eq!(break_of(&format!("{start}</Indexes></X><Y/>")).1, "<Y> follows the end of the root");
    assert_eq!(break_of(&format!("{start}</Indexes></X>text")).1, "there is text outside the root");
    assert_eq!(break_of(&format!("{start}<Ind")).0, 2);
    assert_eq!(break_of(&format!("{start}<Index></Index foo>")).0, 2);
    assert_eq!(break_of(&format!("{start}<!-- </Indexes></X>")).0, 2);
    let deep = "<a>".repeat(limits().depth);
    assert_eq!(break_of(&format!("{start}{deep}")).1, "elements are nested deeper than 64");
}

#[test]
fn every_cut_of_a_document_is_a_break() {
    let document = "<X><Indexes><Index><a>é</a></Index><Index/></Indexes><RunDate>2026-01-02</RunDate></X>";
    for end in "<X><Indexes>".len()..document.len() {
        let (cases, split) = split_all(&document.as_bytes()[..end], &limits(), &[]).unwrap();
        assert!(!split.complete && split.document_bytes == end as u64, "{end}");
        assert!(matches!(cases.last().unwrap().2, ItemKind::Break(_)), "{end}");
        let whole = cases.iter().filter(|case| case.2 == ItemKind::Case).count();
        assert_eq!(cases.len(), whole + 1);
        assert_eq!(whole, usize::from(end >= 36) + usize::from(end >= 44), "{end}");
    }
}

#[test]
fn a_case_without_an_end_tag_does_not_eat_the_next_one() {
    let (cases, split) = cases(
        "<X><Indexes><Index><IndexNumberId>1</IndexNumberId><Parties>\n<Index> <IndexNumberId>2</IndexNumberId>\
         </Index><Index><IndexNumberId>3</IndexNumberId></Index></Indexes></X>",
    );
    let kinds: Vec<_> = cases.iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [&ItemKind::Unclosed, &ItemKind::Case, &ItemKind::Case]);
    assert_eq!(cases[1].1, "<Index> <IndexNumberId>2</IndexNumberId></Index>");
    assert!(split.complete);
}

#[test]
fn other_documents_are_refused() {
    assert!(unusable(b"<html><head/><body>hello</body></html>").starts_with("wrong root <html>: "));
    assert!(unusable(b"<Extract/>").starts_with("wrong root <Extract>: "));
    assert!(unusable(b"<html><br></html>").contains("(</html> stands where </br> should)"));
    assert!(unusable(b"").contains("there is no root"));
    assert!(unusable(b"Not found").contains("there is no root"));
    assert!(unusable(b"\0\0\0\0").contains("not in UTF-8"));
    assert!(unusable(b"\xFF\xFE<\0X\0>\0").contains("not in UTF-8"));
    assert!(unusable(b"\xFE\xFF\0<\0X\0>").contains("not in UTF-8"));
    assert!(unusable(b"<\0X\0>\0").contains("not in UTF-8"));
    let latin = "its XML declares the encoding ISO-8859-1, not UTF-8";
    assert_eq!(unusable(b"<?xml version='1.0' encoding='ISO-8859-1'?><X><Sender/></X>"), latin);
    assert!(unusable(b"<!DOCTYPE X [<!ENTITY a 'b'>]><X><Sender/></X>").contains("DOCTYPE"));
    assert!(unusable(b"<X><Indexes><!DOCTYPE X></Indexes></X>").contains("DOCTYPE"));
    for name in ["utf-8", "UTF8", "us-ascii"] {
        good(&format!("<?xml version='1.0' encoding='{name}'?><X><Sender/></X>"));
    }
}

#[test]
fn unwanted_cases_are_counted_and_not_sent() {
    let document = "<X><Index>1</Index><Index>2</Index><Index/><Index>4</Index><Index>";
    let (cases, split) = split_all(document.as_bytes(), &limits(), &[2, 3]).unwrap();
    let sent: Vec<_> = cases.iter().map(|case| (case.0, case.1, case.3.as_str())).collect();
    assert_eq!(sent, [(2, 19, "<Index>2</Index>"), (3, 35, "<Index/>")]);
    assert_eq!((split.records_seen, split.complete), (5, false));
    let (cases, _) = split_all(document.as_bytes(), &limits(), &[5]).unwrap();
    assert_eq!(cases.len(), 1);
}

#[test]
fn blocks_are_sent_in_order_and_stop_when_nobody_wants_them() {
    let case = format!("<Index>{}</Index>", "x".repeat(1000));
    let document = format!("<X><Indexes>{}</Indexes></X>", case.repeat(2000));
    let (mut blocks, mut seen) = (0, 0);
    let done = split(document.as_bytes(), &limits(), &[], |block| {
        blocks += 1;
        assert!(block.data.len() < BLOCK_BYTES + 2000);
        for item in &block.items {
            assert_eq!(item.ordinal, seen + 1);
            assert_eq!(&block.data[item.range.clone()], case.as_bytes());
            seen += 1;
        }
        assert_eq!(block.records_seen, seen);
        true
    });
    assert_eq!((done.unwrap().records_seen, blocks), (2000, 4));
    let closed = split(document.as_bytes(), &limits(), &[], |_| false);
    assert!(matches!(closed, Err(SplitError::Closed)));
}

#[test]
fn a_failing_stream_is_an_error_wherever_it_fails() {
    struct Fails;
    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("gone"))
        }
    }
    let text = "<X><Indexes><Index><!-- --><a/></Index></Indexes></X>";
    for end in 0..=text.len() {
        let source = text.as_bytes()[..end].chain(Fails);
        match split_all(source, &limits(), &[]) {
            Err(SplitError::Stream(error)) => assert_eq!(error.to_string(), "gone"),
            other => panic!("{end}: {other:?}"),
        }
    }
}

#[test]
fn a_huge_case_costs_no_memory_and_only_itself() {
    let limits = Limits { record_bytes: 1 << 20, fragment_bytes: 100, ..Limits::default() };
    let huge = io::repeat(b'x').take(100 << 20);
    let source = (&b"<X><Indexes><Index><IndexNumberId>1</IndexNumberId><a>"[..])
        .chain(huge)
        .chain(&b"</a></Index><Index>2</Index></Indexes></X>"[..]);
    let mut held = 0;
    let mut kinds = Vec::new();
    let done = split(source, &limits, &[], |block| {
        held = held.max(block.data.capacity());
        kinds.extend(block.items.into_iter().map(|item| (item.kind, item.offset_bytes, item.range.len())));
        true
    });
    let done = done.unwrap();
    assert!(done.complete && done.records_seen == 2);
    assert_eq!(kinds[0], (ItemKind::TooLarge, 12, HEAD_BYTES));
    assert_eq!(kinds[1], (ItemKind::Case, 12 + 54 - 12 + (100 << 20) + 12, 16));
    assert!(held < 2 << 20, "{held} bytes");
}

#[test]
fn a_huge_text_around_the_cases_is_a_break() {
    let source = (&b"<X><Indexes><Index>1</Index>"[..]).chain(io::repeat(b' ').take(100 << 20));
    let (cases, split) = split_all(source, &limits(), &[]).unwrap();
    assert_eq!(cases.len(), 2);
    assert!(matches!(&cases[1].2, ItemKind::Break(reason) if reason.contains("too long")), "{cases:?}");
    assert!(!split.complete && split.document_bytes == 28 + (100 << 20));
}
