//! What can still be read from a case that is not well formed: its identity, and whether it is a
//! delete. A malformed case must be named in the report, and a delete must never be missed.

use std::sync::Arc;

use super::names::{Names, Scope, attribute_names, local_name};
use super::plan::{DELETE, RECORD_ID};
use super::value;

/// The longest identity in bytes; the feed's have 64.
pub(super) const MAX_ID_BYTES: usize = 500;

/// What was found in a broken case.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rescued {
    pub record_id: Option<String>,
    pub is_delete: bool,
}

/// Looks through the bytes of a case, from its start tag on, however broken they are. Only direct
/// children of the case count, by the tags as far as they match each other, and by their namespaces.
/// `around` is what is declared around the case.
pub(super) fn rescue(case: &[u8], around: &Arc<Scope>) -> Rescued {
    let mut names = Names::default();
    names.begin(around);
    let mut found = Rescued::default();
    let mut open: Vec<&[u8]> = Vec::new();
    let mut rest = case;
    while let Some(at) = memchr::memchr(b'<', rest) {
        rest = &rest[at..];
        if let Some(after) = skip_special(rest) {
            rest = after;
            continue;
        }
        // A tag without an end holds nothing that can be read.
        let Some(end) = tag_end(rest) else { break };
        let tag = &rest[1..end - 1];
        rest = &rest[end..];
        if let Some(name) = tag.strip_prefix(b"/") {
            // A tag that closes nothing is skipped; an element that was left open is closed by its parent's tag.
            if let Some(level) = open.iter().rposition(|opened| *opened == name.trim_ascii_end()) {
                open.truncate(level);
            }
        } else {
            let name = tag_name(tag);
            let (attributes, mark) = (&tag[name.len()..], names.mark());
            if open.len() < 2 && names.declare(attributes).is_err() {
                break;
            }
            if open.is_empty() {
                names.enter(name);
            } else if open.len() == 1 {
                let local = local_name(name);
                let counts = names.counts(name, local) && !names.scope().is_nil(attributes);
                let inside = if tag.ends_with(b"/") { b"" } else { rest };
                found.is_delete |= counts && local == DELETE.as_bytes();
                if counts && local == RECORD_ID.as_bytes() && found.record_id.is_none() {
                    found.record_id = identity(inside);
                }
                names.leave(mark);
            }
            if !tag.ends_with(b"/") {
                open.push(name);
            }
        }
        if open.is_empty() || open.len() > 10_000 {
            break;
        }
    }
    found
}

/// The bytes of a case, however broken, without what is inside of elements of these local names, or in their
/// attributes, or in attributes of these names. After a tag without an end, the rest cannot be interpreted and is left
/// out too.
pub(super) fn without(case: &[u8], names: &[&str]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(case.len());
    // The element whose inside is left out.
    let mut inside: Option<&[u8]> = None;
    let mut rest = case;
    while let Some(at) = memchr::memchr(b'<', rest) {
        let end = match skip_special(&rest[at..]) {
            Some(after) => rest.len() - after.len(),
            None => match tag_end(&rest[at..]) {
                Some(length) => at + length,
                None => {
                    kept.extend_from_slice(if inside.is_none() { &rest[..at] } else { &[] });
                    return kept;
                }
            },
        };
        let tag = &rest[at + 1..end - 1];
        if inside.is_some_and(|name| tag.strip_prefix(b"/").is_some_and(|tag| tag.trim_ascii_end() == name)) {
            inside = None;
            kept.extend_from_slice(&rest[at..end]);
        } else if inside.is_none() {
            let name = tag_name(tag);
            let is_wanted = |name: &[u8]| !names.iter().any(|no| local_name(name) == no.as_bytes());
            let is_tag = !matches!(tag.first(), Some(b'!' | b'?'));
            let is_empty = tag.ends_with(b"/");
            if is_tag && !(is_wanted(name) && attribute_names(&tag[name.len()..]).all(is_wanted)) {
                kept.extend_from_slice(&rest[..=at]);
                kept.extend_from_slice(name);
                kept.extend_from_slice(if is_empty { b"/>" } else { b">" });
            } else {
                kept.extend_from_slice(&rest[..end]);
            }
            inside = (is_tag && !is_wanted(name) && !is_empty).then_some(name);
        }
        rest = &rest[end..];
    }
    kept.extend_from_slice(if inside.is_none() { rest } else { &[] });
    kept
}

/// The plain text up to the next tag, if it can be an identity.
fn identity(text: &[u8]) -> Option<String> {
    let end = memchr::memchr(b'<', text)?;
    let text = value::trim(std::str::from_utf8(&text[..end]).ok()?);
    let usable = !text.is_empty()
        && text.len() <= MAX_ID_BYTES
        && !text.contains(|c: char| c.is_control() || c == '&' || c == '\u{FFFD}');
    usable.then(|| text.to_owned())
}

