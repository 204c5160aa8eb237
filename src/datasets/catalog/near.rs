//! Suggestions for unknown words.

use strsim::levenshtein;

/// Letters that a beginning of a word has at least.
const BEGINNING: usize = 4;

/// The candidate that is nearest, if one is near enough: a third of its letters may be others, or one is a beginning of the
/// other.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(word);
    let near = candidates.into_iter().filter_map(|candidate| {
        let meant = fold(candidate);
        let (short, long) = if folded.len() < meant.len() { (&folded, &meant) } else { (&meant, &folded) };
        // `repo` is a beginning of `repository`.
        let is_beginning = short.len() >= BEGINNING && long.starts_with(short.as_str());
        let distance = if is_beginning { 1 } else { levenshtein(&folded, &meant) };
        (distance * 3 <= meant.chars().count().max(3)).then_some((distance, candidate))
    });
    near.min().map(|(_, candidate)| candidate)
}

/// A key made from any text: `Tensor Flow` becomes `tensor-flow`; `None`: no character of it can be part of a key.
pub(super) fn key_of(text: &str) -> Option<String> {
    let mut key = String::new();
    for c in text.to_lowercase().chars() {
        match c {
            'a'..='z' | '0'..='9' => key.push(c),
            '\'' | '’' => {}
            _ if key.ends_with('-') || key.is_empty() => {}
            _ => key.push('-'),
        }
    }
    let key = key.trim_end_matches('-');
    (!key.is_empty()).then(|| key.to_owned())
}

fn fold(text: &str) -> String {
    text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_if_it_is_near() {
        let names = ["project", "name", "license", "description"];
        for (word, meant) in [
            ("licence", Some("license")),
            ("Projects", Some("project")),
            ("repo", None),
            ("desc", Some("description")),
            ("descripton", Some("description")),
        ] {
            assert_eq!(nearest(word, names), meant, "{word}");
        }
        assert_eq!(
            (levenshtein("kitten", "sitting"), levenshtein("", "ab"), levenshtein("ab", "ab")),
            (3, 2, 0)
        );
    }

    #[test]
    fn a_key_is_made_of_any_text() {
        for (text, key) in [
            ("Tensor Flow", Some("tensor-flow")),
            ("--C++ (new)", Some("c-new")),
            ("../../etc/passwd", Some("etc-passwd")),
            ("Children's", Some("childrens")),
            ("日本", None),
        ] {
            assert_eq!(key_of(text).as_deref(), key, "{text}");
        }
    }
}
