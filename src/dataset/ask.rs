//! What an outside service is asked about a dataset's rows, as values: the dataset says how a question becomes a request
//! and an answer becomes cells; the engine sends, waits, tries again and gives up.

use std::time::Duration;

/// What is asked: its key, which the answer bears, and the fields that the dataset's script put into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub key: String,
    pub fields: Vec<Option<String>>,
}

/// What is known now, in the order of the columns that the dataset fills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub key: String,
    pub cells: Vec<Option<String>>,
    /// Asked again it would be the same, so it may be remembered. False: the service did not come to an answer.
    pub lasting: bool,
}

/// A request as a value. Its path is appended to that of the service's address.
#[derive(Clone, PartialEq, Eq)]
pub struct WebRequest {
    /// Begins with a slash.
    pub path: &'static str,
    /// Names and values, not yet encoded.
    pub query: Vec<(&'static str, String)>,
    /// What is posted; `None`: it is a GET.
    pub body: Option<RequestBody>,
}

/// What is posted.
#[derive(Clone, PartialEq, Eq)]
pub struct RequestBody {
    pub content_type: String,
    pub bytes: Vec<u8>,
}

/// What one answer of the service says of the questions of its request. A question that is in neither list got no answer
/// and is asked again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    pub answers: Vec<Answer>,
    /// Answers that another try may better: the last try's stands.
    pub again: Vec<Answer>,
}

/// What came is no answer to what was asked. The words complete "the answer …" and repeat nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable(pub &'static str);

/// An outside service, and how a dataset speaks with it: plain functions that do no I/O.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// As it is typed and shown.
    pub name: &'static str,
    /// Its address, if nobody names another.
    pub base: &'static str,
    /// What the answers hang on beside the question: service, its data, and the rules by which they are read. Who
    /// remembers answers forgets them when this changes.
    pub version: &'static str,
    /// Questions that one request holds at most.
    pub per_request: usize,
    /// Requests under way at once at most: what is polite.
    pub in_flight: usize,
    /// How long one request may take, its answer included.
    pub timeout: Duration,
    /// Bytes of one answer at most.
    pub answer_bytes: usize,
    /// How often a question is asked at most where an answer came, but not for it, or one that another try may better.
    pub rounds: u32,
    /// The answer to a question that is not worth asking.
    pub pass: fn(&Question) -> Option<Answer>,
    pub request: fn(&[Question]) -> WebRequest,
    pub read: fn(&[Question], &[u8]) -> Result<Reading, Unreadable>,
    /// The answer when none came, and why, in words for people.
    pub failed: fn(&Question, &str) -> Answer,
}
