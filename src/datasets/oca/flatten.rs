//! Turns one case into rows: its bytes are read as XML once, and every element that a column names puts its value into
//! a cell.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::cells::{Case, Cell};
use super::fields::{Fault, TextResult, Walk, mark_bad_bytes};
use super::leftovers::{Leftovers, TEXT, shown};
use super::names::{Names, Scope, local_name};
use super::plan::{Child, DELETE, Plan, RECORD_ID, join};
use super::rescue::rescue;
use super::stop::{DECLARATION, NO_END, Stop};
use super::unique::repeated;
use super::value::{self, TextFault};
use crate::dataset::{ColumnType, Limits, Unknown};

const NIL_DELETE: &str = "its Delete is nil: it says neither that the case is deleted nor that it is not";
/// What a case turned out to be.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Its rows are in the [`Case`].
    Live,
    /// Its identity is in the [`Case`]; it has no rows. `has_data`: it had other data besides the delete.
    Delete {
        has_data: bool,
    },
    Failed(Fault),
}

/// Reads cases; between cases it remembers only unknown elements.
pub(super) struct Flattener<'p> {
    plan: &'p Plan,
    names: Names,
    limits: Limits,
    left: Leftovers<'p>,
}

impl<'p> Flattener<'p> {
    /// Reads cases by a plan.
    pub fn new(plan: &'p Plan, limits: Limits) -> Self {
        Self { plan, names: Names::default(), limits, left: Leftovers::new(plan, limits.depth) }
    }

    /// The elements that no column takes.
    pub fn unknown(self) -> BTreeMap<String, Unknown> {
        self.left.unknown
    }

    /// Reads the bytes of one case, from its start tag to its end tag, into `case`; `around` is what is
    /// declared around it. `then` gets the result; the rows are gone after it.
    pub fn read<'a, T>(
        &mut self,
        bytes: &'a [u8],
        around: &Arc<Scope>,
        case: &mut Case<'a>,
        then: impl FnOnce(&Verdict, &Case<'_>) -> T,
    ) -> T {
        if std::str::from_utf8(bytes).is_ok() {
            let verdict = self.verdict(bytes, around, false, case);
            return then(&verdict, case);
        }
        // Bad bytes in elements that nobody uses must not fail the case, and a used field with
        // them must be named: so the case is read with a mark in their places.
        let marked = mark_bad_bytes(bytes);
        let mut case = Case::new(self.plan);
        let verdict = self.verdict(&marked, around, true, &mut case);
        then(&verdict, &case)
    }

