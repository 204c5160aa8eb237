//! A feed that is a graph: histories, each walked from its heads to its roots. They come from clones on this machine, or page
//! by page from a service. The dataset says, as values, what is asked next; the engine sends the request, waits, keeps every
//! answer, and passes it to the walk.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::Options;

/// The histories of a dataset, and where they come from.
#[derive(Clone, Copy, Debug)]
pub struct HistoryFeed {
    /// The name of the service for people.
    pub service: &'static str,
    /// The environment variable with the token for the service.
    pub token: &'static str,
    /// The `Accept` header of every request.
    pub accept: &'static str,
    /// Whether the body of a refusal (HTTP 403) says that the history is closed to everybody; otherwise it says that we ask too
    /// often.
    pub is_closed: fn(&Value) -> bool,
    /// A secret that the parser gets besides its options; it is never written down.
    pub parse_secret: ParseSecret,
    /// The wanted clones of a folder.
    pub clones: fn(&Options) -> ClonesWanted,
    /// The list of wanted histories, if it is a table of the database.
    pub list: HistoryList,
    /// The wanted histories of the service, each by the name that a person gave it.
    ///
    /// # Errors
    /// The missing options, in words for people.
    pub histories: fn(&Options) -> Result<Vec<String>, String>,
    /// The number of a history with this name until a service reports one.
    pub number: fn(&Options, &str) -> i64,
    /// The limits for requests to the service.
    pub budget: fn(&Options) -> WalkBudget,
    /// Begins a walk, or continues that of an earlier run from its cursor.
    pub walk: fn(&Options, &str, Option<&Value>, Timestamp) -> Box<dyn HistoryWalk>,
    /// The nodes in a line of an answer, each with the nodes that it leads to.
    pub nodes: fn(&str) -> Vec<WalkedNode>,
    /// PostgreSQL: those of the nodes $2 of history $1 that production has, and whether each has no mark.
    pub known: &'static str,
    /// PostgreSQL: nodes that nodes of history $1 in production lead to, but that production does not have. One row and column
    /// for each.
    pub missing: &'static str,
    /// PostgreSQL: the heads of history $1 as production has them. One row and column for each.
    pub heads: &'static str,
    /// PostgreSQL: what is kept of each history with a name in $1 or a number in $2 (of all if $1 is null), and what is wrong
    /// with it.
    pub complete: &'static str,
    /// The removal of a person from the histories.
    pub person: PersonRemoval,
    /// The archive name of answers of a history: closed at this time, with a counter for parts of the same time.
    pub part_name: fn(i64, Timestamp, usize) -> String,
    /// Whether a part with this name is kept in the archive; what comes from a clone is read there again.
    pub is_archived: fn(&str) -> bool,
}

/// The owner of a history, and its location.
pub type ListedHistory = (String, String);

/// A list of histories that is a table of the database.
#[derive(Clone, Copy, Debug)]
pub struct HistoryList {
    /// Whether the options ask for this list.
    pub is_wanted: fn(&Options) -> bool,
    /// The table, and the hint about what makes it.
    pub needs: (&'static str, &'static str),
    /// PostgreSQL: the owner and the location of each history, as two texts.
    pub query: &'static str,
    /// Adds the rows to the options; returns what is left out, in words.
    ///
    /// # Errors
    /// Nothing is left, in words for people.
    pub add: fn(&mut Options, Vec<ListedHistory>) -> Result<Vec<String>, String>,
}

/// The removal of a person from histories, which stay complete. The secret is the parser's.
#[derive(Clone, Copy, Debug)]
pub struct PersonRemoval {
    /// The value by which the tables know a person, from a description of the person and the secret.
    pub known_as: fn(&str, &str) -> String,
    /// PostgreSQL: the pairs of hash and name by which the tables know the person $1, and whether somebody else has the name too;
    /// a text is empty if there is none.
    pub known: &'static str,
    /// PostgreSQL: removes the person with the hashes :'hashes' and the names :'names', and remembers the removal as
    /// :'name_hashes'; makes `pg_temp.purged` and `pg_temp.sealed_records` like a purge.
    pub purge: &'static str,
    /// PostgreSQL: the remains of the person with the hashes $1 and the names $2; no row is a pass.
    pub proof: &'static str,
    /// Other datasets whose tables name people: the purge takes them out there, too, and none of their runs may be under way.
    pub beside: &'static [&'static str],
    /// How the secret is recognised: under another one nobody is.
    pub secret: KeptSecret,
    /// PostgreSQL: the hashes of all addresses and names that were removed.
    pub removed: &'static str,
    /// The hash under the secret by which the tables know that a name was removed.
    pub hash_name: fn(&str, &str) -> String,
    /// The hash under the secret by which the tables know that somebody was removed, from the name in the table that puts
    /// people together.
    pub hash_person: fn(&str, &str) -> String,
    /// The same for a hash without the secret, as an earlier program kept it; `None`: it is under the secret already.
    pub rekeyed_name: fn(&str, &str) -> Option<String>,
    /// PostgreSQL: replaces the hashes $1 by $2; returns how many were removed, and how many there are.
    pub rekey_names: &'static str,
    /// PostgreSQL: names without an address in the records `pg_temp.completed`, if a name was removed before.
    pub names_alone: &'static str,
    /// A line of an answer without those who have one of these hashes of addresses and names; `None`: the line does not name them.
    pub without: fn(&str, &HashSet<String>, &str) -> Option<String>,
}

