//! Sends one request after the other, at the rate that the service allows, and retries transient failures.

use std::time::{Duration, Instant};

use tracing::{debug, warn};

use super::rate::Rate;
use crate::clients::backoff;
use crate::clients::http::{Answering, Http, HttpError};
use crate::config::ApiSecret;
use crate::dataset::asked::{AskRefusal, Asked, GetRequest, Manners};
use crate::dataset::slice::Slice;
use crate::error::Cause;
use crate::run::context::RunContext;
use crate::words;

/// How long to wait for an answer to begin: the service prepares all of a large one first.
const BEGINS: Duration = Duration::from_secs(180);
const SMALL_BYTES: usize = 8 << 20;
/// How many bytes of an unsuccessful answer are read to find out its reason.
const REFUSAL_BYTES: usize = 4 << 10;
/// How often one request is tried.
const TRIES: u32 = 12;
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Why an answer was not taken.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// Another try may be answered.
    Again {
        why: String,
        not_before: Duration,
    },
    /// The service does not answer this request, or not in this form.
    Refused(AskRefusal, u16),
    Failed(Cause),
}

impl From<HttpError> for Unanswered {
    fn from(error: HttpError) -> Self {
        Self::Again { why: error.to_string(), not_before: Duration::ZERO }
    }
}

/// A service that is asked.
pub(super) struct ServiceAsker<'a> {
    asked: &'static Asked,
    http: Http,
    secret: ApiSecret,
    rate: Rate,
    manners: Manners,
    /// The run whose ledger counts the requests of all runs; `None`: this process counts its own.
    pub of_all: Option<&'a RunContext>,
    /// How often a request is sent before it is given up.
    pub tries: u32,
    pub requests: u64,
}

impl ServiceAsker<'_> {
    pub(super) fn new(asked: &'static Asked, manners: Manners, secret: ApiSecret) -> Result<Self, Cause> {
        let base =
            manners.base.parse().map_err(|error| Cause::usage(format!("{}: {error}", manners.base)))?;
        let http = Http::new(base)?;
        let rate = Rate::new(&manners, Instant::now());
        Ok(Self { asked, http, secret, rate, manners, of_all: None, tries: TRIES, requests: 0 })
    }

    /// How long this many requests take.
    pub(super) fn duration(&self, requests: u64) -> Duration {
        self.rate.duration(requests)
    }

    /// The number of records of a slice.
    pub(super) async fn count(&mut self, slice: &Slice) -> Result<u64, Cause> {
        let what = format!("how many records there are of {slice}");
        match self.small(&(self.asked.count)(slice), &what, self.asked.read_count).await? {
            Ok(records) => Ok(records),
            // The service's answer for "nothing found" is the same as for a request that it does not understand.
            Err(AskRefusal::Nothing) => Ok(0),
            Err(refusal) => Err(self.refused(&what, refusal)),
        }
    }

    /// The error for a request that the service refuses; `what` says what it was for.
    pub(super) fn refused(&self, what: &str, refusal: AskRefusal) -> Cause {
        Cause::Refused {
            message: format!("{} refuses {what} ({refusal:?})", self.asked.service),
            hint: Some("look at the filters of this run".into()),
        }
    }

    /// Sends a request with a small answer; `read` interprets it, or says that it is not valid.
    pub(super) async fn small<T>(
        &mut self,
        request: &GetRequest,
        what: &str,
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Result<T, AskRefusal>, Cause> {
        self.patiently(request, what, async |answer: &mut Answering| {
            let bytes = answer.bytes(SMALL_BYTES).await?;
            let unread = || Unanswered::Again {
                why: "the answer says something else".into(),
                not_before: Duration::ZERO,
            };
            read(&bytes).ok_or_else(unread)
        })
        .await
    }

    /// Sends a request and passes the answer to `take`; tries again as long as that may help.
    ///
    /// # Errors
    /// Fails if no try was answered, or if the service rejects the secret.
    pub(super) async fn patiently<T>(
        &mut self,
        request: &GetRequest,
        what: &str,
        mut take: impl AsyncFnMut(&mut Answering) -> Result<T, Unanswered>,
    ) -> Result<Result<T, AskRefusal>, Cause> {
        let mut tried = 0;
        loop {
            let miss = match self.once(request).await {
                Ok(mut answer) => match take(&mut answer).await {
                    Ok(taken) => return Ok(Ok(taken)),
                    Err(miss) => miss,
                },
                Err(miss) => miss,
            };
            let (why, not_before) = match miss {
                Unanswered::Failed(cause) => return Err(cause),
                Unanswered::Refused(AskRefusal::Unknown, status) => return Err(self.unknown(status)),
                Unanswered::Refused(refusal, _) => return Ok(Err(refusal)),
                Unanswered::Again { why, not_before } => (why, not_before),
            };
            tried += 1;
            if tried >= self.tries {
                return Err(Cause::Refused {
                    message: format!(
                        "{} gave no answer to {what} in {}; the last time: {why}",
                        self.asked.service,
                        words::counted(u64::from(tried), "attempt")
                    ),
                    hint: Some(
                        "run again later: what came so far is kept, and is not asked for again".into(),
                    ),
                });
            }
            let wait = not_before.max(backoff::pause(PAUSE, LONGEST_PAUSE, tried));
            debug!(service = self.asked.service, "{what}: {why}");
            if wait > Duration::from_secs(5) {
                warn!(
                    service = self.asked.service,
                    "{}: {why}; asking again in {} s",
                    self.asked.service,
                    wait.as_secs()
                );
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Sends a request as soon as the rate allows; returns a successful answer.
    async fn once(&mut self, request: &GetRequest) -> Result<Answering, Unanswered> {
        loop {
            match self.rate.take(Instant::now()) {
                Duration::ZERO => break,
                wait => tokio::time::sleep(wait).await,
            }
        }
        loop {
            match self.claim().await.map_err(Unanswered::Failed)? {
                Duration::ZERO => break,
                wait => tokio::time::sleep(wait).await,
            }
        }
        self.requests += 1;
        let secret = (self.asked.secret.parameter, self.secret.reveal());
        let query = request.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let query: Vec<_> = std::iter::once(secret).chain(query).collect();
        let mut answer = self.http.get(request.path, &query, BEGINS).await?;
        if answer.status == 200 {
            return Ok(answer);
        }
        let status = answer.status;
        let words = answer.bytes(REFUSAL_BYTES).await.unwrap_or_default();
        match (self.asked.refusal)(status, &words) {
            AskRefusal::Busy => Err(Unanswered::Again {
                why: format!("the service answered with HTTP {status}"),
                not_before: answer.retry_after.unwrap_or_default(),
            }),
            refusal => Err(Unanswered::Refused(refusal, status)),
        }
    }

    /// Counts a request in the ledger, where a run that was cut off has counted its own, and another one at the same time does;
    /// or says how long to wait.
    async fn claim(&self) -> Result<Duration, Cause> {
        let Some(context) = self.of_all else { return Ok(Duration::ZERO) };
        let Manners { base, per_minute, burst, .. } = &self.manners;
        context.ledger.claim_request((context.dataset().family(), base), *per_minute, *burst).await
    }

    fn unknown(&self, status: u16) -> Cause {
        Cause::Refused {
            message: format!(
                "{} refuses the key in {} (HTTP {status})",
                self.asked.service, self.asked.secret.variable
            ),
            hint: Some(format!("see that it is written as it came; {}", self.asked.secret.whence)),
        }
    }
}
