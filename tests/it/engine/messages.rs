//! What the program says: every text in the source is held to the rules of its messages.

use std::fs;
use std::path::{Path, PathBuf};

/// Phrases that a reader has to read twice, or that say who is talking instead of what happened.
const RIDDLES: &[&str] = &[
    "has not ",
    "something else than it was told",
    "what it tells of",
    "what came of",
    "nobody is asked",
    "nobody but us",
    "nobody who is not",
    "leaves the house",
    "demands anything",
    "as is typed",
    "less than nothing",
    "did not follow",
    "stands on",
    "what stands",
    "grow old",
    "mend the",
    "type the same",
    "that we have",
    "be none of",
    "behind itself",
    "could tell",
    "could be proven",
    "not told",
    "was told",
    "was not taken where",
    "for us, and we for it",
    "is no use",
    "without a word",
    "has no more",
    "say nothing",
];

/// A noun has its number: `words::counted` says "1 row" and "2 rows".
const LAZY_PLURALS: &[&str] = &["(s)", "(es)"];

/// A sentence begins with its subject.
const OPENINGS: &[&str] = &["Who ", "Of ", "Whom ", "Whose "];

/// Words after which "is no" is plain English.
const AFTER_IS_NO: &[&str] = &["longer", "more"];

/// Places of `hint: None` that are no refusals, and why.
const WITHOUT_HINT: &[(&str, &str)] = &[
    ("src/commands/check/mod.rs", "a check that is well, or was skipped, asks for nothing"),
    ("src/datasets/nass/options.rs", "the caller adds what the options take"),
    ("src/dataset/parsing.rs", "wrong options: the failure itself adds a hint"),
    ("src/error.rs", "wrong usage: the failure itself adds a hint"),
];

/// What a hint may be besides a command, an option or a variable: a clause that begins with one of these.
const TO_DO: &[&str] = &[
    "add", "allow", "alter", "analyze", "ask", "build", "change", "check", "chmod", "choose", "connect",
    "copy", "correct", "create", "did", "drop", "export", "free", "get", "give", "grant", "have", "install",
    "leave", "let", "load", "look", "lower", "make", "move", "name", "npm", "pass", "pg_locks", "plan",
    "put", "raise", "remove", "rename", "report", "restore", "retry", "run", "see", "set", "show", "start",
    "stop", "take", "try", "undo", "unset", "use", "wait", "write",
];

/// Texts in the functions that give hints which are no hints: they are compared with what a server says.
const COMPARED: &[&str] = &["row-level security", "Date is too old", "Invalid signature"];

/// A text between quotes.
pub struct Literal {
    pub line: usize,
    /// Where it begins in the file.
    at: usize,
    pub text: String,
}

/// The files of src/ without those of tests and of made-up data, as (name, text up to its tests).
pub fn files() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    collect(&root.join("src"), &mut paths);
    let name = |path: &PathBuf| path.strip_prefix(root).unwrap().display().to_string();
    let is_meant = |name: &String| {
        !["/tests/", "/tests.rs", "/sample/", "src/fault.rs"].iter().any(|other| name.contains(other))
    };
    let texts = paths.iter().map(|path| (name(path), fs::read_to_string(path).unwrap()));
    let texts = texts.filter(|(name, _)| is_meant(name));
    texts
        .map(|(name, text)| (name, text.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned()))
        .collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        match path.is_dir() {
            true => collect(&path, paths),
            false if path.extension().is_some_and(|extension| extension == "rs") => paths.push(path),
            false => {}
        }
    }
}

/// The texts between quotes, without those in comments; a line that goes on is joined as the compiler joins it.
pub fn literals(code: &str) -> Vec<Literal> {
    let bytes = code.as_bytes();
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let rest = &code[at..];
        if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if let Some(marks) = raw(code, at) {
            let begin = at + 2 + marks;
            let end = format!("\"{}", "#".repeat(marks));
            let length = code[begin..].find(&end).expect("it is closed");
            found.push((begin, code[begin..begin + length].to_owned()));
            at = begin + length + end.len();
        } else if bytes[at] == b'"' {
            let mut end = at + 1;
            while bytes[end] != b'"' {
                end += if bytes[end] == b'\\' { 2 } else { 1 };
            }
            found.push((at, joined(&code[at + 1..end])));
            at = end + 1;
        } else if bytes[at] == b'\'' {
            // A character, or the name of a lifetime.
            let inside = &rest[1..];
            let length = match inside.strip_prefix('\\') {
                Some(escaped) => escaped.chars().next().map_or(1, |c| 1 + c.len_utf8()),
                None => inside.chars().next().map_or(0, char::len_utf8),
            };
            let is_char = inside.starts_with('\\') || inside[length..].starts_with('\'');
            let end = inside[length..].find('\'').filter(|_| is_char);
            at += end.map_or(1, |end| 1 + length + end + 1);
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    let line = |at: usize| 1 + code[..at].matches('\n').count();
    found.into_iter().map(|(at, text)| Literal { line: line(at), at, text }).collect()
}

/// The number of `#` of a raw text that begins here.
fn raw(code: &str, at: usize) -> Option<usize> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let behind = code[..at].chars().next_back().is_some_and(|c| is_word(c) && c != 'b');
    let marks = code[at..].strip_prefix('r').filter(|_| !behind)?;
    let number = marks.len() - marks.trim_start_matches('#').len();
    marks[number..].starts_with('"').then_some(number)
}

fn joined(text: &str) -> String {
    let mut parts = text.split("\\\n");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.trim_start())
}

