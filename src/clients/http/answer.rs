//! Answers as they arrive, and the reasons why none does.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::Response;
use reqwest::header::RETRY_AFTER;

/// How long a download may go without receiving a byte.
pub(super) const DOWNLOAD_STALLED: Duration = Duration::from_secs(60);

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
    pub(super) fn of(response: Response) -> Self {
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

pub(super) async fn next_chunk(response: &mut Response) -> Result<Option<Bytes>, HttpError> {
    let next = tokio::time::timeout(DOWNLOAD_STALLED, response.chunk()).await;
    next.map_err(|_| HttpError::TimedOut(DOWNLOAD_STALLED))?
        .map_err(|error| failure(&error, DOWNLOAD_STALLED))
}

pub(super) async fn body(
    mut response: Response,
    timeout: Duration,
    max_bytes: usize,
) -> Result<Vec<u8>, HttpError> {
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
pub(in crate::clients) fn failure(error: &reqwest::Error, timeout: Duration) -> HttpError {
    match () {
        () if error.is_connect() => HttpError::Unreachable,
        () if error.is_timeout() => HttpError::TimedOut(timeout),
        () => HttpError::Broken,
    }
}

pub(super) fn refusal(response: &Response) -> HttpError {
    let (number, retry_after) = (response.status().as_u16(), retry_after(response));
    match number {
        300..=399 => HttpError::Elsewhere { status: number },
        408 | 425 | 429 => HttpError::Busy { status: number, retry_after },
        400..=499 => HttpError::Refused { status: number },
        _ => HttpError::Busy { status: number, retry_after },
    }
}

/// How long the service asks us to wait: a number of seconds, or a date.
pub(in crate::clients) fn retry_after(response: &Response) -> Option<Duration> {
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
    fn a_service_may_ask_for_seconds_or_name_a_time() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(pause("12", now), Some(Duration::from_secs(12)));
        assert_eq!(pause("Sun, 06 Nov 1994 08:50:37 GMT", now), Some(Duration::from_secs(60)));
        assert_eq!(pause("Sun, 06 Nov 1994 08:49:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(pause("soon", now), None);
        assert_eq!(pause("-5", now), None);
    }
}
