//! The same pandas function in Dask and in Spark: over the raw table, and over the buckets that Merganser made of its
//! rows.

use std::fs;

use serde_json::Value;

use crate::jobs::{JobBench, rows};
use crate::pipeline::Bench;
use crate::tables::{Ratio, Report};

const ROWS: u64 = 1_000_000;
const ROUNDS: usize = 3;
const PEERS: [(&str, &str); 2] = [("Dask", "on_dask.py"), ("Spark", "on_spark.py")];

/// Measures all of it.
pub fn measure(bench: &Bench) -> Report {
    let (jobs, mut report, rows) = (JobBench::new(bench), Report::new(bench), rows(ROWS));
    eprintln!("a raw table of {rows} rows");
    jobs.make_rows(rows);
    jobs.scatter("scattered_raw");
    let parquets = buckets(&jobs);
    let mut times = [const { [const { Vec::new() }; 3] }; 2];
    for round in 1..=ROUNDS {
        eprintln!("round {round} of {ROUNDS}");
        let sql = jobs.run(&jobs.job("by_sql", "companies_raw", false, ""), &[]);
        let pandas = jobs.run(&jobs.job("by_pandas", "companies_raw", true, ""), &[]);
        jobs.same("by_sql", "by_pandas");
        for ((name, script), times) in PEERS.into_iter().zip(&mut times) {
            let took = jobs.script(script, ("companies_raw", "peer_clean"), &[]);
            jobs.same("by_pandas", "peer_clean");
            let over = jobs.script(script, ("companies_raw", "peer_clean"), &[("PARQUET", &parquets)]);
            jobs.same("by_pandas", "peer_clean");
            eprintln!(
                "{name}: {took:.1} s, {over:.1} s over the buckets; {sql:.1} s by SQL, {pandas:.1} s by pandas"
            );
            times[0].push(Ratio { value: sql, floor: took });
            times[1].push(Ratio { value: pandas, floor: took });
            times[2].push(Ratio { value: over, floor: took });
        }
        jobs.forget("by_sql");
        jobs.forget("by_pandas");
    }
    for ((name, _), [sql, pandas, over]) in PEERS.into_iter().zip(&times) {
        report.ratio(&format!("25. a job by SQL, the whole command / {name}, the same cleaning"), 1.0, sql);
        report.ratio(
            &format!("26. a job by pandas, the whole command / {name}, the same function"),
            1.0,
            pandas,
        );
        let words = format!("27. {name} over the buckets / {name} over the raw table, cells equal");
        report.ratio(&words, f64::INFINITY, over);
    }
    report
}

/// Keeps the buckets of the raw table; returns a file with the names of those that count.
fn buckets(jobs: &JobBench) -> String {
    let store = jobs.bench.folder.join("buckets");
    let job = jobs.job("in_buckets", "scattered_raw", false, "");
    jobs.run(
        &job,
        &["--store", &format!("file:{}", store.display()), "--bucket-mib", "16", "--keep-buckets"],
    );
    let version = jobs.bench.psql(&[
        "-At",
        "-c",
        "select version_id from etl.transform_versions where job = 'in_buckets'",
    ]);
    let manifest = store.join(format!("private/transform/in_buckets/{version}/manifest.json"));
    let manifest: Value =
        serde_json::from_slice(&fs::read(manifest).expect("a manifest")).expect("a manifest is JSON");
    let files = manifest["files"].as_array().expect("it names files");
    let names: Vec<_> = files
        .iter()
        .map(|file| store.join(file["key"].as_str().expect("a key")).display().to_string())
        .collect();
    let list = jobs.bench.folder.join("parquets");
    fs::write(&list, names.join("\n")).expect("a list of files");
    list.display().to_string()
}
