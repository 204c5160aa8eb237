//! The figures of a run: in a file that both of Prometheus' parsers read, and at a push gateway.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use merganser::commands::metrics::METRICS;
use serde_json::Value;

use crate::support::extract::Extract;
use crate::support::pipeline::Pipeline;
use crate::support::receiver::{Receiver, Reply};
use crate::support::tools;

/// Reads a file with the parser of each format; each sample as `name{label=value,…}`.
const READ: &str = "
import json, sys
from prometheus_client.parser import text_string_to_metric_families as plain
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
text = open(sys.argv[1]).read()
def read(parse):
    found = {}
    for family in parse(text):
        assert family.type == 'gauge' and family.documentation, family
        for sample in family.samples:
            assert sample.timestamp is None, sample
            labels = ','.join(f'{name}={value}' for name, value in sorted(sample.labels.items()))
            found[f'{sample.name}{{{labels}}}'] = sample.value
    return found
print(json.dumps([read(plain), read(open_metrics)]))
";

/// The samples that both parsers read.
fn read(path: &std::path::Path) -> BTreeMap<String, f64> {
    let output = Command::new("python3")
        .args(["-c", READ])
        .arg(path)
        .env("PYTHONPATH", tools::tool("prometheus-client", "prometheus_version"))
        .output()
        .expect("python3 is there");
    let text = fs::read_to_string(path).unwrap_or_default();
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
    let [plain, open]: [BTreeMap<String, f64>; 2] = serde_json::from_slice::<Value>(&output.stdout)
        .and_then(serde_json::from_value)
        .expect("two objects");
    assert_eq!(plain, open, "{text}");
    plain
}

#[tokio::test]
async fn a_file_that_both_parsers_read() {
    let pipeline = Pipeline::new("metrics file").await;
    let path = pipeline.folder().join("merganser.prom");
    let file = path.display().to_string();
    let run = async |extra: &[&str]| {
        pipeline.start_with(extra, &[("MERGANSER_METRICS", &file)]).await.expect("it ends")
    };
    pipeline
        .put(Extract::weekly("2024-03-04").case("good", "").case("bad", "<FiledDate>2024-13-45</FiledDate>"));
    run(&["--dry-run"]).await.exits(3);
    assert!(!path.exists(), "a dry run writes no figures");
    run(&[]).await.exits(3);
    let first = read(&path);
    assert_eq!(first["merganser_run_exit_code{dataset=oca}"], 3.0);
    assert_eq!(first["merganser_run_failed_records{dataset=oca}"], 1.0);
    assert_eq!(first["merganser_table_rows{dataset=oca,table=oca_index}"], 1.0);
    assert!(first.contains_key("merganser_step_seconds{dataset=oca,step=publish}"), "{first:?}");
    let success = first["merganser_last_success_timestamp_seconds{dataset=oca}"];
    let now =
        pipeline.one("select extract(epoch from now())::float8").await.parse::<f64>().expect("a number");
    assert!((now - success).abs() < 120.0, "{success} at {now}");
    for (name, _) in METRICS {
        assert!(first.keys().any(|key| key.starts_with(&format!("{name}{{"))), "{name} is not in {first:?}");
    }
    assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o644);
    let text = fs::read_to_string(&path).expect("it can be read");
    assert!(text.ends_with("\n# EOF\n"), "{text}");
    for private in ["2024-13-45", "good", "bad"] {
        assert!(!text.contains(private), "{text}");
    }

    // The records of the files that can be read are good.
    let name = pipeline.put_bytes("2024-03-11", b"no zip");
    pipeline.put(Extract::weekly("2024-03-18").case("good", ""));
    run(&[]).await.exits(3);
    let unreadable = read(&path);
    assert_eq!(unreadable["merganser_run_failed_records{dataset=oca}"], 0.0);
    assert_eq!(unreadable["merganser_run_failed_files{dataset=oca}"], 1.0);
    fs::remove_file(pipeline.source().join(name)).expect("it is there");

    // A run with nothing new is a success too.
    run(&[]).await.exits(0);
    assert_eq!(read(&path)["merganser_run_exit_code{dataset=oca}"], 0.0);
    let nowhere = run(&["--database-url", "postgresql://127.0.0.1:1/x"]).await.exits(1);
    assert!(!nowhere.stderr.contains("the figures of this run"), "{}", nowhere.stderr);
    let failed = read(&path);
    assert_eq!(failed["merganser_run_exit_code{dataset=oca}"], 1.0);
    assert!(failed["merganser_last_success_timestamp_seconds{dataset=oca}"] >= success);
    assert_eq!(failed["merganser_table_rows{dataset=oca,table=oca_index}"], 1.0);
    let left: Vec<_> =
        fs::read_dir(pipeline.folder()).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".part")), "{left:?}");
}

