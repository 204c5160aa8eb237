//! A feed that is asked: a service that answers with so many records and no more. The dataset plans, as values, what is
//! counted and what is fetched; the engine sends, waits, keeps every answer, and tells the plan what came.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Options;
use super::slice::Slice;

/// A service that is asked for records, and how a dataset speaks with it: plain functions that do no I/O.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Its name, for people.
    pub service: &'static str,
    /// What the service knows us by, and what is never written down anywhere.
    pub secret: AskedSecret,
    /// Bytes of one answer at most, as they come.
    pub answer_bytes: u64,
    /// Where it is and how often it may be asked.
    pub manners: fn(&Options) -> Manners,
    /// All that the run asks for, which is what it replaces.
    ///
    /// # Errors
    /// What is wrong with the options, and what to type instead.
    pub want: fn(&Options) -> Result<Slice, Misasked>,
    /// A little of what there is: what is counted to see whether the service can be asked, where nothing is wanted yet.
    pub trial: fn() -> Slice,
    /// Files that hold what could be asked for, and more: whether the run takes these instead.
    pub files: fn(&Options) -> FilesInstead,
    /// What such a file holds, by its name: of several of one content the newest counts.
    pub content: fn(&str) -> Option<&str>,
    /// Begins to plan, or goes on where an earlier run was.
    pub plan: fn(PlanInput<'_>) -> Box<dyn AskPlan>,
    pub count: fn(&Slice) -> GetRequest,
    pub data: fn(&Slice) -> GetRequest,
    /// Asks for the values of a column.
    pub list: fn(&str) -> GetRequest,
    /// The values in the answer to that.
    pub read_list: fn(&str, &[u8]) -> Option<Vec<String>>,
    /// The number in the answer to a count.
    pub read_count: fn(&[u8]) -> Option<u64>,
    /// What an answer means that is no success.
    pub refusal: fn(u16, &[u8]) -> AskRefusal,
    /// Do these bytes begin an answer? Else what they are instead, as it completes "the answer …".
    pub begins: fn(&[u8]) -> Result<(), &'static str>,
    /// An answer without records.
    pub nothing: &'static str,
    /// The name in the archive of an answer that was asked for at that time.
    pub part_name: fn(&Slice, Timestamp) -> String,
}

/// Files that hold what could be asked for, and more; each with where they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilesInstead {
    /// The run asks.
    Never,
    /// The run asks nobody.
    Always(String),
    /// The run takes them where it would have to send more requests than so many.
    Beyond(String, u64),
}

/// What the service knows its callers by.
#[derive(Clone, Copy, Debug)]
pub struct AskedSecret {
    /// The variable of the environment that holds it.
    pub variable: &'static str,
    /// What it is called in a request.
    pub parameter: &'static str,
    /// Where a person gets one.
    pub whence: &'static str,
}

/// Options that cannot be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misasked {
    pub message: String,
    pub hint: Option<String>,
    /// Nothing is wrong but that they do not say what is wanted.
    pub is_missing: bool,
}

/// Where the service is, and how often it may be asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Manners {
    pub base: String,
    pub per_minute: f64,
    /// Requests that may follow each other without a pause.
    pub burst: u32,
    /// In any so many seconds at most so many requests.
    pub window: (u64, u32),
    /// For how many days an answer is as good as a new one.
    pub max_age_days: u32,
}

/// A request: a path below the service's address, names and values, not yet encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetRequest {
    pub path: &'static str,
    pub query: Vec<(String, String)>,
}

/// What the service says where it gives no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskRefusal {
    /// More than it gives at once; with the limit, if it names one.
    TooMany(Option<u64>),
    /// There is nothing, or it does not understand what was asked.
    Nothing,
    /// It does not know the secret.
    Unknown,
    /// Another try may be answered.
    Busy,
    /// It would be refused again.
    Refused,
}

/// An answer in the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedPart {
    pub name: String,
    pub slice: Slice,
    /// How many records it has, as counted by the service and seen in the answer.
    pub records: u64,
    pub asked_at: Timestamp,
    pub sha256: String,
    pub size_bytes: u64,
}

/// What a plan begins with.
pub struct PlanInput<'a> {
    pub options: &'a Options,
    pub want: &'a Slice,
    /// Answers in the archive, whatever they are of.
    pub archived: Vec<AskedPart>,
    /// What an earlier run that did not end left of its plan.
    pub saved: Option<&'a SavedPlan>,
    pub now: Timestamp,
    /// False: nothing is fetched; what would be is planned.
    pub fetches: bool,
}

/// A plan as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SavedPlan {
    /// How it began.
    pub begun: Value,
    /// What it was told since, in that order.
    pub told: Vec<PlanWord>,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanStep {
    /// Ask how many records there are.
    Count(Slice),
    /// Ask for the values that a column has.
    List(String),
    /// Ask for the records, so many.
    Fetch { slice: Slice, records: u64 },
    /// All is there, or (nothing is fetched) planned.
    Done(Vec<PlannedPart>),
    /// It cannot be had: why, for people.
    Refuse(String),
    /// What is wanted names something that is not there: what, and what is near to it.
    Misasked(String),
}

/// A part of what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedPart {
    pub slice: Slice,
    pub records: u64,
    /// The answer, which may hold more than the slice; `None`: it would have to be fetched.
    pub part: Option<AskedPart>,
}

/// What came. A plan that begins in the same way, and is told the same, is where it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanWord {
    /// So many records there are.
    Counted(Slice, u64),
    /// These values a column has, as far as the service says.
    Listed(String, Vec<String>),
    /// What was asked for, with as many records as it has. The part is in the archive; it is used if that is what was counted,
    /// else the count is asked for again.
    Fetched(AskedPart),
    /// The service gives no more than so many at once.
    Limited(u64),
}

/// A plan under way: told what came, it says what is next. It is a value without I/O.
pub trait AskPlan: Send {
    /// What is next; the same until it is told something.
    fn next(&mut self) -> PlanStep;
    /// Something came.
    fn tell(&mut self, told: PlanWord);
    /// How it began, for a run that goes on with it.
    fn begun(&self) -> Value;
    /// About how many requests it still needs; `None`: nothing is known yet.
    fn needs(&self) -> Option<u64>;
    /// The plan as a tree for people, a line each, as far as it goes.
    fn tree(&self) -> Vec<String>;
    /// Requests that a plan which fetches nothing leaves out, as far as it goes.
    fn unsent(&self) -> u64;
}
