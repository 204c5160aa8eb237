//! Decides which names count, by XML namespaces. An element of a case counts if it is in the case's own namespace or in
//! none; a foreign element, under whatever prefix, does not.
//!
//! Tags are read as bytes and leniently: a case that is not well formed must still be named, and a delete found.

use std::sync::Arc;

/// The namespace of `nil`.
const XSI: &[u8] = b"http://www.w3.org/2001/XMLSchema-instance";
/// The most declarations that may be in force at one place: each may be compared with every name.
const MAX_DECLARATIONS: usize = 1_000;

/// There are too many declarations.
#[derive(Debug, thiserror::Error)]
#[error("more than {MAX_DECLARATIONS} namespaces are declared around one element")]
pub(super) struct TooMany;

/// The namespace of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Namespace<'s> {
    None,
    Uri(&'s [u8]),
    /// The prefix is declared nowhere: names with the same one belong together.
    Undeclared(&'s [u8]),
}

/// A namespace that outlives its declaration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Owned {
    #[default]
    None,
    Uri(Vec<u8>),
    Undeclared(Vec<u8>),
}

impl Namespace<'_> {
    /// A copy.
    pub fn owned(self) -> Owned {
        match self {
            Self::None => Owned::None,
            Self::Uri(uri) => Owned::Uri(uri.to_vec()),
            Self::Undeclared(prefix) => Owned::Undeclared(prefix.to_vec()),
        }
    }

    /// Whether a name in this namespace counts among names of that one.
    pub fn counts_in(self, other: &Owned) -> bool {
        match (self, other) {
            (Self::None, _) => true,
            (Self::Uri(uri), Owned::Uri(other)) => uri == other.as_slice(),
            (Self::Undeclared(prefix), Owned::Undeclared(other)) => prefix == other.as_slice(),
            _ => false,
        }
    }
}

/// The declarations in force: prefix (empty: the default) and URI, the inner ones last.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    declared: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Scope {
    /// How many declarations there are; what [`Scope::leave`] takes.
    pub fn mark(&self) -> usize {
        self.declared.len()
    }

    /// Forgets the declarations of an element that ends.
    pub fn leave(&mut self, mark: usize) {
        self.declared.truncate(mark);
    }

    /// Adds what a tag declares; true if it declares anything.
    pub fn declare(&mut self, attributes: &[u8]) -> Result<bool, TooMany> {
        let before = self.mark();
        for (name, uri) in TagAttributes(attributes) {
            let Some(prefix) = declared_prefix(name) else { continue };
            if self.mark() >= MAX_DECLARATIONS {
                return Err(TooMany);
            }
            self.declared.push((prefix.to_vec(), uri.to_vec()));
        }
        Ok(self.mark() > before)
    }

    /// The namespace of an element with this prefix (empty: without one).
    pub fn of<'s>(&'s self, prefix: &'s [u8]) -> Namespace<'s> {
        let declared = self.declared.iter().rev().find(|(known, _)| known == prefix);
        match declared {
            Some((_, uri)) if !uri.is_empty() => Namespace::Uri(uri),
            _ if prefix.is_empty() => Namespace::None,
            _ => Namespace::Undeclared(prefix),
        }
    }

    /// The namespace of an element of this name.
    pub fn of_name<'s>(&'s self, name: &'s [u8]) -> Namespace<'s> {
        self.of(prefix_of(name))
    }

    /// Whether a tag with these attributes, which are declared, says that its element has no value.
    pub fn is_nil(&self, attributes: &[u8]) -> bool {
        TagAttributes(attributes).any(|(name, value)| {
            local_name(name) == b"nil"
                && self.is_instance(prefix_of(name))
                && matches!(value.trim_ascii(), b"true" | b"1")
        })
    }

    /// The attributes that are not XML's or a schema's own: names as written, and values.
    pub fn values<'t>(&self, attributes: &'t [u8]) -> impl Iterator<Item = (&'t [u8], &'t [u8])> {
        TagAttributes(attributes).filter(|(name, _)| {
            let prefix = prefix_of(name);
            declared_prefix(name).is_none() && prefix != b"xml" && !self.is_instance(prefix)
        })
    }

    /// Whether the prefix is that of `nil`: by its declaration, or by custom where there is none.
    fn is_instance(&self, prefix: &[u8]) -> bool {
        match self.of(prefix) {
            Namespace::Uri(uri) => !prefix.is_empty() && uri == XSI,
            Namespace::Undeclared(prefix) => prefix == b"xsi",
            Namespace::None => false,
        }
    }
}

/// The names inside one case. Made once and begun again for each case.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// What [`Names::scope`] begins with.
    around: Arc<Scope>,
    scope: Scope,
    /// The namespace of the case.
    case: Owned,
    /// The name of the last case, if all that is known of it is true of the next one of that name, too.
    entered: Option<Vec<u8>>,
    /// Whether names without a prefix count.
    plain: bool,
    /// The last prefix that was looked for, and whether it counts.
    last: (Vec<u8>, bool),
}

