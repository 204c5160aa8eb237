//! A feed that is a graph: histories, each walked from its heads to its roots. They come from clones on this machine, or from a
//! service that gives them page by page. The dataset says, as values, what is asked next; the engine sends, waits, keeps every
//! answer, and tells the walk what came.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::Options;

/// How a dataset takes in histories.
#[derive(Clone, Copy, Debug)]
pub struct HistoryFeed {
    /// Its name, for people.
    pub service: &'static str,
    /// The variable of the environment that holds what the service knows us by.
    pub token: &'static str,
    /// The header `Accept` of every request.
    pub accept: &'static str,
    /// Does the body of a refusal (HTTP 403) say that the history is closed to everybody? Else it says that we ask too much.
    pub is_closed: fn(&Value) -> bool,
    /// What the parser is given beside its options: a secret, which is written down nowhere.
    pub parse_secret: ParseSecret,
    /// Which clones are wanted of a folder.
    pub clones: fn(&Options) -> ClonesWanted,
    /// Which histories are wanted, where a table of the database says it.
    pub list: HistoryList,
    /// The histories that are wanted of the service, each by the name that a person gave it.
    ///
    /// # Errors
    /// What is missing among the options, in words for people.
    pub histories: fn(&Options) -> Result<Vec<String>, String>,
    /// The number that a history of this name has for as long as no service has told one.
    pub number: fn(&Options, &str) -> i64,
    /// How much may be asked of it.
    pub budget: fn(&Options) -> WalkBudget,
    /// Begins a walk, or goes on where an earlier run was, whose cursor this is.
    pub walk: fn(&Options, &str, Option<&Value>, Timestamp) -> Box<dyn HistoryWalk>,
    /// What a line of an answer brings: nodes of the graph, and what each leads to.
    pub nodes: fn(&str) -> Vec<WalkedNode>,
    /// PostgreSQL: those of the nodes $2 of history $1 that production has, and whether each is without a mark.
    pub known: &'static str,
    /// PostgreSQL: nodes that production's nodes of history $1 lead to, and that it has not. One row and column each.
    pub missing: &'static str,
    /// PostgreSQL: of each history with a name in $1 or a number in $2 (all, if $1 is null) what is kept, and what is wrong with it.
    pub complete: &'static str,
    /// How a person is taken out of them.
    pub person: PersonRemoval,
    /// The name in the archive of answers of a history: closed at that time, the so-manieth of that time.
    pub part_name: fn(i64, Timestamp, usize) -> String,
}

/// Whose a history is, and where it is.
pub type ListedHistory = (String, String);

/// A list of histories that is a table of the database.
#[derive(Clone, Copy, Debug)]
pub struct HistoryList {
    /// Do the options say that it is the list?
    pub is_wanted: fn(&Options) -> bool,
    /// The table, and the words on what makes it.
    pub needs: (&'static str, &'static str),
    /// PostgreSQL: whose each history is, and where it is. Two texts a row.
    pub query: &'static str,
    /// Adds the rows to the options; gives what is left out, in words.
    ///
    /// # Errors
    /// Where nothing is left, in words for people.
    pub add: fn(&mut Options, Vec<ListedHistory>) -> Result<Vec<String>, String>,
}

/// How a person is taken out of histories; the histories stay whole. The secret is the parser's.
#[derive(Clone, Copy, Debug)]
pub struct PersonRemoval {
    /// By what the tables know a person, of what is said of one and the secret.
    pub known_as: fn(&str, &str) -> String,
    /// PostgreSQL: by which pairs of a hash and a name the tables know the person $1; a text is empty where there is none.
    pub known: &'static str,
    /// PostgreSQL: takes out the person with the hashes :'hashes' and the names :'names', which it remembers as :'name_hashes';
    /// `pg_temp.purged` and `pg_temp.sealed_records` as of a purge.
    pub purge: &'static str,
    /// PostgreSQL: what is left of the person with the hashes $1 and the names $2; no row is a pass.
    pub proof: &'static str,
    /// Other datasets whose tables name people: the purge takes them out there, too, and none of their runs may be under way.
    pub beside: &'static [&'static str],
    /// How the secret is recognised: under another one nobody is.
    pub secret: KeptSecret,
    /// PostgreSQL: the names that were taken out, as hashes.
    pub removed_names: &'static str,
    /// The hash by which the tables know that a name was taken out, under the secret.
    pub hash_name: fn(&str, &str) -> String,
    /// The same of a hash without the secret, as an earlier program kept it; `None`: it is under the secret.
    pub rekeyed_name: fn(&str, &str) -> Option<String>,
    /// PostgreSQL: the hashes $2 take the place of $1; gives how many went, and how many are there.
    pub rekey_names: &'static str,
    /// PostgreSQL: names that stand without an address in the records `pg_temp.completed`, if one was taken out.
    pub names_alone: &'static str,
    /// A line of an answer without this person; `None`: it does not name one.
    pub without: fn(&str, &KnownPerson, &str) -> Option<String>,
}

