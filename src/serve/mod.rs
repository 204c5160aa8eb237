//! A server that reads: a page and an API over what has been loaded, by postcode, date and radius.
//!
//! It writes nothing, knows no dataset by name, and answers each question from one snapshot of the database. What it may be
//! asked is read in [`question`], answered in [`answer`]; [`current`] knows which run production is of, so that what has not
//! changed is answered without the database.

mod answer;
mod current;
mod days;
mod exact;
mod job;
mod listening;
mod metrics;
mod months;
mod outlines;
mod page;
mod places;
mod pool;
mod question;
mod reply;
mod rights;
mod snapshot;
mod texts;
mod totals;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use self::answer::Answered;
use self::current::Current;
use self::job::{Done, ServeJob, nothing, perform};
use self::metrics::ServeMetrics;
use self::pool::Pool;
use self::question::{AskFault, read_postcode};
use self::reply::{json, refused, text};
use self::snapshot::KnownPlaces;
use self::texts::ServedTexts;
use self::totals::BRANCHES_MOST;
use crate::clients::postgres::PgUrl;
use crate::dataset::Dataset;
use crate::dataset::served::MinCount;
use crate::prometheus;
use crate::words::hex;

pub use self::outlines::{OUTLINES_MOST_BYTES, Outlines, OutlinesFault};
pub use self::pool::PoolLimits;
pub use self::question::PlaceQuestion;

/// The content security policy: a browser may use only what this server provides.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
/// The program's version. It is part of each tag, because another program may give other answers.
const PROGRAM: &str = concat!(env!("CARGO_PKG_VERSION"), " ", env!("BUILT_FROM"));
/// A question may wait for a connection, for its being made, and for an answer, each as long as a statement may take.
const ANSWER_LIMITS: u32 = 3;
/// Postcodes that are offered while somebody types.
const OFFERED: usize = 10;

/// What is served, and how much of it at once.
#[derive(Clone, Debug)]
pub struct Serving {
    pub url: PgUrl,
    pub datasets: Vec<&'static Dataset>,
    pub schema: String,
    pub ledger_schema: String,
    pub limits: PoolLimits,
    pub dates_most: usize,
    /// The hits that whatever is told must have, where that is another number than the dataset's.
    pub min_counts: Vec<MinCount>,
    /// Of zones, for the map.
    pub outlines: Outlines,
}

/// What all answers share.
struct ServeState {
    pool: Arc<Pool>,
    texts: Arc<Vec<ServedTexts>>,
    current: watch::Receiver<Vec<Current>>,
    /// Of each dataset, the places of the newest snapshot that was seen.
    places: Vec<Mutex<Option<KnownPlaces>>>,
    metrics: ServeMetrics,
    dates_most: usize,
    outlines: Outlines,
}

