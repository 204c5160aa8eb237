//! A run as a trace, which a small OpenTelemetry collector receives.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::extract::Extract;
use crate::support::pipeline::Pipeline;
use crate::support::receiver::{Receiver, Reply};

/// The spans of a message, by name.
fn spans(message: &Value) -> BTreeMap<String, Value> {
    let spans = message["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().expect("a list of spans");
    let named = spans.iter().map(|span| (span["name"].as_str().expect("a name").to_owned(), span.clone()));
    let named: BTreeMap<_, _> = named.collect();
    assert_eq!(named.len(), spans.len(), "{message}");
    let ids: BTreeSet<_> = spans.iter().map(|span| span["spanId"].as_str().expect("an id")).collect();
    assert_eq!(ids.len(), spans.len());
    for span in spans {
        let is_hex = |name: &str, length: usize| {
            let id = span[name].as_str().expect("an id");
            id.len() == length
                && id.bytes().all(|byte| byte.is_ascii_hexdigit())
                && !id.bytes().all(|byte| byte == b'0')
        };
        assert!(is_hex("traceId", 32) && is_hex("spanId", 16), "{span}");
        let time = |name: &str| span[name].as_str().expect("a text").parse::<u128>().expect("nanoseconds");
        assert!(time("startTimeUnixNano") > 1_600_000_000_000_000_000);
        assert!(time("startTimeUnixNano") <= time("endTimeUnixNano"), "{span}");
    }
    named
}

fn attribute<'a>(of: &'a Value, key: &str) -> &'a Value {
    let attributes = of["attributes"].as_array().expect("attributes");
    let found = attributes.iter().find(|attribute| attribute["key"] == key);
    &found.unwrap_or_else(|| panic!("no {key} in {of}"))["value"]
}

#[tokio::test]
async fn a_span_for_the_run_each_step_and_each_part() {
    let pipeline = Pipeline::new("traces").await;
    let receiver = Receiver::start(&[Reply::TooMany(1), Reply::Status(200)]);
    pipeline.put(Extract::weekly("2024-03-04").case("good", "<Status>planted</Status>"));
    let url = receiver.url("/otlp/");
    let envs = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20planted,x-scope=ours"),
        ("OTEL_SERVICE_NAME", "weekly"),
    ];
    let ran = pipeline.start_with(&[], &envs).await.expect("it ends").exits(0);
    assert!(!ran.stderr.contains("planted"), "{}", ran.stderr);
    let told = receiver.told();
    assert_eq!(told.len(), 2, "tried again");
    assert_eq!((told[1].method.as_str(), told[1].path.as_str()), ("POST", "/otlp/v1/traces"));
    assert_eq!(told[1].header("content-type"), "application/json");
    assert_eq!((told[1].header("authorization"), told[1].header("x-scope")), ("Bearer planted", "ours"));
    assert!(!told[1].body.contains("planted"), "{}", told[1].body);
    let message = told[1].json();
    let resource = &message["resourceSpans"][0]["resource"];
    assert_eq!(attribute(resource, "service.name")["stringValue"], "weekly");
    let spans = spans(&message);
    let run = &spans["run oca"];
    let run_id = pipeline.one("select run_id from etl.runs").await;
    assert_eq!(run["traceId"], run_id.replace('-', ""));
    assert!(run["parentSpanId"].is_null(), "{run}");
    assert_eq!(attribute(run, "merganser.run_id")["stringValue"], run_id.as_str());
    assert_eq!(attribute(run, "merganser.exit_code")["intValue"], "0");
    assert_eq!(run["status"]["code"], 1);
    let steps = pipeline.column("select distinct step from etl.steps").await;
    assert!(steps.len() >= 10, "{steps:?}");
    for step in steps {
        assert_eq!(spans[&step]["parentSpanId"], run["spanId"], "{step}");
        assert_eq!(spans[&step]["status"]["code"], 1, "{step}");
    }
    for step in ["fetch", "parse"] {
        let part = &spans[&format!("{step} LandlordTenant.Incr.2024-03-04.zip")];
        assert_eq!(part["parentSpanId"], spans[step]["spanId"]);
    }
    assert_eq!(attribute(&spans["parse"], "merganser.rows")["intValue"], "1");
}

#[tokio::test]
async fn what_failed_is_seen_and_no_value_of_a_record() {
    let pipeline = Pipeline::new("traces failed").await;
    let receiver = Receiver::start(&[Reply::Status(200)]);
    pipeline.put(Extract::weekly("2024-03-04").case("planted", "<FiledDate>2024-13-45</FiledDate>"));
    let url = receiver.url("/mine");
    let run = async |extra: &[&str]| {
        let envs = [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url.as_str())];
        pipeline.start_with(extra, &envs).await.expect("it ends")
    };
    run(&["--fail-fast"]).await.exits(1);
    let told = receiver.told().pop().expect("told");
    assert_eq!(told.path, "/mine");
    for private in ["planted", "2024-13-45"] {
        assert!(!told.body.contains(private), "{}", told.body);
    }
    let found = spans(&told.json());
    assert_eq!(found["run oca"]["status"]["code"], 2);
    assert_eq!(
        (found["fetch"]["status"]["code"].clone(), found["parse"]["status"]["code"].clone()),
        (1.into(), 2.into())
    );
    // A trace is sent even when there is no ledger.
    run(&["--database-url", "postgresql://127.0.0.1:1/x"]).await.exits(1);
    assert_eq!(spans(&receiver.told().pop().expect("told").json()).len(), 1);

    let refused = Receiver::start(&[Reply::Status(404)]);
    let url = refused.url("");
    let ran = pipeline.start_with(&[], &[("OTEL_EXPORTER_OTLP_ENDPOINT", &url)]).await.expect("it ends");
    drop(ran.exits(3).says("the trace of this run could not be sent"));
    assert_eq!(refused.told().len(), 1);
    // Variables that are set for another program on the machine.
    for envs in [
        [("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"), ("OTEL_SDK_DISABLED", "")],
        [("OTEL_EXPORTER_OTLP_ENDPOINT", &url), ("OTEL_SDK_DISABLED", "true")],
    ] {
        pipeline.start_with(&[], &envs).await.expect("it ends").exits(0);
    }
    assert_eq!(refused.told().len(), 1);
}