/// What follows a comment, CDATA section or processing instruction, if the bytes start with one.
/// Nothing follows one without an end.
fn skip_special(bytes: &[u8]) -> Option<&[u8]> {
    let (start, end): (&[u8], &[u8]) = match bytes.get(1) {
        Some(b'?') => (b"<?", b"?>"),
        Some(b'!') if bytes.starts_with(b"<!--") => (b"<!--", b"-->"),
        Some(b'!') if bytes.starts_with(b"<![CDATA[") => (b"<![CDATA[", b"]]>"),
        _ => return None,
    };
    let inside = &bytes[start.len()..];
    Some(memchr::memmem::find(inside, end).map_or(&[], |at| &inside[at + end.len()..]))
}

/// Length of the tag that the bytes start with, `>` included; quoted attribute values may hold a `>`.
pub(super) fn tag_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr3(b'>', b'"', b'\'', &bytes[at..])?;
        match bytes[at] {
            b'>' => return Some(at + 1),
            quote => at += 2 + memchr::memchr(quote, &bytes[at + 1..])?,
        }
    }
}

/// The name in a tag's content.
fn tag_name(tag: &[u8]) -> &[u8] {
    let end = tag.iter().position(|b| b.is_ascii_whitespace() || *b == b'/').unwrap_or(tag.len());
    &tag[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(case: &str, id: Option<&str>, is_delete: bool) {
        let expected = Rescued { record_id: id.map(str::to_owned), is_delete };
        assert_eq!(rescue(case.as_bytes(), &Arc::default()), expected, "{case}");
    }

    #[test]
    fn identity_and_delete_are_found_in_broken_cases() {
        check("<Index><IndexNumberId> a1 </IndexNumberId><Delete/>", Some("a1"), true);
        check("<i:Index><i:Court>A & B</i:Court><i:IndexNumberId>a1<", Some("a1"), false);
        check("<Index x='>'><Parties><Party></Parties><Delete></Delete><IndexNumberId>b</", Some("b"), true);
        check(
            "<Index></x><IndexNumberId>1</IndexNumberId><IndexNumberId>2</IndexNumberId>",
            Some("1"),
            false,
        );
    }

    #[test]
    fn what_is_not_the_cases_own_is_not_taken() {
        check(
            "<Index><a:Delete/><a:IndexNumberId>1</a:IndexNumberId><IndexNumberId>2</IndexNumberId>",
            Some("2"),
            false,
        );
        check(
            "<i:Index><a:Delete xmlns:a='u'/><i:IndexNumberId>1</i:IndexNumberId><Delete/>",
            Some("1"),
            true,
        );
        check("<Index><IndexNumberId>1</IndexNumberId><Delete xsi:nil='true'/>", Some("1"), false);
        check("<Index><Delete xmlns='urn:a'/><IndexNumberId>1</IndexNumberId>", Some("1"), false);
        let (mut around, case) = (Scope::default(), b"<Index><a:Delete/><b:Delete xmlns:b='urn:c'/>");
        around.declare(b" xmlns='urn:c' xmlns:a='urn:a'").unwrap();
        assert!(rescue(case, &Arc::new(around.clone())).is_delete);
        assert!(!rescue(&case[..18], &Arc::new(around)).is_delete);
    }

    #[test]
    fn what_must_not_be_kept_is_left_out() {
        let without = |case: &str| String::from_utf8(without(case.as_bytes(), &["S1", "S2"])).unwrap();
        assert_eq!(
            without("<I><S1>a</S1><C d='e'>b</C><x:S2 y='>'>c</x:S2 ></I>"),
            "<I><S1></S1><C d='e'>b</C><x:S2></x:S2 ></I>"
        );
        assert_eq!(without("<I><A a='1' S1='b'>c</A><S2 v='d'/></I>"), "<I><A>c</A><S2/></I>");
        assert_eq!(without("<I><S1>a<b>c</b><![CDATA[</S1>d]]>e</S1>f<S2/>g</I>"), "<I><S1></S1>f<S2/>g</I>");
        assert_eq!(without("<I><!-- <S1> --><C>b"), "<I><!-- <S1> --><C>b");
        for broken in
            ["<I><S1>a", "<I><S1>a</I><C>b</C>", "<I><S1>a</S2>b", "<I><S1>a</S1", "<I><S1>a<!-- </S1>"]
        {
            assert_eq!(without(broken), "<I><S1>", "{broken}");
        }
        assert_eq!(without("<I>a<C \"><S1>b</S1>"), "<I>a");
    }

    #[test]
    fn nothing_is_taken_from_elsewhere() {
        check("<Index><!-- <Delete/><IndexNumberId>1</IndexNumberId> -->", None, false);
        check("<Index><![CDATA[<Delete/>]]><IndexNumberId>1</IndexNumberId>", Some("1"), false);
        check("<Index><Notes><Delete/><IndexNumberId>1</IndexNumberId></Notes>", None, false);
        check("<Index><IndexNumberId>&#65;</IndexNumberId>", None, false);
        check("<Index></Index><Delete/>", None, false);
        check("<Index><IndexNumberId>cut of", None, false);
        check("<Index><IndexNumberId", None, false);
        check("<Index a=\"", None, false);
    }
}
