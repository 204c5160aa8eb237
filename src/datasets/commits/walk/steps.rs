//! The walk as the engine takes it: what it asks for next, and what it makes of what it is told.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::project::id_of_name;
use super::{RepositoryNote, RepositoryWalk, Stage, is_open, state_of};
use crate::dataset::walked::{HistorySight, HistoryWalk, WalkAnswer, WalkAsk, WalkStep, WalkWord};
use crate::words;

impl HistoryWalk for RepositoryWalk {
    fn sight(&self, answer: &WalkAnswer) -> HistorySight {
        let is_of_repository = matches!(self.stage, Stage::Details | Stage::Heads { .. });
        let was_there = self.cursor.noted.as_ref().is_some_and(|noted| is_open(&noted.state));
        match answer.status {
            200 if self.stage == Stage::Details && answer.body.get("id").is_none() => HistorySight::Unclear,
            200 | 304 | 409 => HistorySight::There,
            // Another kind of service gives this status for every address, and not in JSON.
            404 | 410 if answer.body.is_null() => HistorySight::Unclear,
            404 | 410 if is_of_repository && was_there => HistorySight::Lost,
            403 | 404 | 410 | 422 | 451 => HistorySight::Refused,
            _ => HistorySight::Unclear,
        }
    }

    fn is_repeated(&self, answer: &WalkAnswer) -> bool {
        let is_noted = |noted: &RepositoryNote| noted.state == state_of(answer.status);
        let is_refusal = matches!(self.stage, Stage::Details | Stage::Heads { .. }) && answer.status >= 400;
        answer.status == 304 || is_refusal && self.cursor.noted.as_ref().is_some_and(is_noted)
    }

    fn look_again(&mut self) {
        (self.cursor.pages_looked, self.cursor.is_looked) = (0, false);
        if let (Some(id), true) = (self.cursor.id, self.stage != Stage::Details) {
            self.turn_to_heads(id);
        }
    }

    fn next(&mut self) -> WalkStep {
        let ask = |url: &str, etag: Option<String>| WalkStep::Ask(WalkAsk { url: url.to_owned(), etag });
        match &self.stage {
            Stage::Details => match self.cursor.id {
                Some(id) => ask(&format!("/repositories/{id}"), None),
                None => ask(&format!("/repos/{}", self.name), None),
            },
            Stage::Heads { url, number } => {
                let page = self.cursor.pages.get(*number).filter(|page| page.url == *url);
                ask(url, page.and_then(|page| page.etag.clone()))
            }
            Stage::FindTold => WalkStep::Heads,
            Stage::Note => {
                let note = self.note();
                match self.is_news(&note) {
                    true => WalkStep::Note(serde_json::json!(note)),
                    false => {
                        self.after_note();
                        self.next()
                    }
                }
            }
            Stage::FindHeads => WalkStep::Known(self.heads().into_iter().map(|(_, sha)| sha).collect()),
            Stage::FindMissing => WalkStep::Missing,
            Stage::Page { url, .. } => ask(url, None),
            Stage::FindParents(parents) => WalkStep::Known(parents.clone()),
            Stage::Over => {
                (self.cursor.next, self.cursor.pages_left) = (None, None);
                (self.cursor.pages_looked, self.cursor.is_looked) = (0, false);
                WalkStep::Done
            }
        }
    }

    fn tell(&mut self, word: WalkWord) {
        match (self.stage.clone(), word) {
            (Stage::Details, WalkWord::Answer(answer)) => self.details(&answer),
            (Stage::Heads { url, number }, WalkWord::Answer(answer)) => self.head_page(url, number, &answer),
            (Stage::FindTold, WalkWord::Nodes(told)) => {
                let told: BTreeSet<_> = told.into_iter().collect();
                if told != self.heads().into_iter().map(|(_, sha)| sha).collect() {
                    // Marks were set by other heads than these: when they are noted again, they are judged again.
                    self.cursor.noted = None;
                }
                self.stage = Stage::Note;
            }
            (Stage::Note, WalkWord::Noted) => {
                self.cursor.noted = Some(self.note());
                self.after_note();
            }
            (Stage::FindHeads, WalkWord::Nodes(known)) => {
                self.add_missing(self.heads().into_iter().map(|(_, sha)| sha).collect(), &known);
                self.stage = Stage::FindMissing;
            }
            (Stage::FindMissing, WalkWord::Nodes(missing)) => {
                self.add_missing(missing, &[]);
                self.begin();
            }
            (Stage::Page { url, from, is_head }, WalkWord::Answer(answer)) => {
                self.page(&url, from.as_deref(), is_head, &answer);
            }
            // An address of before, of another host: what it led to is found otherwise.
            (Stage::Page { .. }, WalkWord::Nowhere) => {
                self.cursor.next = None;
                self.turn_to_page();
            }
            (Stage::Heads { .. }, WalkWord::Nowhere) => {
                self.cursor.pages.clear();
                self.ends_as("refused");
            }
            (Stage::FindParents(parents), WalkWord::Nodes(known)) => {
                self.add_missing(parents, &known);
                self.turn_to_page();
            }
            // The engine tells what it was asked for.
            (stage, _) => self.stage = stage,
        }
    }

    fn history(&self) -> i64 {
        self.cursor.id.unwrap_or_else(|| id_of_name(&self.name))
    }

    fn cursor(&self) -> Value {
        serde_json::json!(self.cursor)
    }

    fn needs(&self) -> u64 {
        match &self.stage {
            Stage::Over => 0,
            _ => self.cursor.pages_left.unwrap_or(1).max(1),
        }
    }

    fn complaint(&self) -> Option<String> {
        let name = &self.name;
        match (self.state.as_str(), self.refused.len()) {
            ("gone" | "blocked" | "refused", _) => Some(format!("{name} is {}", self.state)),
            (_, 0) => None,
            (_, lost) => Some(format!(
                "{name}: the host does not give {} that others name",
                words::counted(lost as u64, "commit")
            )),
        }
    }
}
