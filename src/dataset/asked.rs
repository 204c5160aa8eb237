//! A feed that is asked: a service with a limit of records per answer. The dataset plans, as values, what is counted
//! and what is fetched; the engine sends, waits, keeps every answer, and reports it to the plan.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Options;
use super::slice::Slice;

/// A service that is asked for records, and how a dataset talks to it: plain functions without I/O.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Its name, for people.
    pub service: &'static str,
    /// Our key for the service, which is never stored or logged.
    pub secret: AskedSecret,
    /// The largest answer in bytes, as transferred.
    pub answer_bytes: u64,
    /// Where it is and how often it may be asked.
    pub manners: fn(&Options) -> Manners,
    /// The slice that the run asks for, which is also what it replaces.
    ///
    /// # Errors
    /// An error in the options, and what to type instead.
    pub want: fn(&Options) -> Result<Slice, Misasked>,
    /// A small slice that is counted to see whether the service can be used, if nothing is wanted yet.
    pub trial: fn() -> Slice,
    /// Whether the run takes bulk files instead, which hold what could be asked for, and more.
    pub files: fn(&Options) -> FilesInstead,
    /// The kind of content of such a file, by its name: of several files with the same kind, the newest counts.
    pub content: fn(&str) -> Option<&str>,
    /// The kinds of content that a slice is spread over, with what each of them has of it: a run that takes files needs
    /// one of each kind.
    pub contents: fn(&Slice) -> Vec<(&'static str, Slice)>,
    /// What to do if such a file is missing and not wanted, worded to complete "…, or ".
    pub fewer_contents: &'static str,
    /// Says that a column never has a value that a filter names, with those of its values that may have been meant.
    pub never: fn(&str, &str, &[&str]) -> String,
    /// Begins a plan, or resumes that of an earlier run.
    pub plan: fn(PlanInput<'_>) -> Box<dyn AskPlan>,
    pub count: fn(&Slice) -> GetRequest,
    pub data: fn(&Slice) -> GetRequest,
    /// The request for the values of a column.
    pub list: fn(&str) -> GetRequest,
    /// Reads the values from the answer to that.
    pub read_list: fn(&str, &[u8]) -> Option<Vec<String>>,
    /// Reads the number from the answer to a count.
    pub read_count: fn(&[u8]) -> Option<u64>,
    /// The meaning of an unsuccessful answer.
    pub refusal: fn(u16, &[u8]) -> AskRefusal,
    /// Checks that these bytes begin an answer; the error says what they are instead, worded to complete "the answer
    /// …".
    pub begins: fn(&[u8]) -> Result<(), &'static str>,
    /// The text of an answer without records.
    pub nothing: &'static str,
    /// The archive's name for an answer that was requested at that time.
    pub part_name: fn(&Slice, Timestamp) -> String,
}

/// Whether bulk files are taken instead of asking, and their location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilesInstead {
    /// The run asks.
    Never,
    /// The run never asks.
    Always(String),
    /// The run takes them if it would have to send more requests than this number.
    Beyond(String, u64),
}

/// The key by which the service identifies its callers.
#[derive(Clone, Copy, Debug)]
pub struct AskedSecret {
    /// The variable of the environment that holds it.
    pub variable: &'static str,
    /// The name of the parameter in a request.
    pub parameter: &'static str,
    /// Where a person gets one.
    pub whence: &'static str,
}

/// Options that cannot be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misasked {
    pub message: String,
    pub hint: Option<String>,
    /// The only problem is that they do not say what is wanted.
    pub is_missing: bool,
}

/// Where the service is, and how often it may be asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Manners {
    pub base: String,
    pub per_minute: f64,
    /// How many requests may follow each other without a pause.
    pub burst: u32,
    /// Seconds of a window, and the most requests in any such window.
    pub window: (u64, u32),
    /// For how many days an answer counts as new.
    pub max_age_days: u32,
}

/// A request: a path below the service's address, names and values, not yet encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetRequest {
    pub path: &'static str,
    pub query: Vec<(String, String)>,
}

/// Why the service gives no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskRefusal {
    /// The answer would exceed its limit, which is given if the service names it.
    TooMany(Option<u64>),
    /// There are no records, or the request was not understood.
    Nothing,
    /// The secret is not valid.
    Unknown,
    /// Another try may be answered.
    Busy,
    /// The same request would be refused again.
    Refused,
}

/// An answer in the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedPart {
    pub name: String,
    pub slice: Slice,
    /// The number of its records, as counted by the service and confirmed by the answer.
    pub records: u64,
    pub asked_at: Timestamp,
    pub sha256: String,
    pub size_bytes: u64,
    /// The service was found to have something else by now, while the number of records is the same: no run takes it again, except
    /// one that reads the archive.
    #[serde(default)]
    pub is_outdated: bool,
    /// It was compared with all answers up to this time that overlap it, and has as many records of what both have.
    #[serde(default)]
    pub agrees_until: Option<Timestamp>,
}

/// The input of a plan.
pub struct PlanInput<'a> {
    pub options: &'a Options,
    pub want: &'a Slice,
    /// All answers in the archive.
    pub archived: Vec<AskedPart>,
    /// The plan of an earlier unfinished run.
    pub saved: Option<&'a SavedPlan>,
    pub now: Timestamp,
    /// False: nothing is fetched, only planned.
    pub fetches: bool,
}

/// A plan as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SavedPlan {
    /// How it began.
    pub begun: Value,
    /// What it was told since, in order.
    pub told: Vec<PlanWord>,
}

/// The next step of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanStep {
    /// Ask how many records there are.
    Count(Slice),
    /// Ask for the values that a column has.
    List(String),
    /// Ask for the records, so many.
    Fetch { slice: Slice, records: u64 },
    /// Everything is there, or planned if nothing is fetched.
    Done(Vec<PlannedPart>),
    /// The slice cannot be fetched; the reason, and what to do, for people.
    Refuse { why: String, next: &'static str },
    /// The wanted slice names a value that does not exist; the value, and similar ones.
    Misasked(String),
}

/// A part of what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedPart {
    pub slice: Slice,
    pub records: u64,
    /// The answer, which may hold more than the slice; `None`: it is not fetched yet.
    pub part: Option<AskedPart>,
}

/// A word to a plan: an answer that arrived. A plan that begins in the same way and is told the same words reaches the
/// same state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanWord {
    /// The number of records of a slice.
    Counted(Slice, u64),
    /// The values of a column, according to the service.
    Listed(String, Vec<String>),
    /// An answer that is now in the archive, with its number of records. It is used if that is the number that was
    /// counted; otherwise the count is asked for again.
    Fetched(AskedPart),
    /// The service does not give a slice at once; its limit of records per answer, if it names it.
    TooMany(Slice, Option<u64>),
    /// The name of an answer in the archive that does not have what was planned to be taken from it: records were revised
    /// while their number stayed, or it is damaged.
    Outdated(String),
}

/// A plan under way: it is told what arrived, and says what is next. It is a value without I/O.
pub trait AskPlan: Send {
    /// The next step; the same until it is told something.
    fn next(&mut self) -> PlanStep;
    /// Tells it what arrived.
    fn tell(&mut self, told: PlanWord);
    /// How it began, for a run that resumes it.
    fn begun(&self) -> Value;
    /// The approximate number of requests it still needs; `None`: not known yet.
    fn needs(&self) -> Option<u64>;
    /// The plan so far as a tree for people, one line per entry.
    fn tree(&self) -> Vec<String>;
    /// The number of requests, so far, that a plan without fetching leaves out.
    fn unsent(&self) -> u64;
}