impl Names {
    /// Begins a case that stands in this scope.
    pub fn begin(&mut self, around: &Arc<Scope>) {
        if Arc::ptr_eq(&self.around, around) {
            // Those of a case that was not read to its end.
            if self.scope.mark() > around.mark() {
                self.scope.leave(around.mark());
                self.entered = None;
            }
        } else {
            self.scope.clone_from(around);
            self.around = around.clone();
            self.entered = None;
        }
    }

    /// Takes the namespace of the case's own element, whose attributes are declared.
    pub fn enter(&mut self, name: &[u8]) {
        let has_own = self.scope.mark() > self.around.mark();
        if !has_own && self.entered.as_deref() == Some(name) {
            return;
        }
        self.entered = (!has_own).then(|| name.to_vec());
        self.case = self.scope.of_name(name).owned();
        self.refresh();
    }

    /// See [`Scope::declare`].
    #[cold]
    pub fn declare(&mut self, attributes: &[u8]) -> Result<(), TooMany> {
        if self.scope.declare(attributes)? {
            self.refresh();
        }
        Ok(())
    }

    /// See [`Scope::mark`].
    #[inline]
    pub fn mark(&self) -> usize {
        self.scope.mark()
    }

    /// See [`Scope::leave`].
    #[inline]
    pub fn leave(&mut self, mark: usize) {
        if self.scope.mark() > mark {
            self.scope.leave(mark);
            self.refresh();
        }
    }

    /// Whether elements without a prefix count.
    #[inline]
    pub fn plain(&self) -> bool {
        self.plain
    }

    /// Whether an element counts; `local` is the end of its name.
    #[inline]
    pub fn counts(&mut self, name: &[u8], local: &[u8]) -> bool {
        if name.len() == local.len() { self.plain } else { self.prefixed(prefix_of(name)) }
    }

    /// The declarations in force.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    fn prefixed(&mut self, prefix: &[u8]) -> bool {
        if self.last.0 != prefix {
            self.last.0.clear();
            self.last.0.extend_from_slice(prefix);
            self.last.1 = self.scope.of(prefix).counts_in(&self.case);
        }
        self.last.1
    }

    /// Clears the remembered names, which belong to other declarations.
    fn refresh(&mut self) {
        self.plain = self.scope.of(b"").counts_in(&self.case);
        // No name has an empty prefix and a colon but one like `:a`, which is none.
        self.last = (Vec::new(), false);
    }
}

/// The names of the attributes in a tag.
pub(super) fn attribute_names(attributes: &[u8]) -> impl Iterator<Item = &[u8]> {
    TagAttributes(attributes).map(|(name, _)| name)
}

/// The attributes in a tag, as far as they can be told apart: names and values as written.
struct TagAttributes<'t>(&'t [u8]);

impl<'t> Iterator for TagAttributes<'t> {
    type Item = (&'t [u8], &'t [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.0.trim_ascii_start();
        // What ends a tag without content.
        let rest = if rest == b"/" { b"" } else { rest };
        if rest.is_empty() {
            return None;
        }
        let end = rest.iter().position(|b| b.is_ascii_whitespace() || *b == b'=').unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let Some(text) = after.trim_ascii_start().strip_prefix(b"=").map(<[u8]>::trim_ascii_start) else {
            self.0 = after;
            return Some((name, b""));
        };
        let (value, after) = match text.first() {
            Some(quote @ (b'"' | b'\'')) => {
                let inside = &text[1..];
                let end = memchr::memchr(*quote, inside).unwrap_or(inside.len());
                (&inside[..end], inside.get(end + 1..).unwrap_or_default())
            }
            _ => text.split_at(text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len())),
        };
        self.0 = after;
        Some((name, value))
    }
}

/// The prefix that an attribute declares, if it is a declaration.
fn declared_prefix(attribute: &[u8]) -> Option<&[u8]> {
    match attribute.strip_prefix(b"xmlns")? {
        b"" => Some(b""),
        prefix => prefix.strip_prefix(b":"),
    }
}

/// The part of a name before the colon; empty if there is none.
fn prefix_of(name: &[u8]) -> &[u8] {
    memchr::memchr(b':', name).map_or(b"", |at| &name[..at])
}

