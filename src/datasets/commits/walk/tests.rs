//! A walk against a host that is a value: every stop and every restart, without a network.

use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::dataset::walked::{WalkStep, WalkWord};
use crate::datasets::commits::host::{GitHost, HostCall, HostedRepository, LinkForm, answer};

/// A history of so many commits in a line, one of which, from the tenth on, has a second parent far back.
fn repository(commits: usize) -> HostedRepository {
    repository_without(commits, 0)
}

/// The same, of which the host has lost one.
fn repository_without(commits: usize, lost: usize) -> HostedRepository {
    let sha = |number: usize| format!("{number:040x}");
    let mut stream = String::from("merganser clone 1\n");
    let heads = json!([["main", sha(commits)], ["old", sha(commits.div_ceil(2))]]);
    stream += &format!(
        "{}\n",
        json!({"repository": "a/b", "default_branch": "main", "heads": heads, "read_us": 0})
    );
    for number in (1..=commits).filter(|number| *number != lost) {
        let mut object = String::from("tree x\n");
        if number > 1 {
            object += &format!("parent {}\n", sha(number - 1));
        }
        if number > 10 && number % 7 == 0 {
            object += &format!("parent {}\n", sha(number - 9));
        }
        object += &format!("author A <a@b> {number} +0000\ncommitter A <a@b> {number} +0000\n\nC {number}\n");
        stream += &format!("{} {}\n{object}\n", sha(number), object.len());
    }
    stream += &format!("end {commits}\n");
    HostedRepository::read(7, stream.as_bytes()).unwrap()
}

/// What is kept, and how it was had.
#[derive(Default)]
struct Kept {
    shas: BTreeSet<String>,
    parents: BTreeSet<String>,
    notes: Vec<RepositoryNote>,
    requests: Vec<String>,
    cursor: Option<Value>,
    /// Heads that something else has told production.
    told: Option<Vec<String>>,
}

impl Kept {
    /// As the last note has them.
    fn heads(&self) -> Vec<String> {
        let last = self.notes.iter().rev().find_map(|note| note.heads.clone());
        last.unwrap_or_default().into_iter().map(|(_, sha)| sha).collect()
    }

    /// Walks, at most so many requests; gives whether it came to its end.
    fn walk(&mut self, host: &GitHost, options: &Options, most: usize) -> bool {
        let mut walk = walk(options, "a/b", self.cursor.as_ref(), Timestamp::now());
        let last = self.requests.len() + most;
        loop {
            match walk.next() {
                WalkStep::Ask(ask) => {
                    if self.requests.len() == last {
                        return false;
                    }
                    self.requests.push(ask.url.clone());
                    let (path, query) = ask.url.split_once('?').unwrap_or((&ask.url, ""));
                    let call =
                        HostCall { base: "", path, query, etag: ask.etag.as_deref(), authorization: None };
                    let said = answer(host, &call);
                    let header = |name: &str| {
                        said.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
                    };
                    let body: Value = serde_json::from_slice(&said.body).unwrap_or_default();
                    for commit in commits(&body).into_iter().flatten().flatten() {
                        self.parents.extend(commit.parents);
                        self.shas.insert(commit.sha);
                    }
                    walk.tell(WalkWord::Answer(WalkAnswer {
                        status: said.status,
                        etag: header("etag"),
                        link: header("link"),
                        body,
                        at: Timestamp::now(),
                    }));
                    self.cursor = Some(walk.cursor());
                }
                WalkStep::Heads => {
                    walk.tell(WalkWord::Nodes(self.told.clone().unwrap_or_else(|| self.heads())));
                }
                WalkStep::Known(ids) => {
                    walk.tell(WalkWord::Nodes(ids.into_iter().filter(|id| self.shas.contains(id)).collect()));
                }
                WalkStep::Missing => {
                    walk.tell(WalkWord::Nodes(self.parents.difference(&self.shas).cloned().collect()));
                }
                WalkStep::Note(note) => {
                    self.notes.push(serde_json::from_value(note).unwrap());
                    walk.tell(WalkWord::Noted);
                    self.cursor = Some(walk.cursor());
                }
                WalkStep::Done => {
                    self.cursor = Some(walk.cursor());
                    return true;
                }
            }
        }
    }
}

fn options(branches: &str) -> Options {
    Options::from_iter([("branches".to_owned(), branches.into())])
}

fn host(commits: usize, links: LinkForm) -> GitHost {
    GitHost { repositories: vec![repository(commits)], links, ..GitHost::default() }
}

