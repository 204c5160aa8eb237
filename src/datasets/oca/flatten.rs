//! One case becomes rows: its bytes are read as XML once, and every element that a column names
//! puts its value into a cell.

use std::borrow::Cow;
use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::errors::Error as XmlError;
use quick_xml::events::Event;

use super::cells::{Case, Cell};
use super::fields::{Fault, TextResult, Walk, mark_bad_bytes};
use super::plan::{Child, Plan, RECORD_ID, join};
use super::rescue::rescue;
use super::unique::repeated;
use super::value::{self, TextFault};
use crate::dataset::{ColumnType, Limits, Unknown};

/// Paths of unknown elements that are told apart; the rest is counted under [`OTHER_PATHS`].
const MAX_UNKNOWN: usize = 1_000;
const OTHER_PATHS: &str = "(other elements)";
/// Characters of a path in a report.
const MAX_PATH_CHARS: usize = 300;
const DECLARATION: &str = "malformed XML: a declaration inside the record";
const NO_END: &str = "malformed XML: the record ends too early";

/// What a case turned out to be.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Its rows are in the [`Case`].
    Live,
    /// Its identity is in the [`Case`]; it has no rows.
    Delete,
    Failed(Fault),
}

/// Reads cases; remembers only what elements were not known.
pub(super) struct Flattener<'p> {
    pub unknown: BTreeMap<String, Unknown>,
    plan: &'p Plan,
    limits: Limits,
    path: String,
}

/// Why reading stops before the case's end.
enum Stop {
    Xml(XmlError),
    Reason(String),
}

impl From<XmlError> for Stop {
    fn from(error: XmlError) -> Self {
        Stop::Xml(error)
    }
}

impl<'p> Flattener<'p> {
    /// Reads cases by a plan.
    pub fn new(plan: &'p Plan, limits: Limits) -> Self {
        Self { unknown: BTreeMap::new(), plan, limits, path: String::new() }
    }

    /// Reads the bytes of one case, from its start tag to its end tag, into `case`. `then` gets the
    /// result; the rows are gone after it.
    pub fn read<'a, T>(
        &mut self,
        bytes: &'a [u8],
        case: &mut Case<'a>,
        then: impl FnOnce(&Verdict, &Case<'_>) -> T,
    ) -> T {
        if std::str::from_utf8(bytes).is_ok() {
            let verdict = self.verdict(bytes, false, case);
            return then(&verdict, case);
        }
        // Bad bytes in elements that nobody uses must not fail the case, and a used field with
        // them must be named: so the case is read with a mark in their places.
        let marked = mark_bad_bytes(bytes);
        let mut case = Case::new(self.plan);
        let verdict = self.verdict(&marked, true, &mut case);
        then(&verdict, &case)
    }

