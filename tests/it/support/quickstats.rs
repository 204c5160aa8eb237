//! A local Quick Stats (`commands::demo::quickstats`) that fails in the same ways as the real one, with a log of the
//! requests.

use std::convert::Infallible;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use futures_util::{StreamExt as _, stream};
use merganser::commands::demo::quickstats::{Holdings, LocalServer, router};
use merganser::datasets::nass::quickstats::records::StatRecords;
use merganser::datasets::nass::quickstats::{CallRate, QuickStats};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Count,
    Data,
    Values,
    Bulk,
    Other,
}

/// The ways in which a request may fail.
#[derive(Clone)]
pub enum Trouble {
    /// A page for people with status 200, where data was due.
    Html,
    /// The answer ends in the middle of a record, without any sign of it.
    Half,
    /// The answer ends after a record, without any sign of it.
    Truncated,
    /// The connection breaks in the middle of the answer.
    Cut,
    /// An error of the server with an HTML page.
    Failing(u16),
    /// 429 with an HTML page, and with this `Retry-After`.
    TooMany(Option<&'static str>),
    /// The answer takes this long to begin.
    Slow(Duration),
    /// From this request on, these are the records.
    Becomes(Arc<StatRecords>),
    /// From this request on, this is what is in that file.
    Writes(PathBuf, Arc<Vec<u8>>),
    /// All of a file comes, whatever part of it is asked for, and nothing tells it from another one.
    Plain,
}

/// A request in the log; its key is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub kind: Kind,
    /// Names and values behind the `?`, decoded, in their order.
    pub query: Vec<(String, String)>,
    pub path: String,
    pub range: Option<String>,
    pub status: u16,
}

struct Planned {
    kind: Kind,
    numbers: RangeInclusive<usize>,
    trouble: Trouble,
}

#[derive(Default)]
struct Script {
    planned: Mutex<Vec<Planned>>,
    log: Mutex<Vec<Asked>>,
}

/// The server; it ends when it is dropped.
pub struct QuickStatsServer {
    server: LocalServer,
    holdings: Arc<Holdings>,
    script: Arc<Script>,
}

impl QuickStatsServer {
    /// Serves these records without a limit of calls.
    pub fn start(records: StatRecords) -> Self {
        Self::with(QuickStats::new(records), None, None)
    }

    /// Serves this API, so many calls in a while, and the bulk files of a folder.
    pub fn with(api: QuickStats, rate: Option<(usize, Duration)>, bulk: Option<&Path>) -> Self {
        let rate = rate.map(|(calls, window)| CallRate::new(calls, window));
        let holdings = Holdings::new(api, rate, bulk.map(Path::to_owned));
        let script = Arc::new(Script::default());
        let (of_script, of_holdings) = (script.clone(), holdings.clone());
        let troubled = middleware::from_fn(move |request: Request, next: Next| {
            let (script, holdings) = (of_script.clone(), of_holdings.clone());
            async move { Ok::<_, Infallible>(pass(&script, &holdings, request, next).await) }
        });
        let server = LocalServer::start(router(holdings.clone()).layer(troubled)).expect("a free port");
        Self { server, holdings, script }
    }

    /// The base of the API, as `--api-url` takes it.
    pub fn api_url(&self) -> String {
        format!("{}/api", self.server.url())
    }

    /// The folder of the bulk files, as `--bulk-url` takes it.
    pub fn bulk_url(&self) -> String {
        format!("{}/datasets/", self.server.url())
    }

    /// Changes records and limits while it runs.
    pub fn change(&self, change: impl FnOnce(&mut QuickStats)) {
        change(&mut self.holdings.api());
    }

    /// The requests of this kind with these numbers, from 1, meet this trouble; the trouble that was asked for first counts.
    pub fn trouble(&self, kind: Kind, numbers: RangeInclusive<usize>, trouble: Trouble) {
        self.script.planned.lock().unwrap().push(Planned { kind, numbers, trouble });
    }

    /// No more trouble.
    pub fn calm(&self) {
        self.script.planned.lock().unwrap().clear();
    }

    /// All requests so far.
    pub fn log(&self) -> Vec<Asked> {
        self.script.log.lock().unwrap().clone()
    }