#[test]
fn a_walk_finds_every_commit_and_the_next_one_asks_once() {
    for (links, branches) in
        [(LinkForm::Numbered, "default"), (LinkForm::LastSha, "default"), (LinkForm::Numbered, "all")]
    {
        for commits in [1, 99, 100, 101, 350] {
            let (host, options, mut kept) = (host(commits, links), options(branches), Kept::default());
            assert!(kept.walk(&host, &options, 100));
            assert_eq!(kept.shas.len(), commits, "{links:?} {branches} {commits}");
            assert_eq!(kept.notes.len(), 1);
            assert_eq!((kept.notes[0].state.as_str(), kept.notes[0].full_name.as_str()), ("active", "a/b"));
            let before = kept.requests.len();
            assert!(before <= commits.div_ceil(100) + 3, "{:#?}", kept.requests);
            assert!(kept.walk(&host, &options, 100));
            assert_eq!(
                kept.requests.len(),
                before + 1,
                "{links:?} {branches} {commits}: {:#?}",
                kept.requests
            );
            assert_eq!(kept.notes.len(), 1);
        }
    }
}

#[test]
fn a_walk_that_is_cut_off_after_any_request_goes_on_there() {
    for branches in ["default", "all"] {
        let (host, options) = (host(350, LinkForm::Numbered), options(branches));
        let mut whole = Kept::default();
        assert!(whole.walk(&host, &options, 100));
        for most in 1..whole.requests.len() {
            let mut kept = Kept::default();
            assert!(!kept.walk(&host, &options, most));
            assert!(kept.walk(&host, &options, 100));
            assert_eq!(kept.shas, whole.shas, "{branches} {most}");
            assert_eq!(kept.requests.len(), whole.requests.len(), "{branches} {most}: {:#?}", kept.requests);
        }
    }
}

#[test]
fn pages_that_the_host_has_announced_are_left_to_do_in_the_next_run_too() {
    let (host, options) = (host(1_000, LinkForm::Numbered), options("default"));
    let mut kept = Kept::default();
    assert!(!kept.walk(&host, &options, 4));
    let left = |kept: &Kept| walk(&options, "a/b", kept.cursor.as_ref(), Timestamp::now()).needs();
    let before = left(&kept);
    assert!((7..=9).contains(&before), "{before}");
    assert!(!kept.walk(&host, &options, 3));
    assert_eq!(left(&kept), before - 3);
    assert!(kept.walk(&host, &options, 100));
    assert_eq!(left(&kept), 1, "a look at its heads");
}

#[test]
fn an_address_that_leads_nowhere_any_more_is_left_for_the_frontier() {
    let (host, options) = (host(350, LinkForm::Numbered), options("default"));
    let mut kept = Kept::default();
    assert!(!kept.walk(&host, &options, 4));
    let cursor = kept.cursor.as_mut().unwrap();
    assert!(cursor["next"].is_string(), "{cursor}");
    cursor["next"] = "/repositories/7/commits?sha=nothing".into();
    assert!(kept.walk(&host, &options, 100));
    assert_eq!(kept.shas.len(), 350);
}

#[test]
fn heads_that_somebody_else_has_told_are_told_again_by_the_host() {
    for branches in ["default", "all"] {
        let (host, options, mut kept) = (host(350, LinkForm::Numbered), options(branches), Kept::default());
        assert!(kept.walk(&host, &options, 100));
        let before = kept.requests.len();
        kept.told = Some(vec![format!("{:040x}", 350), format!("{:040x}", 7)]);
        assert!(kept.walk(&host, &options, 100));
        kept.told = None;
        assert!(kept.walk(&host, &options, 100));
        assert_eq!((kept.requests.len(), kept.notes.len()), (before + 2, 2), "{branches}");
        assert_eq!(kept.notes[0].heads, kept.notes[1].heads);
    }
}

#[test]
fn what_is_refused_is_a_state() {
    for (status, state) in
        [(404, "gone"), (403, "blocked"), (451, "blocked"), (409, "empty"), (418, "refused")]
    {
        let mut host = host(10, LinkForm::Numbered);
        let (options, mut kept) = (options("default"), Kept::default());
        assert!(kept.walk(&host, &options, 100));
        host.refused.insert(7, status);
        assert!(kept.walk(&host, &options, 100));
        assert_eq!(kept.notes.last().unwrap().state, state);
        assert_eq!(kept.notes.last().unwrap().heads.is_some(), state == "empty");
        assert!(kept.walk(&host, &options, 100));
        assert_eq!(kept.notes.len(), 2, "it is said once");
        host.refused.clear();
        assert!(kept.walk(&host, &options, 100));
        assert_eq!(kept.notes.last().unwrap().state, "active");
    }
}

