//! The cost of histories that come from a clone: time against `git log` of the same fields, and memory against length.
//! And the requests to a host against the budget.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::extract::Request;
use axum::middleware::{self, Next};
use merganser::commands::demo::git_host::{HostHoldings, HourlyLimit, read_clones, router};
use merganser::commands::demo::quickstats::LocalServer;
use merganser::datasets::commits::host::GitHost;
use merganser::datasets::commits::sample::{HistoriesArgs, write_histories};

use crate::pipeline::{Bench, Figures};
use crate::tables::{Ratio, Report};

const KEY: [(&str, &str); 1] = [("MERGANSER_EMAIL_KEY", "bench")];
/// The fields of a row: git reads the same of each commit.
const FIELDS: &str = "--format=%H %P%x00%an%x00%ae%x00%ad%x00%cn%x00%ce%x00%cd%x00%s%x00%(trailers:only)";
const REPOSITORY: &str = "harbour/lighthouse";
/// The number of commits for the times, unless `--rows` names another.
const COMMITS: u64 = 200_000;
/// The numbers of commits for the memory; `--rows` names the longest history's.
const SIZES: [u64; 3] = [10_000, 100_000, 1_000_000];
/// The number of commits of a host's largest repository, and of requests that a run may send to it.
const HOSTED: u64 = 5_000;
const BUDGET: u64 = 10;
const ROUNDS: usize = 5;

/// Measures all of it.
pub fn measure(bench: &Bench) -> Report {
    let mut report = Report::new(bench);
    times(bench, &mut report, crate::jobs::rows(COMMITS));
    memory(bench, &mut report);
    requests(bench, &mut report);
    report
}

/// Clones with this many commits in the largest, which are made unless they exist, and a list of that one alone.
fn clones(commits: u64) -> (PathBuf, PathBuf) {
    let folder = crate::cache().join(format!("histories-{commits}"));
    if !folder.is_dir() {
        let half = folder.with_extension("new");
        let commits = u32::try_from(commits).expect("a number of commits");
        write_histories(&HistoriesArgs { commits, seed: 1, out: half.clone(), serve: false })
            .expect("git makes the clones");
        let list = format!("project,repository,repository_id\nLighthouse,{REPOSITORY},9001\n");
        fs::write(half.join("one.csv"), list).expect("the list can be written");
        fs::rename(&half, &folder).expect("the inputs can be named");
    }
    let list = folder.join("one.csv");
    (folder, list)
}

/// Loads one history into new tables.
fn load(bench: &Bench, schema: &str, commits: u64, more: &[&str]) -> Figures {
    let (folder, list) = clones(commits);
    let (source, list) = (format!("git:{}", folder.display()), list.display().to_string());
    bench.psql(&["-c", &format!("create schema {schema}")]);
    let words = [&["run", "commits", "--source", &source, "--projects", &list], more].concat();
    let run = bench.process(schema, &words, &KEY);
    let rows = bench.psql(&["-At", "-c", &format!("select count(*) from {schema}.git_commits")]);
    let counted = git(&folder, &["rev-list", "--count", "main"], Stdio::piped());
    assert_eq!(rows.trim(), counted.trim(), "every commit is a row");
    run
}

fn times(bench: &Bench, report: &mut Report, commits: u64) {
    let (folder, _) = clones(commits);
    let (mut promoted, mut staged) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        eprintln!("round {round} of {ROUNDS}: a history of {commits} commits");
        let started = Instant::now();
        git(&folder, &["log", "--encoding=UTF-8", "--date=raw", FIELDS, "main"], Stdio::null());
        let floor = started.elapsed().as_secs_f64();
        let run = load(bench, "history", commits, &["--skip-publish"]);
        promoted.push(Ratio { value: run.total(), floor });
        staged.push(Ratio { value: run.wall("fetch") + run.wall("parse"), floor });
        report.stages(&format!("a clone of {commits} commits into new tables"), &run);
        bench.drop_all(&[run], &[]);
    }
    report.ratio(
        "31. a clone to rows in production, the whole run / `git log` of the same fields",
        6.0,
        &promoted,
    );
    report.ratio("32. a clone to staged rows, fetch + parse / `git log` of the same fields", 3.0, &staged);
}

/// The peaks of loads, each with about ten times the commits of the one before, public files included. The shortest
/// history does not fill the store's memory; from the next one on it is full, and no more may be needed.
fn memory(bench: &Bench, report: &mut Report) {
    let mut peaks = Vec::new();
    for commits in [SIZES[0], SIZES[1], crate::jobs::rows(SIZES[2])] {
        eprintln!("memory: {commits} commits");
        let run = load(bench, "long", commits, &[]);
        report.peak(&format!("33. peak memory of a load of {commits} commits"), run.peak_memory_bytes());
        peaks.push(run.peak_memory_bytes() as f64 / f64::from(1 << 20));
        bench.drop_all(&[run], &[]);
    }
    for (shorter, named) in peaks.iter().zip(["ten thousand", "a hundred thousand"]) {
        let name = format!("34. peak memory, the longest history / {named} commits");
        report.count(&name, 1.3, (peaks[2], *shorter), "MiB");
    }
}

/// The requests of runs with a budget, until nothing is left: no run sends more than its budget.
fn requests(bench: &Bench, report: &mut Report) {
    let (folder, list) = clones(HOSTED);
    let text = fs::read_to_string(&list).expect("the list is there");
    let read = read_clones(&folder, &text);
    let repositories = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(read))
        .expect("clones are read");
    let holdings =
        HostHoldings::new(GitHost { repositories, ..GitHost::default() }, HourlyLimit::new(1 << 20, 3600));
    let got = Arc::new(AtomicU64::new(0));
    let counted = got.clone();
    let counting = middleware::from_fn(move |request: Request, next: Next| {
        counted.fetch_add(1, Ordering::SeqCst);
        next.run(request)
    });
    let server = LocalServer::start(router(holdings).layer(counting)).expect("a free port");
    let (url, list, budget) = (server.url(), list.display().to_string(), BUDGET.to_string());
    bench.psql(&["-c", "create schema asked"]);
    let (mut most, mut all) = (0, 0);
    let run = loop {
        let words = [
            "run",
            "commits",
            "--skip-publish",
            "--source",
            &url,
            "--projects",
            &list,
            "--requests",
            &budget,
        ];
        let run = bench.process("asked", &words, &KEY);
        let sent = got.swap(0, Ordering::SeqCst);
        (most, all) = (most.max(sent), all + sent);
        let rows = bench.psql(&["-At", "-c", "select count(*) from asked.git_commits"]);
        if rows == git(&folder, &["rev-list", "--count", "main"], Stdio::piped()).trim() {
            break run;
        }
        assert!(all < HOSTED, "it comes to an end");
    };
    report.count(
        "35. requests that a host gets in a run at most / the budget",
        1.0,
        (most as f64, BUDGET as f64),
        "requests",
    );
    let pages = HOSTED.div_ceil(100) as f64;
    report.count("36. requests of all runs / pages of commits", 1.5, (all as f64, pages), "requests");
    bench.drop_all(&[run], &[]);
}

/// Runs git in the largest clone, and returns its output if that is piped.
fn git(folder: &Path, arguments: &[&str], out: Stdio) -> String {
    let git = Command::new("git")
        .args(["-c", "safe.directory=*", "--no-replace-objects"])
        .args(arguments)
        .current_dir(folder.join(REPOSITORY))
        .stdout(out)
        .spawn()
        .expect("git runs");
    let output = git.wait_with_output().expect("git ends");
    assert!(output.status.success(), "git {arguments:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
