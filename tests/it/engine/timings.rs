//! The ledger has the cost of every step, and `status --timings` shows it.

use std::process::Command;

use serde_json::Value;

use crate::support;
use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, Ran};

#[tokio::test]
async fn every_step_of_a_run_has_its_figures() {
    let pipeline = Pipeline::new("timings").await;
    pipeline.put(Extract::weekly("2024-11-02").case("A-1", "<Status>Active</Status>"));
    let ran = pipeline.run_with(&["--log-format", "text"]).await.exits(0);
    assert!(ran.stdout.contains("1 record, "), "the run's end has a count: {}", ran.stdout);
    assert!(ran.stdout.contains("Most of it: "), "and the largest shares: {}", ran.stdout);

    let one = pipeline.other(&["status", "last", "--timings", "--json"]).await.exits(0);
    let one: Value = serde_json::from_str(&one.stdout).unwrap();
    let steps = one["steps"].as_array().unwrap();
    let names: Vec<_> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["select", "fetch", "parse", "check", "enrich", "export", "upload", "load", "promote", "publish"],
        "in the order in which they began"
    );
    for step in steps {
        assert!(step["cpu_ms"].is_u64(), "{step}");
        assert!(step["peak_memory_bytes"].as_u64().unwrap() > 1 << 20, "{step}");
        assert!(step["duration_ms"].as_u64().unwrap() <= one["duration_ms"].as_u64().unwrap(), "{step}");
    }
    assert_eq!(one["records_seen"], 1);
    assert_eq!(one["peak_memory_bytes"], steps.last().unwrap()["peak_memory_bytes"], "the highest of all");
}

#[tokio::test]
async fn runs_are_shown_beside_each_other() {
    let pipeline = Pipeline::new("timings").await;
    for (date, case) in [("2024-11-02", "A-1"), ("2024-11-09", "A-2")] {
        pipeline.put(Extract::weekly(date).case(case, "<Status>Active</Status>"));
        pipeline.run().await.exits(0);
    }
    let all = pipeline.other(&["status", "--timings"]).await.exits(0);
    let lines: Vec<_> = all.stdout.lines().collect();
    assert!(lines[0].contains("parse") && lines[0].contains("publish") && lines[0].contains("memory"));
    let ids = pipeline.column("select run_id from etl.runs order by started_at desc").await;
    for (line, id) in lines[1..].iter().zip(&ids) {
        assert!(line.starts_with(id.as_str()) && line.contains(" MB"), "the newest first: {line}");
    }
    all.says(&format!("merganser status {} --timings", ids[0]));

    let one = pipeline.other(&["status", &ids[1], "--timings"]).await.exits(0);
    assert!(one.stdout.contains(&ids[1]) && one.stdout.contains("promote"), "{}", one.stdout);
    pipeline.other(&["status", "none", "--timings"]).await.exits(2).says("no run `none`");
}

/// The memory of a run does not depend on the number of cases, and never reaches half a gigabyte.
#[tokio::test]
async fn half_a_gigabyte_is_enough() {
    const LIMIT_KIB: &str = "524288";
    let pipeline = Pipeline::new("memory").await;
    let out = pipeline.source().display().to_string();
    let words = ["sample", "oca", "--cases", "20000", "--run-date", "2024-11-02", "--out", &out];
    let none: [(&str, &str); 0] = [];
    assert!(support::merganser(words, none).status.success());
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "ulimit -d \"$1\" && shift && exec \"$@\"", "sh", LIMIT_KIB]);
    command.arg(env!("CARGO_BIN_EXE_merganser")).args(pipeline.args(&[]));
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
    let ran = Ran::new(output.expect("sh runs")).exits(0);
    assert_eq!(ran.count("records_loaded"), 20_000);
    let peak = ran.finished()["peak_memory_bytes"].as_u64().unwrap();
    assert!(peak <= 384 << 20, "{peak} bytes");
}