#[test]
fn a_repository_that_goes_away_in_mid_walk_is_asked_for_once() {
    for (status, state) in [(404, "gone"), (403, "blocked"), (451, "blocked")] {
        for branches in ["default", "all"] {
            let (mut host, options) = (host(350, LinkForm::Numbered), options(branches));
            let mut kept = Kept::default();
            assert!(!kept.walk(&host, &options, 3));
            let (before, there) = (kept.requests.len(), kept.shas.len());
            assert!(kept.parents.difference(&kept.shas).count() > 1, "several are missing");
            host.refused.insert(7, status);
            assert!(kept.walk(&host, &options, 100));
            // Where the walk was, then one of those that are missing, and whether the repository is there at all.
            let asked = &kept.requests[before..];
            assert!(asked.len() <= 3, "{status} {branches}: {asked:#?}");
            let last = kept.notes.last().unwrap();
            assert_eq!((last.state.as_str(), &last.heads), (state, &None));
            assert!(last.seen_us >= kept.notes[0].seen_us);
            // When it is there again, nothing of it is lost.
            host.refused.clear();
            assert!(kept.walk(&host, &options, 100));
            assert_eq!(kept.notes.last().unwrap().state, "active");
            assert!(there < 350 && kept.shas.len() == 350, "{there}");
        }
    }
}

#[test]
fn what_the_host_has_lost_is_asked_for_when_its_details_are() {
    let mut host = GitHost { repositories: vec![repository_without(20, 5)], ..GitHost::default() };
    let (options, mut kept) = (options("default"), Kept::default());
    assert!(kept.walk(&host, &options, 100));
    assert!(kept.requests.iter().any(|url| url.contains(&format!("sha={:040x}", 5))), "{:#?}", kept.requests);
    let before = kept.requests.len();
    assert!(kept.walk(&host, &options, 100));
    assert_eq!(kept.requests.len(), before + 1, "{:#?}", kept.requests);
    let mut again = walk(&options, "a/b", kept.cursor.as_ref(), Timestamp::now());
    let sha = |number: usize| vec![format!("{number:040x}")];
    let same = WalkAnswer { status: 304, etag: None, link: None, body: Value::Null, at: Timestamp::now() };
    for word in
        [WalkWord::Answer(same), WalkWord::Nodes(sha(20)), WalkWord::Nodes(sha(20)), WalkWord::Nodes(sha(5))]
    {
        again.next();
        again.tell(word);
    }
    assert_eq!(again.next(), WalkStep::Done);
    assert_eq!(again.complaint().unwrap(), "a/b: the host does not give 1 commit that others name");
    host.repositories = vec![repository(20)];
    let cursor = kept.cursor.as_mut().unwrap();
    cursor["details_us"] = 0.into();
    assert!(kept.walk(&host, &options, 100));
    assert_eq!(kept.shas.len(), 20);
}

#[test]
fn heads_that_change_during_a_walk_are_those_of_the_next() {
    for branches in ["default", "all"] {
        let (mut host, options) = (host(350, LinkForm::Numbered), options(branches));
        let mut kept = Kept::default();
        assert!(!kept.walk(&host, &options, 3));
        host.repositories = vec![repository(365)];
        assert!(kept.walk(&host, &options, 100));
        assert_eq!(kept.shas.len(), 350, "{branches}: the walk goes by its own heads");
        assert!(kept.walk(&host, &options, 100));
        assert_eq!(kept.shas.len(), 365, "{branches}");
    }
}

#[test]
fn what_it_has_no_heads_of_is_looked_at_wherever_the_walk_was() {
    let (host, options) = (host(350, LinkForm::Numbered), options("default"));
    let mut kept = Kept::default();
    assert!(!kept.walk(&host, &options, 3));
    let mut again = walk(&options, "a/b", kept.cursor.as_ref(), Timestamp::now());
    again.look_again();
    let WalkStep::Ask(ask) = again.next() else { panic!("it asks for heads") };
    assert_eq!(ask.url, "/repositories/7/commits?per_page=100");
    assert!(ask.etag.is_some(), "what is known of them counts");
}

#[test]
fn details_are_asked_for_anew_after_thirty_days() {
    let mut host = host(150, LinkForm::Numbered);
    let (options, mut kept) = (options("default"), Kept::default());
    assert!(kept.walk(&host, &options, 100));
    host.repositories[0].is_archived = true;
    host.repositories[0].full_name = "a/renamed".into();
    let before = kept.requests.len();
    assert!(kept.walk(&host, &options, 100));
    assert_eq!((kept.requests.len(), kept.notes.len()), (before + 1, 1), "nobody asks yet");
    let cursor = kept.cursor.as_mut().unwrap();
    cursor["details_us"] = (cursor["details_us"].as_i64().unwrap() - DETAILS_US - 1).into();
    assert!(kept.walk(&host, &options, 100));
    assert_eq!(kept.requests[before + 1..], ["/repositories/7", "/repositories/7/commits?per_page=100"]);
    let note = kept.notes.last().unwrap();
    assert_eq!(
        (note.state.as_str(), note.full_name.as_str(), note.listed.as_str()),
        ("archived", "a/renamed", "a/b")
    );
}
