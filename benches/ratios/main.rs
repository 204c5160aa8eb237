//! The pipeline against the speed of its parts, as ratios within one run on one machine.
//!
//! Every round measures the floors and the pipeline in turn, on the same files and the same private PostgreSQL, and
//! compares what both loaded, so no figure comes from a wrong result. `make bench` writes the table into
//! docs/performance.md; `make bench-full` adds the whole history. Other options measure other things: `--crops` a
//! dataset that asks a service (crops.rs), at the scale that `--scale` names; `--commits` histories from clones
//! (histories.rs); `--transform` jobs that clean a table in partitions (transform.rs); `--peers` the same in other
//! engines (peers.rs); `--graph` metrics and ranks (graph.rs); `--site` a static site of them (site.rs); `--serve` the
//! server (serve.rs). These have as many rows as `--rows` says. `--geocode` measures what a weekly run pays for looking
//! addresses up (geocode.rs).

mod crops;
mod floors;
mod geocode;
mod graph;
mod histories;
mod inputs;
mod jobs;
mod peers;
mod pipeline;
mod serve;
mod site;
mod tables;
mod transform;

use std::path::{Path, PathBuf};

use inputs::Inputs;
use merganser::embedded::Cluster;
use pipeline::Bench;
use tables::{Ratio, Report};

/// The subject of the measurement.
struct Plan {
    /// The heading in docs/performance.md, and the name of the marks between which the tables stand.
    name: &'static str,
    rounds: usize,
    /// The number of cases of the file for the inner ratios.
    cases: u64,
    /// The numbers of cases of the small and the large production for weekly files.
    productions: [Inputs; 2],
}

/// The server counts the time of the claims.
const STATEMENTS: &[(&str, &str)] = &[("shared_preload_libraries", "pg_stat_statements")];

/// The options that are not an area's name: `--full` is the whole history, the others have a value.
const OPTIONS: [&str; 4] = ["--full", "--rows", "--scale", "--bench"];

/// Measurements with an option of the same name, with settings of the server. The table of each stands between the
/// marks with its name.
const AREAS: [Area; 8] = [
    ("crops", &[], |bench| crops::measure(bench, crops::Scale::named())),
    ("commits", &[], histories::measure),
    ("geocode", &[], geocode::measure),
    ("graph", &[], graph::measure),
    ("site", &[], site::measure),
    ("serve", &[], serve::measure),
    ("peers", STATEMENTS, peers::measure),
    ("transform", STATEMENTS, transform::measure),
];

type Area = (&'static str, &'static [(&'static str, &'static str)], fn(&Bench) -> Report);

fn main() {
    if std::env::args().any(|arg| arg == crops::COUNT) {
        return crops::count_input();
    }
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/performance.md");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let is_known = |arg: &String| {
        OPTIONS.contains(&arg.as_str())
            || AREAS.iter().any(|(name, ..)| arg.strip_prefix("--") == Some(*name))
    };
    if let Some(unknown) = std::env::args().skip(1).find(|arg| arg.starts_with("--") && !is_known(arg)) {
        let areas: Vec<_> = AREAS.iter().map(|(name, ..)| format!("--{name}")).collect();
        eprintln!("{unknown} is not an option: there are {}, {}", areas.join(", "), OPTIONS[..3].join(", "));
        std::process::exit(2);
    }
    let is_asked = |name: &str| std::env::args().any(|arg| arg.strip_prefix("--") == Some(name));
    if let Some((name, settings, measure)) = AREAS.iter().find(|(name, ..)| is_asked(name)) {
        let report = runtime.block_on(on_cluster(settings, measure));
        print!("{}", report.render());
        return report.write(&out, name);
    }
    let plan = match is_asked("full") {
        true => Plan {
            name: "full",
            rounds: 3,
            cases: 50_000,
            productions: [Inputs::history(130_000, 1), Inputs::history(1_300_000, 10)],
        },
        false => Plan {
            name: "quick",
            rounds: 5,
            cases: 50_000,
            productions: [Inputs::history(20_000, 1), Inputs::history(200_000, 2)],
        },
    };
    let report = runtime.block_on(on_cluster(&[], |bench| measure(&plan, bench)));
    print!("{}", report.render());
    report.write(&out, plan.name);
    println!("written to {}", out.display());
}

