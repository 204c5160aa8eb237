//! A client of one HTTP service: it sends a request and returns a whole answer, or the reason why there is none.
//! Questions may be confidential: no request, and no part of an answer, appears in an error or a log line.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, StatusCode};
use rustls::{ClientConfig, RootCertStore};
use url::{Host, Url};

/// Time to connect.
const CONNECT: Duration = Duration::from_secs(10);
const REDIRECTS: usize = 3;
/// How long a download may go without receiving a byte.
const DOWNLOAD_STALLED: Duration = Duration::from_secs(60);

/// The address of a service: HTTPS, or HTTP to this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpUrl(Url);

/// Why an address is not valid for a service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpUrlError {
    #[error("not the address of a service: {0}")]
    Syntax(url::ParseError),
    #[error(
        "the address of a service begins with https:// (http:// only on this machine: what is asked is private)"
    )]
    Scheme,
    #[error("the address of a service has no user, password, query or fragment")]
    Parts,
}

impl std::str::FromStr for HttpUrl {
    type Err = HttpUrlError;

    fn from_str(text: &str) -> Result<Self, HttpUrlError> {
        let url = secure(text)?;
        let has_login = !url.username().is_empty() || url.password().is_some();
        if has_login || url.query().is_some() || url.fragment().is_some() {
            return Err(HttpUrlError::Parts);
        }
        Ok(Self(url))
    }
}

/// An address that is a secret as a whole, such as a webhook's: anybody who knows it may write there. It is never
/// shown.
#[derive(Clone)]
pub struct SecretUrl(HttpUrl);

impl std::str::FromStr for SecretUrl {
    type Err = HttpUrlError;

    fn from_str(text: &str) -> Result<Self, HttpUrlError> {
        Ok(Self(HttpUrl(secure(text)?)))
    }
}

impl std::fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretUrl")
    }
}

impl SecretUrl {
    /// An address that telemetry is sent to. It may be unencrypted even on another machine, such as a
    /// gateway in the same cluster.
    ///
    /// # Errors
    /// Fails if the text is not an HTTP or HTTPS address.
    pub fn in_the_clear(text: &str) -> Result<Self, HttpUrlError> {
        let url = Url::parse(text.trim()).map_err(HttpUrlError::Syntax)?;
        match url.scheme() {
            "https" | "http" => Ok(Self(HttpUrl(url))),
            _ => Err(HttpUrlError::Scheme),
        }
    }

    /// The address with `path` appended, unless `is_there` says that it ends there already.
    pub fn below(&self, path: &str, is_there: impl Fn(&str) -> bool) -> Self {
        let mut url = self.0.0.clone();
        if !is_there(url.path()) {
            url.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
        }
        Self(HttpUrl(url))
    }

    /// The host and port, which are not secret.
    pub fn host(&self) -> Option<(&str, u16)> {
        self.0.host()
    }

    /// Prepares a client; opens nothing.
    ///
    /// # Errors
    /// If TLS cannot be prepared.
    pub fn client(&self) -> Result<Http, HttpSetupError> {
        Http::new(self.0.clone())
    }
}

impl std::fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl HttpUrl {
    /// Host and port.
    pub fn host(&self) -> Option<(&str, u16)> {
        Some((self.0.host_str()?, self.0.port_or_known_default()?))
    }

