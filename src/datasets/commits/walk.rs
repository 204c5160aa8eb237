//! The walk through one repository of a host: its details now and then, its heads, and pages of commits until nothing is
//! missing.
//!
//! What is missing is known by identity, never by time: the frontier is every head and every parent of a kept commit that is
//! not kept itself. A known commit does not end a walk, an empty frontier does.

mod steps;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::{RepositoryNote, branches, commits, link, page_number};
use super::options::is_all;
use crate::dataset::Options;
use crate::dataset::walked::{HistoryWalk, WalkAnswer};

/// For how many microseconds the details of a repository are as good as new ones: 30 days.
const DETAILS_US: i64 = 30 * 24 * 3600 * 1_000_000;

/// Where a walk is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct RepositoryCursor {
    id: Option<i64>,
    full_name: String,
    default_branch: Option<String>,
    is_archived: bool,
    /// When the details were told: microseconds since 1970.
    details_us: i64,
    /// The pages that told the heads.
    pages: Vec<HeadPage>,
    /// So many of them were looked at in the walk that is under way, and whether that was all.
    pages_looked: usize,
    is_looked: bool,
    /// The page of commits that comes next.
    next: Option<String>,
    /// What was last said of the repository.
    noted: Option<RepositoryNote>,
    /// Commits that others name and that the host says it has not: asked for anew when the details are.
    absent: BTreeSet<String>,
    /// Pages of commits that are still to come, as far as the host says it.
    pages_left: Option<u64>,
}

/// A page that told heads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct HeadPage {
    url: String,
    etag: Option<String>,
    heads: Vec<(String, String)>,
    next: Option<String>,
}

/// What the walk waits for, or does.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    Details,
    Heads {
        url: String,
        number: usize,
    },
    /// The heads of production, which may be those of a clone or of other branches by now.
    FindTold,
    Note,
    FindHeads,
    FindMissing,
    /// From a frontier, or from a head: then pages may begin with what is known.
    Page {
        url: String,
        from: Option<String>,
        is_head: bool,
    },
    FindParents(Vec<String>),
    Over,
}

/// A walk through one repository.
pub(super) struct RepositoryWalk {
    name: String,
    all_branches: bool,
    now: Timestamp,
    cursor: RepositoryCursor,
    stage: Stage,
    state: String,
    frontier: BTreeSet<String>,
    /// What the host does not give, though something leads there.
    refused: BTreeSet<String>,
    /// A commit was not there, and the details were asked for since: the repository is, or the walk is over.
    is_there: bool,
}

/// Begins a walk, or goes on with one.
pub(super) fn walk(
    options: &Options,
    name: &str,
    cursor: Option<&Value>,
    now: Timestamp,
) -> Box<dyn HistoryWalk> {
    let cursor: RepositoryCursor =
        cursor.and_then(|cursor| serde_json::from_value(cursor.clone()).ok()).unwrap_or_default();
    let is_old = now.as_microsecond() - cursor.details_us > DETAILS_US;
    let mut walk = RepositoryWalk {
        name: name.to_owned(),
        all_branches: is_all(options),
        now,
        state: String::new(),
        stage: Stage::Details,
        cursor,
        frontier: BTreeSet::new(),
        refused: BTreeSet::new(),
        is_there: false,
    };
    if let (Some(id), false) = (walk.cursor.id, is_old) {
        walk.turn_to_heads(id);
    }
    Box::new(walk)
}

impl RepositoryWalk {
    /// To the heads, or where an earlier run was behind them.
    fn turn_to_heads(&mut self, id: i64) {
        if self.cursor.is_looked {
            return self.heads_are_told();
        }
        let what = if self.all_branches { "branches" } else { "commits" };
        let first = format!("/repositories/{id}/{what}?per_page=100");
        let number = self.cursor.pages_looked;
        let before = number.checked_sub(1).and_then(|before| self.cursor.pages.get(before));
        self.stage = match before.and_then(|page| page.next.clone()) {
            Some(url) => Stage::Heads { url, number },
            None => Stage::Heads { url: first, number: 0 },
        };
    }

    fn heads_are_told(&mut self) {
        self.cursor.is_looked = true;
        let state = match (self.heads().is_empty(), self.cursor.is_archived) {
            (true, _) => "empty",
            (false, true) => "archived",
            (false, false) => "active",
        };
        self.ends_as(state);
    }

