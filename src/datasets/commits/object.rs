//! A commit as git keeps it: bytes of which only the form is certain.

use super::identity::signature;
use super::record::{Commit, add_note, decode};

/// Reads the object of a commit. Whatever it holds, something of it is a commit.
pub(super) fn commit(sha: &str, object: &[u8]) -> Commit {
    let (header, message) = split(object);
    let mut commit = Commit { sha: sha.to_owned(), is_signed: Some(false), ..Commit::default() };
    let is_latin_1 = lines(header).any(|(name, value)| {
        let value = value.to_ascii_lowercase();
        name == b"encoding"
            && [&b"iso-8859-1"[..], b"iso8859-1", b"latin1", b"latin-1"].contains(&value.as_slice())
    });
    let mut has = (false, false);
    for (name, value) in lines(header) {
        match name {
            b"parent" => commit.parents.push(String::from_utf8_lossy(value).trim().to_lowercase()),
            b"author" if !has.0 => {
                commit.author = signature(value, is_latin_1, &mut commit.notes);
                has.0 = true;
            }
            b"committer" if !has.1 => {
                commit.committer = signature(value, is_latin_1, &mut commit.notes);
                has.1 = true;
            }
            b"gpgsig" | b"gpgsig-sha256" => commit.is_signed = Some(true),
            _ => {}
        }
    }
    if has != (true, true) {
        add_note(&mut commit.notes, "it names no author, or no committer");
    }
    commit.message =
        decode(message, is_latin_1, "its message is in no encoding that is known", &mut commit.notes);
    commit
}

/// Header and message of an object.
fn split(object: &[u8]) -> (&[u8], &[u8]) {
    match object.windows(2).position(|two| two == b"\n\n") {
        Some(at) => (&object[..at], &object[at + 2..]),
        None => (object, &[]),
    }
}

/// The lines of a header, each with its name; those that go on with the one before have none.
fn lines(header: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    header.split(|byte| *byte == b'\n').filter_map(|line| {
        let at = line.iter().position(|byte| *byte == b' ').filter(|at| *at > 0)?;
        Some((&line[..at], &line[at + 1..]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: &str = "0123456789012345678901234567890123456789";

    #[test]
    fn what_git_writes_is_read() {
        let object =
            b"tree 1111\nparent AAAA\nparent bbbb\nauthor A <a@b> 5 +0100\ncommitter C <c@d> 6 -0200\n\
            gpgsig -----BEGIN\n author X <x@y> 9 +0000\n -----END\n\nSubject\n\nText\n";
        let commit = commit(SHA, object);
        assert_eq!(commit.parents, ["aaaa", "bbbb"]);
        assert_eq!((commit.author.name.as_str(), commit.author.offset_seconds), ("A", Some(3600)));
        assert_eq!((commit.committer.email.as_str(), commit.committer.seconds), ("c@d", Some(6)));
        assert_eq!((commit.is_signed, commit.message.as_str()), (Some(true), "Subject\n\nText\n"));
        assert_eq!(commit.notes, Vec::<&str>::new());
    }

    #[test]
    fn what_is_broken_is_noted() {
        let latin =
            commit(SHA, b"author J\xf6 <a> 5 +0000\ncommitter C <c> 5 +0000\nencoding ISO-8859-1\n\nM\xfc\0");
        assert_eq!((latin.author.name.as_str(), latin.message.as_str()), ("Jö", "Mü"));
        assert_eq!(latin.notes, ["a zero byte is left out"]);
        for object in [&b""[..], b"\n\n", b"author", b"tree x\n\nMessage", b"\xff\xfe\n\n\xff"] {
            assert!(commit(SHA, object).notes.contains(&"it names no author, or no committer"), "{object:?}");
        }
    }
}
