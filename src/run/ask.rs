//! Asking an outside service: few requests at once, pauses when it asks for them or fails, batches that are halved when
//! it could not answer them, and a deadline. Each question gets exactly one answer, in the order of arrival; the answer
//! to a question that the service did not answer says why. Nothing here fails a run, and dropping it cancels the
//! requests under way.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tracing::debug;

use crate::clients::backoff;
use crate::clients::http::{Http, HttpError, Posted};
use crate::dataset::ask::{Answer, Ask, Question};

/// How much longer a request may take that is under way at the deadline.
const GRACE: Duration = Duration::from_secs(5);
const OUT_OF_TIME: &str = "the time for questions was over";

/// When to try again, and when to stop.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Requests that may fail before their questions are given up; each time a batch is halved.
    pub attempts: u32,
    /// Requests that may fail in a row before the service is given up.
    pub in_a_row: u32,
    /// How often in a row no connection can be made before the service is given up: it is not there, which is not the
    /// same as slow. Requests that were under way together count once.
    pub unconnected: u32,
    /// The pause after the first failure; it doubles with each that follows.
    pub pause: Duration,
    pub longest_pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 7,
            in_a_row: 10,
            unconnected: 3,
            pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
        }
    }
}

/// What asking has cost so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AskTally {
    /// Requests that were sent.
    pub requests: u64,
    /// Those of them without a readable answer.
    pub misses: u64,
    /// Questions to which the service gave no final answer.
    pub failed: u64,
    /// Why asking stopped, for people.
    pub gave_up: Option<String>,
}

/// The questions of one request.
struct Parcel {
    questions: Vec<Question>,
    /// How many requests with these questions failed.
    attempts: u32,
    /// How often they have been asked in order to get an answer, this time included.
    round: u32,
}

/// A parcel that came back, with the bytes of the answer.
type Returned = (Parcel, Result<Vec<u8>, HttpError>);

/// Why a parcel did not get an answer.
struct Miss {
    words: String,
    retry: Retry,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Retry {
    /// The service asks for a pause; the questions are not at fault.
    Later(Option<Duration>),
    /// There is no connection to the service.
    Unconnected,
    /// The request may have been too large.
    Smaller,
    /// The same request would be refused again, but perhaps only one of its questions is at fault.
    Apart,
}

/// Questions that are being asked.
pub struct Asking {
    ask: Ask,
    http: Http,
    patience: Patience,
    deadline: Instant,
    /// Answers that needed no request.
    passed: Vec<Answer>,
    waiting: VecDeque<Parcel>,
    /// Questions that are to be asked once more, by round.
    once_more: Vec<(u32, Vec<Question>)>,
    /// The latest answers of those.
    known: HashMap<String, Answer>,
    under_way: JoinSet<Returned>,
    /// How many requests may be under way now.
    width: usize,
    /// Nothing is sent before this time.
    not_before: Instant,
    missed_in_a_row: u32,
    unconnected_in_a_row: u32,
    tally: AskTally,
}

impl Asking {
    /// Prepares to ask; the keys of the questions differ. After `deadline` nothing new is sent.
    pub fn new(
        ask: &Ask,
        http: Http,
        questions: Vec<Question>,
        deadline: Instant,
        patience: Patience,
    ) -> Self {
        let mut passed = Vec::new();
        let mut open = Vec::new();
        for question in questions {
            match (ask.pass)(&question) {
                Some(answer) => passed.push(answer),
                None => open.push(question),
            }
        }
        let mut asking = Self {
            ask: *ask,
            http,
            patience,
            deadline,
            passed,
            waiting: VecDeque::new(),
            once_more: Vec::new(),
            known: HashMap::new(),
            under_way: JoinSet::new(),
            width: ask.in_flight.max(1),
            not_before: Instant::now(),
            missed_in_a_row: 0,
            unconnected_in_a_row: 0,
            tally: AskTally::default(),
        };
        asking.pack(open, 1);
        asking
    }

    /// Asks nothing: all questions get their answers at once, and those that need the service have none.
    pub fn give_up(&mut self, why: String) {
        self.tally.gave_up = Some(why);
    }

