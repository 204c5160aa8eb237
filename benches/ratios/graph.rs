//! The cost of the metrics and the graph: the computing part of the run against plain SQL in DuckDB over the same rows,
//! memory against commits, the time for ranks against a second.
//!
//! Both must give the same values, or the benchmark ends. DuckDB's time begins with the rows in its own tables; the run
//! reads them from PostgreSQL, and also makes the graph.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use merganser::datasets::metrics::pagerank::{WeightedEdge, ranks};

use crate::jobs;
use crate::pipeline::{Bench, Figures};
use crate::tables::{Ratio, Report};

const PROJECTS: u64 = 500;
const COMMITS: u64 = 1_000_000;
/// A second run over the same rows has nothing to do, so each round counts up to another month.
const MONTHS: [&str; 3] = ["2025-08", "2025-09", "2025-10"];
const EDGES: u32 = 100_000;
/// DuckDB's tables, by query.
const TABLES: [(&str, &str); 6] = [
    (
        "commits",
        "select repository_id, sha, author_name, author_email_hash, author_time, is_merge, is_bot, unreachable_since_run from git_commits",
    ),
    ("identities", "select * from git_identities"),
    ("repositories", "select repository_id, full_name from git_repositories"),
    ("projects", "select project, repository, community from catalog_projects"),
    ("categories", "select category, parent from catalog_categories"),
    ("project_categories", "select project, category from catalog_project_categories"),
];

/// Measures all of it, with as many commits as `--rows` says.
pub fn measure(bench: &Bench) -> Report {
    let mut report = Report::new(bench);
    let commits = jobs::rows(COMMITS);
    load(bench, "tenth", commits / 10);
    let (run, few) = metrics(bench, "tenth", MONTHS[0]);
    bench.drop_all(&[run], &[]);
    load(bench, "whole", commits);
    let theirs = plain(bench, "whole");
    let (mut reckoned, mut whole) = (Vec::new(), Vec::new());
    let mut peak = 0.0;
    for (round, month) in (1..).zip(MONTHS) {
        eprintln!("round {round} of {}: {commits} commits up to {month}", MONTHS.len());
        let floor = sql(&theirs, month);
        let (run, memory) = metrics(bench, "whole", month);
        same(bench, &theirs, month);
        reckoned.push(Ratio { value: run.wall("gather") + run.wall("parse"), floor });
        whole.push(Ratio { value: run.total(), floor });
        report.stages(&format!("metrics of {commits} commits and {PROJECTS} projects"), &run);
        peak = f64::max(peak, memory);
    }
    report.ratio("tables read, ranks and metrics reckoned / plain SQL in DuckDB", 3.0, &reckoned);
    report.ratio("the whole run, with what it loads and keeps for an undo / the same", 10.0, &whole);
    report.share(
        &format!("peak memory with {commits} commits / with a tenth of them"),
        1.5,
        (peak, few),
        "MiB",
    );
    report.share(&format!("ranks of {EDGES} edges / a second"), 1.0, (rank(), 1.0), "s");
    report
}

/// Loads sheets, and makes histories for them.
pub fn load(bench: &Bench, schema: &str, commits: u64) {
    let folder = bench.folder.join(format!("sheets-{schema}"));
    let made = Command::new(env!("CARGO_BIN_EXE_merganser"))
        .args(["sample", "catalog", "--quiet", "--projects", &PROJECTS.to_string(), "--out"])
        .arg(&folder)
        .status()
        .expect("merganser runs");
    assert!(made.success(), "the sheets are made");
    bench.psql(&["-c", &format!("create schema {schema}")]);
    let source = format!("dir:{}", folder.display());
    bench.process(schema, &["run", "catalog", "--skip-publish", "--source", &source], &[]);
    let script = peers("histories.pg.sql").display().to_string();
    let (set, commits) = (format!("schema={schema}"), format!("commits={}", commits / PROJECTS));
    bench.psql(&["-v", &set, "-v", &commits, "-f", &script]);
}

fn peers(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers").join(name)
}

/// A run, and its peak memory in MiB.
fn metrics(bench: &Bench, schema: &str, month: &str) -> (Figures, f64) {
    let run = bench.process(schema, &["run", "metrics", "--skip-publish", "--as-of", month], &[]);
    let memory = run.peak_memory_bytes() as f64 / f64::from(1 << 20);
    (run, memory)
}

/// The same rows in DuckDB's own tables.
fn plain(bench: &Bench, schema: &str) -> duckdb::Connection {
    let connection = duckdb::Connection::open_in_memory().expect("DuckDB opens");
    for (table, query) in TABLES {
        let csv = copied(bench, schema, table, query);
        let take = format!("create table {table} as from read_csv('{}', header = true)", csv.display());
        connection.execute_batch(&take).expect("DuckDB takes the rows");
    }
    connection
}

/// The rows of a query in a CSV.
fn copied(bench: &Bench, schema: &str, table: &str, query: &str) -> PathBuf {
    let csv = bench.folder.join(format!("{table}.csv"));
    let path = format!("set search_path = {schema}");
    let copy = format!("\\copy ({query}) to '{}' with (format csv, header)", csv.display());
    bench.psql(&["-c", &path, "-c", &copy]);
    csv
}

/// A month, counted from year 0.
fn counted(month: &str) -> i32 {
    let (year, month) = month.split_once('-').expect("YYYY-MM");
    year.parse::<i32>().expect("a year") * 12 + month.parse::<i32>().expect("a month") - 1
}

/// The seconds of plain SQL.
fn sql(theirs: &duckdb::Connection, month: &str) -> f64 {
    let text = std::fs::read_to_string(peers("metrics.duckdb.sql")).expect("the peer's SQL");
    let text = text.replace(":as_of", &counted(month).to_string());
    let started = Instant::now();
    theirs.execute_batch(&text).expect("DuckDB reckons");
    started.elapsed().as_secs_f64()
}

/// Both have the same values, or the benchmark ends.
fn same(bench: &Bench, theirs: &duckdb::Connection, month: &str) {
    let ours = copied(bench, "whole", "ours", "select kind, key, metric, month, value from site_metrics");
    let differ = format!(
        "select count(*), count(*) filter (where ours.metric is null or theirs.metric is null
            or coalesce(abs(ours.value - theirs.value) > 1e-9, ours.value is distinct from theirs.value))
        from (
            select kind, key, metric, year(month) * 12 + month(month) - 1 as month, value
            from read_csv('{}', header = true, types = {{'month': 'date', 'value': 'double'}})
        ) as ours full join theirs using (kind, key, metric, month)",
        ours.display()
    );
    let counts: (i64, i64) =
        theirs.query_row(&differ, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("DuckDB compares");
    assert!(counts.0 > 0 && counts.1 == 0, "{month}: {} of {} values differ", counts.1, counts.0);
}

/// Seconds for ranks, the median of five.
fn rank() -> f64 {
    let nodes = EDGES / 5;
    // Some nodes have many incoming edges.
    let edge = |n: u32| {
        let at = n.wrapping_mul(2_654_435_761) % nodes;
        WeightedEdge {
            from: n % nodes,
            to: at % (1 + at % 1000) * (nodes / 1000),
            weight: f64::from(1 + n % 7),
        }
    };
    let edges: Vec<_> = (0..EDGES).map(edge).collect();
    let mut seconds: Vec<_> = (0..5)
        .map(|_| {
            let started = Instant::now();
            let ranks = ranks(nodes as usize, &edges);
            assert!((ranks.iter().sum::<f64>() - 1.0).abs() < 1e-9, "ranks add up");
            started.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds[2]
}