    /// How many requests of a kind there were.
    pub fn calls(&self, kind: Kind) -> usize {
        self.script.log.lock().unwrap().iter().filter(|asked| asked.kind == kind).count()
    }

    /// Clears the log; the numbers start again.
    pub fn forget(&self) {
        self.script.log.lock().unwrap().clear();
    }
}

async fn pass(script: &Script, holdings: &Holdings, mut request: Request, next: Next) -> Response {
    let mut asked = read(&request);
    let (number, at) = {
        let mut log = script.log.lock().unwrap();
        let number = log.iter().filter(|known| known.kind == asked.kind).count() + 1;
        log.push(asked.clone());
        (number, log.len() - 1)
    };
    let trouble = {
        let planned = script.planned.lock().unwrap();
        let met = planned.iter().find(|plan| plan.kind == asked.kind && plan.numbers.contains(&number));
        met.map(|plan| plan.trouble.clone())
    };
    let response = match trouble {
        None => next.run(request).await,
        Some(Trouble::Html) => html(200, None),
        Some(Trouble::Failing(status)) => html(status, None),
        Some(Trouble::TooMany(after)) => html(429, after),
        Some(Trouble::Slow(time)) => {
            tokio::time::sleep(time).await;
            next.run(request).await
        }
        Some(Trouble::Becomes(records)) => {
            holdings.api().records = records;
            next.run(request).await
        }
        Some(Trouble::Writes(path, bytes)) => {
            std::fs::write(path, bytes.as_slice()).unwrap();
            next.run(request).await
        }
        Some(Trouble::Plain) => {
            request.headers_mut().remove(header::RANGE);
            let mut response = next.run(request).await;
            response.headers_mut().remove(header::ETAG);
            response
        }
        Some(trouble @ (Trouble::Half | Trouble::Truncated | Trouble::Cut)) => {
            shortened(next.run(request).await, &trouble).await
        }
    };
    asked.status = response.status().as_u16();
    // The log may have been cleared meanwhile.
    if let Some(entry) = script.log.lock().unwrap().get_mut(at) {
        entry.status = asked.status;
    }
    response
}

fn read(request: &Request) -> Asked {
    let path = request.uri().path().to_owned();
    let kind = match path.split('/').collect::<Vec<_>>()[..] {
        ["", "api", "get_counts", ..] => Kind::Count,
        ["", "api", "api_GET", ..] => Kind::Data,
        ["", "api", "get_param_values", ..] => Kind::Values,
        ["", "datasets", name] if !name.is_empty() && request.method() == Method::GET => Kind::Bulk,
        _ => Kind::Other,
    };
    let query = url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes());
    let query = query.filter(|(name, _)| name != "key").map(|(name, value)| (name.into(), value.into()));
    let range = request.headers().get(header::RANGE).and_then(|range| range.to_str().ok());
    Asked { kind, query: query.collect(), path, range: range.map(str::to_owned), status: 0 }
}

fn html(status: u16, retry_after: Option<&'static str>) -> Response {
    let page =
        "<!DOCTYPE html>\n<html><head><title>Quick Stats</title></head><body>We are busy.</body></html>\n";
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=UTF-8"));
    headers.extend(retry_after.map(|after| (header::RETRY_AFTER, HeaderValue::from_static(after))));
    response
}

/// The first half of an answer. A length that was promised is not changed where the connection is to break.
async fn shortened(response: Response, trouble: &Trouble) -> Response {
    let (mut head, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    let half = bytes.slice(..bytes.len() / 2);
    let body = match trouble {
        Trouble::Cut => {
            let broken = async {
                // What is sent must be on its way first.
                tokio::time::sleep(Duration::from_millis(50)).await;
                Err(io::Error::other("the connection breaks"))
            };
            let pieces = stream::once(async { Ok(half) }).chain(stream::once(broken));
            return Response::from_parts(head, Body::from_stream(pieces));
        }
        Trouble::Truncated => {
            let end = half.iter().rposition(|c| *c == b'\n').map_or(half.len(), |at| at + 1);
            half.slice(..end)
        }
        _ => half,
    };
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, Body::from_stream(stream::iter([Ok::<_, Infallible>(body)])))
}