    /// The cost so far.
    pub fn tally(&self) -> &AskTally {
        &self.tally
    }

    /// The next answers, in no particular order; `None`: every question has its answer. Cancel-safe: dropping the
    /// future loses nothing.
    pub async fn next(&mut self) -> Option<Vec<Answer>> {
        if !self.passed.is_empty() {
            return Some(std::mem::take(&mut self.passed));
        }
        loop {
            if self.waiting.is_empty() && self.under_way.is_empty() {
                for (round, questions) in std::mem::take(&mut self.once_more) {
                    self.pack(questions, round);
                }
            }
            if let Some(answers) = self.give_up_if_over() {
                return Some(answers);
            }
            self.send();
            let sends = !self.waiting.is_empty() && self.under_way.len() < self.width;
            let wake = tokio::time::sleep_until(self.not_before.into());
            let answers = tokio::select! {
                returned = self.under_way.join_next(), if !self.under_way.is_empty() => match returned? {
                    Ok((parcel, bytes)) => self.take(parcel, bytes),
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                },
                () = wake, if sends => continue,
                else => return None,
            };
            if !answers.is_empty() {
                return Some(answers);
            }
        }
    }

    /// Makes parcels of questions.
    fn pack(&mut self, questions: Vec<Question>, round: u32) {
        let mut questions = questions.into_iter();
        loop {
            let questions: Vec<_> = questions.by_ref().take(self.ask.per_request.max(1)).collect();
            if questions.is_empty() {
                return;
            }
            self.waiting.push_back(Parcel { questions, attempts: 0, round });
        }
    }

    /// Sends as many requests as may be sent now.
    fn send(&mut self) {
        while self.under_way.len() < self.width && Instant::now() >= self.not_before {
            let Some(parcel) = self.waiting.pop_front() else { return };
            let request = (self.ask.request)(&parcel.questions);
            let left = self.deadline.saturating_duration_since(Instant::now());
            let (http, timeout) = (self.http.clone(), self.ask.timeout.min(left + GRACE));
            let max_bytes = self.ask.answer_bytes;
            self.tally.requests += 1;
            self.under_way.spawn(async move {
                let posted =
                    request.body.map(|body| Posted { content_type: body.content_type, bytes: body.bytes });
                let answer = http.ask(request.path, &request.query, posted, timeout, max_bytes).await;
                (parcel, answer)
            });
        }
    }

    /// Takes what came back; returns the answers that are final.
    fn take(&mut self, parcel: Parcel, bytes: Result<Vec<u8>, HttpError>) -> Vec<Answer> {
        let read = match bytes {
            Ok(bytes) => (self.ask.read)(&parcel.questions, &bytes).map_err(|unreadable| Miss {
                words: format!("the answer {}", unreadable.0),
                retry: Retry::Smaller,
            }),
            Err(error) => Err(Miss { words: error.to_string(), retry: retry(&error) }),
        };
        let reading = match read {
            Ok(reading) => reading,
            Err(miss) => return self.missed(parcel, &miss),
        };
        self.missed_in_a_row = 0;
        self.unconnected_in_a_row = 0;
        self.width = (self.width + 1).min(self.ask.in_flight.max(1));
        let mut open: HashSet<_> = parcel.questions.iter().map(|question| question.key.clone()).collect();
        let mut answers = Vec::new();
        for answer in reading.answers {
            if open.remove(&answer.key) {
                self.known.remove(&answer.key);
                answers.push(answer);
            }
        }
        let is_last = parcel.round >= self.ask.rounds;
        for answer in reading.again {
            match is_last {
                true if open.remove(&answer.key) => {
                    self.known.remove(&answer.key);
                    answers.push(answer);
                }
                false if open.contains(&answer.key) => {
                    self.known.insert(answer.key.clone(), answer);
                }
                _ => {}
            }
        }
        let left: Vec<_> = parcel.questions.into_iter().filter(|q| open.contains(&q.key)).collect();
        if is_last {
            answers.extend(left.iter().map(|question| self.without(question, "the service left it out")));
        } else if !left.is_empty() {
            let round = parcel.round + 1;
            match self.once_more.iter_mut().find(|(other, _)| *other == round) {
                Some((_, questions)) => questions.extend(left),
                None => self.once_more.push((round, left)),
            }
        }
        answers
    }