    /// The address of one file, which may have a query.
    ///
    /// # Errors
    /// Fails if it is neither HTTPS nor HTTP to this machine, or if it holds a user or a password.
    pub fn of_file(text: &str) -> Result<Self, HttpUrlError> {
        let mut url = secure(text)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(HttpUrlError::Parts);
        }
        url.set_fragment(None);
        Ok(Self(url))
    }

    /// The name of the file in this folder that a link on its page leads to, if it leads to one.
    pub fn file_of(&self, link: &str) -> Option<String> {
        let folder = self.below("/", &[]);
        let url = folder.join(link.trim()).ok()?;
        let name = url.as_str().strip_prefix(folder.as_str())?;
        let is_plain = name.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-+".contains(&c));
        (is_plain && !name.is_empty() && !name.starts_with('.')).then(|| name.to_owned())
    }

    /// Resolves an address of the same service: either a complete one, or a path with its query below this one.
    fn within(&self, address: &str) -> Option<Url> {
        let url = match address.strip_prefix('/') {
            Some(path) => Url::parse(&format!("{self}/{path}")).ok()?,
            None => Url::parse(address).ok()?,
        };
        let has_login = !url.username().is_empty() || url.password().is_some();
        (url.origin() == self.0.origin() && !has_login).then_some(url)
    }

    /// The address with a path and a query below it.
    fn below(&self, path: &str, query: &[(&'static str, String)]) -> Url {
        let mut url = self.0.clone();
        if path.is_empty() && query.is_empty() {
            return url;
        }
        url.set_path(&format!("{}{path}", self.0.path().trim_end_matches('/')));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

/// Parses an address and accepts it only if nobody can listen in.
fn secure(text: &str) -> Result<Url, HttpUrlError> {
    let url = Url::parse(text.trim()).map_err(HttpUrlError::Syntax)?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_here(&url) => Ok(url),
        _ => Err(HttpUrlError::Scheme),
    }
}

/// Is it on this machine?
fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Why no answer came, split by whether another try is worthwhile. The messages repeat nothing of what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    #[error("the service cannot be reached, or its certificate is not trusted")]
    Unreachable,
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    #[error("the connection broke")]
    Broken,
    #[error("the service answered with HTTP {status}")]
    Busy {
        status: u16,
        /// Nothing is to be asked before that much time has passed.
        retry_after: Option<Duration>,
    },
    /// The same request would be refused again.
    #[error("the service refused the request with HTTP {status}")]
    Refused { status: u16 },
    #[error("the service redirects to another address (HTTP {status})")]
    Elsewhere { status: u16 },
    #[error("the answer is larger than {} KiB", .max_bytes / 1024)]
    TooLarge { max_bytes: usize },
}

impl HttpError {
    /// Is the failure transient, so that another try may be answered?
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable | Self::TimedOut(_) | Self::Broken | Self::Busy { .. })
    }
}

/// An answer that has begun to arrive, whatever its status is.
#[derive(Debug)]
pub struct Answering {
    pub status: u16,
    /// Nothing is to be asked before that much time has passed.
    pub retry_after: Option<Duration>,
    response: Response,
}

impl Answering {
    fn of(response: Response) -> Self {
        Self { status: response.status().as_u16(), retry_after: retry_after(&response), response }
    }

    /// A header of the answer.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// The strong ETag, which identifies this content byte for byte.
    pub fn strong_etag(&self) -> Option<String> {
        self.header("etag").filter(|etag| etag.starts_with('"')).map(str::to_owned)
    }

    /// The error of an answer whose status is not a success.
    pub fn refusal(&self) -> Option<HttpError> {
        (!self.response.status().is_success()).then(|| refusal(&self.response))
    }

    /// The next bytes; `None` at the end of the body, once its announced length has arrived.
    ///
    /// # Errors
    /// [`HttpError::Broken`] if it breaks off, [`HttpError::TimedOut`] if nothing arrives in time.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, HttpError> {
        next_chunk(&mut self.response).await
    }

    /// The whole body, truncated to `max_bytes`.
    ///
    /// # Errors
    /// The same.
    pub async fn bytes(&mut self, max_bytes: usize) -> Result<Vec<u8>, HttpError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            bytes.extend_from_slice(&chunk[..chunk.len().min(max_bytes - bytes.len())]);
            if bytes.len() >= max_bytes {
                break;
            }
        }
        Ok(bytes)
    }
}

