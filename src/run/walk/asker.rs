//! Requests to a service with an hourly limit: each is counted, and the service's instructions about waiting are
//! obeyed.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tracing::{debug, warn};

use crate::clients::backoff;
use crate::clients::http::{Answering, Http, HttpError};
use crate::config::WalkingConfig;
use crate::dataset::walked::{HistoryFeed, WalkAnswer, WalkAsk};
use crate::error::Cause;

/// How long to wait for an answer to begin.
const BEGINS: Duration = Duration::from_secs(60);
/// The largest answer, in bytes.
const ANSWER_BYTES: usize = 64 << 20;
/// How often an unanswered request is sent again.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
const REDIRECTS: u32 = 5;
/// The shortest wait if a service only says that there were too many requests; it doubles.
const SECONDARY: Duration = Duration::from_secs(60);
/// The most such waits in a row.
const SECONDARY_WAITS: u32 = 6;

/// Answers an hour, if the service does not state its limit.
const HOURLY: u64 = 5_000;

/// Sends requests, and knows when the next may be sent.
pub(super) struct WalkAsker {
    walked: &'static HistoryFeed,
    http: Http,
    bearer: Option<String>,
    budget: Option<u64>,
    pub sent: u64,
    /// Answers an hour.
    pub hourly: u64,
    /// Nothing may be sent before this time.
    pub not_before: Option<Timestamp>,
    refusals: u32,
}

/// The outcome of a request.
pub(super) enum WalkAsked {
    /// An answer, and its body as it came, for the archive.
    Answer(WalkAnswer, Vec<u8>),
    /// Nothing may be sent before `not_before`.
    Wait,
    /// The budget is used up.
    Spent,
    /// The address is of another service, which is not asked.
    Nowhere,
    /// There is no answer to this request, but others may have one; the reason.
    Skip(String),
}

enum WalkMiss {
    Again(String),
    Done(WalkAsked),
    Elsewhere(String),
    Outside,
}

impl WalkAsker {
    /// # Errors
    /// If TLS cannot be prepared.
    pub(super) fn new(walked: &'static HistoryFeed, walking: &WalkingConfig) -> Result<Self, Cause> {
        let http = Http::unled(walking.base.clone())?;
        Ok(Self {
            walked,
            http,
            bearer: walking.token.as_ref().map(|token| format!("Bearer {}", token.reveal())),
            budget: walking.requests,
            sent: 0,
            hourly: HOURLY,
            not_before: None,
            refusals: 0,
        })
    }

    /// Sends a request, and tries again as long as that may help.
    ///
    /// # Errors
    /// Fails if the service rejects the token.
    pub(super) async fn ask(&mut self, ask: &WalkAsk) -> Result<WalkAsked, Cause> {
        let (mut url, mut tries, mut redirects) = (ask.url.clone(), 0, 0);
        loop {
            if self.budget.is_some_and(|budget| self.sent >= budget) {
                return Ok(WalkAsked::Spent);
            }
            if self.not_before.is_some_and(|until| until > Timestamp::now()) {
                return Ok(WalkAsked::Wait);
            }
            let why = match self.once(&url, ask.etag.as_deref()).await? {
                Ok((answer, body)) => {
                    self.refusals = 0;
                    return Ok(WalkAsked::Answer(answer, body));
                }
                Err(WalkMiss::Done(asked)) => return Ok(asked),
                Err(WalkMiss::Elsewhere(to)) if redirects < REDIRECTS => {
                    redirects += 1;
                    url = to;
                    continue;
                }
                Err(WalkMiss::Outside) if redirects == 0 => return Ok(WalkAsked::Nowhere),
                Err(WalkMiss::Outside) => return Ok(WalkAsked::Skip("it leads to another host".into())),
                Err(WalkMiss::Elsewhere(_)) => {
                    return Ok(WalkAsked::Skip("it leads from one place to the next".into()));
                }
                Err(WalkMiss::Again(why)) => why,
            };
            tries += 1;
            if tries >= TRIES {
                return Ok(WalkAsked::Skip(format!("{tries} tries, the last time: {why}")));
            }
            debug!(service = self.walked.service, "{why}; asking again");
            // A service on this machine has no network to recover.
            let pause = if self.http.is_here() { PAUSE / 20 } else { PAUSE };
            tokio::time::sleep(backoff::pause(pause, LONGEST_PAUSE, tries)).await;
        }
    }

    /// How long to wait before the next request; if that exceeds `longest`, until when nothing may be sent.
    pub(super) fn pause(&self, longest: Duration) -> Result<Duration, Timestamp> {
        let until = self.not_before.unwrap_or_else(Timestamp::now);
        let pause = Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default();
        if pause > longest { Err(until) } else { Ok(pause) }
    }