#[tokio::test]
async fn a_file_that_cannot_be_written_changes_nothing() {
    let pipeline = Pipeline::new("metrics trouble").await;
    pipeline.put(Extract::weekly("2024-03-04").case("good", ""));
    let missing = pipeline.folder().join("no/such/folder/x.prom").display().to_string();
    let ran = pipeline.start_with(&[], &[("MERGANSER_METRICS", &missing)]).await.expect("it ends").exits(0);
    drop(ran.says("the figures of this run could not be sent to the place in MERGANSER_METRICS"));
    let check = pipeline.other(&["check", "oca"]).await;
    assert!(!check.stdout.contains("ok    metrics"), "{}", check.stdout);
    let pipeline = pipeline.env([("MERGANSER_METRICS".into(), missing)]);
    drop(pipeline.other(&["check", "oca"]).await.exits(1).says("cannot be written"));
    let ran = pipeline
        .start_with(&[], &[("MERGANSER_METRICS", "ftp://planted/x")])
        .await
        .expect("it ends")
        .exits(2);
    let ran = ran.says("MERGANSER_METRICS is neither a file nor the address of a push gateway");
    assert!(!ran.stderr.contains("planted"), "{}", ran.stderr);
}

#[tokio::test]
async fn a_gateway_gets_what_the_run_knows_and_no_more() {
    let pipeline = Pipeline::new("metrics push").await;
    pipeline.put(Extract::weekly("2024-03-04").case("good", ""));
    let receiver = Receiver::start(&[Reply::Status(503), Reply::Status(200)]);
    let url = receiver.url("").replace("http://", "http://user:planted@");
    let envs = [("MERGANSER_METRICS", url.as_str())];
    let ran = pipeline.start_with(&[], &envs).await.expect("it ends").exits(0);
    assert!(
        !ran.stderr.contains("planted") && !ran.stderr.contains("the figures of this run"),
        "{}",
        ran.stderr
    );
    let told = receiver.told();
    assert_eq!(told.len(), 2, "tried again");
    assert_eq!(
        (told[1].method.as_str(), told[1].path.as_str()),
        ("POST", "/metrics/job/merganser/dataset/oca")
    );
    assert!(told[1].header("authorization").starts_with("Basic "), "{:?}", told[1].headers);
    let file = pipeline.folder().join("pushed.prom");
    fs::write(&file, &told[1].body).expect("it can be written");
    let pushed = read(&file);
    assert_eq!(pushed["merganser_run_exit_code{dataset=oca}"], 0.0);
    assert!(pushed.contains_key("merganser_last_success_timestamp_seconds{dataset=oca}"));
    // A figure that is not pushed stays at the gateway.
    let extra = ["--database-url", "postgresql://127.0.0.1:1/x"];
    pipeline.start_with(&extra, &envs).await.expect("it ends").exits(1);
    fs::write(&file, &receiver.told()[2].body).expect("it can be written");
    assert_eq!(read(&file), BTreeMap::from([("merganser_run_exit_code{dataset=oca}".to_owned(), 1.0)]));

    let silent = Receiver::start(&[Reply::Silence(Duration::from_secs(30))]);
    let url = silent.url("/metrics/job/mine");
    let ran = pipeline.start_with(&[], &[("MERGANSER_METRICS", &url)]).await.expect("it ends").exits(0);
    drop(ran.says("no answer within"));
    assert_eq!(silent.told()[0].path, "/metrics/job/mine");
}
