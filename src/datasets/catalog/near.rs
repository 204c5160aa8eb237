//! Suggestions for unknown words.

use strsim::levenshtein;

/// Letters that a beginning of a word has at least.
const BEGINNING: usize = 4;

/// The most similar candidate, if it is similar enough: up to a third of its letters may differ.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(word);
    let near = candidates.into_iter().filter_map(|candidate| {
        let meant = fold(candidate);
        let distance = levenshtein(&folded, &meant);
        (distance * 3 <= meant.chars().count().max(3)).then_some((distance, candidate))
    });
    near.min().map(|(_, candidate)| candidate)
}

/// The candidate of which the word is a beginning of some letters, or which is a beginning of the word: `repo` of `repository`.
pub(super) fn beginning<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(word);
    candidates.into_iter().find(|candidate| {
        let meant = fold(candidate);
        folded.len().min(meant.len()) >= BEGINNING
            && (folded.starts_with(&meant) || meant.starts_with(&folded))
    })
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
            ("desc", None),
            ("descripton", Some("description")),
        ] {
            assert_eq!(nearest(word, names), meant, "{word}");
        }
        assert_eq!((beginning("desc", names), beginning("de", names)), (Some("description"), None));
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