    fn verdict<'a>(&mut self, bytes: &'a [u8], is_marked: bool, case: &mut Case<'a>) -> Verdict {
        case.clear();
        let mut walk =
            Walk { plan: self.plan, case, is_marked, is_delete: false, has_id: false, fault: None };
        let mut reader = Reader::from_reader(bytes);
        if let Err(stop) = self.walk(&mut reader, &mut walk) {
            let (error, at) = match stop {
                Stop::Xml(error) => {
                    (format!("malformed XML: {}", value::xml_reason(&error)), reader.error_position())
                }
                Stop::Reason(reason) => (reason, reader.buffer_position()),
            };
            let field = Some(&self.path).filter(|path| !path.is_empty()).cloned();
            let reason = format!("{error} (byte {at} of the record)");
            walk.fault.get_or_insert(Fault { field, ..Fault::of_case(reason) });
            // What decides the case's fate may come after the place where reading stopped.
            let rescued = rescue(bytes);
            walk.is_delete |= rescued.is_delete;
            if walk.case.record_id.is_empty() {
                walk.case.record_id = rescued.record_id.unwrap_or_default();
            }
        }
        let Walk { is_delete, fault, .. } = walk;
        match fault {
            _ if is_delete && !case.record_id.is_empty() => Verdict::Delete,
            Some(fault) => Verdict::Failed(fault),
            None if case.record_id.is_empty() => {
                let reason = format!("no {RECORD_ID}");
                Verdict::Failed(Fault { field: Some(RECORD_ID.to_owned()), ..Fault::of_case(reason) })
            }
            None => repeated(self.plan, case).map_or(Verdict::Live, Verdict::Failed),
        }
    }

    /// Reads the case element by element. When it fails, `self.path` is where.
    fn walk<'a>(&mut self, reader: &mut Reader<&'a [u8]>, walk: &mut Walk<'_, 'a>) -> Result<(), Stop> {
        let plan = self.plan;
        let mut open: Vec<Frame> = Vec::with_capacity(8);
        loop {
            let event = match reader.read_event() {
                Ok(event) => event,
                Err(error) => {
                    self.set_path(open.last().map_or("", |frame| &plan.nodes[frame.node].path), "");
                    return Err(error.into());
                }
            };
            let (tag, is_empty) = match event {
                Event::Start(tag) => (tag, false),
                Event::Empty(tag) => (tag, true),
                Event::End(_) => {
                    open.pop();
                    if open.is_empty() {
                        return Ok(());
                    }
                    continue;
                }
                Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => continue,
                Event::Comment(_) | Event::PI(_) => continue,
                Event::DocType(_) | Event::Decl(_) => {
                    return Err(Stop::Reason(DECLARATION.to_owned()));
                }
                Event::Eof => return Err(Stop::Reason(NO_END.to_owned())),
            };
            let Some(frame) = open.last_mut() else {
                // The case itself.
                let row = walk.case.start_row(0, 0);
                if is_empty {
                    return Ok(());
                }
                open.push(Frame { node: 0, row, hint: 0 });
                continue;
            };
            let name = tag.local_name();
            let name = name.as_ref();
            let (holder, row) = (frame.node, frame.row);
            let found = plan.child(holder, name, &mut frame.hint);
            let node = &plan.nodes[holder];
            let depth = open.len();
            if depth > self.limits.depth {
                self.set_path(&node.path, name);
                return Err(self.too_deep());
            }
            match found {
                Some(Child::Node(inner)) => {
                    let child = &plan.nodes[inner];
                    let row = if child.is_row { walk.case.start_row(child.table, row) } else { row };
                    if walk.case.row_count > self.limits.rows {
                        self.set_path(&child.path, "");
                        let reason = format!("the case has more than {} rows", self.limits.rows);
                        return Err(Stop::Reason(reason));
                    }
                    if !is_empty {
                        open.push(Frame { node: inner, row, hint: 0 });
                    }
                }
                Some(Child::Field(field)) => {
                    let is_array = field.kind == ColumnType::TextArray;
                    if !is_array && *walk.case.cell(node.table, row, field.cell) != Cell::Unset {
                        self.unknown(reader, &node.path, name, " (repeated)", is_empty, depth)?;
                        continue;
                    }
                    let text = match is_empty {
                        true => Ok(Cell::Null),
                        false => self.text(reader, walk.case, &node.path, field.element, depth)?,
                    };
                    walk.store(node.table, row, &node.path, field, text);
                }
                Some(Child::RecordId) => {
                    if walk.has_id {
                        self.unknown(reader, &node.path, name, " (repeated)", is_empty, depth)?;
                        continue;
                    }
                    walk.has_id = true;
                    if !is_empty {
                        let text = self.text(reader, walk.case, &node.path, RECORD_ID, depth)?;
                        walk.store_id(text);
                    }
                }
                Some(Child::Delete) => {
                    walk.is_delete = true;
                    self.skip(reader, &node.path, name, is_empty, depth)?;
                }
                Some(Child::Dropped) => {
                    self.skip(reader, &node.path, name, is_empty, depth)?;
                }
                None => self.unknown(reader, &node.path, name, "", is_empty, depth)?,
            }
        }
    }

    /// The text of the element whose start tag was just read: the document's own where it can be
    /// used as it is, else put together in the arena. Text that cannot be taken is the inner error.
    #[inline]
    fn text<'a>(
        &mut self,
        reader: &mut Reader<&'a [u8]>,
        case: &mut Case<'a>,
        holder: &str,
        name: &str,
        depth: usize,
    ) -> Result<TextResult<'a>, Stop> {
        let start = case.arena.len();
        let mut whole: Option<&'a str> = None;
        let mut fault = None;
        loop {
            let event = reader.read_event().inspect_err(|_| self.set_path(holder, name))?;
            let result = match event {
                Event::Text(text) => match text.into_inner() {
                    Cow::Borrowed(text)
                        if whole.is_none() && case.arena.len() == start && value::is_plain(text) =>
                    {
                        whole = Some(text);
                        continue;
                    }
                    text => {
                        case.arena.push_str(whole.take().unwrap_or_default());
                        value::push_text(&mut case.arena, &text).map_err(|fault| (fault, text.into_owned()))
                    }
                },
                Event::CData(text) => {
                    case.arena.push_str(whole.take().unwrap_or_default());
                    value::push_text(&mut case.arena, &text)
                        .map_err(|fault| (fault, text.into_inner().into_owned()))
                }
                Event::GeneralRef(name) => {
                    case.arena.push_str(whole.take().unwrap_or_default());
                    value::push_reference(&mut case.arena, &name)
                        .map_err(|fault| (fault, format!("&{};", &*name)))
                }
                Event::End(_) => break,
                Event::Comment(_) | Event::PI(_) => continue,
                Event::Start(inner) => {
                    let path = join(holder, name);
                    self.unknown(reader, &path, inner.local_name().as_ref(), "", false, depth + 1)?;
                    continue;
                }
                Event::Empty(inner) => {
                    let path = join(holder, name);
                    self.unknown(reader, &path, inner.local_name().as_ref(), "", true, depth + 1)?;
                    continue;
                }
                Event::DocType(_) | Event::Decl(_) => {
                    self.set_path(holder, name);
                    return Err(Stop::Reason(DECLARATION.to_owned()));
                }
                Event::Eof => {
                    self.set_path(holder, name);
                    return Err(Stop::Reason(NO_END.to_owned()));
                }
            };
            if let Err(error) = result {
                fault.get_or_insert(error);
            }
        }
        let text = whole.unwrap_or(&case.arena[start..]);
        if text.len() > self.limits.text_bytes && fault.is_none() {
            fault = Some((TextFault::TooLong(self.limits.text_bytes), value::cut(text, 500)));
        }
        Ok(match (fault, whole) {
            (Some(fault), _) => Err(fault),
            (None, Some("")) => Ok(Cell::Null),
            (None, Some(text)) => Ok(Cell::Text(text)),
            (None, None) if case.arena.len() == start => Ok(Cell::Null),
            (None, None) => Ok(Cell::Arena(start, case.arena.len())),
        })
    }

    /// Counts an element that no column takes, and skips it.
    fn unknown(
        &mut self,
        reader: &mut Reader<&[u8]>,
        holder: &str,
        name: &str,
        suffix: &str,
        is_empty: bool,
        depth: usize,
    ) -> Result<(), Stop> {
        let example = self.skip(reader, holder, name, is_empty, depth)?;
        self.set_path(holder, name);
        self.path.push_str(suffix);
        if !self.unknown.contains_key(&self.path) && self.unknown.len() + 1 >= MAX_UNKNOWN {
            OTHER_PATHS.clone_into(&mut self.path);
        }
        match self.unknown.get_mut(&self.path) {
            Some(unknown) => {
                unknown.count += 1;
                if unknown.example.is_empty() {
                    unknown.example = value::cut(&example, 100);
                }
            }
            None => {
                let unknown = Unknown { count: 1, example: value::cut(&example, 100) };
                self.unknown.insert(self.path.clone(), unknown);
            }
        }
        Ok(())
    }

    /// Skips the element whose tag was just read, and gives the first text in it that is not blank.
    fn skip<'a>(
        &mut self,
        reader: &mut Reader<&'a [u8]>,
        holder: &str,
        name: &str,
        is_empty: bool,
        depth: usize,
    ) -> Result<Cow<'a, str>, Stop> {
        let mut example = Cow::Borrowed("");
        let mut inside = usize::from(!is_empty);
        if depth > self.limits.depth {
            self.set_path(holder, name);
            return Err(self.too_deep());
        }
        while inside > 0 {
            match reader.read_event().inspect_err(|_| self.set_path(holder, name))? {
                Event::Start(_) | Event::Empty(_) if depth + inside > self.limits.depth => {
                    self.set_path(holder, name);
                    return Err(self.too_deep());
                }
                Event::Start(_) => inside += 1,
                Event::End(_) => inside -= 1,
                Event::Text(text) if example.is_empty() && !value::trim(&text).is_empty() => {
                    example = text.into_inner();
                }
                Event::CData(text) if example.is_empty() => example = text.into_inner(),
                Event::DocType(_) | Event::Decl(_) => {
                    self.set_path(holder, name);
                    return Err(Stop::Reason(DECLARATION.to_owned()));
                }
                Event::Eof => {
                    self.set_path(holder, name);
                    return Err(Stop::Reason(NO_END.to_owned()));
                }
                _ => {}
            }
        }
        Ok(example)
    }

    fn too_deep(&self) -> Stop {
        let reason = format!("elements are nested deeper than {}", self.limits.depth);
        Stop::Reason(reason)
    }

    fn set_path(&mut self, holder: &str, name: &str) {
        self.path.clear();
        self.path.push_str(holder);
        if !holder.is_empty() && !name.is_empty() {
            self.path.push('/');
        }
        self.path.push_str(name);
        if self.path.len() > MAX_PATH_CHARS {
            self.path = value::cut(&self.path, MAX_PATH_CHARS);
        }
    }
}

/// An open element that holds others.
struct Frame {
    node: usize,
    row: usize,
    hint: usize,
}
