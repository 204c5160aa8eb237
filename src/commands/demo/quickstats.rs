//! A small local Quick Stats: serves the API's answers (`datasets::nass::quickstats`) by HTTP, and a folder of bulk
//! files with ETag and byte ranges. For the demo and the tests.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::get;
use flate2::read::MultiGzDecoder;
use futures_util::stream;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio::sync::oneshot;
use tokio_util::io::ReaderStream;

use crate::datasets::nass::bulk::{self, BulkFault};
use crate::datasets::nass::quickstats::records::StatRecords;
use crate::datasets::nass::quickstats::{self, ApiAnswer, ApiBody, ApiCall, CallRate, QuickStats};

/// The data that the server provides.
pub struct Holdings {
    api: Mutex<QuickStats>,
    rate: Mutex<Option<CallRate>>,
    /// Where the bulk files lie.
    bulk: Option<PathBuf>,
    began: Instant,
}

impl Holdings {
    /// The API's records and limits, and the folder with the bulk files; without a rate, any number of calls is
    /// accepted.
    pub fn new(api: QuickStats, rate: Option<CallRate>, bulk: Option<PathBuf>) -> Arc<Self> {
        Arc::new(Self { api: Mutex::new(api), rate: Mutex::new(rate), bulk, began: Instant::now() })
    }

    /// The API, which may be changed while it serves.
    pub fn api(&self) -> MutexGuard<'_, QuickStats> {
        self.api.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_within_rate(&self) -> bool {
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        rate.as_mut().is_none_or(|rate| rate.admit(self.began.elapsed()))
    }
}

/// Why a folder's bulk files could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}: {source}")]
pub struct UnreadableBulk {
    path: PathBuf,
    source: BulkFault,
}

/// The records of a folder: those of the newest file of each sector.
///
/// # Errors
/// [`UnreadableBulk`], which names the file.
pub fn read_bulk(folder: &Path) -> Result<StatRecords, UnreadableBulk> {
    let failed = |path: &Path, source| UnreadableBulk { path: path.to_owned(), source };
    let names = names(folder).map_err(|error| failed(folder, error.into()))?;
    let mut records = StatRecords::default();
    for name in bulk::newest(&names) {
        let path = folder.join(name);
        let file = File::open(&path).map_err(|error| failed(&path, error.into()))?;
        let text = BufReader::new(MultiGzDecoder::new(file));
        bulk::unpack(text, &mut records).map_err(|fault| failed(&path, fault))?;
    }
    Ok(records)
}

/// The names in a folder, sorted, without hidden ones.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let files = std::fs::read_dir(folder)?;
    let names = files.flatten().filter_map(|file| file.file_name().into_string().ok());
    let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
    names.sort_unstable();
    Ok(names)
}

/// The API below `/api`, the bulk files below `/datasets`.
pub fn router(holdings: Arc<Holdings>) -> Router {
    Router::new()
        .route("/api/{*call}", get(api))
        .route("/datasets/", get(index))
        .route("/datasets/{name}", get(bulk_file))
        .with_state(holdings)
}

async fn api(State(holdings): State<Arc<Holdings>>, uri: Uri, headers: HeaderMap) -> Response {
    if !holdings.is_within_rate() {
        return answered(quickstats::too_many());
    }
    let call = ApiCall {
        path: uri.path().strip_prefix("/api").unwrap_or_default(),
        query: uri.query().unwrap_or_default(),
        user_agent: text(&headers, header::USER_AGENT),
    };
    let api = holdings.api().clone();
    answered(quickstats::answer(&api, &call))
}

fn answered(answer: ApiAnswer) -> Response {
    let body = match answer.body {
        ApiBody::Text(text) => Body::from(text),
        ApiBody::Rows(rows) => Body::from_stream(stream::iter(rows.map(Ok::<_, Infallible>))),
    };
    let status = StatusCode::from_u16(answer.status).expect("the API's statuses are HTTP's");
    let mut response = Response::new(body);
    *response.status_mut() = status;
    add(&mut response, header::CONTENT_TYPE, answer.content_type);
    response
}

/// A page with a link to each file, as a web server shows a folder.
async fn index(State(holdings): State<Arc<Holdings>>) -> Response {
    let names = holdings.bulk.as_ref().and_then(|folder| names(folder).ok());
    let Some(names) = names else { return plain(StatusCode::NOT_FOUND) };
    let links: String =
        names.iter().map(|name| format!("<li><a href=\"{name}\">{name}</a></li>\n")).collect();
    let mut response = Response::new(Body::from(format!(
        "<html><head><title>Index of /datasets</title></head><body><h1>Index of /datasets</h1><ul>\n{links}</ul></body>\
         </html>\n"
    )));
    add(&mut response, header::CONTENT_TYPE, "text/html; charset=UTF-8");
    response
}

