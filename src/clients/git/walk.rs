//! The way from a clone's heads to its roots.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use gix::ObjectId;
use gix::hashtable::HashSet;
use gix::objs::Kind;
use jiff::Timestamp;
use serde_json::json;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

use super::GitError;
use super::heads::{CloneHeads, open};
use crate::words::hex;

/// A file that is written, with its checksum.
struct Summed {
    file: BufWriter<File>,
    sha256: Sha256,
}

impl Write for Summed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_all(bytes)?;
        self.sha256.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Writes heads and commits into a file; gives its checksum.
///
/// # Errors
/// As of [`each_commit`]; a file that cannot be written.
pub(super) fn write(at: &str, path: &Path, heads: &CloneHeads, to: &Path) -> Result<String, GitError> {
    let unwritten = |source| GitError::Local { path: to.to_owned(), source };
    let file = BufWriter::with_capacity(256 << 10, File::create(to).map_err(unwritten)?);
    let mut out = Summed { file, sha256: Sha256::new() };
    let header = json!({
        "repository": at,
        "default_branch": heads.default_branch,
        "heads": heads.heads,
        "read_us": Timestamp::now().as_microsecond(),
    });
    writeln!(out, "merganser clone 1\n{header}").map_err(unwritten)?;
    let mut count = 0_u64;
    each_commit(at, path, heads, |id, data| {
        count += 1;
        writeln!(out, "{id} {}", data.len())
            .and_then(|()| out.write_all(data))
            .and_then(|()| out.write_all(b"\n"))
            .map_err(unwritten)
    })?;
    writeln!(out, "end {count}").and_then(|()| out.flush()).map_err(unwritten)?;
    Ok(hex(&out.sha256.finalize()))
}

/// The SHAs of all commits.
///
/// # Errors
/// As of [`each_commit`].
pub(super) fn ids(at: &str, path: &Path, heads: &CloneHeads) -> Result<Vec<String>, GitError> {
    let mut ids = Vec::new();
    each_commit(at, path, heads, |id, _| {
        ids.push(id.to_string());
        Ok(())
    })?;
    Ok(ids)
}

/// After so many commits a clone is opened anew. Its packs are mapped into memory, and what was read of them stays there for as long
/// as they are: of a history of a million commits that is more than all else that a run needs.
const REOPENED_AFTER: usize = 50_000;

/// Hands on every commit that the heads lead to, once. In memory are the SHAs that were seen.
///
/// # Errors
/// An object that is missing, is damaged, or is no commit.
fn each_commit(
    at: &str,
    path: &Path,
    heads: &CloneHeads,
    mut each: impl FnMut(ObjectId, &[u8]) -> Result<(), GitError>,
) -> Result<(), GitError> {
    let unread = |what: &'static str, sha: &str, detail: String| GitError::Object {
        at: at.to_owned(),
        what,
        sha: sha.to_owned(),
        detail,
    };
    let opened = || open(path).map_err(|error| unread("clone", "", error.to_string()));
    let mut repository = opened()?;
    let mut read = 0;
    let mut seen = HashSet::default();
    let mut ahead = Vec::new();
    for (_, sha) in heads.heads.iter().rev() {
        let id =
            ObjectId::from_hex(sha.as_bytes()).map_err(|error| unread("head", sha, error.to_string()))?;
        if seen.insert(id) {
            ahead.push(id);
        }
    }
    while let Some(id) = ahead.pop() {
        read += 1;
        if read % REOPENED_AFTER == 0 {
            // The old one goes first.
            drop(repository);
            repository = opened()?;
        }
        let bad = |detail: String| unread("commit", &id.to_string(), detail);
        let object = repository.find_object(id).map_err(|error| bad(error.to_string()))?;
        if object.kind != Kind::Commit {
            return Err(bad(format!("it is a {}", object.kind)));
        }
        if hash(&object.data) != id.as_slice() {
            return Err(bad("it is damaged".into()));
        }
        each(id, &object.data)?;
        let first = ahead.len();
        for parent in parents(&object.data) {
            let parent = parent.map_err(bad)?;
            if seen.insert(parent) {
                ahead.push(parent);
            }
        }
        // The first parent comes first, as it most often lies next in a pack.
        ahead[first..].reverse();
    }
    Ok(())
}

/// What an object of a commit is known by.
fn hash(data: &[u8]) -> Vec<u8> {
    let mut hash = Sha1::new();
    hash.update(format!("commit {}\0", data.len()));
    hash.update(data);
    hash.finalize().to_vec()
}

/// The parents that a commit names.
fn parents(data: &[u8]) -> impl Iterator<Item = Result<ObjectId, String>> {
    let header = data.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty());
    header.filter_map(|line| line.strip_prefix(b"parent ")).map(|hex| {
        ObjectId::from_hex(hex).map_err(|error| format!("it names a parent that cannot be read: {error}"))
    })
}