    /// The heads as the pages told them, by name.
    fn heads(&self) -> Vec<(String, String)> {
        let mut heads: Vec<_> =
            self.cursor.pages.iter().flat_map(|page| page.heads.iter().cloned()).collect();
        heads.sort_unstable();
        heads.dedup();
        heads
    }

    /// The end for now: what the host says of the repository is noted.
    fn ends_as(&mut self, state: &str) {
        state.clone_into(&mut self.state);
        self.stage = if self.tells_heads() { Stage::FindTold } else { Stage::Note };
    }

    /// What a refusal means. It is later than what was said before in the same walk.
    fn refused(&mut self, answer: &WalkAnswer) {
        self.now = self.now.max(answer.at);
        if answer.status == 409 {
            self.cursor.pages.clear();
        }
        self.ends_as(state_of(answer.status));
    }

    fn details(&mut self, answer: &WalkAnswer) {
        if answer.status != 200 {
            // That was said of the repository, and not of the commits.
            self.cursor.absent.retain(|sha| !self.refused.contains(sha));
            return self.refused(answer);
        }
        let body = &answer.body;
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let Some(id) = body.get("id").and_then(Value::as_i64) else { return self.ends_as("refused") };
        if self.cursor.id.is_some_and(|known| known != id) {
            // Another repository has the name now; nothing of the one before is true of it.
            self.cursor = RepositoryCursor::default();
        }
        self.cursor.id = Some(id);
        self.cursor.full_name = text("full_name").unwrap_or_else(|| self.name.clone());
        self.cursor.default_branch = text("default_branch");
        self.cursor.is_archived = body.get("archived").and_then(Value::as_bool).unwrap_or_default();
        self.cursor.details_us = answer.at.as_microsecond();
        self.cursor.absent.retain(|sha| self.refused.contains(sha));
        self.turn_to_heads(id);
    }

    fn head_page(&mut self, url: String, number: usize, answer: &WalkAnswer) {
        match answer.status {
            304 => {}
            200 => {
                let next = answer.link.as_deref().and_then(|header| link(header).0);
                let heads = match self.all_branches {
                    true => branches(&answer.body),
                    // A page of commits of the default branch begins with its head.
                    false => commits(&answer.body).map(|page| {
                        let name = self.cursor.default_branch.clone().unwrap_or_else(|| "HEAD".into());
                        page.into_iter().take(1).flatten().map(|head| (name.clone(), head.sha)).collect()
                    }),
                };
                let Some(heads) = heads else { return self.ends_as("refused") };
                let next = next.filter(|_| self.all_branches);
                self.cursor.pages.truncate(number);
                self.cursor.pages.push(HeadPage { url, etag: answer.etag.clone(), heads, next });
            }
            _ => return self.refused(answer),
        }
        self.cursor.pages_looked = number + 1;
        match self.cursor.pages.get(number).and_then(|page| page.next.clone()) {
            Some(next) => self.stage = Stage::Heads { url: next, number: number + 1 },
            None => {
                self.cursor.pages.truncate(number + 1);
                self.heads_are_told();
            }
        }
    }

    fn tells_heads(&self) -> bool {
        is_open(&self.state)
    }

    fn note(&self) -> RepositoryNote {
        let full_name = match self.cursor.full_name.as_str() {
            "" => self.name.clone(),
            full_name => full_name.to_owned(),
        };
        RepositoryNote {
            full_name,
            listed: self.name.clone(),
            state: self.state.clone(),
            seen_us: self.now.as_microsecond(),
            default_branch: self.cursor.default_branch.clone(),
            heads: self.tells_heads().then(|| self.heads()),
        }
    }

    /// Is there something to say that was not said before?
    fn is_news(&self, note: &RepositoryNote) -> bool {
        let same =
            |noted: &RepositoryNote| RepositoryNote { seen_us: note.seen_us, ..noted.clone() } == *note;
        !self.cursor.noted.as_ref().is_some_and(same)
    }

    fn after_note(&mut self) {
        let goes_on = ["active", "archived"].contains(&self.state.as_str());
        self.stage = if goes_on { Stage::FindHeads } else { Stage::Over };
    }