/// A name without its prefix.
pub(super) fn local_name(name: &[u8]) -> &[u8] {
    memchr::memchr(b':', name).map_or(name, |at| &name[at + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(attributes: &str) -> Vec<(&str, &str)> {
        let text = |bytes| std::str::from_utf8(bytes).unwrap();
        TagAttributes(attributes.as_bytes()).map(|(name, value)| (text(name), text(value))).collect()
    }

    #[test]
    fn attributes_are_told_apart_however_they_are_written() {
        assert_eq!(pairs(""), []);
        assert_eq!(pairs(" /"), []);
        assert_eq!(pairs(" a='1' b = \"'2>\"\n c=\"\"/"), [("a", "1"), ("b", "'2>"), ("c", "")]);
        assert_eq!(pairs(" a b=1 c='"), [("a", ""), ("b", "1"), ("c", "")]);
        assert_eq!(pairs(" = 'x' =y ="), [("", "x"), ("", "y"), ("", "")]);
    }

    fn scope(tags: &[&str]) -> Scope {
        let mut scope = Scope::default();
        for tag in tags {
            scope.declare(tag.as_bytes()).unwrap();
        }
        scope
    }

    #[test]
    fn the_innermost_declaration_counts() {
        let mut names = scope(&[" xmlns='urn:a' xmlns:p='urn:b' a='xmlns'"]);
        assert_eq!(names.of(b""), Namespace::Uri(b"urn:a"));
        assert_eq!(names.of_name(b"p:Court"), Namespace::Uri(b"urn:b"));
        assert_eq!(names.of(b"q"), Namespace::Undeclared(b"q"));
        let mark = names.mark();
        assert!(names.declare(b" xmlns='' xmlns:p='urn:a'").unwrap());
        assert_eq!((names.of(b""), names.of(b"p")), (Namespace::None, Namespace::Uri(b"urn:a")));
        names.leave(mark);
        assert_eq!((names.of(b""), names.of(b"p")), (Namespace::Uri(b"urn:a"), Namespace::Uri(b"urn:b")));
        let many: String = (0..=MAX_DECLARATIONS).map(|n| format!(" xmlns:a{n}='u'")).collect();
        assert!(Scope::default().declare(many.as_bytes()).is_err());
    }

    #[test]
    fn nil_is_known_by_its_namespace() {
        let uri = std::str::from_utf8(XSI).unwrap();
        let declared = scope(&[&format!(" xmlns:i='{uri}' xmlns:xsi='urn:other' xmlns='{uri}'")]);
        assert!(declared.is_nil(b" i:nil='true'") && declared.is_nil(b" a='1' i:nil=\" 1 \"/"));
        for other in [" i:nil='false'", " i:nil=''", " nil='true'", " xsi:nil='true'", " i:nils='true'"] {
            assert!(!declared.is_nil(other.as_bytes()), "{other}");
        }
        // Where it is declared nowhere, the usual prefix is what it looks like.
        assert!(Scope::default().is_nil(b" xsi:nil='true'") && !Scope::default().is_nil(b" i:nil='true'"));
        let values: Vec<_> =
            declared.values(b" xmlns='x' xmlns:y='z' xml:lang='en' i:type='t' id='7' xsi:a=''").collect();
        assert_eq!(values, [(&b"id"[..], &b"7"[..]), (b"xsi:a", b"")]);
    }

    #[test]
    fn a_name_counts_in_its_cases_namespace_and_in_none() {
        let around = Arc::new(scope(&[" xmlns='urn:c' xmlns:a='urn:a' xmlns:c='urn:c'"]));
        let mut names = Names::default();
        names.begin(&around);
        names.enter(b"Index");
        let counts =
            |names: &mut Names, name: &str| names.counts(name.as_bytes(), local_name(name.as_bytes()));
        for (name, expected) in [("Court", true), ("c:Court", true), ("a:Court", false), ("q:Court", false)] {
            assert_eq!(counts(&mut names, name), expected, "{name}");
        }
        let mark = names.mark();
        names.declare(b" xmlns='urn:a' xmlns:a='urn:c'").unwrap();
        assert!(
            !counts(&mut names, "Court") && counts(&mut names, "a:Court") && counts(&mut names, "c:Court")
        );
        names.declare(b" xmlns=''").unwrap();
        assert!(counts(&mut names, "Court"));
        names.leave(mark);
        assert!(counts(&mut names, "Court") && !counts(&mut names, "a:Court"));
        // What a case that breaks off has declared is forgotten with it.
        names.declare(b" xmlns:a='urn:c' xmlns=''").unwrap();
        names.begin(&around);
        names.enter(b"Index");
        assert!(counts(&mut names, "Court") && !counts(&mut names, "a:Court"));
        // One that declares its own namespace says nothing of the next.
        names.declare(b" xmlns='urn:a'").unwrap();
        names.enter(b"Index");
        assert!(counts(&mut names, "a:Court") && !counts(&mut names, "c:Court"));
        names.leave(mark);
        names.begin(&around);
        names.enter(b"Index");
        assert!(counts(&mut names, "c:Court") && !counts(&mut names, "a:Court"));
        // A case with a prefix that nobody declares.
        names.begin(&Arc::default());
        names.enter(b"p:Index");
        assert!(
            counts(&mut names, "p:Court") && counts(&mut names, "Court") && !counts(&mut names, "q:Court")
        );
    }
}
