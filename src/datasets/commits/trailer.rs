//! The trailers of a message: lines such as `Co-authored-by: NAME <ADDRESS>` in its last paragraph.

use super::email::{name_and_address, name_before_address};

/// A trailer. One of a person has no value of its own, so that no address is kept in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trailer<'a> {
    pub token: &'a str,
    pub value: &'a str,
    /// Name and address of a person, where the value is that.
    pub person: Option<(&'a str, &'a str)>,
}

/// Letters of a token at most; a longer one is a sentence with a colon.
const LONGEST: usize = 40;

/// The trailers of a message, in their order: of its last paragraph, if that is not its first, and most of its lines are some.
pub(super) fn trailers(message: &str) -> Vec<Trailer<'_>> {
    let message = message.trim_end();
    let Some(last) = last_paragraph(message) else { return Vec::new() };
    let lines = last.lines().map(str::trim_end);
    let mut others = 0;
    let mut found = Vec::new();
    for line in lines {
        match trailer(line) {
            Some(trailer) => found.push(trailer),
            // The rest of the line before.
            None if line.starts_with([' ', '\t']) && !found.is_empty() => {}
            None => others += 1,
        }
    }
    if others > found.len() { Vec::new() } else { found }
}

/// The last paragraph, if another one stands before it.
fn last_paragraph(message: &str) -> Option<&str> {
    let (mut begin, mut end) = (message.len(), message.len());
    for line in message.rsplit('\n') {
        if line.trim().is_empty() {
            return (!message[..end].trim().is_empty()).then(|| &message[begin..]);
        }
        begin = end - line.len();
        end = begin.saturating_sub(1);
    }
    None
}

/// What a line is by itself, wherever it stands.
pub(super) fn trailer(line: &str) -> Option<Trailer<'_>> {
    let (token, value) = line.split_once(':')?;
    let is_token = !token.is_empty()
        && token.len() <= LONGEST
        && token.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
        && value.starts_with([' ', '\t']);
    let value = value.trim();
    is_token.then(|| Trailer { token, value, person: person(value) })
}

/// Name and address of `NAME <ADDRESS>`, or of `NAME ADDRESS`.
fn person(value: &str) -> Option<(&str, &str)> {
    name_and_address(value).map(|(name, address, _)| (name, address)).or_else(|| name_before_address(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_stand_in_the_last_paragraph_alone() {
        let message = "Subject: not one\n\nText: neither\n\nCo-authored-by: A B <a@b>\nFixes: #7\n";
        let found = trailers(message);
        assert_eq!(found.len(), 2);
        assert_eq!(
            found[0],
            Trailer { token: "Co-authored-by", value: "A B <a@b>", person: Some(("A B", "a@b")) }
        );
        assert_eq!((found[1].token, found[1].value, found[1].person), ("Fixes", "#7", None));
        for none in
            ["", "Fixes: #7", "One\n\nIt is so: a sentence.\nAnd two\nthree", "a\n\nhttp://x/y", "\n\n\n"]
        {
            assert_eq!(trailers(none), [], "{none:?}");
        }
        assert_eq!(trailers("a\n\nSigned-off-by: x\n  and more\n").len(), 1);
        let bare = trailers("a\n\nReviewed-by: A B a@b.c\nSee: x@y\n");
        assert_eq!(bare.iter().map(|found| found.person).collect::<Vec<_>>(), [Some(("A B", "a@b.c")), None]);
    }
}
