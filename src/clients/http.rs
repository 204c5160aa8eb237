//! A client of one HTTP service: it sends a request and returns a whole answer, or the reason why there is none.
//! Questions may be confidential: no request, and no part of an answer, appears in an error or a log line.

mod address;
mod answer;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, StatusCode};
use rustls::{ClientConfig, RootCertStore};
use url::Url;

use self::address::{is_here, secure};
use self::answer::{DOWNLOAD_STALLED, body, next_chunk, refusal};

pub use self::address::{HttpUrl, HttpUrlError, SecretUrl};
pub use self::answer::{Answering, HttpError};
pub(super) use self::answer::{failure, retry_after};

/// Time to connect.
const CONNECT: Duration = Duration::from_secs(10);
const REDIRECTS: usize = 3;

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

    /// Checks that the service lets us connect. It sends only the path of the service's own address, and any answer will do.
    ///
    /// # Errors
    /// Fails if there is no answer within `timeout`.
    pub async fn reach(&self, timeout: Duration) -> Result<(), HttpError> {
        send(self.client.head(self.base.0.clone()), timeout).await.map(|_| ())
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

impl SecretUrl {
    /// Prepares a client; opens nothing.
    ///
    /// # Errors
    /// If TLS cannot be prepared.
    pub fn client(&self) -> Result<Http, HttpSetupError> {
        Http::new(self.0.clone())
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