    fn verdict<'a>(
        &mut self,
        bytes: &'a [u8],
        around: &Arc<Scope>,
        is_marked: bool,
        case: &mut Case<'a>,
    ) -> Verdict {
        case.clear();
        self.names.begin(around);
        self.left.path.clear();
        let mut walk =
            Walk { plan: self.plan, case, is_marked, is_delete: false, has_id: false, fault: None };
        let mut reader = Reader::from_reader(bytes);
        // Between elements, nearly every text is a line break and indentation, for which no event is made.
        reader.config_mut().trim_text_start = true;
        if let Err(stop) = self.walk(&mut reader, &mut walk) {
            let (error, at) = match stop {
                Stop::Xml(error) => {
                    (format!("malformed XML: {}", value::xml_reason(&error)), reader.error_position())
                }
                Stop::Reason(reason) => (reason, reader.buffer_position()),
            };
            let field = Some(&self.left.path).filter(|path| !path.is_empty()).cloned();
            let reason = format!("{error} (byte {at} of the record)");
            walk.fault.get_or_insert(Fault { field, ..Fault::of_case(reason) });
            // The identity or a delete may come after the place where reading stopped.
            let rescued = rescue(bytes, around);
            walk.is_delete |= rescued.is_delete;
            if walk.case.record_id.is_empty() {
                walk.case.record_id = rescued.record_id.unwrap_or_default();
            }
        }
        let Walk { is_delete, fault, .. } = walk;
        match fault {
            fault if is_delete && !case.record_id.is_empty() => {
                // Unreadable content counts as data.
                Verdict::Delete { has_data: fault.is_some() || case.has_data() }
            }
            Some(fault) => Verdict::Failed(fault),
            None if case.record_id.is_empty() => {
                let reason = format!("no {RECORD_ID}");
                Verdict::Failed(Fault { field: Some(RECORD_ID.to_owned()), ..Fault::of_case(reason) })
            }
            None => repeated(self.plan, case).map_or(Verdict::Live, Verdict::Failed),
        }
    }

    /// Reads the case element by element. When it fails, `self.left.path` is where.
    fn walk<'a>(&mut self, reader: &mut Reader<&'a [u8]>, walk: &mut Walk<'_, 'a>) -> Result<(), Stop> {
        let plan = self.plan;
        let mut open: Vec<Frame> = Vec::with_capacity(8);
        loop {
            let event = match reader.read_event() {
                Ok(event) => event,
                Err(error) => {
                    self.left.set_path(open.last().map_or("", |frame| &plan.nodes[frame.node].path), "");
                    return Err(error.into());
                }
            };
            let (tag, is_empty) = match event {
                Event::Start(tag) => (tag, false),
                Event::Empty(tag) => (tag, true),
                Event::End(_) => {
                    if let Some(frame) = open.pop() {
                        self.names.leave(frame.mark);
                    }
                    if open.is_empty() {
                        return Ok(());
                    }
                    continue;
                }
                Event::Text(text) => {
                    self.left.stray(open.last().map(|frame| frame.node), &text);
                    continue;
                }
                Event::CData(text) => {
                    self.left.stray(open.last().map(|frame| frame.node), &text);
                    continue;
                }
                Event::GeneralRef(name) => {
                    self.left.stray(open.last().map(|frame| frame.node), &name);
                    continue;
                }
                Event::Comment(_) | Event::PI(_) => continue,
                Event::DocType(_) | Event::Decl(_) => {
                    return Err(Stop::Reason(DECLARATION.to_owned()));
                }
                Event::Eof => return Err(Stop::Reason(NO_END.to_owned())),
            };
            let (qualified, attributes) = (tag.name().0, tag.attributes_raw());
            let (mark, depth) = (self.names.mark(), open.len());
            let Some(frame) = open.last_mut() else {
                // The case itself.
                if !attributes.is_empty() {
                    self.names.declare(attributes.as_bytes())?;
                }
                self.names.enter(qualified.as_bytes());
                if self.left.attributes(&self.names, attributes, "", plan.is_private(0)) {
                    walk.fault.get_or_insert(Fault::of_case("the record is nil"));
                }
                let row = walk.case.start_row(0, 0);
                if is_empty {
                    return Ok(());
                }
                open.push(Frame { node: 0, row, hint: 0, mark });
                continue;
            };
            let (holder, row) = (frame.node, frame.row);
            let node = &plan.nodes[holder];
            if depth > self.limits.depth {
                self.left.set_path(&node.path, tag.local_name().as_ref());
                return Err(self.left.too_deep());
            }
            if !attributes.is_empty() {
                self.names.declare(attributes.as_bytes())?;
            }
            // Nearly always a name without a prefix, and one that is known: there is no colon to look for then.
            let whole = self.names.plain().then(|| plan.child(holder, qualified, &mut frame.hint)).flatten();
            let (name, counts, found) = match whole {
                Some(child) => (qualified, true, Some(child)),
                None => {
                    let name = tag.local_name().into_inner();
                    let counts = self.names.counts(qualified.as_bytes(), name.as_bytes());
                    let found = if counts { plan.child(holder, name, &mut frame.hint) } else { None };
                    (name, counts, found)
                }
            };
            let is_nil = !attributes.is_empty()
                && found.is_some_and(|child| {
                    let is_private = plan.is_private(holder) || child.is_private(plan);
                    self.left.attributes(&self.names, attributes, &join(&node.path, name), is_private)
                });
            match found {
                Some(Child::Node(_)) if is_nil => self.left.nil(reader, holder, name, is_empty, depth)?,
                Some(Child::Node(inner)) => {
                    let child = &plan.nodes[inner];
                    let row = if child.is_row { walk.case.start_row(child.table, row) } else { row };
                    if walk.case.row_count > self.limits.rows {
                        self.left.set_path(&child.path, "");
                        let reason = format!("the case has more than {} rows", self.limits.rows);
                        return Err(Stop::Reason(reason));
                    }
                    if !is_empty {
                        open.push(Frame { node: inner, row, hint: 0, mark });
                        continue;
                    }
                }
                Some(Child::Field(field)) => {
                    let is_array = field.kind == ColumnType::TextArray;
                    if !is_array && *walk.case.cell(node.table, row, field.cell) != Cell::Unset {
                        self.left.unknown(reader, holder, name, " (repeated)", is_empty, depth)?;
                    } else {
                        let text = match is_empty {
                            true => Ok(Cell::Null),
                            false if is_nil => {
                                self.left.nil(reader, holder, name, is_empty, depth)?;
                                Ok(Cell::Null)
                            }
                            false => self.text(reader, walk.case, holder, field.element, depth)?,
                        };
                        walk.store(node.table, row, &node.path, field, text);
                    }
                }
                Some(Child::RecordId) if walk.has_id => {
                    self.left.unknown(reader, holder, name, " (repeated)", is_empty, depth)?;
                }
                Some(Child::RecordId) => {
                    walk.has_id = true;
                    if is_nil {
                        self.left.nil(reader, holder, name, is_empty, depth)?;
                    } else if !is_empty {
                        let text = self.text(reader, walk.case, holder, RECORD_ID, depth)?;
                        walk.store_id(text);
                    }
                }
                Some(Child::Delete) if is_nil => {
                    self.left.nil(reader, holder, name, is_empty, depth)?;
                    walk.fault.get_or_insert(nil_delete());
                }
                Some(Child::Delete) if is_empty => walk.is_delete = true,
                Some(Child::Delete) => self.delete(reader, walk, holder, depth)?,
                Some(Child::Dropped) => {
                    self.left.skip(reader, holder, name, is_empty, depth)?;
                }
                None => {
                    let shown = shown(&self.names, qualified, counts);
                    self.left.unknown(reader, holder, &shown, "", is_empty, depth)?;
                }
            }
            self.names.leave(mark);
        }
    }

    /// Reads the content of a `Delete`, which deletes whatever it contains.
    fn delete<'a>(
        &mut self,
        reader: &mut Reader<&'a [u8]>,
        walk: &mut Walk<'_, 'a>,
        holder: usize,
        depth: usize,
    ) -> Result<(), Stop> {
        walk.is_delete = true;
        let text = self.text(reader, walk.case, holder, DELETE, depth)?;
        let text = text.ok().and_then(|text| walk.case.text(text)).unwrap_or_default();
        if !value::trim(text).is_empty() {
            let path = join(&self.plan.nodes[holder].path, DELETE);
            self.left.count(&path, TEXT, "", text);
        }
        Ok(())
    }

    /// Counts an element in a field, and skips it.
    #[cold]
    fn inner(
        &mut self,
        reader: &mut Reader<&[u8]>,
        holder: usize,
        field: &str,
        name: &str,
        is_empty: bool,
        depth: usize,
    ) -> Result<(), Stop> {
        let local = local_name(name.as_bytes());
        let counts = self.names.counts(name.as_bytes(), local);
        let path = join(field, &shown(&self.names, name, counts));
        self.left.unknown(reader, holder, &path, "", is_empty, depth)
    }

    /// The text of the element whose start tag was just read: the document's own where it can be
    /// used as it is, else put together in the arena. Text that cannot be taken is the inner error.
    #[inline]
    fn text<'a>(
        &mut self,
        reader: &mut Reader<&'a [u8]>,
        case: &mut Case<'a>,
        holder: usize,
        name: &str,
        depth: usize,
    ) -> Result<TextResult<'a>, Stop> {
        let plan = self.plan;
        let path = &plan.nodes[holder].path;
        let start = case.arena.len();
        let mut whole: Option<&'a str> = None;
        let mut fault = None;
        // Blanks belong to a value.
        reader.config_mut().trim_text_start = false;
        loop {
            let event = reader.read_event().inspect_err(|_| self.left.set_path(path, name))?;
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
                    self.inner(reader, holder, name, inner.name().0, false, depth + 1)?;
                    continue;
                }
                Event::Empty(inner) => {
                    self.inner(reader, holder, name, inner.name().0, true, depth + 1)?;
                    continue;
                }
                Event::DocType(_) | Event::Decl(_) => {
                    self.left.set_path(path, name);
                    return Err(Stop::Reason(DECLARATION.to_owned()));
                }
                Event::Eof => {
                    self.left.set_path(path, name);
                    return Err(Stop::Reason(NO_END.to_owned()));
                }
            };
            if let Err(error) = result {
                fault.get_or_insert(error);
            }
        }
        reader.config_mut().trim_text_start = true;
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
}

/// An open element that holds others.
struct Frame {
    node: usize,
    row: usize,
    hint: usize,
    /// The declarations before it.
    mark: usize,
}

/// The fault of a case whose `Delete` has no value.
fn nil_delete() -> Fault {
    Fault { field: Some(DELETE.to_owned()), ..Fault::of_case(NIL_DELETE) }
}
