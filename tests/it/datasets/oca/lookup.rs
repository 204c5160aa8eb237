//! The directory's own scripts, run as the program runs them: they make a reference's files, and answer questions from these.

use std::path::Path;
use std::time::Instant;

use merganser::clients::duckdb::Staging;
use merganser::dataset::enrichment::How;
use merganser::datasets::oca::OCA;
use merganser::sql;

/// Makes the reference's tables and writes their files into a folder; gives name and file of each.
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

/// The scripts of the directory's way.
pub fn pad_scripts() -> &'static [&'static str] {
    let ways = OCA.enrichment.unwrap().ways;
    let How::Reference { scripts, .. } = ways.iter().find(|way| way.name == "pad").unwrap().how else {
        panic!("it looks up")
    };
    scripts
}

/// Answers `questions`, and tells the seconds of each script.
pub fn look_up(staging: &Staging, files: &[(&str, &str)]) -> Vec<f64> {
    let scripts = pad_scripts();
    // The last script hands the answers over to the engine.
    let scripts = scripts[..scripts.len() - 1].iter();
    let seconds = scripts.map(|script| {
        let started = Instant::now();
        staging.execute("ask", script, files).unwrap();
        started.elapsed().as_secs_f64()
    });
    seconds.collect()
}
