//! Finds the end of a case in the stream of bytes without reading it as XML: by its end tag, passing
//! over comments, CDATA sections and processing instructions, which may hold anything.

use std::io::{self, Read};

use memchr::{memchr, memmem};

use super::names::local_name;
use super::plan::RECORD_ID;
use super::rescue::tag_end;
use super::window::Window;

/// Bytes looked at for the end of a start tag, and after it.
const LOOK_BYTES: usize = 64 << 10;

/// How a case ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CaseEnd {
    /// The window stands before the case's end tag.
    Tag,
    /// The window stands before the start tag of another case.
    NextCase,
    /// The document ended first.
    Document,
}

/// Where the bytes of a case are kept, up to a limit.
pub(super) struct Keep<'a> {
    pub data: &'a mut Vec<u8>,
    /// Where in `data` the case starts.
    pub start: usize,
    /// Most bytes of a case.
    pub limit: usize,
    /// Bytes that are left of a case over the limit.
    pub head: usize,
    /// False: nothing is kept.
    pub is_wanted: bool,
    pub is_over: bool,
}

impl Keep<'_> {
    /// Adds the next bytes of the case.
    pub fn bytes(&mut self, bytes: &[u8]) {
        if !self.is_wanted || self.is_over {
            return;
        }
        if self.data.len() - self.start + bytes.len() > self.limit {
            self.is_over = true;
            let room = self.head.saturating_sub(self.data.len() - self.start).min(bytes.len());
            self.data.extend_from_slice(&bytes[..room]);
            self.data.truncate(self.start + self.head);
            // A very large case must not hold its memory until the block is parsed.
            self.data.shrink_to(self.start + self.head);
        } else {
            self.data.extend_from_slice(bytes);
        }
    }
}

/// Moves the window from behind a case's start tag to its end, keeping what it passes. `name` is the
/// case's, as written. An element of the same name inside the case is a part of it, unless it looks
/// like a case of its own: then the end tag of this one is missing, and what follows is saved.
pub(super) fn scan_case<R: Read>(
    window: &mut Window<R>,
    name: &[u8],
    keep: &mut Keep<'_>,
) -> io::Result<CaseEnd> {
    let look = (name.len() + 3).max(b"<![CDATA[".len());
    let mut depth = 0_u64;
    loop {
        let bytes = window.peek(look)?;
        if bytes.is_empty() {
            return Ok(CaseEnd::Document);
        }
        let at = next_mark(bytes, name, look);
        pass(window, keep, at);
        let bytes = window.peek(look)?;
        if bytes.starts_with(b"<!--") {
            pass(window, keep, 4);
            pass_until(window, keep, b"-->")?;
        } else if bytes.starts_with(b"<![CDATA[") {
            pass(window, keep, 9);
            pass_until(window, keep, b"]]>")?;
        } else if bytes.starts_with(b"<?") {
            pass(window, keep, 2);
            pass_until(window, keep, b"?>")?;
        } else if is_tag(bytes, b"</", name) {
            if depth == 0 {
                return Ok(CaseEnd::Tag);
            }
            depth -= 1;
            pass(window, keep, 2);
        } else if is_tag(bytes, b"<", name) {
            match inner(window)? {
                Inner::Case => return Ok(CaseEnd::NextCase),
                Inner::Element => depth += 1,
                Inner::Empty => {}
            }
            pass(window, keep, 1);
        } else if !bytes.is_empty() {
            pass(window, keep, 1);
        }
    }
}

/// The first `<` that may matter, or that stands too near the end of the bytes to tell.
fn next_mark(bytes: &[u8], name: &[u8], look: usize) -> usize {
    let mut from = 0;
    while let Some(at) = memchr(b'<', &bytes[from..]) {
        let at = from + at;
        if bytes.len() - at < look {
            return at;
        }
        let after = &bytes[at + 1..];
        let matters = match after[0] {
            b'/' => after[1..].starts_with(name),
            b'!' | b'?' => true,
            _ => after.starts_with(name),
        };
        if matters {
            return at;
        }
        from = at + 1;
    }
    bytes.len()
}

/// Whether a tag starts here whose name is exactly this.
fn is_tag(bytes: &[u8], open: &[u8], name: &[u8]) -> bool {
    let rest = bytes.strip_prefix(open).and_then(|rest| rest.strip_prefix(name));
    matches!(rest.and_then(|rest| rest.first()), Some(b'>' | b'/' | b' ' | b'\t' | b'\r' | b'\n'))
}

/// What an element is that has the name of a case and stands inside one.
enum Inner {
    Case,
    Element,
    Empty,
}

