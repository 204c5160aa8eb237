//! Splits a document into its cases. The part around the cases is read as XML; the cases themselves
//! are only cut out, by their tags, and handed on in blocks. Memory does not grow with the document,
//! nor with a case.

use std::io::{self, Read};
use std::sync::Arc;

use jiff::civil::Date;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::block::{Block, Closed, ItemKind, Out};
use super::file_name::date_of;
use super::names::{Namespace, Owned, Scope, local_name};
use super::scan::{CaseEnd, scan_case};
use super::value;
use super::window::Window;
use crate::dataset::Limits;

/// Element of one case.
const CASE: &str = "Index";
/// Element that may stand between the root and the cases.
const CASES: &str = "Indexes";
const RUN_DATE: &str = "RunDate";
/// Elements that an extract has directly below its root; a document with none of them is not an extract.
const BELOW_ROOT: &[&str] =
    &["Sender", "Recipient", "ExtractType", "FilingDateFrom", "FilingDateTo", RUN_DATE, CASES, CASE];
/// Bytes of one tag or text around the cases.
const TOKEN_BYTES: u64 = 1 << 20;

/// The summary of a document that was read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Split {
    pub records_seen: u64,
    pub document_bytes: u64,
    pub run_date: Option<Date>,
    pub complete: bool,
}

/// Why no case of a document may be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum SplitError {
    #[error("{0}")]
    Unusable(String),
    #[error(transparent)]
    Stream(io::Error),
    #[error("nobody takes the blocks")]
    Closed,
}

impl From<Closed> for SplitError {
    fn from(_: Closed) -> Self {
        SplitError::Closed
    }
}

/// Reads the document to its end and sends its cases on, block by block, in document order. `send`
/// says whether blocks are still wanted. `only` (sorted) restricts the cases that are sent; empty: all.
pub(super) fn split<R: Read>(
    source: R,
    limits: &Limits,
    only: &[u64],
    send: impl FnMut(Block) -> bool,
) -> Result<Split, SplitError> {
    let mut window = Window::new(source);
    let head = window.peek(4).map(|head| [0, 1].map(|at| head.get(at).copied().unwrap_or(b' ')));
    let head = head.map_err(|error| SplitError::Stream(window.take_fault().unwrap_or(error)))?;
    if matches!(head, [0xFE, 0xFF] | [0xFF, 0xFE] | [0, _] | [_, 0]) {
        return Err(SplitError::Unusable("its XML is not in UTF-8".to_owned()));
    }
    let mut reader = Reader::from_reader(window);
    // The elements around the cases are few: their names are checked here, and the cases' end tags,
    // which the reader does not see for broken cases, must not confuse it.
    reader.config_mut().check_end_names = false;
    reader.config_mut().allow_unmatched_ends = true;
    let scope = Arc::default();
    let out = Out {
        block: Block::default(),
        limits,
        only,
        send,
        ordinal: 0,
        sent_bytes: 0,
        scope,
        scope_changed: false,
    };
    let mut splitter = Splitter {
        reader,
        out,
        open: Vec::new(),
        scope: Scope::default(),
        cases: None,
        root: None,
        root_namespace: Owned::None,
        known: false,
        run_date: None,
    };
    let end = splitter.document()?;
    splitter.finish(end)
}

/// How the document ended.
enum End {
    Complete,
    Break {
        reason: String,
        offset_bytes: u64,
    },
    /// The break is inside a case and reported with it.
    BreakInCase,
}

struct Splitter<'l, R, F> {
    reader: Reader<Window<R>>,
    out: Out<'l, F>,
    /// Names, as written, of the open elements around the cases, and the declarations before each.
    open: Vec<(String, usize)>,
    scope: Scope,
    /// The namespace of the cases, once it is known; one in none counts whatever it is.
    cases: Option<Owned>,
    root: Option<String>,
    root_namespace: Owned,
    /// An element of an extract was seen below the root.
    known: bool,
    /// Text of the first run date.
    run_date: Option<String>,
}