/// What is wrong with a text as a message.
fn fault(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    if let Some(riddle) = RIDDLES.iter().find(|riddle| lower.contains(**riddle)) {
        return Some(format!("says {riddle:?}"));
    }
    if let Some(plural) = LAZY_PLURALS.iter().find(|plural| text.contains(**plural)) {
        return Some(format!("has a noun with {plural:?} instead of its number"));
    }
    let sentences = text.split(". ").flat_map(|part| part.split("\\n")).map(str::trim_start);
    for sentence in sentences {
        if let Some(opening) = OPENINGS.iter().find(|opening| sentence.starts_with(**opening)) {
            return Some(format!("has a sentence that begins with {opening:?}"));
        }
    }
    let mut parts = text.split(" is no ");
    let mut before = parts.next().unwrap_or_default();
    for after in parts {
        let follows = |word: &&&str| after.starts_with(**word);
        if !before.to_lowercase().ends_with("there") && !AFTER_IS_NO.iter().any(|word| follows(&word)) {
            return Some("says that something \"is no\" other thing: is not".into());
        }
        before = after;
    }
    None
}

#[test]
fn texts_are_found_where_they_are() {
    let code =
        "// \"no\"\nfn a<'a>() { x('\"', '\\'', b'\"', \"one \\\n    two\", r#\"th\"ree\"#, \"f\\\"our\") }";
    let found = literals(code);
    let texts: Vec<_> = found.iter().map(|literal| literal.text.as_str()).collect();
    assert_eq!(texts, ["one two", "th\"ree", "f\\\"our"]);
    assert_eq!(found[0].line, 2);
}

#[test]
fn a_riddle_is_a_fault() {
    for text in ["Who asks is served", "Done. Of these two", "it is no number", "the file has not come"] {
        assert!(fault(text).is_some(), "{text}");
    }
    for text in ["there is no file", "it is no longer there", "the office", "it was not loaded"] {
        assert_eq!(fault(text), None, "{text}");
    }
}

#[test]
fn a_noun_without_its_number_is_a_fault() {
    for text in ["{rows} row(s) changed", "{} address(es)", "{count} {record}(s)"] {
        assert!(fault(text).is_some(), "{text}");
    }
    assert_eq!(fault("{rows} changed (see the log)"), None);
}

#[test]
fn every_message_is_plain_english() {
    let mut faults = Vec::new();
    for (file, code) in files() {
        for Literal { line, text, .. } in literals(&code) {
            faults.extend(fault(&text).map(|fault| format!("{file}:{line} {fault}: {text}")));
        }
    }
    assert!(faults.is_empty(), "{} messages:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_refusal_has_a_hint() {
    let mut faults = Vec::new();
    for (file, code) in files() {
        let lines = code.lines().enumerate().filter(|(_, line)| line.contains("hint: None"));
        if !WITHOUT_HINT.iter().any(|(name, _)| *name == file) {
            faults.extend(lines.map(|(at, line)| format!("{file}:{}: {}", at + 1, line.trim())));
        }
    }
    assert!(faults.is_empty(), "nothing to type next:\n{}", faults.join("\n"));
}

/// The places of a file in which hints are made: from `hint: Some(` and `fn hint(` to the bracket that closes it.
fn hints(code: &str, literals: &[Literal]) -> Vec<(usize, usize)> {
    let is_text = |at: usize| literals.iter().any(|l| (l.at..l.at + l.text.len()).contains(&at));
    let close = |begin: usize, brackets: [char; 2]| {
        let mut depth = 0;
        for (at, c) in code[begin..].char_indices().filter(|(at, _)| !is_text(begin + at)) {
            depth += i32::from(c == brackets[0]) - i32::from(c == brackets[1]);
            if depth == 0 && c == brackets[1] {
                return begin + at;
            }
        }
        code.len()
    };
    let some =
        code.match_indices("hint: Some(").map(|(at, word)| (at, close(at + word.len() - 1, ['(', ')'])));
    let functions = code.match_indices("fn hint(").map(|(at, _)| {
        let body = at + code[at..].find('{').expect("it has a body");
        (body, close(body, ['{', '}']))
    });
    some.chain(functions).collect()
}

/// Does it name a command, an option or a variable, or say what to do?
fn is_to_do(text: &str) -> bool {
    let is_name = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        word.len() > 3 && word.chars().all(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit())
    };
    if text.contains("merganser ")
        || text.contains("--")
        || text.contains('`')
        || text.split(' ').any(is_name)
    {
        return true;
    }
    let spaced =
        [" and ", " or ", " then "].iter().fold(format!(" {text}"), |text, word| text.replace(word, ";"));
    let clauses = spaced.split([';', ':', ',', '.', '(', '?']);
    clauses.filter_map(|clause| clause.split_whitespace().next()).any(|word| TO_DO.contains(&word))
}

#[test]
fn a_hint_says_what_to_do() {
    assert!(is_to_do("free some space") && is_to_do("set it in AWS_REGION") && is_to_do("or install it"));
    assert!(!is_to_do("a backup of the database has what was there"));
    let (mut faults, mut all) = (Vec::new(), 0);
    for (file, code) in files() {
        let literals = literals(&code);
        let places = hints(&code, &literals);
        for Literal { line, at, text } in &literals {
            // A part of a hint, such as the name of a package, is one word.
            if places.iter().any(|(begin, end)| (begin..end).contains(&at)) && text.trim().contains(' ') {
                all += 1;
                if !is_to_do(text) && !COMPARED.contains(&text.as_str()) {
                    faults.push(format!("{file}:{line}: {text}"));
                }
            }
        }
    }
    assert!(all > 100, "only {all} hints were found");
    assert!(faults.is_empty(), "hints that say nothing to do:\n{}", faults.join("\n"));
}
