//! A small local host of repositories: serves the API's answers (`datasets::commits::host`) by HTTP, with an hourly
//! limit. For the demo and the tests.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;

use crate::clients::git::{GitError, GitFolder};
use crate::datasets::commits::host::{self, GitHost, HostAnswer, HostCall, HostedRepository};

/// The data that the server provides.
pub struct HostHoldings {
    host: Mutex<GitHost>,
    limit: Mutex<HourlyLimit>,
}

/// The number of answers left until a time.
#[derive(Clone, Copy, Debug)]
pub struct HourlyLimit {
    pub limit: u64,
    pub used: u64,
    /// Seconds after which the limit is reset.
    pub window_seconds: i64,
    pub reset: Timestamp,
}

impl HourlyLimit {
    /// `limit` answers in `window_seconds` seconds.
    pub fn new(limit: u64, window_seconds: i64) -> Self {
        Self { limit, used: 0, window_seconds, reset: after(window_seconds) }
    }
}

fn after(seconds: i64) -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second() + seconds).unwrap_or(Timestamp::MAX)
}

impl HostHoldings {
    /// A host with a limit.
    pub fn new(host: GitHost, limit: HourlyLimit) -> Arc<Self> {
        Arc::new(Self { host: Mutex::new(host), limit: Mutex::new(limit) })
    }

    /// The host, which may be changed while it serves.
    pub fn host(&self) -> MutexGuard<'_, GitHost> {
        self.host.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The limit.
    pub fn limit(&self) -> MutexGuard<'_, HourlyLimit> {
        self.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why clones could not be read.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableClones {
    #[error(transparent)]
    Git(#[from] GitError),
    #[error("the list of projects: {0}")]
    List(String),
    #[error("cannot read clones: {0}")]
    Io(#[from] io::Error),
}

/// The repositories that a list of projects names, as the clones of a folder have them.
///
/// # Errors
/// [`UnreadableClones`], which names the clone.
pub async fn read_clones(folder: &Path, list: &str) -> Result<Vec<HostedRepository>, UnreadableClones> {
    let mut repositories = Vec::new();
    let work = tempfile::tempdir()?;
    for (name, id) in host::numbers(list).map_err(UnreadableClones::List)? {
        let wanted = Some(vec![name]);
        let clones =
            GitFolder { folder: folder.to_owned(), wanted, all_branches: true, ..GitFolder::default() };
        for object in clones.listing().await?.files {
            let to = work.path().join("clone");
            clones.download(&object.key, &to, &|_| ()).await?;
            repositories.push(HostedRepository::read(id, BufReader::new(File::open(&to)?))?);
        }
    }
    Ok(repositories)
}

/// The API.
pub fn router(holdings: Arc<HostHoldings>) -> Router {
    Router::new().route("/{*call}", get(api)).with_state(holdings)
}

async fn api(State(holdings): State<Arc<HostHoldings>>, uri: Uri, headers: HeaderMap) -> Response {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let base = format!("http://{}", text(header::HOST).unwrap_or_default());
    let call = HostCall {
        base: &base,
        path: uri.path(),
        query: uri.query().unwrap_or_default(),
        etag: text(header::IF_NONE_MATCH),
        authorization: text(header::AUTHORIZATION),
    };
    let answer = host::answer(&holdings.host(), &call);
    limited(answer, &mut holdings.limit())
}

/// Adds the rest of the limit to an answer; if nothing is left, the answer says only that.
fn limited(answer: HostAnswer, limit: &mut HourlyLimit) -> Response {
    if Timestamp::now() >= limit.reset {
        *limit = HourlyLimit::new(limit.limit, limit.window_seconds);
    }
    let answer = match answer.status {
        // An unchanged answer costs nothing.
        304 => answer,
        _ if limit.used >= limit.limit => host::refusal(403, "API rate limit exceeded"),
        _ => {
            limit.used += 1;
            answer
        }
    };
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut add = |name: &'static str, value: String| {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    };
    add("content-type", "application/json; charset=utf-8".into());
    add("x-ratelimit-limit", limit.limit.to_string());
    add("x-ratelimit-remaining", (limit.limit - limit.used.min(limit.limit)).to_string());
    add("x-ratelimit-reset", limit.reset.as_second().to_string());
    for (name, value) in answer.headers {
        add(name, value);
    }
    response
}
