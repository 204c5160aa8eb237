//! The tables of docs/performance.md.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::pipeline::{Bench, Figures};

/// A measurement and its floor, both from one round.
#[derive(Clone, Copy, Debug)]
pub struct Ratio {
    pub value: f64,
    pub floor: f64,
}

/// The subject of the measurement.
pub struct Report {
    machine: Vec<String>,
    ratios: String,
    /// The runs of all rounds, by their input.
    stages: Vec<(String, Vec<Vec<Stage>>)>,
}

/// A step of a run.
struct Stage {
    name: String,
    seconds: f64,
    cpu: f64,
    rows: f64,
    bytes: f64,
}

impl Report {
    /// An empty report, with the facts of the machine.
    pub fn new(bench: &Bench) -> Self {
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
        let memory = merganser::system::machine::memory_bytes();
        let machine = vec![
            format!(
                "{} x {}",
                merganser::system::machine::cpus(),
                model.trim_start_matches(['\t', ' ', ':'])
            ),
            format!("{:.0} GiB of memory", memory as f64 / f64::from(1 << 30)),
            format!("Linux {}", said("uname", &["-r"])),
            bench.psql(&["-At", "-c", "select 'PostgreSQL ' || current_setting('server_version')"]),
            format!("DuckDB {}", duckdb_version()),
            said("rustc", &["--version"]),
            format!(
                "merganser {} at {}",
                env!("CARGO_PKG_VERSION"),
                said("git", &["rev-parse", "--short", "HEAD"])
            ),
        ];
        Self { machine, ratios: String::new(), stages: Vec::new() }
    }

    /// A target and the ratios of all rounds.
    pub fn ratio(&mut self, name: &str, target: f64, rounds: &[Ratio]) {
        let values = sorted(rounds.iter().map(|ratio| ratio.value / ratio.floor));
        let (value, floor) = (
            median(&sorted(rounds.iter().map(|ratio| ratio.value))),
            median(&sorted(rounds.iter().map(|ratio| ratio.floor))),
        );
        let holds = if median(&values) <= target { "yes" } else { "**no**" };
        let _ = writeln!(
            self.ratios,
            "| {name} | {target} | {:.2} | {:.2} to {:.2} | {value:.2} s / {floor:.2} s | {holds} |",
            median(&values),
            values[0],
            values[values.len() - 1]
        );
    }

    /// The peak memory of a first load.
    pub fn memory(&mut self, cases: u64, bytes: u64) {
        self.peak(&format!("5. peak memory of a first load of {cases} cases"), bytes);
    }

    /// The peak memory of something.
    pub fn peak(&mut self, name: &str, bytes: u64) {
        let mib = bytes as f64 / f64::from(1 << 20);
        let holds = if mib <= 384.0 { "yes" } else { "**no**" };
        let _ = writeln!(self.ratios, "| {name} | 384 MiB | {mib:.0} MiB | | | {holds} |");
    }

    /// A share, and its limit; `of` says which share of what.
    pub fn share(&mut self, name: &str, most: f64, (found, of): (f64, f64), unit: &str) {
        let holds = if found <= most * of { "yes" } else { "**no**" };
        let share = found / of;
        let _ = writeln!(
            self.ratios,
            "| {name} | {most} | {share:.3} | | {found:.2} {unit} / {of:.2} {unit} | {holds} |"
        );
    }

    /// A count, and its limit for each unit of something else.
    pub fn count(&mut self, name: &str, most: f64, (found, of): (f64, f64), unit: &str) {
        let holds = if found <= most * of { "yes" } else { "**no**" };
        let ratio = if of > 0.0 { format!("{:.2}", found / of) } else { "-".into() };
        let _ =
            writeln!(self.ratios, "| {name} | {most} | {ratio} | | {found:.0} {unit} / {of:.0} | {holds} |");
    }

