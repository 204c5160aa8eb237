//! What a run has done so far.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use crate::error::END;
use crate::ledger::Kind;
use crate::run::gather::{Gathered, GatheredPlan};
use crate::run::walk::WalkedSoFar;
use crate::stages::check::{Checked, Failures};
use crate::stages::fetch::Fetched;
use crate::stages::promote::{Guard, Promoted, Records, Refused, Sample, TableChange};
use crate::stages::publish::Published;

/// How a run that did not fail ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunOutcome {
    NothingNew,
    Loaded,
    /// A dry run that would have to ask for records.
    Planned,
}

/// What a run has done so far.
#[derive(Debug, Default)]
pub struct Progress {
    pub step: Option<&'static str>,
    pub files: usize,
    pub failures: Failures,
    /// Why files could not be fetched, one reason each.
    pub unfetched: Vec<String>,
    /// Histories of the source that are as they were: a run that finds all others unreadable has still found these.
    pub unchanged: usize,
    pub records: Records,
    pub changes: Vec<TableChange>,
    /// Tables that the last batch changed so much that the planner needs new statistics.
    pub grown: Vec<String>,
    pub guards: Vec<Guard>,
    pub samples: Vec<Sample>,
    pub batches: usize,
    /// Objects of the archive that were changed before the transaction.
    pub rewritten: usize,
    pub new_elements: BTreeMap<String, u64>,
    pub deleted_with_data: u64,
    pub published: Option<Published>,
    pub timings: Option<Value>,
    /// The cost of asking a service, planned or actual.
    pub plan: Option<GatheredPlan>,
    /// The cost of asking for histories, and what is left.
    pub walked: Option<WalkedSoFar>,
    /// The source has no file of the dataset, done or not.
    pub has_no_file: bool,
    /// How many questions outside services have left without an answer.
    pub unanswered: Option<u64>,
    /// The final number of rows of each table.
    pub rows: BTreeMap<String, i64>,
    /// Nothing new has arrived for this many days, and this run reports it.
    pub quiet_days: Option<u32>,
}

impl Progress {
    /// The step that begins now.
    pub fn step(&mut self, step: &'static str) {
        self.step = Some(step);
    }

    /// A service was asked.
    pub fn gathered(&mut self, gathered: Option<&Gathered>) {
        self.plan = gathered.map(|gathered| gathered.plan().clone());
    }

    /// A service was asked for histories.
    pub fn walked(&mut self, walked: Option<WalkedSoFar>) {
        self.walked = walked;
    }

    /// A batch was fetched.
    pub fn fetched(&mut self, fetched: &Fetched) {
        let unfetched = fetched.unfetched();
        self.files += unfetched.len();
        self.failures.files += unfetched.len();
        self.unfetched.extend_from_slice(unfetched);
    }

    /// The message of a run with [`nothing_readable`](Self::nothing_readable).
    pub fn no_file(&self) -> String {
        let shown = self.unfetched.iter().take(3).map(String::as_str).collect::<Vec<_>>().join("; ");
        match self.unfetched.len() {
            0 => "no file could be read".into(),
            1..=3 => format!("no file could be read: {shown}"),
            all => format!("no file could be read: {shown}; and {} more", all - 3),
        }
    }

    /// What to type then.
    pub fn to_type(&self, kind: Kind, run_id: Uuid) -> String {
        let look = format!("merganser status {run_id}");
        match kind {
            Kind::Run => format!(
                "correct the file at its source, or remove it there, and run again; {look} says what is wrong"
            ),
            _ => look,
        }
    }

    /// A batch was checked.
    pub fn checked(&mut self, checked: &Checked) {
        let failures = checked.failures();
        self.files += checked.readable_files() + failures.files;
        self.deleted_with_data += checked.deleted_with_data();
        for (path, count) in checked.new_elements() {
            *self.new_elements.entry(path.clone()).or_default() += count;
        }
        self.failures.records += failures.records;
        self.failures.files += failures.files;
        self.failures.incomplete_files += failures.incomplete_files;
    }

    /// The database refused records of a batch that had passed the checks.
    pub fn refused(&mut self, refused: &Refused) {
        self.failures.records += refused.records();
    }

    /// A batch was promoted (or rolled back by a dry run).
    pub fn add(&mut self, promoted: Promoted) {
        self.batches += 1;
        self.records.add(promoted.records());
        self.guards.extend_from_slice(promoted.guards());
        self.samples.extend_from_slice(promoted.samples());
        self.grown = promoted.grown().map(str::to_owned).collect();
        for change in promoted.changes() {
            match self.changes.iter_mut().find(|known| known.table == change.table) {
                Some(known) => known.add(change),
                None => self.changes.push(change.clone()),
            }
        }
    }

    /// The public files were written.
    pub fn published(&mut self, published: Published) {
        self.published = Some(published);
        self.step = Some(END);
    }

    /// Was any batch promoted?
    pub fn promoted(&self) -> bool {
        self.batches > 0
    }

    /// Were there files, and could none of them be read?
    fn is_unreadable(&self) -> bool {
        self.files > 0 && self.failures.files == self.files
    }

    /// The same, and no history was unchanged.
    pub fn nothing_readable(&self) -> bool {
        self.is_unreadable() && self.unchanged == 0
    }

    /// How a run that has come to its end without an error ended.
    pub fn outcome(&self) -> RunOutcome {
        match self.files == 0 || self.is_unreadable() {
            true => RunOutcome::NothingNew,
            false => RunOutcome::Loaded,
        }
    }
}