fn inner<R: Read>(window: &mut Window<R>) -> io::Result<Inner> {
    let mut look = 512;
    let end = loop {
        let bytes = window.peek(look)?;
        match tag_end(bytes) {
            Some(end) => break end,
            None if look >= LOOK_BYTES || bytes.len() < look => return Ok(Inner::Element),
            None => look *= 2,
        }
    };
    let bytes = window.peek((end + 512).min(2 * LOOK_BYTES))?;
    if bytes[..end].ends_with(b"/>") {
        return Ok(Inner::Empty);
    }
    // Cases start with their identity; nothing else does.
    let first = bytes[end..].trim_ascii_start();
    let Some(tag) = first.strip_prefix(b"<") else { return Ok(Inner::Element) };
    let name_end = tag.iter().position(|b| b.is_ascii_whitespace() || matches!(b, b'>' | b'/'));
    let name = local_name(&tag[..name_end.unwrap_or(0)]);
    Ok(if name == RECORD_ID.as_bytes() { Inner::Case } else { Inner::Element })
}

fn pass<R: Read>(window: &mut Window<R>, keep: &mut Keep<'_>, bytes: usize) {
    keep.bytes(&window.buffered()[..bytes]);
    window.consume(bytes);
}

/// Passes over everything up to the end of a section. An unfinished one ends with the document.
fn pass_until<R: Read>(window: &mut Window<R>, keep: &mut Keep<'_>, end: &[u8]) -> io::Result<()> {
    loop {
        let bytes = window.peek(end.len())?;
        let (count, found) = match memmem::find(bytes, end) {
            Some(at) => (at + end.len(), true),
            None if bytes.len() < end.len() => (bytes.len(), true),
            // The end may be cut in two by the window's edge.
            None => (bytes.len() - (end.len() - 1), false),
        };
        pass(window, keep, count);
        if found {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives the bytes one by one, so that every token is cut everywhere.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.0.len().min(1);
            into[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn scan(text: &str, name: &str, limit: usize) -> (CaseEnd, String, String) {
        let run = |source: &mut dyn Read| {
            let mut window = Window::new(source);
            let mut data = Vec::new();
            let mut keep =
                Keep { data: &mut data, start: 0, limit, head: 8, is_wanted: true, is_over: false };
            let end = scan_case(&mut window, name.as_bytes(), &mut keep).unwrap();
            let mut rest = String::new();
            window.read_to_string(&mut rest).unwrap();
            (end, String::from_utf8(data).unwrap(), rest)
        };
        let whole = run(&mut text.as_bytes());
        assert_eq!(run(&mut Drip(text.as_bytes())), whole, "{text}");
        whole
    }

    #[test]
    fn a_case_ends_at_its_own_end_tag() {
        for inside in [
            "",
            "<IndexNumberId>1</IndexNumberId><Indexes></Indexes>",
            "<!-- </Index> --><![CDATA[</Index>]]><?pi </Index>?>",
            "<![CDATA[]]]] ></Index>]]><!-- - -- ->-->",
            "<a><Index>1</Index><Index x='/>'>2</Index><Index/></a>",
            "<Index><a/></Index><a b='</p:Index>'/>",
            "<",
            "<!DOCTYPE x><!>",
        ] {
            let (end, kept, rest) = scan(&format!("{inside}</Index>\n<Index>"), "Index", 1000);
            assert_eq!((end, kept.as_str(), rest.as_str()), (CaseEnd::Tag, inside, "</Index>\n<Index>"));
        }
        let (end, kept, _) = scan("<Index></Index><p:Indexes/></p:Index >", "p:Index", 1000);
        assert_eq!((end, kept.as_str()), (CaseEnd::Tag, "<Index></Index><p:Indexes/>"));
    }

    #[test]
    fn a_case_inside_a_case_is_the_next_one() {
        let (end, kept, rest) = scan("<a>1</a> <Index>\n<IndexNumberId>", "Index", 1000);
        assert_eq!((end, kept.as_str()), (CaseEnd::NextCase, "<a>1</a> "));
        assert!(rest.starts_with("<Index>\n"));
        let (end, ..) = scan("<Party><p:Index a='>'><p:IndexNumberId/>", "p:Index", 1000);
        assert_eq!(end, CaseEnd::NextCase);
    }

    #[test]
    fn a_document_may_end_anywhere() {
        for text in
            ["", "a", "<", "</Index", "</Inde", "<!--", "<![CDATA[ ]]", "<? ", "<Index", "<Index></Index>"]
        {
            let (end, kept, rest) = scan(text, "Index", 1000);
            assert_eq!((end, kept.as_str(), rest.as_str()), (CaseEnd::Document, text, ""));
        }
    }

    #[test]
    fn a_large_case_keeps_its_head() {
        let (end, kept, rest) = scan("0123456789<a/><b/></Index>", "Index", 12);
        assert_eq!((end, kept.as_str(), rest.as_str()), (CaseEnd::Tag, "01234567", "</Index>"));
        assert_eq!(scan("0123456789<a></Index>", "Index", 13).1, "0123456789<a>");
    }
}