impl<R: Read, F: FnMut(Block) -> bool> Splitter<'_, R, F> {
    fn document(&mut self) -> Result<End, SplitError> {
        let mut buffer = Vec::new();
        let mut in_run_date = false;
        loop {
            buffer.clear();
            if self.open.is_empty() && self.root.is_some() {
                let window = self.reader.get_mut();
                window.skip(is_padding).map_err(|e| SplitError::Stream(window.take_fault().unwrap_or(e)))?;
            }
            let before = self.reader.get_ref().position();
            self.reader.get_mut().set_fence(TOKEN_BYTES);
            let broken = |reason: String| Ok(End::Break { reason, offset_bytes: before });
            let event = match self.reader.read_event_into(&mut buffer) {
                Ok(event) => event,
                Err(error) => {
                    return match self.reader.get_mut().take_fault() {
                        Some(fault) => Err(SplitError::Stream(fault)),
                        None => broken(value::xml_reason(&error)),
                    };
                }
            };
            match event {
                Event::Start(tag) | Event::Empty(tag) if self.open.is_empty() && self.root.is_some() => {
                    return broken(format!("<{}> follows the end of the root", shown(tag.name().as_ref())));
                }
                Event::Start(tag) => {
                    let name = tag.local_name();
                    let mark = self.scope.mark();
                    let is_declared = match self.scope.declare(tag.attributes_raw().as_bytes()) {
                        Ok(is_declared) => is_declared,
                        Err(error) => return broken(error.to_string()),
                    };
                    self.known |= self.open.len() == 1 && BELOW_ROOT.contains(&name.as_ref());
                    if self.is_case(name.as_ref()) {
                        let is_foreign = self.is_foreign(tag.name().as_ref());
                        self.scope.leave(mark);
                        if !self.case(&tag, is_foreign)? {
                            return Ok(End::BreakInCase);
                        }
                        continue;
                    }
                    let namespace = self.scope.of_name(tag.name().0.as_bytes());
                    if self.root.is_none() {
                        self.root_namespace = namespace.owned();
                    }
                    in_run_date = self.open.len() == 1
                        && name.as_ref() == RUN_DATE
                        && namespace.counts_in(&self.root_namespace)
                        && self.run_date.is_none();
                    if in_run_date {
                        self.run_date = Some(String::new());
                    }
                    if self.open.len() > self.out.limits.depth {
                        return broken(format!("elements are nested deeper than {}", self.out.limits.depth));
                    }
                    self.out.scope_changed |= is_declared;
                    self.open.push((tag.name().as_ref().to_owned(), mark));
                    self.root.get_or_insert_with(|| tag.name().as_ref().to_owned());
                }
                Event::Empty(tag) => {
                    let name = tag.local_name();
                    self.known |= self.open.len() == 1 && BELOW_ROOT.contains(&name.as_ref());
                    if self.is_case(name.as_ref()) {
                        // It has no identity and fails, whatever namespace it is in.
                        let start = self.reader.get_ref().position() - tag.len() as u64 - 3;
                        let mut keep = self.out.start_case();
                        for part in ["<", &tag, "/>"] {
                            keep.bytes(part.as_bytes());
                        }
                        let at = keep.start;
                        self.out.item(at, start, ItemKind::Case, &self.scope);
                        self.out.send_if_full(self.reader.get_ref().position())?;
                    }
                    self.root.get_or_insert_with(|| tag.name().as_ref().to_owned());
                }
                Event::End(tag) => {
                    in_run_date = false;
                    match self.open.pop() {
                        Some((open, mark)) if open == tag.name().as_ref() => {
                            self.out.scope_changed |= self.scope.mark() > mark;
                            self.scope.leave(mark);
                        }
                        Some((open, _)) => {
                            let (open, name) = (shown(&open), shown(tag.name().as_ref()));
                            return broken(format!("</{name}> stands where </{open}> should"));
                        }
                        None => {
                            return broken(format!("</{}> closes nothing", shown(tag.name().as_ref())));
                        }
                    }
                }
                Event::Text(text) if self.open.is_empty() && !value::trim(&text).is_empty() => {
                    return broken("there is text outside the root".to_owned());
                }
                Event::CData(_) | Event::GeneralRef(_) if self.open.is_empty() => {
                    return broken("there is text outside the root".to_owned());
                }
                Event::Text(text) if in_run_date => self.run_date.get_or_insert_default().push_str(&text),
                Event::CData(text) if in_run_date => self.run_date.get_or_insert_default().push_str(&text),
                Event::GeneralRef(name) if in_run_date => {
                    // A reference that cannot be resolved is not part of a date either.
                    let text = self.run_date.get_or_insert_default();
                    value::push_reference(text, &name).unwrap_or_else(|_| text.push('&'));
                }
                Event::DocType(_) => {
                    return Err(SplitError::Unusable(
                        "its XML has a DOCTYPE, which is not accepted".to_owned(),
                    ));
                }
                Event::Decl(declaration) => {
                    let encoding = declaration.encoding().and_then(Result::ok);
                    let is_utf8 = |name: &str| {
                        ["utf-8", "utf8", "us-ascii"].iter().any(|good| name.eq_ignore_ascii_case(good))
                    };
                    if let Some(encoding) = encoding.filter(|name| !is_utf8(name)) {
                        let reason =
                            format!("its XML declares the encoding {}, not UTF-8", value::cut(&encoding, 40));
                        return Err(SplitError::Unusable(reason));
                    }
                }
                Event::Eof => {
                    return match self.open.last() {
                        Some((open, _)) => broken(format!("it ends inside <{}>", shown(open))),
                        None => Ok(End::Complete),
                    };
                }
                Event::Text(_)
                | Event::CData(_)
                | Event::GeneralRef(_)
                | Event::Comment(_)
                | Event::PI(_) => {}
            }
        }
    }

    /// Whether an element at this place is a case.
    fn is_case(&self, local: &str) -> bool {
        let place = match self.open.as_slice() {
            [_root] => true,
            [_root, (cases, _)] => local_name(cases.as_bytes()) == CASES.as_bytes(),
            _ => false,
        };
        place && local == CASE
    }

    /// Whether an element with a case's name is foreign: its namespace differs from that of the element `Indexes`
    /// around it, or, without that, from that of the first case. The root's namespace does not count: it may be an
    /// envelope.
    fn is_foreign(&mut self, name: &str) -> bool {
        let namespace = self.scope.of_name(name.as_bytes());
        if namespace == Namespace::None {
            return false;
        }
        let cases = self.cases.get_or_insert_with(|| {
            let around = self.open.get(1).map(|(cases, _)| self.scope.of_name(cases.as_bytes()));
            around.filter(|around| *around != Namespace::None).unwrap_or(namespace).owned()
        });
        !namespace.counts_in(cases)
    }

    /// Cuts out the case whose start tag was just read; false when the document breaks off in it.
    fn case(&mut self, tag: &BytesStart<'_>, is_foreign: bool) -> Result<bool, SplitError> {
        let offset_bytes = self.reader.get_ref().position() - tag.len() as u64 - 2;
        let qualified = tag.name();
        let name = qualified.as_ref();
        let mut keep = self.out.start_case();
        for part in ["<", tag, ">"] {
            keep.bytes(part.as_bytes());
        }
        let window = self.reader.get_mut();
        let end = scan_case(window, name.as_bytes(), &mut keep);
        let end = end.map_err(|error| SplitError::Stream(window.take_fault().unwrap_or(error)))?;
        let mut broken = None;
        match end {
            CaseEnd::NextCase => {}
            CaseEnd::Document => broken = Some("it ends inside a case".to_owned()),
            CaseEnd::Tag => {
                // The reader takes the end tag itself, so that its own stack stays short.
                let mut buffer = Vec::new();
                window.set_fence(TOKEN_BYTES);
                let event = self.reader.read_event_into(&mut buffer);
                if let Some(fault) = self.reader.get_mut().take_fault() {
                    return Err(SplitError::Stream(fault));
                }
                match event {
                    Ok(Event::End(end)) if end.name() == qualified => {
                        for part in ["</", name, ">"] {
                            keep.bytes(part.as_bytes());
                        }
                    }
                    Ok(_) => broken = Some("a case's end tag is malformed".to_owned()),
                    Err(error) => broken = Some(value::xml_reason(&error)),
                }
            }
        }
        let goes_on = broken.is_none();
        let kind = match broken {
            Some(reason) => ItemKind::Break(reason),
            None if end == CaseEnd::NextCase => ItemKind::Unclosed,
            None if is_foreign => ItemKind::Foreign,
            None if keep.is_over => ItemKind::TooLarge,
            None => ItemKind::Case,
        };
        let start = keep.start;
        self.out.item(start, offset_bytes, kind, &self.scope);
        self.out.send_if_full(self.reader.get_ref().position())?;
        Ok(goes_on)
    }

    /// Reads the rest, so that the archive's checksum is checked, and reports how it ended.
    fn finish(mut self, end: End) -> Result<Split, SplitError> {
        let window = self.reader.get_mut();
        window.drain().map_err(|error| SplitError::Stream(window.take_fault().unwrap_or(error)))?;
        let document_bytes = window.position();
        if !self.known {
            let why = match &end {
                End::Break { reason, .. } => format!(" ({reason})"),
                _ => String::new(),
            };
            return Err(SplitError::Unusable(match &self.root {
                Some(root) => format!(
                    "wrong root <{}>: it holds none of the elements of a court extract{why}",
                    shown(root)
                ),
                None => format!("its XML file is not XML: there is no root element{why}"),
            }));
        }
        let complete = matches!(end, End::Complete);
        let records_seen = self.out.ordinal;
        if let End::Break { reason, offset_bytes } = end {
            // The break takes the place of the case that would have come.
            self.out.ordinal += 1;
            let at = self.out.block.data.len();
            self.out.item(at, offset_bytes, ItemKind::Break(reason), &self.scope);
        }
        self.out.send(records_seen, document_bytes)?;
        let run_date = self.run_date.as_deref().map(value::trim).and_then(date_of);
        Ok(Split { records_seen, document_bytes, run_date, complete })
    }
}

/// Bytes that writers leave after the end of a file: blanks, and the padding of its last block.
fn is_padding(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, 0 | 0x1A)
}

/// A name that is shown in a reason.
fn shown(name: &str) -> String {
    value::cut(name, 100)
}

#[cfg(test)]
mod tests;