/// The folder that keeps inputs between benchmarks.
fn cache() -> PathBuf {
    let cache = std::env::var_os("MERGANSER_CACHE").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache/merganser");
    cache.unwrap_or_else(home).join("bench")
}

/// Measures on a private PostgreSQL made for it.
async fn on_cluster(settings: &[(&str, &str)], measure: impl FnOnce(&Bench) -> Report) -> Report {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cluster = Cluster::at(folder.path().join("postgres"))
        .setting("shared_buffers", "512MB")
        .setting("max_wal_size", "4GB")
        // A checkpoint during one measurement and not during the next would distort both.
        .setting("checkpoint_timeout", "30min");
    let cluster = settings.iter().fold(cluster, |cluster, (name, value)| cluster.setting(name, value));
    // Java can connect only this way.
    let cluster = cluster.tcp(!settings.is_empty());
    let server = cluster.start().await.expect("the private PostgreSQL starts");
    let report = measure(&Bench::new(&server, folder.path()));
    server.stop().await.expect("the private PostgreSQL stops");
    report
}

fn measure(plan: &Plan, bench: &Bench) -> Report {
    let mut report = Report::new(bench);

    let input = Inputs::history(plan.cases, 1);
    let mut ratios: [Vec<Ratio>; 3] = Default::default();
    for round in 1..=plan.rounds {
        eprintln!("round {round} of {}: {} cases into new tables, into empty ones", plan.rounds, plan.cases);
        let tokens = floors::tokenise(&input);
        let fresh = bench.first_load(&input, "fresh");
        let copied = floors::copy_in(bench, &fresh);
        let empty = bench.load_empty_tables(&input, "empty");
        for run in [&fresh, &empty] {
            bench.compare(run, &copied);
        }
        let read = floors::copy_out(bench, &fresh);
        ratios[0].push(Ratio { value: fresh.cpu("parse") + fresh.cpu("export"), floor: tokens });
        ratios[1].push(Ratio { value: empty.wall("load") + empty.wall("promote"), floor: copied.took });
        ratios[2].push(Ratio { value: fresh.wall("publish"), floor: read });
        report.stages(&format!("{} cases into new tables", plan.cases), &fresh);
        bench.drop_all(&[fresh, empty], &[copied]);
    }
    let [parse, load, publish] = ratios;
    report.ratio("1. parse + stage + export, CPU time / unzip and tokenise", 3.0, &parse);
    report.ratio("2. load + promote into empty tables with keys / `\\copy` into the same", 1.5, &load);
    report.ratio("6. publish / `COPY … TO STDOUT` of the same tables", 0.7, &publish);

    let mut weekly: Vec<Vec<f64>> = Vec::new();
    for production in &plan.productions {
        eprintln!("a production of {} cases, then {} weekly files", production.cases, plan.rounds);
        let first = bench.first_load(production, "production");
        if production.files > 1 {
            let copied = floors::copy_in(bench, &first);
            bench.compare(&first, &copied);
            let ratio = Ratio { value: first.total(), floor: copied.took };
            report.ratio(&format!("4. end to end, {} cases / `\\copy`", production.cases), 2.0, &[ratio]);
            bench.drop_all(&[], &[copied]);
        }
        report
            .stages(&format!("{} cases in {} files, first load", production.cases, production.files), &first);
        report.memory(production.cases, first.peak_memory_bytes());
        let mut took = Vec::new();
        for week in 1..=plan.rounds {
            let run = bench.again(&first, &Inputs::week(week));
            took.push(run.wall("load") + run.wall("promote"));
            report.stages(&format!("a week of 5,000 cases into {}", production.cases), &run);
        }
        weekly.push(took);
        bench.drop_all(&[first], &[]);
    }
    let weeks: Vec<_> = weekly[1]
        .iter()
        .zip(&weekly[0])
        .map(|(large, small)| Ratio { value: *large, floor: *small })
        .collect();
    report.ratio("3. load + promote of a week, production of ten times the size / of the size", 2.0, &weeks);
    report
}
