//! The cost of a site: the whole build, its pages, a build with nothing to do, and a build after a single value
//! changed.
//!
//! Every figure covers the whole command from start to end, including the checksums of tables and the store. The
//! written files are counted in the folder, not taken from the build's own report.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use merganser::words::sha256;

use crate::graph;
use crate::jobs;
use crate::pipeline::Bench;
use crate::tables::{Ratio, Report};

const COMMITS: u64 = 1_000_000;
const ROUNDS: usize = 3;
const SCHEMA: &str = "site";
/// Limits for a page: bytes, and milliseconds until it can be read.
const PAGE_BYTES: f64 = 150_000.0;
const READABLE_MS: f64 = 500.0;

/// The files of a site: content by path.
type Held = BTreeMap<String, String>;

/// Measures all of it, over as many commits as `--rows` says.
pub fn measure(bench: &Bench) -> Report {
    let mut report = Report::new(bench);
    let commits = jobs::rows(COMMITS);
    graph::load(bench, SCHEMA, commits);
    let out = bench.folder.join("public_html");
    eprintln!("the first build: metrics of {commits} commits, and all pages");
    let first = build(bench, "A");
    let pages = files(&out).into_keys().filter(|path| path.ends_with(".html")).count();
    let (mut all, mut none, mut one) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        eprintln!("round {round} of {ROUNDS}: {pages} pages, then nothing, then one value");
        let before = files(&out);
        // The title is on every page.
        let seconds = build(bench, &format!("Round {round}"));
        assert_eq!(differing(&before, &files(&out)), pages, "each page is written, and no download");
        all.push(Ratio { value: seconds, floor: pages as f64 / 500.0 });
        let before = files(&out);
        none.push(Ratio { value: build(bench, &format!("Round {round}")), floor: first });
        assert_eq!(before, files(&out), "the same bytes");
        change(bench);
        one.push(Ratio { value: build(bench, &format!("Round {round}")), floor: first });
        let written = differing(&before, &files(&out));
        assert_eq!(written, 2, "the page of the one value, and the download that has all values");
    }
    report.ratio(&format!("{pages} pages anew / a second for each 500 of them"), 2.0, &all);
    report.ratio("a build that has nothing to do / the first one", 0.1, &none);
    report.ratio("a build for one value that somebody changed / the first one", 1.0, &one);
    let (largest, bytes) = largest(&out);
    report.share(&format!("the largest page, {largest} / 150 kB"), 1.0, (bytes as f64, PAGE_BYTES), "bytes");
    if let Some(ms) = opened(&out, &largest) {
        report.share("the slowest page in Chromium / half a second", 1.0, (ms, READABLE_MS), "ms");
    }
    report
}

/// Builds a site with this title, and returns the seconds of the whole command.
fn build(bench: &Bench, title: &str) -> f64 {
    let file = bench.folder.join("site.toml");
    let sheets = bench.folder.join(format!("sheets-{SCHEMA}"));
    let text = format!(
        "title = \"{title}\"\nbase_url = \"https://example.org\"\nas_of = \"2025-10\"\n[catalog]\nsource = \"dir:{}\"\n\
         [site]\nout = \"public_html\"\n",
        sheets.display()
    );
    fs::write(&file, text).expect("site.toml is written");
    let store = format!("file:{}", bench.folder.join(SCHEMA).display());
    let started = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_merganser"))
        .arg("build")
        .arg(&file)
        .args(["--quiet", "--store", &store, "--database-url", bench.url()])
        .args(["--schema", SCHEMA, "--ledger-schema", &format!("{SCHEMA}_etl")])
        .output()
        .expect("merganser runs");
    let took = started.elapsed().as_secs_f64();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    took
}

/// Changes a number of a past month.
fn change(bench: &Bench) {
    let one = "select min(key) from site.site_metrics where kind = 'project'";
    bench.psql(&[
        "-c",
        &format!(
            "update site.site_metrics set value = value + 1
            where kind = 'project' and metric = 'commits' and month = '2025-03-01' and key = ({one})"
        ),
    ]);
}

/// Every file of the site with its content, without the build's note.
fn files(out: &Path) -> Held {
    let (mut found, mut folders) = (Held::new(), vec![out.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the site") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let name = path.strip_prefix(out).expect("it is in the site").display().to_string();
                    found.insert(name, sha256(fs::read(&path).expect("a file of the site")));
                }
            }
        }
    }
    found.retain(|name, _| !name.starts_with('.'));
    found
}

/// The number of files that differ.
fn differing(before: &Held, after: &Held) -> usize {
    assert_eq!(before.len(), after.len(), "the same files");
    after.iter().filter(|(path, held)| before.get(*path) != Some(*held)).count()
}

/// The largest page, and its bytes.
fn largest(out: &Path) -> (String, u64) {
    let pages = files(out).into_keys().filter(|path| path.ends_with(".html"));
    let sized = pages.map(|path| (fs::metadata(out.join(&path)).expect("a page").len(), path));
    let (bytes, path) = sized.max().expect("there are pages");
    (path, bytes)
}

/// The milliseconds until the slowest of some pages can be read; `None` without a browser (`scripts/setup test`
/// installs it).
fn opened(out: &Path, largest: &str) -> Option<f64> {
    let cache = crate::cache();
    let tools = fs::read_dir(cache.parent()?).ok()?.flatten().map(|entry| entry.path());
    let is_browser =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("browser-"));
    let modules = tools.filter(is_browser).max()?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/open.mjs");
    let mut node = Command::new("node");
    node.arg(script).arg(modules).arg("/usr/bin/chromium").arg(out);
    let output = node.args(["index.html", "compare.html", "search.html", largest]).output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).trim().parse().expect("milliseconds"))
}
