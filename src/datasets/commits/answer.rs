//! What the API of the host says: a page of commits, of branches, the details of a repository. And a line of the archive, which
//! is such an answer, or a word of ours.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::record::{Commit, Signature, add_note};
use crate::dataset::walked::WalkedNode;

/// A line of the archive.
#[derive(Debug, Deserialize)]
pub(super) struct ArchivedLine {
    #[serde(default)]
    pub status: u16,
    #[serde(default)]
    pub body: Value,
    /// A word of ours.
    #[serde(default)]
    pub note: Option<RepositoryNote>,
    /// Of which history the line is.
    pub history: i64,
}

/// What a clone says of its repository, or a walk found out of one; that is kept beside the answers, because no single one of
/// them says it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RepositoryNote {
    pub full_name: String,
    /// What the list calls it, which may be a name of before.
    #[serde(default)]
    pub listed: String,
    pub state: String,
    /// Microseconds since 1970.
    pub seen_us: i64,
    pub default_branch: Option<String>,
    /// Names and SHAs; `None`: nothing is said of them.
    pub heads: Option<Vec<(String, String)>>,
}

/// A commit of a page; one that is none: its SHA, if it has one, and why.
type ReadCommit = Result<Commit, (Option<String>, &'static str)>;

/// The commits of a page; `None`: it is none. One that is no commit fails alone.
pub(super) fn commits(body: &Value) -> Option<Vec<ReadCommit>> {
    let items = body.as_array()?;
    // A page of branches has the same form, but for what is in it.
    let is_page = items.iter().all(|item| item.get("name").is_none());
    is_page.then(|| items.iter().map(commit).collect())
}

fn commit(item: &Value) -> ReadCommit {
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let sha = text(item, "sha").to_lowercase();
    if !is_sha(&sha) {
        return Err((None, "it has no SHA"));
    }
    let Some(said) = item.get("commit").filter(|said| said.is_object()) else {
        return Err((Some(sha), "it says nothing of the commit"));
    };
    let parents = item.get("parents").and_then(Value::as_array);
    let Some(parents) = parents else { return Err((Some(sha), "it does not say which parents it has")) };
    let parents: Vec<_> = parents.iter().map(|parent| text(parent, "sha").to_lowercase()).collect();
    if !parents.iter().all(|parent| is_sha(parent)) {
        return Err((Some(sha), "one of its parents has no SHA"));
    }
    let mut notes = Vec::new();
    let mut person = |name: &str| match said.get(name).filter(|person| person.is_object()) {
        None => Signature::default(),
        Some(person) => {
            let seconds = person.get("date").and_then(Value::as_str).and_then(seconds);
            if seconds.is_none() {
                add_note(&mut notes, "the seconds of a time cannot be read");
            }
            let name = text(person, "name");
            if name.contains('\u{fffd}') {
                add_note(&mut notes, "a name is in no encoding that is known");
            }
            Signature { name, email: text(person, "email"), seconds, offset_seconds: None }
        }
    };
    let (author, committer) = (person("author"), person("committer"));
    let mut message = text(said, "message");
    if message.contains('\u{fffd}') {
        add_note(&mut notes, "its message is in no encoding that is known");
    }
    if message.contains('\0') {
        add_note(&mut notes, "a zero byte is left out");
        message.retain(|c| c != '\0');
    }
    let signed = said.get("verification").and_then(|verification| verification.get("signature"));
    let is_signed = signed.map(|signature| !signature.is_null());
    Ok(Commit { sha, author, committer, message, parents, is_signed, notes })
}

/// The commits that a line of the archive brings.
pub(super) fn nodes(line: &str) -> Vec<WalkedNode> {
    let Ok(read) = serde_json::from_str::<ArchivedLine>(line) else { return Vec::new() };
    let page = (read.status == 200).then(|| commits(&read.body)).flatten();
    let good = page.into_iter().flatten().flatten();
    good.map(|commit| WalkedNode { history: read.history, id: commit.sha, leads_to: commit.parents })
        .collect()
}

/// Names and SHAs of a page of branches; `None`: it is none.
pub(super) fn branches(body: &Value) -> Option<Vec<(String, String)>> {
    let branch = |item: &Value| {
        let sha = item.get("commit")?.get("sha")?.as_str()?.to_lowercase();
        Some((item.get("name")?.as_str()?.to_owned(), sha)).filter(|(_, sha)| is_sha(sha))
    };
    body.as_array()?.iter().map(branch).collect()
}

/// The address of the next page, as a `Link` header has it, and the number of the last page, if it says one.
pub(super) fn link(header: &str) -> (Option<String>, Option<u64>) {
    let (mut next, mut last) = (None, None);
    for part in header.split(',') {
        let Some((url, rest)) = part.trim().strip_prefix('<').and_then(|rest| rest.split_once('>')) else {
            continue;
        };
        let is = |rel: &str| {
            rest.split(';')
                .any(|word| word.trim() == format!("rel=\"{rel}\"") || word.trim() == format!("rel={rel}"))
        };
        if is("next") {
            next = Some(url.to_owned());
        }
        if is("last") {
            last = page_number(url);
        }
    }
    (next, last)
}

/// The number of the page that an address leads to, if the address has it.
pub(super) fn page_number(url: &str) -> Option<u64> {
    let (_, query) = url.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix("page=")?.parse().ok())
}

/// Does a refusal say who has closed a repository to everybody, and when?
pub(super) fn is_closed(body: &Value) -> bool {
    body.get("block").is_some()
}

pub(super) fn is_sha(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn seconds(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_second)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    #[test]
    fn a_commit_is_read_whoever_it_is_of() {
        let item = json!({"sha": A, "author": null, "committer": {}, "parents": [{"sha": A}], "commit": {
            "author": {"name": "J", "email": "j@b", "date": "1970-01-01T00:00:05Z"}, "committer": null, "message": "M\n\nT",
            "verification": {"signature": "x"}}});
        let page = commits(&json!([item, {"sha": "x"}, {"sha": A}, null])).unwrap();
        let good = page[0].as_ref().unwrap();
        assert_eq!((good.author.seconds, good.author.offset_seconds), (Some(5), None));
        assert_eq!((good.committer.name.as_str(), good.is_signed, good.parents.len()), ("", Some(true), 1));
        assert_eq!(page[1], Err((None, "it has no SHA")));
        assert_eq!(page[2], Err((Some(A.into()), "it says nothing of the commit")));
        assert_eq!(page[3], Err((None, "it has no SHA")));
        assert!(commits(&json!({"message": "no"})).is_none());
        assert!(commits(&json!([{"name": "main", "commit": {"sha": A}}])).is_none());
        assert_eq!(commits(&json!([])), Some(Vec::new()));
    }

    #[test]
    fn branches_have_names_and_shas() {
        let page = json!([{"name": "main", "commit": {"sha": A}}]);
        assert_eq!(branches(&page), Some(vec![("main".into(), A.into())]));
        assert_eq!(branches(&json!([{"name": "main"}])), None);
    }

    #[test]
    fn the_next_page_is_what_the_header_says() {
        let numbered = "<https://h/repositories/1/commits?per_page=100&page=2>; rel=\"next\", <https://h/x?page=9&y=1>; rel=\"last\"";
        assert_eq!(
            link(numbered),
            (Some("https://h/repositories/1/commits?per_page=100&page=2".into()), Some(9))
        );
        assert_eq!(link("<https://h/x?last_sha=1>; rel=next"), (Some("https://h/x?last_sha=1".into()), None));
        assert_eq!(link("<https://h/x>; rel=\"prev\""), (None, None));
        assert_eq!(link("nonsense"), (None, None));
    }
}
