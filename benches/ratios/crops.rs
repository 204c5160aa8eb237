//! The cost of asking a service and of reading its bulk files: requests against full answers, time against the rate,
//! memory against records, bulk files against unpacking and counting, loading against `\copy`.
//!
//! The service runs on this machine (`commands::demo::quickstats`) and has made-up records, as uneven as the real ones.
//! The scale applies to the records, the limit of an answer and the rate together, so a small scale asks as often as a
//! large one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use merganser::commands::demo::quickstats::{Holdings, LocalServer, read_bulk, router};
use merganser::datasets::nass::NASS;
use merganser::datasets::nass::columns::COLUMNS;
use merganser::datasets::nass::quickstats::QuickStats;
use merganser::datasets::nass::sample::{RecordsSample, write_records};
use merganser::sql;

use crate::floors;
use crate::pipeline::{Bench, Figures};
use crate::tables::{Ratio, Report};

/// The argument with which this program counts the lines of its standard input.
pub const COUNT: &str = "--count-input";
const KEY: [(&str, &str); 1] = [("NASS_API_KEY", "bench")];
/// Years of surveys alone, none of them much larger than the others.
const YEARS: (i16, i16) = (2013, 2016);
const ALL_YEARS: (i16, i16) = (2003, 2022);
/// A filter that keeps less than a twentieth of the bulk files.
const FILTER: &str = "commodity_desc=OATS";
const ROUNDS: usize = 3;

/// The scale of the measurement: 1 is the real service's.
#[derive(Clone, Copy, Debug)]
pub struct Scale(f64);

impl Scale {
    /// The value of `--scale 0.1`; 1 without it.
    pub fn named() -> Self {
        let scale = std::env::args().skip_while(|arg| arg != "--scale").nth(1);
        Self(scale.map_or(1.0, |scale| scale.parse().expect("--scale is a number")))
    }

    fn of(self, number: f64) -> u64 {
        (number * self.0).round() as u64
    }
}

/// Measures all of it.
pub fn measure(bench: &Bench, scale: Scale) -> Report {
    let mut report = Report::new(bench);
    asking(bench, &mut report, scale);
    bulk(bench, &mut report, scale);
    memory(bench, &mut report, scale);
    report
}

/// Bulk files of this many records, which are made unless they exist.
fn files(records: u64, years: (i16, i16)) -> PathBuf {
    let folder = crate::cache().join(format!("facts-{records}-{}-{}", years.0, years.1));
    if !folder.is_dir() {
        let half = folder.with_extension("new");
        let day = jiff::civil::date(2026, 1, 2);
        let options = RecordsSample { records, seed: 1, years, revision: 0, day, out: half.clone() };
        write_records(&options).expect("a sample can be written");
        fs::rename(&half, &folder).expect("the inputs can be named");
    }
    folder
}

/// A million records, 50,000 at a time, 16 requests a minute; then the same again with all answers in the archive.
fn asking(bench: &Bench, report: &mut Report, scale: Scale) {
    let (records, limit, rate) = (scale.of(1e6), scale.of(50_000.0), 16.0 / scale.0);
    eprintln!("asking for {records} records, {limit} at a time, {rate:.1} requests a minute");
    let mut api = QuickStats::new(read_bulk(&files(records, YEARS)).expect("the sample can be read"));
    api.limit = limit as usize;
    let server = LocalServer::start(router(Holdings::new(api, None, None))).expect("a free port");
    let url = format!("{}/api", server.url());
    let (most, rate_text) = (limit.to_string(), rate.to_string());
    let words = ["run", "nass", "--from", "2013", "--to", "2016", "--skip-publish", "--api-url", &url];
    let words = [&words[..], &["--api-limit", &most, "--api-rate", &rate_text]].concat();
    bench.psql(&["-c", "create schema asked"]);
    let run = bench.process("asked", &words, &KEY);
    let requests = |last: &str| {
        let query = format!(
            "select details->>'requests' || ' ' || (details->>'data_requests') from asked_etl.steps where step = 'gather'
            order by started_at {last} limit 1"
        );
        let said = bench.psql(&["-At", "-c", &query]);
        let numbers: Vec<f64> = said.split(' ').map(|number| number.parse().expect("a number")).collect();
        (numbers[0], numbers[1])
    };
    let (calls, data) = requests("asc");
    let full = records.div_ceil(limit) as f64;
    report.count("7. requests for records / full answers", 1.3, (data, full), "requests");
    report.count("8. requests of all kinds / full answers", 3.0, (calls, full), "requests");
    let waiting = [Ratio { value: run.total(), floor: calls * 60.0 / rate }];
    report.ratio("9. the whole run / its requests at that rate", 1.1, &waiting);
    report.stages(&format!("{records} facts that are asked for"), &run);
    bench.process("asked", &words, &KEY);
    let (_, data) = requests("desc");
    report.count(
        "10. requests for records that are in the archive / full answers",
        0.0,
        (data, full),
        "requests",
    );
    bench.drop_all(&[run], &[]);
}