async fn bulk_file(State(holdings): State<Arc<Holdings>>, uri: Uri, headers: HeaderMap) -> Response {
    let name = uri.path().strip_prefix("/datasets/").unwrap_or_default();
    let is_plain =
        name.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c)) && !name.starts_with('.');
    let path = holdings.bulk.as_ref().filter(|_| is_plain).map(|folder| folder.join(name));
    let Some(path) = path else { return plain(StatusCode::NOT_FOUND) };
    match file(&path, &headers).await {
        Ok(response) => response,
        Err(error) if error.kind() == io::ErrorKind::NotFound => plain(StatusCode::NOT_FOUND),
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// A file or a part of it. With an `If-Range` other than its ETag, the whole file is sent.
async fn file(path: &Path, headers: &HeaderMap) -> io::Result<Response> {
    let mut file = tokio::fs::File::open(path).await?;
    let facts = file.metadata().await?;
    let size = facts.len();
    let changed = facts.modified()?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let etag = format!("\"{:x}-{size:x}\"", changed.as_micros());
    if text(headers, header::IF_MATCH).is_some_and(|wanted| wanted != etag && wanted != "*") {
        return Ok(plain(StatusCode::PRECONDITION_FAILED));
    }
    if text(headers, header::IF_NONE_MATCH).is_some_and(|known| known == etag) {
        let mut response = plain(StatusCode::NOT_MODIFIED);
        add(&mut response, header::ETAG, &etag);
        return Ok(response);
    }
    let is_same = text(headers, header::IF_RANGE).is_none_or(|known| known == etag);
    let asked =
        text(headers, header::RANGE).filter(|_| is_same).and_then(|asked| asked.strip_prefix("bytes="));
    let (first, end) = match asked.map(|asked| range(asked, size)) {
        None | Some(ByteRange::NotUnderstood) => (0, size),
        Some(ByteRange::Bytes(first, end)) => (first, end),
        Some(ByteRange::Nothing) => {
            let mut response = plain(StatusCode::RANGE_NOT_SATISFIABLE);
            add(&mut response, header::CONTENT_RANGE, &format!("bytes */{size}"));
            return Ok(response);
        }
    };
    file.seek(io::SeekFrom::Start(first)).await?;
    let mut response = Response::new(Body::from_stream(ReaderStream::new(file.take(end - first))));
    if (first, end) != (0, size) {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        add(&mut response, header::CONTENT_RANGE, &format!("bytes {first}-{}/{size}", end - 1));
    }
    add(&mut response, header::ETAG, &etag);
    add(&mut response, header::ACCEPT_RANGES, "bytes");
    add(&mut response, header::CONTENT_TYPE, "application/x-gzip");
    add(&mut response, header::CONTENT_LENGTH, &(end - first).to_string());
    Ok(response)
}

/// What `Range` asks for.
enum ByteRange {
    /// The first byte, and the one after the last.
    Bytes(u64, u64),
    /// The file has no such bytes.
    Nothing,
    /// Several ranges, or none; the whole file may be sent then.
    NotUnderstood,
}

fn range(asked: &str, size: u64) -> ByteRange {
    let Some((first, last)) = asked.split_once('-') else { return ByteRange::NotUnderstood };
    let (first, end) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last.saturating_add(1).min(size)),
        (Ok(first), Err(_)) if last.is_empty() => (first, size),
        (Err(_), Ok(count)) if first.is_empty() => (size.saturating_sub(count), size),
        _ => return ByteRange::NotUnderstood,
    };
    if first < end { ByteRange::Bytes(first, end) } else { ByteRange::Nothing }
}

fn plain(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn add(response: &mut Response, name: header::HeaderName, value: &str) {
    let value = value.parse().expect("a header that this file wrote");
    response.headers_mut().insert(name, value);
}

/// A running server; when it is dropped, it ends with all its connections.
pub struct LocalServer {
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl LocalServer {
    /// Serves on a free port of the loopback address, on a thread of its own.
    ///
    /// # Errors
    /// Any error of the system.
    pub fn start(router: Router) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let serve = move || {
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                tokio::select! {
                    served = axum::serve(listener, router) => served,
                    _ = stopped => Ok(()),
                }
            })
        };
        let thread = std::thread::Builder::new().name("quick stats".into()).spawn(move || {
            if let Err(error) = serve() {
                tracing::warn!("the local server ended: {error}");
            }
        })?;
        Ok(Self { port, stop: Some(stop), thread: Some(thread) })
    }

    /// The server's address, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for LocalServer {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