    async fn once(
        &mut self,
        url: &str,
        etag: Option<&str>,
    ) -> Result<Result<(WalkAnswer, Vec<u8>), WalkMiss>, Cause> {
        let mut headers = vec![("accept", self.walked.accept)];
        headers.extend(self.bearer.as_deref().map(|bearer| ("authorization", bearer)));
        headers.extend(etag.map(|etag| ("if-none-match", etag)));
        self.sent += 1;
        let mut answer = match self.http.get_at(url, &headers, BEGINS).await {
            Ok(answer) => answer,
            Err(HttpError::Elsewhere { .. }) => return Ok(Err(WalkMiss::Outside)),
            Err(error) => return Ok(Err(WalkMiss::Again(error.to_string()))),
        };
        self.note_limits(&answer);
        let status = answer.status;
        if let (301 | 302 | 307 | 308, Some(to)) = (status, answer.header("location")) {
            return Ok(Err(WalkMiss::Elsewhere(to.to_owned())));
        }
        let body = match answer.bytes(ANSWER_BYTES).await {
            Ok(body) => body,
            Err(error) => return Ok(Err(WalkMiss::Again(error.to_string()))),
        };
        let read = serde_json::from_slice::<Value>(&body);
        match status {
            401 => Err(self.unknown()),
            // That this repository is closed to everybody has nothing to do with how much we ask.
            403 if answer.retry_after.is_none() && read.as_ref().is_ok_and(self.walked.is_closed) => {
                Ok(Ok((
                    WalkAnswer { status, etag: None, link: None, body: Value::Null, at: Timestamp::now() },
                    body,
                )))
            }
            403 | 429 => Ok(Err(self.too_much(&answer, &body))),
            500..=599 => Ok(Err(WalkMiss::Again(format!("HTTP {status}")))),
            200 if read.is_err() => Ok(Err(WalkMiss::Again("the answer is not JSON, or is cut off".into()))),
            _ => Ok(Ok((
                WalkAnswer {
                    status,
                    etag: answer.header("etag").map(str::to_owned),
                    link: answer.header("link").map(str::to_owned),
                    body: read.unwrap_or_default(),
                    at: Timestamp::now(),
                },
                body,
            ))),
        }
    }

    /// Takes note of the limit that the service states, and of when it is reset.
    fn note_limits(&mut self, answer: &Answering) {
        let number = |name: &str| answer.header(name)?.trim().parse::<i64>().ok();
        if let Some(limit) = number("x-ratelimit-limit").filter(|limit| *limit > 0) {
            self.hourly = limit as u64;
        }
        if number("x-ratelimit-remaining") == Some(0)
            && let Some(reset) =
                number("x-ratelimit-reset").and_then(|reset| Timestamp::from_second(reset).ok())
        {
            self.not_before = Some(reset);
        }
    }

    /// Handles 403 and 429 alike: an explicit wait comes first, then the hourly limit, then a default wait.
    fn too_much(&mut self, answer: &Answering, body: &[u8]) -> WalkMiss {
        let now = Timestamp::now();
        let is_limit =
            answer.header("x-ratelimit-remaining").is_some_and(|remaining| remaining.trim() == "0");
        let is_hourly = is_limit && self.not_before.is_some_and(|until| until > now);
        if answer.retry_after.is_some() || !is_hourly {
            self.refusals += 1;
            if self.refusals > SECONDARY_WAITS {
                self.refusals = 0;
                let said = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
                return WalkMiss::Done(WalkAsked::Skip(format!(
                    "it is refused however long the run waits: {said}"
                )));
            }
            let wait = answer.retry_after.unwrap_or(SECONDARY * 2_u32.pow(self.refusals - 1));
            // Without a minimum, a wait of zero, or until a time that our clock has already passed, would repeat the
            // request endlessly.
            self.not_before = now.checked_add(wait.max(Duration::from_secs(1))).ok();
        }
        warn!(
            service = self.walked.service,
            "{} asks us to wait (HTTP {})", self.walked.service, answer.status
        );
        WalkMiss::Done(WalkAsked::Wait)
    }

    fn unknown(&self) -> Cause {
        Cause::Refused {
            message: format!(
                "{} does not take the token in {} (HTTP 401)",
                self.walked.service, self.walked.token
            ),
            hint: Some(
                "see whether it has expired; what came so far is kept, and the next run goes on there".into(),
            ),
        }
    }
}
