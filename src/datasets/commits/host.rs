//! The answers of a host's API, made of clones: for demonstrations and tests. No I/O: a call in, an answer out.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};
use std::io::{self, BufRead};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::clone::{CloneItem, CloneStream, MAGIC};
use super::object;
use super::project;
use super::record::{Commit, Signature};
use crate::words::sha256;

/// Items of a page, if nobody asks for fewer.
const PAGE: usize = 100;

/// How the address of the next page is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkForm {
    /// `page=2`, and the last page beside it
    #[default]
    Numbered,
    /// `last_sha=…`, and nothing of the last page
    LastSha,
}

/// A host with repositories.
#[derive(Clone, Debug, Default)]
pub struct GitHost {
    pub repositories: Vec<HostedRepository>,
    /// What callers must bear; `None`: anybody may call.
    pub token: Option<String>,
    pub links: LinkForm,
    /// Names that lead to the repository of a number.
    pub renamed: BTreeMap<String, i64>,
    /// With what status calls for a repository are refused.
    pub refused: BTreeMap<i64, u16>,
    /// Commits of which the account of the author is nobody (`null`), or an empty object.
    pub has_no_accounts: bool,
}

/// A repository of it.
#[derive(Clone, Debug)]
pub struct HostedRepository {
    pub id: i64,
    pub full_name: String,
    pub default_branch: String,
    pub is_archived: bool,
    /// Names and SHAs of the branches.
    pub heads: Vec<(String, String)>,
    commits: HashMap<String, Commit>,
}

/// A call.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostCall<'a> {
    /// The host's own address, which addresses in its answers begin with.
    pub base: &'a str,
    pub path: &'a str,
    pub query: &'a str,
    pub etag: Option<&'a str>,
    pub authorization: Option<&'a str>,
}

/// What it is answered with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostAnswer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl HostedRepository {
    /// Reads what was written of a clone.
    ///
    /// # Errors
    /// Where it is no such thing.
    pub fn read(id: i64, mut stream: impl BufRead) -> io::Result<Self> {
        let mut magic = String::new();
        stream.read_line(&mut magic)?;
        if magic != MAGIC {
            return Err(io::Error::other("it is nothing that was read of a clone"));
        }
        let (header, mut stream) = CloneStream::open(stream, u64::MAX)?;
        let mut commits = HashMap::new();
        while let CloneItem::Object(sha, bytes) = stream.next()? {
            commits.insert(sha.clone(), object::commit(&sha, &bytes));
        }
        Ok(Self {
            id,
            full_name: header.repository,
            default_branch: header.default_branch.unwrap_or_else(|| "HEAD".into()),
            is_archived: false,
            heads: header.heads,
            commits,
        })
    }

    /// How many commits it has.
    pub fn len(&self) -> usize {
        self.commits.len()
    }

    /// Has it none?
    pub fn is_empty(&self) -> bool {
        self.commits.is_empty()
    }

    fn head(&self) -> Option<&str> {
        let own = self.heads.iter().find(|(name, _)| *name == self.default_branch);
        own.or_else(|| self.heads.first()).map(|(_, sha)| sha.as_str())
    }

    /// All that a commit leads to, the newest first.
    fn history(&self, from: &str) -> Vec<&Commit> {
        let mut seen = HashSet::new();
        let mut ahead = BinaryHeap::new();
        let mut order = 0_u64;
        let mut push = |sha: &str, ahead: &mut BinaryHeap<_>| {
            if let Some(commit) = self.commits.get(sha)
                && seen.insert(commit.sha.as_str())
            {
                order += 1;
                ahead.push((commit.committer.seconds, Reverse(order), commit.sha.as_str()));
            }
        };
        push(from, &mut ahead);
        let mut history = Vec::new();
        while let Some((_, _, sha)) = ahead.pop() {
            let commit = &self.commits[sha];
            commit.parents.iter().for_each(|parent| push(parent, &mut ahead));
            history.push(commit);
        }
        history
    }
}

/// The numbers of repositories in a list of projects, by name.
///
/// # Errors
/// What is wrong with the list.
pub fn numbers(list: &str) -> Result<Vec<(String, i64)>, String> {
    let projects = project::read(list).map_err(|fault| fault.what)?.into_iter();
    Ok(projects
        .map(|project| {
            let id =
                project.id.unwrap_or_else(|| project::id_of_name(&project.repository).unsigned_abs() as i64);
            (project.repository, id)
        })
        .collect())
}

/// Answers a call.
pub fn answer(host: &GitHost, call: &HostCall<'_>) -> HostAnswer {
    let bearer = host.token.as_ref().map(|token| format!("Bearer {token}"));
    if bearer.is_some() && call.authorization != bearer.as_deref() {
        return refusal(401, "Bad credentials");
    }
    let path: Vec<_> = call.path.trim_matches('/').split('/').collect();
    match path[..] {
        ["repos", owner, name, ..] => {
            let full_name = format!("{owner}/{name}");
            if let Some(id) = host.renamed.get(&full_name.to_lowercase()) {
                return moved(call, *id, &path[3..]);
            }
            let found = host
                .repositories
                .iter()
                .find(|repository| repository.full_name.eq_ignore_ascii_case(&full_name));
            of_repository(host, call, found, &path[3..])
        }
        ["repositories", id, ..] => {
            let id = id.parse::<i64>().ok();
            let found = host.repositories.iter().find(|repository| Some(repository.id) == id);
            of_repository(host, call, found, &path[2..])
        }
        _ => refusal(404, "Not Found"),
    }
}