    /// The steps of a run.
    pub fn stages(&mut self, name: &str, run: &Figures) {
        let steps = run.timings["steps"].as_array().expect("a run has steps");
        let number = |step: &serde_json::Value, name: &str| step[name].as_f64().unwrap_or(0.0);
        let steps = steps.iter().map(|step| Stage {
            name: step["step"].as_str().unwrap_or_default().to_owned(),
            seconds: number(step, "duration_ms") / 1000.0,
            cpu: number(step, "cpu_ms") / 1000.0,
            rows: number(step, "rows"),
            bytes: number(step, "bytes"),
        });
        let steps = steps.collect();
        match self.stages.iter_mut().find(|(known, _)| known == name) {
            Some((_, runs)) => runs.push(steps),
            None => self.stages.push((name.to_owned(), vec![steps])),
        }
    }

    /// The parts of a job, summed over all its workers: seconds, rows, bytes.
    pub fn parts(&mut self, name: &str, parts: &[(&str, f64, f64, f64)]) {
        let stage = |(name, seconds, rows, bytes): &(&str, f64, f64, f64)| Stage {
            name: (*name).to_owned(),
            seconds: *seconds,
            cpu: 0.0,
            rows: *rows,
            bytes: *bytes,
        };
        self.stages.push((name.to_owned(), vec![parts.iter().map(stage).collect()]));
    }

    /// The report as Markdown.
    pub fn render(&self) -> String {
        let mut text = format!("Machine: {}.\n\n", self.machine.join("; "));
        text += "| what | at most | median | spread | medians of both | holds |\n|---|---|---|---|---|---|\n";
        text += &self.ratios;
        for (name, runs) in &self.stages {
            let _ = write!(
                text,
                "\nSteps of {name}, medians of {} run(s):\n\n| step | seconds | share | CPU s | rows/s | MB/s |\n\
                 |---|---|---|---|---|---|\n",
                runs.len()
            );
            let total: f64 = runs[0].iter().map(|stage| middle(runs, &stage.name, |s| s.seconds)).sum();
            for stage in &runs[0] {
                let of = |what: fn(&Stage) -> f64| middle(runs, &stage.name, what);
                let seconds = of(|s| s.seconds);
                let rate = |amount: f64| if amount == 0.0 { "-".into() } else { format!("{amount:.0}") };
                let _ = writeln!(
                    text,
                    "| {} | {seconds:.2} | {:.0} % | {:.2} | {} | {} |",
                    stage.name,
                    100.0 * seconds / total,
                    of(|s| s.cpu),
                    rate(of(|s| s.rows) / seconds.max(0.001)),
                    rate(of(|s| s.bytes) / seconds.max(0.001) / 1e6)
                );
            }
        }
        text
    }

    /// Puts the report between the marks with that name in the document.
    pub fn write(&self, document: &Path, name: &str) {
        let text = fs::read_to_string(document).expect("docs/performance.md can be read");
        let (begin, end) = (format!("<!-- begin {name} -->"), format!("<!-- end {name} -->"));
        let (before, rest) = text.split_once(&begin).expect("the document has the mark where it begins");
        let (_, after) = rest.split_once(&end).expect("the document has the mark where it ends");
        let text = format!("{before}{begin}\n{}{end}{after}", self.render());
        fs::write(document, text).expect("docs/performance.md can be written");
    }
}

fn middle(runs: &[Vec<Stage>], name: &str, what: fn(&Stage) -> f64) -> f64 {
    let of_all = runs.iter().flatten().filter(|stage| stage.name == name).map(what);
    median(&sorted(of_all))
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn median(sorted: &[f64]) -> f64 {
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[count / 2],
        count => (sorted[count / 2 - 1] + sorted[count / 2]) / 2.0,
    }
}

/// The first line of a program's output.
fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or("unknown").to_owned()
}

fn duckdb_version() -> String {
    let connection = duckdb::Connection::open_in_memory().expect("DuckDB opens");
    connection.version().unwrap_or_else(|_| "unknown".into())
}
