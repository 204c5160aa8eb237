//! Content that no column takes: foreign or unused elements, values in attributes, texts between elements. It never
//! fails a case; it is counted by its path, so that a change of the feed is noticed.

use std::borrow::Cow;
use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::names::{Names, Namespace, local_name};
use super::plan::Plan;
use super::stop::{DECLARATION, NO_END, Stop};
use super::value;
use crate::dataset::Unknown;

/// How many paths of unknown elements are counted separately; the rest is counted under [`OTHER_PATHS`].
const MAX_UNKNOWN: usize = 1_000;
const OTHER_PATHS: &str = "(other elements)";
/// Characters of a path in a report.
const MAX_PATH_CHARS: usize = 300;
/// The path of text among elements.
pub(super) const TEXT: &str = "text()";
/// The counts, and the current position of the reader.
pub(super) struct Leftovers<'p> {
    pub unknown: BTreeMap<String, Unknown>,
    /// The current path, for messages about why reading stopped.
    pub path: String,
    plan: &'p Plan,
    /// Elements whose texts must not be kept anywhere.
    dropped: Vec<&'static str>,
    max_depth: usize,
}

impl<'p> Leftovers<'p> {
    /// Empty counts.
    pub fn new(plan: &'p Plan, max_depth: usize) -> Self {
        let dropped = plan.dropped();
        Self { unknown: BTreeMap::new(), path: String::new(), plan, dropped, max_depth }
    }

    /// Skips an element that is marked as nil. Any content in it is counted all the same.
    pub fn nil(
        &mut self,
        reader: &mut Reader<&[u8]>,
        holder: usize,
        name: &str,
        is_empty: bool,
        depth: usize,
    ) -> Result<(), Stop> {
        let example = self.skip(reader, holder, name, is_empty, depth)?;
        if !example.is_empty() {
            self.count(&self.plan.nodes[holder].path, name, " (nil)", &example);
        }
        Ok(())
    }

    /// Counts the values in the attributes of an element, and says whether it is nil. `is_private`: no value may be
    /// kept as an example.
    #[cold]
    pub fn attributes(&mut self, names: &Names, attributes: &str, path: &str, is_private: bool) -> bool {
        for (attribute, value) in names.scope().values(attributes.as_bytes()) {
            let attribute = String::from_utf8_lossy(attribute);
            let is_dropped = self.dropped.iter().any(|name| attribute.ends_with(name));
            let value = String::from_utf8_lossy(if is_private || is_dropped { b"" } else { value });
            self.count(path, &format!("@{attribute}"), "", &value);
        }
        names.scope().is_nil(attributes.as_bytes())
    }

    /// Counts text that stands where only elements should.
    #[inline]
    pub fn stray(&mut self, holder: Option<usize>, text: &str) {
        // Nearly always the case, in an indented document.
        if value::are_blanks(text) {
            return;
        }
        if let Some(holder) = holder {
            let text = value::trim(text);
            let example = if self.plan.is_private(holder) { "" } else { text };
            self.count(&self.plan.nodes[holder].path, TEXT, "", example);
        }
    }

    /// Counts an element that no column takes, and skips it.
    pub fn unknown(
        &mut self,
        reader: &mut Reader<&[u8]>,
        holder: usize,
        name: &str,
        suffix: &str,
        is_empty: bool,
        depth: usize,
    ) -> Result<(), Stop> {
        let example = self.skip(reader, holder, name, is_empty, depth)?;
        self.count(&self.plan.nodes[holder].path, name, suffix, &example);
        Ok(())
    }

    /// Counts content that no column takes.
    pub fn count(&mut self, holder: &str, name: &str, suffix: &str, example: &str) {
        self.set_path(holder, name);
        self.path.push_str(suffix);
        if !self.unknown.contains_key(&self.path) && self.unknown.len() + 1 >= MAX_UNKNOWN {
            OTHER_PATHS.clone_into(&mut self.path);
        }
        match self.unknown.get_mut(&self.path) {
            Some(unknown) => {
                unknown.count += 1;
                if unknown.example.is_empty() {
                    unknown.example = value::cut(example, 100);
                }
            }
            None => {
                let unknown = Unknown { count: 1, example: value::cut(example, 100) };
                self.unknown.insert(self.path.clone(), unknown);
            }
        }
    }

    /// Skips the element whose tag was just read, and returns the first text in it that is not blank and may be kept.
    pub fn skip<'a>(
        &mut self,
        reader: &mut Reader<&'a [u8]>,
        holder: usize,
        name: &str,
        is_empty: bool,
        depth: usize,
    ) -> Result<Cow<'a, str>, Stop> {
        let plan = self.plan;
        let path = &plan.nodes[holder].path;
        let mut example = Cow::Borrowed("");
        let mut inside = usize::from(!is_empty);
        // An example is shown as it stands.
        let trims = std::mem::replace(&mut reader.config_mut().trim_text_start, false);
        // How deep the outermost element is whose text must not be kept.
        let local = name.rsplit([':', '/', '}']).next().unwrap_or(name);
        let is_private = plan.is_private(holder) || self.dropped.contains(&local);
        let mut hidden = is_private.then_some(0);
        if depth > self.max_depth {
            self.set_path(path, name);
            return Err(self.too_deep());
        }
        while inside > 0 {
            match reader.read_event().inspect_err(|_| self.set_path(path, name))? {
                Event::Start(_) | Event::Empty(_) if depth + inside > self.max_depth => {
                    self.set_path(path, name);
                    return Err(self.too_deep());
                }
                Event::Start(tag) => {
                    let name = tag.local_name();
                    if hidden.is_none() && self.dropped.contains(&name.as_ref()) {
                        hidden = Some(inside);
                    }
                    inside += 1;
                }
                Event::End(_) => {
                    inside -= 1;
                    hidden = hidden.filter(|depth| *depth < inside || *depth == 0);
                }
                Event::Text(_) | Event::CData(_) if hidden.is_some() || !example.is_empty() => {}
                Event::Text(text) if !value::trim(&text).is_empty() => example = text.into_inner(),
                Event::CData(text) => example = text.into_inner(),
                Event::DocType(_) | Event::Decl(_) => {
                    self.set_path(path, name);
                    return Err(Stop::Reason(DECLARATION.to_owned()));
                }
                Event::Eof => {
                    self.set_path(path, name);
                    return Err(Stop::Reason(NO_END.to_owned()));
                }
                _ => {}
            }
        }
        reader.config_mut().trim_text_start = trims;
        Ok(example)
    }

    pub fn too_deep(&self) -> Stop {
        let reason = format!("elements are nested deeper than {}", self.max_depth);
        Stop::Reason(reason)
    }

    pub fn set_path(&mut self, holder: &str, name: &str) {
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

/// The name under which an element is counted: one that is not the case's own with what tells it from those.
pub(super) fn shown<'t>(names: &Names, name: &'t str, counts: bool) -> Cow<'t, str> {
    let local = &name[name.len() - local_name(name.as_bytes()).len()..];
    match names.scope().of_name(name.as_bytes()) {
        _ if counts => Cow::Borrowed(local),
        Namespace::Uri(uri) if name == local => {
            let uri = value::cut(&String::from_utf8_lossy(uri), 100);
            Cow::Owned(format!("{{{uri}}}{local}"))
        }
        _ => Cow::Borrowed(name),
    }
}
