//! The directory's own scripts, run as the program runs them: they make a reference's files, and answer questions from
//! these.

use std::path::Path;
use std::time::Instant;

use merganser::clients::duckdb::Staging;
use merganser::dataset::enrichment::How;
use merganser::datasets::oca::OCA;
use merganser::run::answered::{open_questions, portions};
use merganser::sql;

/// Makes the reference's tables and writes their files into a folder; returns the name and the file of each.
pub fn write_reference(
    staging: &Staging,
    variables: &[(&str, &str)],
    dir: &Path,
) -> Vec<(&'static str, String)> {
    let reference = OCA.reference.unwrap();
    for script in reference.scripts {
        staging.execute("make the reference", script, variables).unwrap();
    }
    let mut files = Vec::new();
    for table in reference.tables {
        let file = dir.join(format!("{}.parquet", table.name)).display().to_string();
        let variables = [("table", table.name), ("order", table.order), ("file", file.as_str())];
        staging.execute("write the reference", sql::REFERENCE_EXPORT, &variables).unwrap();
        files.push((table.name, file));
    }
    files
}

/// Answers `questions`, this many at a time, into a new table `answers`, as the engine does, and prints the seconds of
/// each script.
pub fn look_up(staging: &Staging, files: &[(&str, &str)], portion: u64) -> Vec<f64> {
    let enrichment = OCA.enrichment.unwrap();
    let way = enrichment.ways.iter().find(|way| way.name == "pad").unwrap();
    let How::Reference { open, scripts, close, .. } = way.how else { panic!("it looks up") };
    let columns = ["key", "way"].iter().chain(enrichment.columns).map(|name| format!("{name} varchar"));
    let answers = format!("create table answers ({})", columns.collect::<Vec<_>>().join(", "));
    staging.execute("make the answers", &answers, &[]).unwrap();
    let ask = |script: &str, variables: &[(&str, &str)]| {
        let started = Instant::now();
        staging.execute("ask", script, variables).unwrap();
        started.elapsed().as_secs_f64()
    };
    let mut seconds: Vec<_> = open.iter().map(|script| ask(script, files)).collect();
    let before = seconds.len();
    seconds.resize(before + scripts.len(), 0.0);
    for portion in portions(open_questions(staging).unwrap(), portion) {
        let portion = portion.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let portion: Vec<_> = files.iter().copied().chain(portion).collect();
        for (at, script) in scripts.iter().enumerate() {
            seconds[before + at] += ask(script, &portion);
        }
    }
    seconds.push(ask(close, &[]));
    seconds
}
