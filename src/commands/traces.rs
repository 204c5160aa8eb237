//! A run as a trace, by OpenTelemetry's protocol (OTLP) in JSON over HTTP: a span for the run, below it one for each
//! step, and below that one for each part. It contains no value of a record.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use url::form_urlencoded;
use uuid::Uuid;

use super::deliver::deliver;
use crate::clients::http::{Posted, SecretUrl};
use crate::config;
use crate::error::Exit;
use crate::timeline::Lapse;

/// OpenTelemetry's own variables.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
const SERVICE: &str = "OTEL_SERVICE_NAME";
const DISABLED: &str = "OTEL_SDK_DISABLED";

/// The kind of a span inside the program.
const INTERNAL: u8 = 1;
const STATUS_OK: u8 = 1;
const STATUS_ERROR: u8 = 2;

/// The destination of traces.
#[derive(Clone)]
pub struct Collector {
    /// The variable that names it.
    variable: &'static str,
    url: SecretUrl,
    /// The headers, which may hold a token.
    headers: Vec<(String, String)>,
    service: String,
}

/// The trace of a run.
pub struct Trace<'a> {
    pub name: String,
    pub dataset: &'static str,
    pub run_id: Option<Uuid>,
    pub exit: Exit,
    /// Why it failed, without a value of a record.
    pub reason: Option<String>,
    pub began: SystemTime,
    pub ended: SystemTime,
    pub lapses: &'a [Lapse],
}

impl Collector {
    /// The destination from the environment; `None`: there is none. These variables are often set for every program on
    /// a machine, so an address of another kind is only a warning.
    pub fn from_env() -> Option<Self> {
        if config::environment(DISABLED).is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            return None;
        }
        let parsed = match (config::environment(TRACES_ENDPOINT), config::environment(ENDPOINT)) {
            (Some(text), _) => (TRACES_ENDPOINT, SecretUrl::in_the_clear(&text)),
            (None, Some(text)) => {
                (ENDPOINT, SecretUrl::in_the_clear(&text).map(|url| url.below("/v1/traces", |_| false)))
            }
            (None, None) => return None,
        };
        let (variable, Ok(url)) = parsed else {
            tracing::warn!(
                "{} is not an address that begins with https:// or http://: no trace is sent",
                parsed.0
            );
            return None;
        };
        tracing::debug!("a trace of the run goes where {variable} says");
        let headers = config::environment(HEADERS).map(|text| headers(&text)).unwrap_or_default();
        let service = config::environment(SERVICE).unwrap_or_else(|| "merganser".into());
        Some(Self { variable, url, headers, service })
    }

    /// The variable that names it.
    pub fn variable(&self) -> &'static str {
        self.variable
    }

    /// Its address.
    pub fn url(&self) -> &SecretUrl {
        &self.url
    }

    /// Sends a trace. A failure is only a warning.
    pub async fn send(&self, trace: &Trace<'_>) {
        let bytes = trace.message(&self.service).to_string().into_bytes();
        let posted = Posted { content_type: "application/json".into(), bytes };
        if let Err(why) = deliver(&self.url, &self.headers, posted).await {
            tracing::warn!(
                "the trace of this run could not be sent to the address in {}: {why}",
                self.variable
            );
        }
    }
}

/// `name=value,…`, each value as in an address.
fn headers(text: &str) -> Vec<(String, String)> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    // A plus sign and an ampersand are literal there.
    let decoded = |text: &str| {
        let text = text.trim().replace('+', "%2B").replace('&', "%26");
        form_urlencoded::parse(format!("v={text}").as_bytes()).next().map(|(_, value)| value.into_owned())
    };
    pairs.filter_map(|(name, value)| Some((name.trim().to_owned(), decoded(value)?))).collect()
}

impl Trace<'_> {
    fn message(&self, service: &str) -> Value {
        let trace_id = self.run_id.unwrap_or_else(Uuid::now_v7).simple().to_string();
        let root = span_id();
        let mut attributes = vec![
            attribute("merganser.dataset", json!({ "stringValue": self.dataset })),
            attribute("merganser.exit_code", number(self.exit as u64)),
        ];
        if let Some(run_id) = self.run_id {
            attributes.push(attribute("merganser.run_id", json!({ "stringValue": run_id })));
        }
        let mut status = json!({ "code": STATUS_OK });
        if self.exit != Exit::Done {
            status = json!({ "code": STATUS_ERROR, "message": self.reason });
        }
        let mut run = self.span(&trace_id, &root, &self.name, (self.began, self.ended));
        run["attributes"] = attributes.into();
        run["status"] = status;
        let mut spans = vec![run];
        let mut steps: Vec<(&'static str, i32, String)> = Vec::new();
        for lapse in self.lapses {
            let (name, parent) = match &lapse.part {
                None => (lapse.step.to_owned(), root.clone()),
                Some(part) => {
                    let step =
                        steps.iter().rfind(|(step, batch, _)| (*step, *batch) == (lapse.step, lapse.batch));
                    (format!("{} {part}", lapse.step), step.map_or(&root, |(_, _, id)| id).clone())
                }
            };
            let id = span_id();
            let mut span = self.span(&trace_id, &id, &name, (lapse.began, lapse.ended.unwrap_or(self.ended)));
            span["parentSpanId"] = parent.into();
            span["attributes"] = attributes_of(lapse).into();
            span["status"] = json!({ "code": if lapse.is_done { STATUS_OK } else { STATUS_ERROR } });
            spans.push(span);
            if lapse.part.is_none() {
                steps.push((lapse.step, lapse.batch, id));
            }
        }
        let version = env!("CARGO_PKG_VERSION");
        let resource = vec![
            attribute("service.name", json!({ "stringValue": service })),
            attribute("service.version", json!({ "stringValue": version })),
        ];
        json!({
            "resourceSpans": [{
                "resource": { "attributes": resource },
                "scopeSpans": [{ "scope": { "name": "merganser", "version": version }, "spans": spans }],
            }],
        })
    }

    fn span(&self, trace_id: &str, id: &str, name: &str, (began, ended): (SystemTime, SystemTime)) -> Value {
        json!({
            "traceId": trace_id,
            "spanId": id,
            "name": name,
            "kind": INTERNAL,
            "startTimeUnixNano": nanos(began),
            "endTimeUnixNano": nanos(ended.max(began)),
        })
    }
}

fn attributes_of(lapse: &Lapse) -> Vec<Value> {
    let mut attributes = vec![
        attribute("merganser.step", json!({ "stringValue": lapse.step })),
        attribute("merganser.batch", json!({ "intValue": lapse.batch.to_string() })),
        attribute("merganser.rows", number(lapse.rows)),
        attribute("merganser.bytes", number(lapse.bytes)),
    ];
    if let Some(part) = &lapse.part {
        attributes.push(attribute("merganser.part", json!({ "stringValue": part })));
    }
    attributes
}

fn attribute(key: &str, value: Value) -> Value {
    json!({ "key": key, "value": value })
}

/// In this JSON, a 64-bit number is a string.
fn number(value: u64) -> Value {
    json!({ "intValue": value.to_string() })
}

fn nanos(time: SystemTime) -> String {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}

/// A unique span id of eight bytes: the last bytes of such an id are random.
fn span_id() -> String {
    Uuid::now_v7().simple().to_string()[16..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_decoded() {
        let found = headers("authorization=Bearer%20a+b%3D, x = 1,garbage,y=a&b");
        let expected = [("authorization", "Bearer a+b="), ("x", "1"), ("y", "a&b")];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
