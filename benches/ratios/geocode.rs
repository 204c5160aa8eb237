//! What it costs a weekly run to look its addresses up in the directory: the same weeks into two productions, with `pad` and
//! without.

use std::fs;
use std::path::PathBuf;

use jiff::ToSpan;
use jiff::civil::date;
use merganser::datasets::oca::sample::{SampleOptions, SampleReference, write_sample_with_reference};

use crate::pipeline::{Bench, Figures};
use crate::tables::{Ratio, Report};

const ROUNDS: usize = 5;
/// Lots of the made city; cases of the production that the weeks meet, and of a week.
const LOTS: u64 = 100_000;
const CASES: u64 = 200_000;
const WEEK: u64 = 5_000;

/// Measures weeks with and without.
pub fn measure(bench: &Bench) -> Report {
    let mut report = Report::new(bench);
    let city = extract(0).join("city");
    let first = ["looked", "plain"].map(|schema| {
        eprintln!("a production of {CASES} cases, {schema}");
        bench.psql(&["-c", &format!("create schema {schema}")]);
        if schema == "looked" {
            let (pad, pluto) = (city.display().to_string(), city.join("pluto.csv").display().to_string());
            bench.process(schema, &["reference", "oca", "--pad", &pad, "--pluto", &pluto], &[]);
        }
        run(bench, schema, 0)
    });
    let mut rounds = Vec::new();
    for week in 1..=ROUNDS {
        eprintln!("week {week} of {ROUNDS}");
        // What comes second meets a warmer machine.
        let mut schemas = ["looked", "plain"];
        if week % 2 == 0 {
            schemas.reverse();
        }
        let mut took = schemas.map(|schema| (schema, run(bench, schema, week)));
        took.sort_by_key(|(schema, _)| *schema);
        let [(_, looked), (_, plain)] = took;
        report.stages(&format!("a week of {WEEK} cases with pad, into {CASES}"), &looked);
        // A third longer for a small run would be no time at all.
        let most = (plain.total() * 1.3).max(plain.total() + 1.0);
        rounds.push(Ratio { value: looked.total(), floor: most });
    }
    let count = |schema: &str, of: &str| {
        bench.psql(&["-At", "-c", &format!("select count({of}) from {schema}.oca_addresses")])
    };
    assert_eq!(count("looked", "*"), count("plain", "*"), "both hold the same addresses");
    let lots: u64 = count("looked", "bbl").parse().expect("a number");
    assert!(lots > CASES / 4 && count("plain", "bbl") == "0", "{lots} lots are found");
    report.ratio("a week with `pad` / 1.3 times the week without, or a second more", 1.0, &rounds);
    bench.drop_all(&first, &[]);
    report
}

fn run(bench: &Bench, schema: &str, week: usize) -> Figures {
    let source = format!("dir:{}", extract(week).join("source").display());
    let way = if schema == "looked" { "pad" } else { "none" };
    bench.process(schema, &["run", "oca", "--level", "2", "--geocode", way, "--source", &source], &[])
}

/// A folder with the extract of a week, or of the history before them (0), in `source`, and the files of its city, the same for
/// each, in `city`; they are made unless they are there.
fn extract(week: usize) -> PathBuf {
    let folder = crate::cache().join(format!("geocode-{CASES}-{week}"));
    if !folder.is_dir() {
        let half = folder.with_extension("new");
        let (cases, initial, deletes) = if week == 0 { (CASES, Some(2026), 0) } else { (WEEK, None, 50) };
        let options = SampleOptions {
            cases,
            out: half.join("source"),
            seed: 6,
            run_date: date(2026, 9, 26) + (7 * week as i64).days(),
            initial,
            level: 2,
            deletes,
            malformed: 0,
        };
        let reference = SampleReference { dir: half.join("city"), lots: LOTS };
        write_sample_with_reference(&options, &reference).expect("a sample can be written");
        fs::rename(&half, &folder).expect("the inputs can be named");
    }
    folder
}
