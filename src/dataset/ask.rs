//! Questions about a dataset's rows to an outside service, as values: the dataset defines how a question becomes a
//! request and how an answer becomes cells; the engine sends, waits, retries and gives up.

use std::time::Duration;

/// A question: its key, which the answer repeats, and the fields that the dataset's script put into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub key: String,
    pub fields: Vec<Option<String>>,
}

/// An answer: cells in the order of the columns that the dataset fills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub key: String,
    pub cells: Vec<Option<String>>,
    /// The same question would get the same answer again, so it may be remembered. False: the service could not decide.
    pub lasting: bool,
}

/// A request as a value. Its path is appended to the service's address.
#[derive(Clone, PartialEq, Eq)]
pub struct WebRequest {
    /// Begins with a slash.
    pub path: &'static str,
    /// Names and values, not yet encoded.
    pub query: Vec<(&'static str, String)>,
    /// The body of a POST; `None`: it is a GET.
    pub body: Option<RequestBody>,
}

/// What is posted.
#[derive(Clone, PartialEq, Eq)]
pub struct RequestBody {
    pub content_type: String,
    pub bytes: Vec<u8>,
}

/// What one answer of the service says about the questions of its request. A question that is in neither list got no
/// answer and is asked again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    pub answers: Vec<Answer>,
    /// Answers that another try may improve: that of the last try counts.
    pub again: Vec<Answer>,
}

/// The answer does not fit the question. The words complete "the answer …" and repeat nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable(pub &'static str);

/// An outside service, and how a dataset talks to it: plain functions without I/O.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// As it is typed and shown.
    pub name: &'static str,
    /// Its default address.
    pub base: &'static str,
    /// What the answers depend on besides the question: the service, its data, and the rules for reading them.
    /// Remembered answers of another version do not count.
    pub version: &'static str,
    /// The most questions of one request.
    pub per_request: usize,
    /// The most requests under way at once, out of politeness.
    pub in_flight: usize,
    /// How long one request may take, its answer included.
    pub timeout: Duration,
    /// The largest answer in bytes.
    pub answer_bytes: usize,
    /// How often a question is asked at most if answers arrive but none for it, or one that another try may improve.
    pub rounds: u32,
    /// The answer to a question that is not worth asking.
    pub pass: fn(&Question) -> Option<Answer>,
    pub request: fn(&[Question]) -> WebRequest,
    pub read: fn(&[Question], &[u8]) -> Result<Reading, Unreadable>,
    /// Makes the answer for a question without one; the text says why, for people.
    pub failed: fn(&Question, &str) -> Answer,
}
