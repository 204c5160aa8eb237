use std::collections::BTreeSet;
use std::io::{Cursor, Write};

use merganser::dataset::{FailedRecord, ParseError, Parsed};
use zip::CompressionMethod::Stored;
use zip::write::SimpleFileOptions;

use crate::parse::{LIMITS, Written, parse};

/// Any document: no case is lost silently, none is loaded in part, and the options do not change which cases are good.
///
/// # Panics
/// If one of these is broken.
pub fn document(data: &[u8]) {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(Stored);
    archive.start_file("LandlordTenantExtract.xml", options).expect("a zip in memory");
    archive.write_all(data).expect("a zip in memory");
    let bytes = archive.finish().expect("a zip in memory").into_inner();

    let (full, parsed) = parse(&bytes, 2, 1);
    let parsed = match parsed {
        Ok(parsed) => parsed,
        Err(ParseError::Unreadable { reason, .. }) => return assert!(!reason.is_empty()),
        Err(error) => panic!("{error}"),
    };
    accounted(data, &full, &parsed);

    // Without street lines, and written in one piece: the same cases are good, plus those whose only fault is in a
    // street line, which is not read here.
    let (less, again) = parse(&bytes, 1, 1000);
    let again = again.expect("it was readable");
    accounted(data, &less, &again);
    assert_eq!(less.streets, 0);
    assert_eq!((again.records_seen, again.records_deleted), (parsed.records_seen, parsed.records_deleted));
    let good: BTreeSet<_> = less.of("records").iter().collect();
    assert!(full.of("records").iter().all(|record| good.contains(record)));
    let is_street =
        |failed: &&FailedRecord| failed.field.as_ref().is_some_and(|field| field.contains("/Street"));
    let streets: BTreeSet<_> = full.failed.iter().filter(is_street).map(|failed| failed.ordinal).collect();
    let places = |written: &Written| -> Vec<_> {
        let failed = written.failed.iter().filter(|failed| !streets.contains(&failed.ordinal));
        failed.map(|f| (f.ordinal, f.offset_bytes, f.record_id.clone(), f.reason.clone())).collect()
    };
    assert_eq!(places(&less), places(&full));
}

/// Every case is good or failed, exactly once, and only good live cases have rows.
fn accounted(data: &[u8], written: &Written, parsed: &Parsed) {
    assert_eq!(parsed.document_bytes, data.len() as u64);
    assert_eq!(parsed.records_failed, written.failed.len() as u64);
    let good: BTreeSet<_> = written.of("records").iter().copied().collect();
    let failed: BTreeSet<_> = written.failed.iter().map(|record| record.ordinal as i64).collect();
    assert_eq!(good.len(), written.of("records").len(), "a record twice");
    assert_eq!(failed.len(), written.failed.len(), "a failure twice");
    assert!(good.is_disjoint(&failed));
    // A break between two cases is a failure without a case.
    let accounted = (good.len() + failed.len()) as u64;
    let between = u64::from(!parsed.complete && accounted == parsed.records_seen + 1);
    assert_eq!(parsed.records_seen + between, accounted);
    assert!(parsed.complete || parsed.records_failed > 0);

    let live: BTreeSet<_> = written.of("oca_index").iter().copied().collect();
    assert_eq!(live.len() as u64 + parsed.records_deleted, good.len() as u64);
    for (table, records) in &written.rows {
        assert!(records.is_sorted(), "{table}");
        assert!(*table == "records" || records.iter().all(|record| live.contains(record)), "{table}");
    }
    written.failed.iter().for_each(|record| bounded(data, record));
}

/// Little is kept of a failed record, and its offset is right.
fn bounded(data: &[u8], record: &FailedRecord) {
    assert!(!record.reason.is_empty() && record.reason.len() < 2000, "{record:?}");
    assert!(record.offset_bytes <= data.len() as u64, "{record:?}");
    assert!(record.fragment.as_ref().is_none_or(|text| text.len() <= LIMITS.fragment_bytes), "{record:?}");
    assert!(record.value.as_ref().is_none_or(|text| text.chars().count() <= 500), "{record:?}");
    assert!(record.record_id.as_ref().is_none_or(|id| !id.is_empty() && id.len() <= 500), "{record:?}");
}