/// Bulk files from which little is wanted, and bulk files from which a good part is.
fn bulk(bench: &Bench, report: &mut Report, scale: Scale) {
    let records = scale.of(2e6);
    let folder = files(records, ALL_YEARS);
    let url = format!("dir:{}", folder.display());
    let words = |to: &'static str| {
        let words = ["run", "nass", "--via", "bulk", "--bulk-url", &url, "--from", "2003", "--to", to];
        words.into_iter().chain(["--skip-publish"]).map(str::to_owned).collect::<Vec<_>>()
    };
    let run = |schema: &str, words: Vec<String>| {
        bench.process(schema, &words.iter().map(String::as_str).collect::<Vec<_>>(), &[])
    };
    let (mut reading, mut loading) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        eprintln!("round {round} of {ROUNDS}: {records} records in bulk files");
        let floor = count(&folder, records);
        bench.psql(&["-c", "create schema little"]);
        let filtered = [words("2022"), ["--filter", FILTER].map(str::to_owned).to_vec()].concat();
        let some = run("little", filtered);
        let kept = bench.psql(&["-At", "-c", "select count(*) from little.nass_facts"]);
        let kept: u64 = kept.parse().expect("a number");
        assert!(kept > 0 && kept * 20 <= records, "{kept} of {records} are kept");
        reading.push(Ratio { value: some.total(), floor });
        report.stages(&format!("bulk files of {records} facts, {FILTER}"), &some);
        bench.drop_all(&[some], &[]);

        make_table(bench, "empty");
        let part = run("empty", words("2007"));
        let copied = copy_in(bench, &part);
        loading.push(Ratio { value: part.wall("load") + part.wall("promote"), floor: copied });
        report.stages(&format!("bulk files of {records} facts, five of twenty years"), &part);
        bench.psql(&["-c", "drop schema empty_copied cascade"]);
        bench.drop_all(&[part], &[]);
    }
    report.ratio(
        "11. bulk files with a filter, the whole run / `gzip -dc` and a count by DuckDB",
        1.3,
        &reading,
    );
    report.ratio(
        "12. load + promote into an empty table with its key / `\\copy` into the same",
        1.5,
        &loading,
    );
}

/// The peaks of two loads, one with ten times the records of the other.
fn memory(bench: &Bench, report: &mut Report, scale: Scale) {
    let mut peaks = Vec::new();
    for records in [scale.of(1e6), scale.of(1e7)] {
        eprintln!("memory: {records} records");
        let url = format!("dir:{}", files(records, ALL_YEARS).display());
        let words = ["run", "nass", "--via", "bulk", "--bulk-url", &url, "--from", "2003", "--to", "2022"];
        bench.psql(&["-c", "create schema large"]);
        let run = bench.process("large", &[&words[..], &["--skip-publish"]].concat(), &[]);
        report.peak(&format!("13. peak memory of a load of {records} facts"), run.peak_memory_bytes());
        peaks.push(run.peak_memory_bytes() as f64 / f64::from(1 << 20));
        bench.drop_all(&[run], &[]);
    }
    report.count("14. peak memory, ten times the records / the records", 1.1, (peaks[1], peaks[0]), "MiB");
}

/// The seconds for unpacking the files and counting their lines in DuckDB.
fn count(folder: &Path, records: u64) -> f64 {
    let counter = std::env::current_exe().expect("this program has a name");
    let mut found = 0;
    let started = Instant::now();
    for file in fs::read_dir(folder).expect("the inputs can be listed").flatten() {
        let mut unpack = Command::new("gzip");
        unpack.arg("-dc").arg(file.path()).stdout(Stdio::piped());
        let mut unpack = unpack.spawn().expect("gzip runs");
        let lines = unpack.stdout.take().expect("it is piped");
        let counted = Command::new(&counter).arg(COUNT).stdin(lines).output().expect("the counter runs");
        assert!(unpack.wait().expect("gzip ends").success(), "{} is whole", file.path().display());
        let counted = String::from_utf8_lossy(&counted.stdout);
        found += counted.trim().parse::<u64>().expect("DuckDB counts");
    }
    let took = started.elapsed().as_secs_f64();
    assert_eq!(found, records, "no line is left out");
    took
}

/// Counts the lines of a bulk file on the standard input, as `duckdb` would.
pub fn count_input() {
    let duckdb = duckdb::Connection::open_in_memory().expect("DuckDB opens");
    // A pipe can be read only once, so DuckDB must not sniff it first.
    let columns: Vec<_> = (0..COLUMNS.len()).map(|at| format!("'column{at}': 'VARCHAR'")).collect();
    let count = format!(
        "create table counted as select count(*) as lines from read_csv('/dev/stdin', auto_detect = false, header = true,
            delim = '\t', quote = '', escape = '', columns = {{{}}})",
        columns.join(", ")
    );
    duckdb.execute_batch(&count).expect("DuckDB counts");
    let lines: i64 =
        duckdb.query_row("select lines from counted", [], |row| row.get(0)).expect("it has counted");
    println!("{lines}");
}

/// The table with its key, empty.
fn make_table(bench: &Bench, schema: &str) {
    bench.psql(&["-c", &format!("create schema {schema}")]);
    for script in [NASS.scripts.tables, NASS.scripts.keys] {
        bench.psql(&["-c", &sql::render(script, &[("schema", schema)])]);
    }
}

/// The seconds of `\copy` for the CSV of a run into such a table, which then holds the same rows.
fn copy_in(bench: &Bench, run: &Figures) -> f64 {
    let schema = format!("{}_copied", run.schema);
    make_table(bench, &schema);
    let mut took = 0.0;
    for (table, csv) in bench.csvs_of(run, "private/nass/runs", &["nass_facts"]) {
        let copy = format!(
            "\\copy {schema}.{table} ({}) from '{}' with (format csv, header)",
            floors::header(&csv),
            csv.display()
        );
        let started = Instant::now();
        bench.psql(&["-c", &copy]);
        took += started.elapsed().as_secs_f64();
    }
    let sum = |schema: &str| {
        let query = format!(
            "select count(*), sum(hashtextextended(t::text, 0)::numeric) from {schema}.nass_facts as t"
        );
        bench.psql(&["-At", "-c", &query])
    };
    assert_eq!(sum(&run.schema), sum(&schema), "the table holds what its CSV holds");
    took
}