impl ServeState {
    /// The places of the newest snapshot of a dataset that was seen.
    fn known_places(&self, at: usize) -> Option<KnownPlaces> {
        self.places[at].lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Can the database be asked?
    fn is_ready(&self) -> bool {
        self.current.borrow().iter().all(Current::is_known)
    }
}

/// Serves until `stop` completes, and answers then what is under way.
pub async fn serve(serving: Serving, listener: TcpListener, stop: impl Future<Output = ()>) {
    let texts = serving.datasets.iter().filter_map(|dataset| {
        ServedTexts::new(dataset, (&serving.schema, &serving.ledger_schema), &serving.min_counts)
    });
    let mut texts: Vec<_> = texts.collect();
    // Nobody is to be told of people who did not ask for them.
    texts.sort_by_key(|texts| texts.served.min_count);
    let texts = Arc::new(texts);
    let pool = Arc::new(Pool::new(serving.url, serving.limits));
    let (told, current) = watch::channel(vec![Current::default(); texts.len()]);
    let following = tokio::spawn(current::follow(pool.clone(), texts.clone(), told));
    let places = texts.iter().map(|_| Mutex::default()).collect();
    let metrics = ServeMetrics::default();
    let (dates_most, outlines) = (serving.dates_most, serving.outlines);
    let shared = ServeState { pool, texts, current, places, metrics, dates_most, outlines };
    listening::listen(listener, router(Arc::new(shared)), stop).await;
    following.abort();
}

fn router(shared: Arc<ServeState>) -> Router {
    let set = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    page::routes(Router::new())
        .route("/api/{*rest}", get(api))
        .route("/healthz", get(|| async { text(StatusCode::OK, "text/plain", "ok\n") }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .fallback(|State(shared): State<Arc<ServeState>>| async move {
            shared.metrics.answered(404, Duration::ZERO);
            refused(StatusCode::NOT_FOUND, &AskFault::new("path", "there is no such page"))
        })
        .method_not_allowed_fallback(|State(shared): State<Arc<ServeState>>| async move {
            shared.metrics.answered(405, Duration::ZERO);
            refused(StatusCode::METHOD_NOT_ALLOWED, &AskFault::new("method", "only GET is answered here"))
        })
        .with_state(shared.clone())
        .layer(CatchPanicLayer::custom(move |_: Box<dyn std::any::Any + Send>| {
            shared.metrics.answered(500, Duration::ZERO);
            refused(StatusCode::INTERNAL_SERVER_ERROR, &AskFault::new("server", "a defect of the server"))
        }))
        .layer(set(header::CONTENT_SECURITY_POLICY, POLICY))
        .layer(set(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(set(header::REFERRER_POLICY, "no-referrer"))
        .layer(set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin"))
}

async fn ready(State(shared): State<Arc<ServeState>>) -> Response {
    match shared.is_ready() {
        true => text(StatusCode::OK, "text/plain", "ready\n"),
        false => text(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "the database cannot be asked\n"),
    }
}

async fn metrics(State(shared): State<Arc<ServeState>>) -> Response {
    let told = shared.metrics.text(shared.pool.load(), shared.is_ready());
    text(StatusCode::OK, prometheus::CONTENT_TYPE, told)
}

/// Everything below `/api/`.
async fn api(State(shared): State<Arc<ServeState>>, request: Request) -> Response {
    let begun = Instant::now();
    let (uri, headers) = (request.uri().clone(), request.headers().clone());
    let rest = uri.path().strip_prefix("/api/").unwrap_or_default().to_owned();
    let answered = async {
        match rest.as_str() {
            "openapi.json" => page::openapi(),
            "datasets" => datasets(&shared).await,
            "places" => completions(&shared, uri.query()).await,
            "zones" => outlined(&shared.outlines, &headers),
            _ => match PlaceQuestion::read(&rest, uri.query(), shared.dates_most) {
                Ok(question) => ask(&shared, question, &headers).await,
                Err(Some(fault)) => refused(StatusCode::BAD_REQUEST, &fault),
                Err(None) => refused(StatusCode::NOT_FOUND, &AskFault::new("path", "there is no such page")),
            },
        }
    };
    let limit = shared.pool.limit() * ANSWER_LIMITS;
    let response = match tokio::time::timeout(limit, answered).await {
        Ok(response) => response,
        Err(_) => busy("the answer took too long", 5),
    };
    shared.metrics.answered(response.status().as_u16(), begun.elapsed());
    response
}

/// Try again later.
fn busy(why: &str, seconds: u64) -> Response {
    let mut response = refused(StatusCode::SERVICE_UNAVAILABLE, &AskFault::new("server", why));
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// The dataset that is asked for, or the first of which there is a run.
fn find(shared: &ServeState, name: Option<&str>) -> Result<usize, AskFault> {
    let found = match name {
        Some(name) => shared.texts.iter().position(|texts| texts.dataset.name == name),
        None => {
            let current = shared.current.borrow();
            Some(current.iter().position(|current| current.version.is_some()).unwrap_or(0))
        }
    };
    found
        .filter(|at| *at < shared.texts.len())
        .ok_or_else(|| AskFault::new("dataset", "there is no such dataset here"))
}

async fn ask(shared: &Arc<ServeState>, question: PlaceQuestion, headers: &HeaderMap) -> Response {
    let at = match find(shared, question.dataset.as_deref()) {
        Ok(at) => at,
        Err(fault) => return refused(StatusCode::BAD_REQUEST, &fault),
    };
    let texts = &shared.texts[at];
    let known = shared.current.borrow()[at].sure().map(|version| tag(version, texts, &question));
    if let Some(tag) = known.filter(|tag| is_known_to(headers, tag)) {
        return reply::unchanged(&tag);
    }
    match perform(shared, at, ServeJob::Ask(question.clone())).await {
        Ok(Done::Asked(Answered::PlaceAnswer(answer))) => {
            let tag = tag(&answer.version, texts, &question);
            match is_known_to(headers, &tag) {
                true => reply::unchanged(&tag),
                false => reply::tagged(&tag, &*answer),
            }
        }
        Ok(Done::Asked(Answered::NoSuchPlace)) => {
            refused(StatusCode::BAD_REQUEST, &AskFault::new("postcode", "no place has this postcode"))
        }
        Ok(Done::Asked(Answered::TooManyBranches)) => {
            let what = format!(
                "more than {BRANCHES_MOST} branches: ask for one of them, or for fewer places or days"
            );
            refused(StatusCode::BAD_REQUEST, &AskFault::new("sbi", what))
        }
        Ok(_) => nothing(texts),
        Err(response) => *response,
    }
}

async fn datasets(shared: &Arc<ServeState>) -> Response {
    let (mut all, mut unasked) = (Vec::new(), None);
    for (at, texts) in shared.texts.iter().enumerate() {
        let (run_id, days) = match perform(shared, at, ServeJob::Offer).await {
            Ok(Done::Offered(offered)) => offered.unzip(),
            Ok(Done::Asked(_)) => (None, None),
            // The others can be offered all the same.
            Err(response) => {
                unasked = Some(response);
                continue;
            }
        };
        let (one, several) = texts.served.words;
        all.push(serde_json::json!({
            "dataset": texts.dataset.name,
            "about": texts.dataset.about,
            "run_id": run_id,
            "days": days.unwrap_or_default(),
            "one": one,
            "several": several,
            "compared_with": texts.served.compared_with,
            "comes_late": texts.served.sums.is_some(),
            "min_count": texts.min_count,
        }));
    }
    // A dataset that could not be asked may still have something loaded.
    match unasked.filter(|_| all.iter().all(|known| known["run_id"].is_null())) {
        Some(response) => *response,
        None => json(StatusCode::OK, &all),
    }
}

/// Postcodes that begin with what somebody has typed.
async fn completions(shared: &Arc<ServeState>, query: Option<&str>) -> Response {
    let (mut begin, mut dataset) = (String::new(), None);
    for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match &*name {
            "q" => begin = value.into_owned(),
            "dataset" => dataset = Some(value.into_owned()),
            _ => {
                let fault = AskFault::new("query", "only q and dataset may follow the question mark");
                return refused(StatusCode::BAD_REQUEST, &fault);
            }
        }
    }
    let read = read_postcode(&begin).and_then(|begin| Ok((begin, find(shared, dataset.as_deref())?)));
    let (begin, at) = match read {
        Ok(read) => read,
        Err(fault) => return refused(StatusCode::BAD_REQUEST, &fault),
    };
    // They may be of an earlier run.
    let newest = shared.current.borrow()[at].version.clone();
    let known = shared.known_places(at).map(|known| known.0.clone());
    if (known.is_none() || newest.is_some() && known != newest)
        && let Err(response) = perform(shared, at, ServeJob::Offer).await
    {
        return *response;
    }
    let known = shared.known_places(at);
    let found = known.as_ref().map(|known| known.1.beginning(&begin, OFFERED)).unwrap_or_default();
    let found: Vec<_> = found.iter().map(|place| &place.postcode).collect();
    json(StatusCode::OK, &found)
}

/// Outlines of zones; they stay the same while the server runs.
fn outlined(outlines: &Outlines, headers: &HeaderMap) -> Response {
    match is_known_to(headers, outlines.tag()) {
        true => reply::unchanged(outlines.tag()),
        false => {
            let whole = text(StatusCode::OK, "application/geo+json", outlines.text().clone());
            reply::with_tag(whole, outlines.tag())
        }
    }
}

/// What an answer is known by: the run, what may be told, the question and the program.
fn tag(version: &str, texts: &ServedTexts, question: &PlaceQuestion) -> String {
    let (dataset, least) = (texts.dataset.name, texts.min_count);
    hashed(&format!("{version} {dataset} {least} {} {PROGRAM}", question.canonical()))
}

/// A tag made of a text.
fn hashed(text: &str) -> String {
    format!("\"{}\"", hex(&Sha256::digest(text.as_bytes())[..16]))
}

/// Has the client the answer with this tag?
fn is_known_to(headers: &HeaderMap, tag: &str) -> bool {
    let given = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    given.flat_map(|value| value.split(',')).any(|known| {
        let known = known.trim();
        known.strip_prefix("W/").unwrap_or(known) == tag
    })
}
