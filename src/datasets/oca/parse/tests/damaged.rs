//! Documents whose bytes were changed at random.

use super::*;

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