/// What a schema keeps of the secret of a parser, to tell whether it is the same.
#[derive(Clone, Copy, Debug)]
pub struct KeptSecret {
    /// The variable of the environment that holds it.
    pub variable: &'static str,
    /// By what the secret is recognised, without giving it away.
    pub hash: fn(&str) -> String,
    /// The table that has it.
    pub table: &'static str,
    /// PostgreSQL: the hash that is kept, or no row.
    pub kept: &'static str,
    /// PostgreSQL: keeps the hash $1.
    pub keep: &'static str,
}

/// By what a person is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownPerson {
    /// Hashes of addresses.
    pub hashes: HashSet<String>,
    /// Names. Where one stands beside an address, the address says whose it is.
    pub names: HashSet<String>,
}

/// How much a run may ask of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalkBudget {
    /// Requests, whatever they are; `None`: any number.
    pub requests: Option<u64>,
    /// What has to be waited for longer ends the run.
    pub max_wait: Duration,
}

/// A secret of a parser.
#[derive(Clone, Copy, Debug)]
pub struct ParseSecret {
    /// The variable of the environment that holds it.
    pub variable: &'static str,
    /// What it is for, as it completes "is not set: …".
    pub purpose: &'static str,
    /// How a person gets one.
    pub whence: &'static str,
}

/// Which clones of a folder a run takes, and which of their heads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClonesWanted {
    /// Their paths below the folder, without an ending; `None`: all that are there.
    pub paths: Option<Vec<String>>,
    /// Every branch is a head, and not only the one that is checked out.
    pub all_branches: bool,
    /// Tells apart how else they are read: where it is another, they are read again.
    pub manner: String,
}

/// A node of a history, and those that it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalkedNode {
    pub history: i64,
    pub id: String,
    pub leads_to: Vec<String>,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalkAsk {
    /// A path with its query below the service's address, or a whole address as the service gave it.
    pub url: String,
    /// What the answer is that is known already: if it is the same, nothing of it comes again.
    pub etag: Option<String>,
}

/// An answer, whatever its status is; redirections are followed by then.
#[derive(Clone, Debug, PartialEq)]
pub struct WalkAnswer {
    pub status: u16,
    pub etag: Option<String>,
    /// The header of that name.
    pub link: Option<String>,
    pub body: Value,
    pub at: Timestamp,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq)]
pub enum WalkStep {
    Ask(WalkAsk),
    /// Say which of these nodes are kept.
    Known(Vec<String>),
    /// Say which nodes kept ones lead to that are not kept.
    Missing,
    /// Keep a word of ours beside the answers, which the parser reads.
    Note(Value),
    /// It is over: all is kept, or what is not cannot be had.
    Done,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub enum WalkWord {
    Answer(WalkAnswer),
    /// Nodes, as they were asked for.
    Nodes(Vec<String>),
    Noted,
    /// The address is of another service, which is not asked.
    Nowhere,
}

/// A walk under way: told what came, it says what is next. It is a value without I/O.
pub trait HistoryWalk: Send {
    /// Looks at the heads next, wherever the walk was.
    fn look_again(&mut self);
    /// What is next; the same until it is told something.
    fn next(&mut self) -> WalkStep;
    /// Does an answer to what is next bring nothing that was not noted before? It is not kept again.
    fn is_repeated(&self, answer: &WalkAnswer) -> bool;
    /// What was next is done.
    fn tell(&mut self, word: WalkWord);
    /// The number of the history, as far as it is known.
    fn history(&self) -> i64;
    /// Where the walk is, for a run that goes on with it.
    fn cursor(&self) -> Value;
    /// About how many more requests it needs.
    fn needs(&self) -> u64;
    /// What a person should be told of its end, if it is not the ordinary one.
    fn complaint(&self) -> Option<String>;
}