    /// The next page: the one that the host named, or one from a head, or from the frontier.
    fn turn_to_page(&mut self) {
        if let Some(url) = self.cursor.next.clone().filter(|_| !self.frontier.is_empty()) {
            self.stage = Stage::Page { url, from: None, is_head: false };
            return;
        }
        self.cursor.next = None;
        let heads = self.heads();
        let head = heads.iter().map(|(_, sha)| sha).find(|sha| self.frontier.contains(*sha));
        let Some(from) = head.or_else(|| self.frontier.first()).cloned() else {
            self.stage = Stage::Over;
            return;
        };
        self.from(from, false);
    }

    /// What is missing is known: the first page.
    fn begin(&mut self) {
        // The page that told the head is kept by now, so the walk from the head begins with what is known.
        let head = self.cursor.pages.first().and_then(|page| page.heads.first()).map(|(_, sha)| sha.clone());
        match head.filter(|head| !self.all_branches && !self.frontier.contains(head)) {
            Some(head) if self.cursor.next.is_none() && !self.frontier.is_empty() => self.from(head, true),
            _ => self.turn_to_page(),
        }
    }

    fn from(&mut self, sha: String, is_head: bool) {
        let id = self.cursor.id.unwrap_or_default();
        let url = format!("/repositories/{id}/commits?sha={sha}&per_page=100");
        self.stage = Stage::Page { url, from: Some(sha), is_head };
    }

    fn page(&mut self, url: &str, from: Option<&str>, is_head: bool, answer: &WalkAnswer) {
        if from.is_some() && [403, 409, 410, 451].contains(&answer.status) {
            // That is said of the repository, and would be said of each commit.
            self.cursor.next = None;
            self.frontier.clear();
            return self.refused(answer);
        }
        let page = (answer.status == 200).then(|| commits(&answer.body)).flatten();
        let Some(page) = page else {
            // What a stored address led to is no longer there; or what a commit names is not to be had.
            self.cursor.next = None;
            if let Some(sha) = from {
                self.frontier.remove(sha);
                self.refused.insert(sha.to_owned());
                if [404, 422].contains(&answer.status) {
                    self.cursor.absent.insert(sha.to_owned());
                }
                if answer.status == 404 && !self.is_there {
                    // The commit, or all of the repository? Its details tell, once.
                    self.is_there = true;
                    self.stage = Stage::Details;
                    return;
                }
            }
            return self.turn_to_page();
        };
        let page: Vec<_> = page.into_iter().flatten().collect();
        let mut brings = 0;
        for commit in &page {
            brings += u32::from(self.frontier.remove(&commit.sha));
        }
        if let Some(sha) = from.filter(|sha| self.frontier.contains(*sha)) {
            // It was asked for, and did not come.
            self.frontier.remove(sha);
            self.refused.insert(sha.to_owned());
        }
        let (next, last) = answer.link.as_deref().map(link).unwrap_or_default();
        let here: BTreeSet<_> = page.iter().map(|commit| commit.sha.as_str()).collect();
        let parents: BTreeSet<_> = page.iter().flat_map(|commit| &commit.parents).collect();
        let parents = parents.into_iter().filter(|sha| !here.contains(sha.as_str())).cloned().collect();
        self.cursor.next = next.filter(|_| brings > 0 || is_head);
        let left = self.cursor.pages_left.map(|left| left.saturating_sub(1));
        self.cursor.pages_left = last.map(|last| last.saturating_sub(page_number(url).unwrap_or(1))).or(left);
        self.stage = Stage::FindParents(parents);
    }

    /// Adds what is not kept to the frontier.
    fn add_missing(&mut self, of: Vec<String>, known: &[String]) {
        let known: BTreeSet<_> = known.iter().collect();
        for sha in of.into_iter().filter(|sha| !known.contains(sha)) {
            if self.cursor.absent.contains(&sha) {
                self.refused.insert(sha);
            } else if !self.refused.contains(&sha) {
                self.frontier.insert(sha);
            }
        }
    }
}

/// In these states a repository shows its heads.
fn is_open(state: &str) -> bool {
    ["active", "archived", "empty"].contains(&state)
}

/// What a refusal says of a repository.
fn state_of(status: u16) -> &'static str {
    match status {
        404 | 410 => "gone",
        403 | 451 => "blocked",
        409 => "empty",
        _ => "refused",
    }
}

#[cfg(test)]
mod tests;