/// What a schema keeps of a parser's secret, to tell whether the same one is used again.
#[derive(Clone, Copy, Debug)]
pub struct KeptSecret {
    /// The variable of the environment that holds it.
    pub variable: &'static str,
    /// Makes the hash that identifies the secret without revealing it.
    pub hash: fn(&str) -> String,
    /// The table that has it.
    pub table: &'static str,
    /// PostgreSQL: the hash that is kept, or no row.
    pub kept: &'static str,
    /// PostgreSQL: keeps the hash $1.
    pub keep: &'static str,
}

/// The limits for requests to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalkBudget {
    /// The most requests of any kind; `None`: any number.
    pub requests: Option<u64>,
    /// A longer wait ends the run.
    pub max_wait: Duration,
}

/// A secret of a parser.
#[derive(Clone, Copy, Debug)]
pub struct ParseSecret {
    /// The environment variable that holds it.
    pub variable: &'static str,
    /// Its purpose, worded to complete "is not set: …".
    pub purpose: &'static str,
    /// How a person gets one.
    pub whence: &'static str,
}

/// The clones of a folder that a run takes, and their heads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClonesWanted {
    /// Their paths below the folder, without an ending; `None`: all clones.
    pub paths: Option<Vec<String>>,
    /// Every branch is a head, not only the one that is checked out.
    pub all_branches: bool,
    /// Identifies other options for reading them: if it changes, they are read again.
    pub manner: String,
    /// The same for single clones, by path.
    pub manners: BTreeMap<String, String>,
}

/// A node of a history, and the nodes that it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalkedNode {
    pub history: i64,
    pub id: String,
    pub leads_to: Vec<String>,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalkAsk {
    /// A path with its query below the service's address, or a complete address as the service gave it.
    pub url: String,
    /// The tag of the known answer: if it has not changed, the service does not send it again.
    pub etag: Option<String>,
}

/// An answer with any status, after redirections.
#[derive(Clone, Debug, PartialEq)]
pub struct WalkAnswer {
    pub status: u16,
    pub etag: Option<String>,
    /// The `Link` header.
    pub link: Option<String>,
    pub body: Value,
    pub at: Timestamp,
}

/// The next step of a walk.
#[derive(Clone, Debug, PartialEq)]
pub enum WalkStep {
    Ask(WalkAsk),
    /// Find out which heads production has of the history.
    Heads,
    /// Find out which of these nodes are kept.
    Known(Vec<String>),
    /// Find the nodes that kept ones lead to but that are not kept.
    Missing,
    /// Keep a note of ours beside the answers, which the parser reads.
    Note(Value),
    /// The walk is over: everything is kept, or the rest cannot be had.
    Done,
}

/// What an answer says of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistorySight {
    There,
    /// It was there, and is gone.
    Lost,
    /// The service does not give it, which it did not do before either.
    Refused,
    /// Nothing: the answer may be of another kind of service.
    Unclear,
}

/// The result of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum WalkWord {
    Answer(WalkAnswer),
    /// The nodes that were asked for.
    Nodes(Vec<String>),
    Noted,
    /// The address is of another service, which is not asked.
    Nowhere,
}

/// A walk in progress: it is told each result, and says what comes next. It is a value without I/O.
pub trait HistoryWalk: Send {
    /// Reads the heads next, wherever the walk was.
    fn look_again(&mut self);
    /// The next step; the same until a result is reported.
    fn next(&mut self) -> WalkStep;
    /// What an answer to what is next says of the history.
    fn sight(&self, answer: &WalkAnswer) -> HistorySight;
    /// Does an answer to what is next bring nothing that was not noted before? It is not kept again.
    fn is_repeated(&self, answer: &WalkAnswer) -> bool;
    /// Reports the result of the step.
    fn tell(&mut self, word: WalkWord);
    /// The number of the history, if known.
    fn history(&self) -> i64;
    /// The position of the walk, for a run that continues it.
    fn cursor(&self) -> Value;
    /// An estimate of the requests that are still needed.
    fn needs(&self) -> u64;
    /// A message for people about its end, if it is not a normal one.
    fn complaint(&self) -> Option<String>;
}
