//! The examples in the documents are correct: command lines parse, JSON is JSON, links lead somewhere.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use merganser::cli::Cli;

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Markdown documents, relative to the root.
pub fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["", "docs", "docs/datasets", "deploy"] {
        let Ok(entries) = fs::read_dir(root().join(folder)) else { continue };
        let names =
            entries.map(|entry| Path::new(folder).join(entry.expect("a folder can be read").file_name()));
        found.extend(names.filter(|name| name.extension().is_some_and(|extension| extension == "md")));
    }
    found.sort();
    assert!(found.len() > 5, "{found:?}");
    found
}

/// The files below a folder whose names have this extension, in order.
pub fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder can be read") {
        let path = entry.expect("a folder can be read").path();
        match path.is_dir() {
            true => found.extend(files(&path, extension)),
            false if path.extension().is_some_and(|its| its == extension) => found.push(path),
            false => {}
        }
    }
    found.sort();
    found
}

pub fn is_variable(text: &str) -> bool {
    text.len() > 3 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

pub fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn command_lines_parse() {
    let mut seen = 0;
    for document in documents() {
        for line in fenced_lines(&read(&document)) {
            let Some(words) = command_line(&line) else { continue };
            if let Err(error) = Cli::try_parse_from(&words)
                && error.use_stderr()
            {
                panic!("{}: {line}\n{error}", document.display());
            }
            seen += 1;
        }
    }
    assert!(seen > 3, "only {seen} command lines were found");
}

/// Examples in JSON are valid. (`rights` runs the SQL.)
#[test]
fn json_is_json() {
    let mut seen = 0;
    for document in documents() {
        let text = read(&document);
        for block in text.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("json\n")) {
            if let Err(error) = serde_json::from_str::<serde_json::Value>(block.trim()) {
                panic!("{}: {error} in\n{block}", document.display());
            }
            seen += 1;
        }
    }
    assert!(seen > 2, "only {seen} blocks were found");
}

/// The targets of `make` that documents name are in the Makefile.
#[test]
fn words_of_make_exist() {
    let makefile = read("Makefile");
    for document in documents() {
        for line in fenced_lines(&read(&document)) {
            let Some(words) = line.trim().strip_prefix("make ") else { continue };
            for word in words.split_whitespace().take_while(|word| !word.starts_with('#')) {
                assert!(makefile.contains(&format!("\n{word}:")), "{}: make {word}", document.display());
            }
        }
    }
}

/// Lines inside fences; a line that ends in a backslash is joined with the next.
fn fenced_lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let (mut inside, mut joins) = (false, false);
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
            continue;
        }
        if !inside {
            continue;
        }
        let (part, goes_on) = match line.trim().strip_suffix('\\') {
            Some(part) => (part, true),
            None => (line.trim(), false),
        };
        match lines.last_mut() {
            Some(last) if joins => *last += part,
            _ => lines.push(part.to_owned()),
        }
        joins = goes_on;
    }
    assert!(!inside, "a fence is not closed");
    lines
}

/// The words of a line that runs merganser, split as by a shell; `None` for other commands.
fn command_line(line: &str) -> Option<Vec<String>> {
    let line = line.strip_prefix("$ ").unwrap_or(line);
    let mut words = shell_words(line);
    let is_assignment = |word: &String| {
        word.split_once('=').is_some_and(|(name, _)| !name.is_empty() && is_variable(&format!("{name}____")))
    };
    let assignments = words.iter().take_while(|word| is_assignment(word)).count();
    words.drain(..assignments);
    let program = words.first()?;
    (program == "merganser" || program.ends_with("/merganser")).then_some(words)
}

/// Splits at blanks, with quotes and backslashes as in a shell; ends at a comment, pipe, redirection or list.
fn shell_words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '\\') => word.get_or_insert_default().extend(chars.next()),
            (None, '#') if word.is_none() => break,
            (None, '|' | '>' | '<' | ';' | '&') => {
                // `2>` is not a word.
                word = word.filter(|word| !word.bytes().all(|b| b.is_ascii_digit()));
                break;
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[test]
fn links_lead_somewhere() {
    let mut seen = 0;
    for document in documents() {
        let text = read(&document);
        for target in links(&text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            seen += 1;
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let folder = document.parent().expect("a document is in a folder");
            let linked = if path.is_empty() { document.clone() } else { folder.join(path) };
            assert!(root().join(&linked).exists(), "{}: {target} leads nowhere", document.display());
            if !anchor.is_empty() {
                let found = read(&linked).lines().any(|line| line.starts_with('#') && slug(line) == anchor);
                assert!(found, "{}: {target}: no such heading", document.display());
            }
        }
    }
    assert!(seen > 10, "only {seen} links were found");
}

/// Targets of `[text](target)` outside fences.
fn links(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        }
        if !inside {
            found.extend(
                line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target),
            );
        }
    }
    found
}

/// A heading as an anchor.
pub fn slug(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    words
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .collect::<String>()
        .replace(' ', "-")
}
