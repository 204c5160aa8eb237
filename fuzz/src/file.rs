use std::collections::BTreeSet;

use merganser::dataset::{Dataset, Options, ParseError, Parsed};
use merganser::datasets::catalog::CATALOG;
use merganser::datasets::commits::COMMITS;
use merganser::datasets::datapoints::DATAPOINTS;
use merganser::datasets::nass::NASS;

use crate::parse::{LIMITS, Written, parse_as};

/// The dataset whose files have such a name.
fn dataset_of(name: &str) -> Option<&'static Dataset> {
    match name {
        "answer" => Some(&NASS),
        "clone" | "answers" => Some(&COMMITS),
        "points.csv" | "places.csv" => Some(&DATAPOINTS),
        _ if name.ends_with(".csv") => Some(&CATALOG),
        _ => None,
    }
}

/// Any file of a dataset other than the court's, below a line with its name: it is read or refused with a reason, each failed
/// record has a reason, and the same comes of it however many rows are handed on at once.
///
/// # Panics
/// If one of these is broken.
pub fn file(data: &[u8]) {
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else { return };
    let Ok(name) = std::str::from_utf8(&data[..end]) else { return };
    let Some(dataset) = dataset_of(name) else { return };
    let packed = zstd::encode_all(&data[end + 1..], 1).expect("memory");
    let bytes = if name == "answers" { &packed } else { &data[end + 1..] };

    let options = Options::new();
    let (written, parsed) = parse_as(dataset, name, &options, bytes, 1);
    let (again, parsed_again) = parse_as(dataset, name, &options, bytes, 1000);
    accounted(&written, &parsed);
    accounted(&again, &parsed_again);
    assert_eq!(written.failed, again.failed);
    // Of a file that is refused in the end, nothing is loaded.
    assert!(parsed.is_err() || written.rows == again.rows);
}

fn accounted(written: &Written, parsed: &Result<Parsed, ParseError>) {
    for failed in &written.failed {
        assert!(!failed.reason.is_empty() && failed.reason.len() < 2000, "{failed:?}");
        assert!(failed.value.as_ref().is_none_or(|text| text.chars().count() <= 500), "{failed:?}");
        assert!(
            failed.fragment.as_ref().is_none_or(|text| text.len() <= LIMITS.fragment_bytes),
            "{failed:?}"
        );
        assert!(failed.record_id.as_ref().is_none_or(|id| !id.is_empty() && id.len() <= 5000), "{failed:?}");
    }
    match parsed {
        Ok(parsed) => {
            let records: BTreeSet<_> = written.of("records").iter().collect();
            assert_eq!(records.len(), written.of("records").len(), "a record twice");
            // Several failures may be of one record.
            assert!(parsed.records_failed <= written.failed.len() as u64, "{parsed:?}");
            assert!(parsed.records_failed <= parsed.records_seen, "{parsed:?}");
        }
        Err(ParseError::Unreadable { reason, .. }) => assert!(!reason.is_empty() && reason.len() < 2000),
        Err(error) => panic!("{error}"),
    }
}