/// TLS cannot be set up for this client.
#[derive(Debug, thiserror::Error)]
#[error("preparing TLS with the system's authorities: {0}")]
pub struct HttpSetupError(#[source] super::BoxedError);

impl HttpSetupError {
    pub(super) fn of(error: reqwest::Error) -> Self {
        Self(error.without_url().into())
    }
}

/// The body of a POST and its media type.
#[derive(Clone)]
pub struct Posted {
    pub content_type: String,
    pub bytes: Vec<u8>,
}

/// A connection to one service. A clone is the same connection.
#[derive(Clone, Debug)]
pub struct Http {
    client: Client,
    base: HttpUrl,
}

impl Http {
    /// Prepares a client; opens nothing.
    ///
    /// # Errors
    /// If TLS cannot be prepared.
    pub fn new(base: HttpUrl) -> Result<Self, HttpSetupError> {
        let home = base.0.origin();
        // A question is meant for the named service only: redirects to another host are not followed.
        Self::following(base, move |to| to.origin() == home)
    }

    /// The same, but follows no redirects: each call sends exactly one request.
    ///
    /// # Errors
    /// The same.
    pub fn unled(base: HttpUrl) -> Result<Self, HttpSetupError> {
        Self::following(base, |_| false)
    }

    /// The same for a file that its server may keep elsewhere: redirects are followed to addresses where nobody can
    /// listen in.
    ///
    /// # Errors
    /// The same.
    pub fn of_file(base: HttpUrl) -> Result<Self, HttpSetupError> {
        let is_local = is_here(&base.0);
        Self::following(base, move |to| secure(to.as_str()).is_ok() && (is_local || !is_here(to)))
    }

    fn following(
        base: HttpUrl,
        follows: impl Fn(&Url) -> bool + Send + Sync + 'static,
    ) -> Result<Self, HttpSetupError> {
        let redirects = Policy::custom(move |attempt| {
            let is_followed = follows(attempt.url()) && attempt.previous().len() <= REDIRECTS;
            if is_followed { attempt.follow() } else { attempt.stop() }
        });
        let client = builder()?.redirect(redirects);
        let client = if is_here(&base.0) { client.no_proxy() } else { client };
        let client = client.build().map_err(HttpSetupError::of)?;
        Ok(Self { client, base })
    }

    /// The address of the service.
    pub fn base(&self) -> &HttpUrl {
        &self.base
    }

    /// Sends one request and reads the whole answer. `timeout` covers all of it.
    ///
    /// # Errors
    /// Fails unless a complete answer with HTTP 200 arrived within the limits.
    pub async fn ask(
        &self,
        path: &str,
        query: &[(&'static str, String)],
        posted: Option<Posted>,
        timeout: Duration,
        max_bytes: usize,
    ) -> Result<Vec<u8>, HttpError> {
        let url = self.base.below(path, query);
        let request = match posted {
            None => self.client.get(url),
            Some(posted) => {
                self.client.post(url).header(CONTENT_TYPE, posted.content_type).body(posted.bytes)
            }
        };
        let answer = async {
            let response = send(request, timeout).await?;
            match response.status() {
                StatusCode::OK => body(response, timeout, max_bytes).await,
                _ => Err(refusal(&response)),
            }
        };
        tokio::time::timeout(timeout, answer).await.unwrap_or(Err(HttpError::TimedOut(timeout)))
    }

    /// Posts to the address itself, with further headers; the answer's body is not read. `timeout` covers all of it.
    ///
    /// # Errors
    /// Fails unless the service accepted it (HTTP 2xx).
    pub async fn post(
        &self,
        posted: Posted,
        headers: &[(String, String)],
        timeout: Duration,
    ) -> Result<(), HttpError> {
        let request = self.client.post(self.base.0.clone());
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        let request = request.header(CONTENT_TYPE, posted.content_type).body(posted.bytes);
        let response = send(request, timeout).await?;
        if response.status().is_success() { Ok(()) } else { Err(refusal(&response)) }
    }

    /// Sends a GET and waits until the answer begins. Blanks are sent as `%20`. `timeout` covers the time until then.
    ///
    /// # Errors
    /// Fails if no answer begins, or if its status is not a success.
    pub async fn get(
        &self,
        path: &str,
        query: &[(&str, &str)],
        timeout: Duration,
    ) -> Result<Answering, HttpError> {
        let mut url = self.base.below(path, &[]);
        url.query_pairs_mut().extend_pairs(query);
        // A literal plus sign is already encoded as %2B here.
        let encoded = url.query().unwrap_or_default().replace('+', "%20");
        url.set_query(Some(&encoded));
        Ok(Answering::of(send(self.client.get(url), timeout).await?))
    }

    /// Sends a GET for a path with some headers, and waits until the answer begins. `timeout` covers the time until
    /// then.
    ///
    /// # Errors
    /// Where no answer begins.
    pub async fn fetch(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
        timeout: Duration,
    ) -> Result<Answering, HttpError> {
        self.get_url(self.base.below(path, &[]), headers, timeout).await
    }

    async fn get_url(
        &self,
        url: Url,
        headers: &[(&'static str, &str)],
        timeout: Duration,
    ) -> Result<Answering, HttpError> {
        let request = self.client.get(url);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        Ok(Answering::of(send(request, timeout).await?))
    }

    /// Sends a GET for an address that the service itself gave, or for a path with its query, and waits until the
    /// answer begins. `timeout` covers the time until then.
    ///
    /// # Errors
    /// Fails if no answer begins; [`HttpError::Elsewhere`] for an address of another service, which is not asked.
    pub async fn get_at(
        &self,
        address: &str,
        headers: &[(&'static str, &str)],
        timeout: Duration,
    ) -> Result<Answering, HttpError> {
        let url = self.base.within(address).ok_or(HttpError::Elsewhere { status: 0 })?;
        self.get_url(url, headers, timeout).await
    }

    /// Is it on this machine?
    pub fn is_here(&self) -> bool {
        is_here(&self.base.0)
    }

    /// Sends a HEAD request.
    ///
    /// # Errors
    /// Fails if no answer comes.
    pub async fn head(&self, path: &str, timeout: Duration) -> Result<Answering, HttpError> {
        Ok(Answering::of(send(self.client.head(self.base.below(path, &[])), timeout).await?))
    }

    /// Downloads the content of the address itself into a file, which is complete when this succeeds.
    ///
    /// # Errors
    /// The same, and [`HttpError::Broken`] if the file cannot be written.
    pub async fn download(&self, to: &std::path::Path) -> Result<(), HttpError> {
        use tokio::io::AsyncWriteExt;
        let mut response = send(self.client.get(self.base.0.clone()), DOWNLOAD_STALLED).await?;
        if response.status() != StatusCode::OK {
            return Err(refusal(&response));
        }
        let mut file = tokio::fs::File::create(to).await.map_err(|_| HttpError::Broken)?;
        while let Some(chunk) = next_chunk(&mut response).await? {
            file.write_all(&chunk).await.map_err(|_| HttpError::Broken)?;
        }
        file.flush().await.map_err(|_| HttpError::Broken)
    }
}

/// The system's certificate authorities, read once.
static ROOTS: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    Arc::new(roots)
});

/// The base of every client: the system's certificate authorities, our user agent, and no `Referer` header.
pub(super) fn builder() -> Result<ClientBuilder, HttpSetupError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| HttpSetupError(e.into()))?
        .with_root_certificates(ROOTS.clone())
        .with_no_client_auth();
    Ok(Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .referer(false)
        .connect_timeout(CONNECT)
        .user_agent(concat!("merganser/", env!("CARGO_PKG_VERSION"))))
}

/// Sends a request, and waits at most `limit` for the answer to begin.
async fn send(request: RequestBuilder, limit: Duration) -> Result<Response, HttpError> {
    let sent = tokio::time::timeout(limit, request.send()).await;
    sent.map_err(|_| HttpError::TimedOut(limit))?.map_err(|error| failure(&error, limit))
}

async fn next_chunk(response: &mut Response) -> Result<Option<Bytes>, HttpError> {
    let next = tokio::time::timeout(DOWNLOAD_STALLED, response.chunk()).await;
    next.map_err(|_| HttpError::TimedOut(DOWNLOAD_STALLED))?
        .map_err(|error| failure(&error, DOWNLOAD_STALLED))
}

async fn body(mut response: Response, timeout: Duration, max_bytes: usize) -> Result<Vec<u8>, HttpError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error, timeout))? {
        if bytes.len() + chunk.len() > max_bytes {
            return Err(HttpError::TooLarge { max_bytes });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Translates an error of the library. The error itself is dropped: it repeats the URL, and with it the question.
pub(super) fn failure(error: &reqwest::Error, timeout: Duration) -> HttpError {
    match () {
        () if error.is_connect() => HttpError::Unreachable,
        () if error.is_timeout() => HttpError::TimedOut(timeout),
        () => HttpError::Broken,
    }
}

fn refusal(response: &Response) -> HttpError {
    let (number, retry_after) = (response.status().as_u16(), retry_after(response));
    match number {
        300..=399 => HttpError::Elsewhere { status: number },
        408 | 425 | 429 => HttpError::Busy { status: number, retry_after },
        400..=499 => HttpError::Refused { status: number },
        _ => HttpError::Busy { status: number, retry_after },
    }
}

/// How long the service asks us to wait: a number of seconds, or a date.
pub(super) fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    pause(text, SystemTime::now())
}

fn pause(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        // Longer than any run waits.
        return Some(Duration::from_secs(seconds.min(86_400)));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    let now = Timestamp::try_from(now).ok()?;
    // A date that has passed asks for nothing.
    Some(Duration::try_from(date.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_goes_to_https_or_stays_on_this_machine() {
        for good in
            ["https://example.org", "http://127.0.0.1:8080/geo/", "http://[::1]:1", "http://localhost:1"]
        {
            assert!(good.parse::<HttpUrl>().is_ok(), "{good}");
        }
        for bad in [
            "http://example.org",
            "ftp://example.org",
            "https://u:p@example.org",
            "https://e.org/?k=1",
            "x",
            "",
        ] {
            assert!(bad.parse::<HttpUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_and_a_query_go_below_the_address() {
        let base: HttpUrl = "https://example.org/geo/".parse().unwrap();
        let url = base.below("/v2/search", &[("text", "1 A & B".into())]);
        assert_eq!(url.as_str(), "https://example.org/geo/v2/search?text=1+A+%26+B");
    }

    #[test]
    fn a_service_may_ask_for_seconds_or_name_a_time() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(pause("12", now), Some(Duration::from_secs(12)));
        assert_eq!(pause("Sun, 06 Nov 1994 08:50:37 GMT", now), Some(Duration::from_secs(60)));
        assert_eq!(pause("Sun, 06 Nov 1994 08:49:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(pause("soon", now), None);
        assert_eq!(pause("-5", now), None);
    }
}