fn of_repository(
    host: &GitHost,
    call: &HostCall<'_>,
    found: Option<&HostedRepository>,
    rest: &[&str],
) -> HostAnswer {
    let Some(repository) = found else { return refusal(404, "Not Found") };
    if let Some(status) = host.refused.get(&repository.id) {
        return match status {
            403 | 451 => closed(*status),
            status => refusal(*status, "Not Found"),
        };
    }
    match rest {
        [] => {
            let body = json!({
                "id": repository.id,
                "full_name": repository.full_name,
                "default_branch": repository.default_branch,
                "archived": repository.is_archived,
            });
            with_etag(call, &body, Vec::new())
        }
        ["commits"] => commits(host, call, repository),
        ["branches"] => {
            let all: Vec<_> = repository
                .heads
                .iter()
                .map(|(name, sha)| json!({ "name": name, "commit": { "sha": sha }, "protected": false }))
                .collect();
            paged(host, call, &format!("/repositories/{}/branches", repository.id), &all)
        }
        _ => refusal(404, "Not Found"),
    }
}

fn commits(host: &GitHost, call: &HostCall<'_>, repository: &HostedRepository) -> HostAnswer {
    let asked = value(call.query, "sha");
    let Some(from) = asked.or_else(|| repository.head()) else {
        return refusal(409, "Git Repository is empty.");
    };
    let named = repository.heads.iter().find(|(name, _)| name == from).map_or(from, |(_, sha)| sha.as_str());
    if !repository.commits.contains_key(named) {
        return refusal(404, &format!("No commit found for SHA: {named}"));
    }
    let all: Vec<_> = repository.history(named).into_iter().map(|commit| item(host, commit)).collect();
    paged(host, call, &format!("/repositories/{}/commits", repository.id), &all)
}

/// A commit as the API tells it.
fn item(host: &GitHost, commit: &Commit) -> Value {
    let person = |who: &Signature| {
        let date = who.seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
        let date = date.map(|date| date.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        json!({ "name": who.name, "email": who.email, "date": date })
    };
    let account =
        match (host.has_no_accounts, commit.sha.starts_with(['0', '1', '2', '3', '4', '5', '6', '7'])) {
            (true, true) => Value::Null,
            (true, false) => json!({}),
            (false, _) => json!({ "login": "somebody" }),
        };
    json!({
        "sha": commit.sha,
        "commit": {
            "author": person(&commit.author),
            "committer": person(&commit.committer),
            "message": commit.message,
            "verification": { "verified": false, "signature": Value::Null },
        },
        "author": account,
        "committer": account,
        "parents": commit.parents.iter().map(|sha| json!({ "sha": sha })).collect::<Vec<_>>(),
    })
}

/// A page of what there is.
fn paged(host: &GitHost, call: &HostCall<'_>, path: &str, all: &[Value]) -> HostAnswer {
    let number = |name: &str| value(call.query, name).and_then(|text| text.parse::<usize>().ok());
    let size = number("per_page").unwrap_or(30).clamp(1, PAGE);
    let begin = match value(call.query, "last_sha") {
        Some(sha) => all.iter().position(|item| item["sha"] == sha).map_or(all.len(), |at| at + 1),
        None => (number("page").unwrap_or(1).max(1) - 1) * size,
    };
    let page = &all[begin.min(all.len())..(begin + size).min(all.len())];
    let mut headers = Vec::new();
    if begin + size < all.len() {
        let sha = value(call.query, "sha").map(|sha| format!("sha={sha}&")).unwrap_or_default();
        let address = |more: String| format!("<{}{path}?{sha}per_page={size}&{more}>", call.base);
        let is_numbered = host.links == LinkForm::Numbered || path.ends_with("/branches");
        let link = match (is_numbered, page.last()) {
            (false, Some(last)) => {
                let last = last["sha"].as_str().unwrap_or_default();
                format!("{}; rel=\"next\"", address(format!("last_sha={last}")))
            }
            _ => format!(
                "{}; rel=\"next\", {}; rel=\"last\"",
                address(format!("page={}", begin / size + 2)),
                address(format!("page={}", all.len().div_ceil(size)))
            ),
        };
        headers.push(("link", link));
    }
    with_etag(call, &json!(page), headers)
}

fn with_etag(call: &HostCall<'_>, body: &Value, mut headers: Vec<(&'static str, String)>) -> HostAnswer {
    let body = body.to_string().into_bytes();
    let etag = format!("W/\"{}\"", sha256(&body));
    let is_known = call.etag == Some(etag.as_str());
    headers.push(("etag", etag));
    match is_known {
        true => HostAnswer { status: 304, headers, body: Vec::new() },
        false => HostAnswer { status: 200, headers, body },
    }
}

fn moved(call: &HostCall<'_>, id: i64, rest: &[&str]) -> HostAnswer {
    let mut to = format!("{}/repositories/{id}", call.base);
    for piece in rest {
        to += &format!("/{piece}");
    }
    HostAnswer { headers: vec![("location", to)], ..refusal(301, "Moved Permanently") }
}

/// A refusal of what is closed to everybody, which is no word on how much somebody asks.
fn closed(status: u16) -> HostAnswer {
    let body = json!({
        "message": "Repository access blocked",
        "block": { "reason": "tos", "created_at": "2026-01-01T00:00:00Z" },
    });
    HostAnswer { body: body.to_string().into_bytes(), ..refusal(status, "") }
}

/// A refusal with a few words.
pub fn refusal(status: u16, message: &str) -> HostAnswer {
    HostAnswer { status, headers: Vec::new(), body: json!({ "message": message }).to_string().into_bytes() }
}

fn value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}
