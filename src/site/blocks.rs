//! Blocks of templates: one that no template above it has would be left out without an error.

use std::collections::BTreeMap;

use crate::fields::suggestion;

/// A block that is never shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LostBlock {
    /// The template that has it, and the line.
    pub template: String,
    pub line: usize,
    pub block: String,
    /// The template that it extends, and the question whether a block there was meant.
    pub extends: String,
    pub suggestion: Option<String>,
}

/// What of a template counts here.
#[derive(Default)]
struct TemplateBlocks<'a> {
    extends: Option<&'a str>,
    /// Blocks and their lines; the first ones are not inside of another.
    outer: Vec<(&'a str, usize)>,
    inner: Vec<&'a str>,
}

/// The first block of a template that extends another, and which none of those above it has.
pub(super) fn lost<'a>(templates: impl Iterator<Item = (&'a str, &'a str)>) -> Option<LostBlock> {
    let templates: BTreeMap<_, _> = templates.map(|(name, text)| (name, blocks_of(text))).collect();
    for (name, own) in &templates {
        let Some(extends) = own.extends else { continue };
        let mut known = Vec::new();
        let mut above = own.extends;
        let mut is_known_to_its_end = false;
        // A circle is an error of its own, which rendering tells.
        for _ in 0..templates.len() {
            let Some(name) = above else {
                is_known_to_its_end = true;
                break;
            };
            // A parent that a page computes, or that is not there, which rendering tells.
            let Some(next) = templates.get(name) else { break };
            known.extend(next.outer.iter().map(|(block, _)| *block).chain(next.inner.iter().copied()));
            above = next.extends;
        }
        let lost = own.outer.iter().find(|(block, _)| is_known_to_its_end && !known.contains(block));
        if let Some((block, line)) = lost {
            return Some(LostBlock {
                template: (*name).to_owned(),
                line: *line,
                block: (*block).to_owned(),
                extends: extends.to_owned(),
                suggestion: suggestion(block, &known),
            });
        }
    }
    None
}

fn blocks_of(text: &str) -> TemplateBlocks<'_> {
    let mut blocks = TemplateBlocks::default();
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(found) = text[at..].find("{%").map(|found| at + found) {
        let comment = text[at..].find("{#").map(|found| at + found).filter(|comment| *comment < found);
        if let Some(comment) = comment {
            let Some(end) = text[comment..].find("#}") else { break };
            at = comment + end + 2;
            continue;
        }
        let Some(end) = text[found..].find("%}") else { break };
        let tag = text[found + 2..found + end].trim_matches(['-', '+']);
        at = found + end + 2;
        let mut words = tag.split_whitespace();
        match (words.next(), words.next()) {
            (Some("extends"), Some(name)) => blocks.extends = Some(name.trim_matches(['"', '\''])),
            (Some("block"), Some(block)) => {
                let line = text[..found].matches('\n').count() + 1;
                match depth {
                    0 => blocks.outer.push((block, line)),
                    _ => blocks.inner.push(block),
                }
                depth += 1;
            }
            (Some("endblock"), _) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: (&str, &str) = ("base.html", "{% block main %}{% block inner %}{% endblock %}{% endblock %}");
    const THING: (&str, &str) = ("thing.html", "{% extends \"base.html\" %}{%- block main -%}{% endblock %}");

    #[test]
    fn a_block_that_nothing_above_has_is_found() {
        let own = "{% extends 'thing.html' %}\n{# {% block no %} #}\n{% block mian %}x{% endblock %}";
        let lost = lost([BASE, THING, ("project.html", own)].into_iter()).unwrap();
        assert_eq!((lost.template.as_str(), lost.line, lost.block.as_str()), ("project.html", 3, "mian"));
        assert_eq!(lost.extends, "thing.html");
        assert_eq!(lost.suggestion.as_deref(), Some("did you mean `main`?"));
    }

    #[test]
    fn what_is_shown_is_no_fault() {
        let own = "{% extends 'thing.html' %}{% block main %}{% block of_its_own %}{% endblock %}{% endblock %}{% block inner %}{% endblock %}";
        assert_eq!(lost([BASE, THING, ("project.html", own), ("x.html", "{% block y %}")].into_iter()), None);
        assert_eq!(lost([("a.html", "{% extends 'a.html' %}{% block b %}")].into_iter()), None);
        assert_eq!(lost([BASE, ("a.html", "{% extends layout %}{% block b %}")].into_iter()), None);
    }
}
