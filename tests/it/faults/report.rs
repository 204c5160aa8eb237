//! The suite's own report, which docs/reliability.md quotes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use merganser::fault::POINTS;

use super::attack::{Attack, Fault};
use super::world::STATES;

/// With this variable, the document is written instead of compared.
const WRITE: &str = "MERGANSER_TEST_WRITE_DOCS";
const DOCUMENT: &str = "docs/reliability.md";

/// Whether the document is written.
pub fn is_written() -> bool {
    std::env::var_os(WRITE).is_some()
}

/// Compares a generated part of the document with the report, or writes it.
pub fn document(part: &str, report: &str) {
    let text = read();
    let (begin, end) = marks(part);
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{DOCUMENT} has no {begin}"));
    let (there, _) = rest.split_once(&end).unwrap_or_else(|| panic!("{DOCUMENT} has no {end}"));
    if is_written() {
        let after = &rest[there.len()..];
        fs::write(path(), format!("{before}{begin}{report}{after}")).expect("the document can be written");
    } else {
        let how = format!("{WRITE}=1 cargo test --features failpoints --test it faults");
        assert!(there == report, "{DOCUMENT} is not up to date: {how}\n{report}");
    }
}

/// Writes a generated part that differs each time, or only checks that it exists.
pub fn note(part: &str, report: &str) {
    match is_written() {
        true => document(part, report),
        false => assert!(read().contains(&marks(part).0), "{DOCUMENT} has no part {part}"),
    }
}

/// A row for each point, a column for each fault.
pub fn table(faults: &[(Fault, &str)], done: &[Attack]) -> String {
    let mut text = String::from("\n| point |");
    for (_, words) in faults {
        let _ = write!(text, " {words} |");
    }
    let _ = writeln!(text, "\n|---|{}", "---|".repeat(faults.len()));
    for point in POINTS.iter().filter(|point| done.iter().any(|attack| attack.point == **point)) {
        let _ = write!(text, "| `{point}` |");
        for (fault, _) in faults {
            let mut of: Vec<_> =
                done.iter().filter(|attack| attack.point == *point && attack.fault == *fault).collect();
            of.sort_by_key(|attack| attack.time);
            let states: Vec<_> = of.iter().map(|attack| STATES[attack.expected]).collect();
            let _ = write!(text, " {} |", states.join(", "));
        }
        text.push('\n');
    }
    let mut counts = BTreeMap::new();
    for attack in done {
        *counts.entry(attack.expected).or_insert(0) += 1;
    }
    let counts: Vec<_> =
        counts.iter().map(|(state, count)| format!("{count} times “{}”", STATES[*state])).collect();
    let _ = writeln!(
        text,
        "\n{} runs were broken: {}. After the next run it was “after” {} times.\n",
        done.len(),
        counts.join(", "),
        done.len()
    );
    text
}

fn marks(part: &str) -> (String, String) {
    (format!("<!-- begin: {part}, made by tests/it/faults -->\n"), format!("<!-- end: {part} -->\n"))
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(DOCUMENT)
}

fn read() -> String {
    fs::read_to_string(path()).unwrap_or_else(|error| panic!("{DOCUMENT}: {error}"))
}