    /// Decides what becomes of questions whose request failed; returns the answers of those that are given up.
    fn missed(&mut self, mut parcel: Parcel, miss: &Miss) -> Vec<Answer> {
        debug!(service = self.ask.name, questions = parcel.questions.len(), "no answer: {}", miss.words);
        self.tally.misses += 1;
        self.missed_in_a_row += 1;
        match miss.retry {
            Retry::Unconnected if Instant::now() < self.not_before => {}
            Retry::Unconnected => self.unconnected_in_a_row += 1,
            _ => self.unconnected_in_a_row = 0,
        }
        self.width = (self.width / 2).max(1);
        let asked = match miss.retry {
            Retry::Later(Some(time)) => time,
            _ => Duration::ZERO,
        };
        let pause = backoff::pause(self.patience.pause, self.patience.longest_pause, self.missed_in_a_row);
        self.not_before = self.not_before.max(Instant::now() + asked.max(pause));
        if self.unconnected_in_a_row >= self.patience.unconnected
            || self.missed_in_a_row >= self.patience.in_a_row
        {
            let why =
                format!("{} requests in a row failed, the last one: {}", self.missed_in_a_row, miss.words);
            self.tally.gave_up = Some(why);
        }
        let is_single = parcel.questions.len() == 1;
        if miss.retry != Retry::Apart {
            parcel.attempts += 1;
        }
        if parcel.attempts >= self.patience.attempts || is_single && miss.retry == Retry::Apart {
            return parcel.questions.iter().map(|question| self.without(question, &miss.words)).collect();
        }
        if is_single || matches!(miss.retry, Retry::Later(_) | Retry::Unconnected) {
            self.waiting.push_back(parcel);
        } else {
            let questions = parcel.questions.split_off(parcel.questions.len() / 2);
            let second = Parcel { questions, attempts: parcel.attempts, round: parcel.round };
            self.waiting.extend([parcel, second]);
        }
        Vec::new()
    }

    /// The answers of all waiting questions, if nothing more is to be sent.
    fn give_up_if_over(&mut self) -> Option<Vec<Answer>> {
        if self.waiting.is_empty() && self.once_more.is_empty() {
            return None;
        }
        let is_over = Instant::now().max(self.not_before) >= self.deadline;
        if is_over && self.tally.gave_up.is_none() {
            self.tally.gave_up = Some(OUT_OF_TIME.to_owned());
        }
        let why = self.tally.gave_up.clone()?;
        let waiting = std::mem::take(&mut self.waiting).into_iter().flat_map(|parcel| parcel.questions);
        let once_more = std::mem::take(&mut self.once_more).into_iter().flat_map(|(_, questions)| questions);
        let left: Vec<_> = waiting.chain(once_more).collect();
        Some(left.iter().map(|question| self.without(question, &why)).collect())
    }

    /// The answer to a question that is given up: that of an earlier try, or why there is none.
    fn without(&mut self, question: &Question, why: &str) -> Answer {
        self.tally.failed += 1;
        match self.known.remove(&question.key) {
            Some(known) => Answer { lasting: false, ..known },
            None => Answer { lasting: false, ..(self.ask.failed)(question, why) },
        }
    }
}

fn retry(error: &HttpError) -> Retry {
    match *error {
        HttpError::Busy { status: 429 | 503, retry_after } => Retry::Later(retry_after),
        HttpError::Busy { retry_after: Some(time), .. } => Retry::Later(Some(time)),
        HttpError::Unreachable => Retry::Unconnected,
        HttpError::Refused { .. } | HttpError::Elsewhere { .. } | HttpError::TooLarge { .. } => Retry::Apart,
        HttpError::TimedOut(_) | HttpError::Broken | HttpError::Busy { .. } => Retry::Smaller,
    }
}
