//! A command that a message or a hint names is one that the program's own command line takes.

use clap::{CommandFactory, Parser};
use merganser::cli::Cli;

use super::messages::{Literal, files, literals};

/// Where a command ends in a sentence.
const ENDS: [&str; 9] = [";", ",", ":", "(", ")", "`", "\\n", "\n", "…"];

/// Texts that only look like a command: what is written into an object.
const NO_COMMANDS: [&str; 1] = ["merganser check: this may be removed\\n"];

/// The commands in a text, from their first word to the end of the clause.
fn commands(text: &str) -> Vec<Vec<String>> {
    if NO_COMMANDS.contains(&text) {
        return Vec::new();
    }
    let text = filled(text);
    let parts = text.split("merganser ").skip(1);
    let clauses = parts.map(|part| {
        let end = ENDS.iter().filter_map(|end| part.find(end)).min().unwrap_or(part.len());
        let words = part[..end].split(". ").next().unwrap_or_default().split_whitespace();
        words.map(|word| word.trim_end_matches('.').trim_matches('\'').to_owned()).collect::<Vec<_>>()
    });
    let is_command = |words: &Vec<String>| {
        words.first().is_some_and(|first| Cli::command().find_subcommand(first).is_some())
    };
    clauses.filter(is_command).map(|words| with_values(&words)).collect()
}

/// The text with a mark for each value that the program writes into it.
fn filled(text: &str) -> String {
    let mut filled = String::new();
    let mut parts = text.split('{');
    filled += parts.next().unwrap_or_default();
    for part in parts {
        let rest = part.split_once('}').map_or(part, |(_, rest)| rest);
        filled += &format!("VALUE{rest}");
    }
    filled
}

/// The words with values for names in capitals: a dataset where one is taken, and otherwise what may be a name or a number.
fn with_values(words: &[String]) -> Vec<String> {
    let command = Cli::command();
    let command = command.find_subcommand(&words[0]).expect("it was found");
    let takes_dataset = command.get_positionals().next().is_some_and(|first| first.get_id() == "dataset");
    let is_name = |word: &str| {
        word.chars().any(|c| c.is_ascii_uppercase())
            && word.chars().all(|c| c.is_ascii_uppercase() || c == '_')
    };
    let value = |(at, word): (usize, &String)| match word.as_str() {
        "DATASET" => "oca".to_owned(),
        "VALUE" if words[..at].last().is_some_and(|option| option == "--dataset") => "oca".to_owned(),
        "VALUE" if at == 1 && takes_dataset => "oca".to_owned(),
        "VALUE" if at == 2 && words[0] == "backfill" => "geocode".to_owned(),
        word if is_name(word) => "1".to_owned(),
        word => word.to_owned(),
    };
    words.iter().enumerate().map(value).collect()
}

/// What is wrong with a command: prose may follow it, but it has to be whole, with each option of the clause.
fn fault(words: &[String]) -> Option<String> {
    let options = words.iter().rposition(|word| word.starts_with("--")).unwrap_or(0);
    let parse = |length: usize| {
        Cli::try_parse_from(std::iter::once("merganser").chain(words[..length].iter().map(String::as_str)))
    };
    let all = (options + 1..=words.len()).rev();
    let mut last = None;
    for length in all {
        match parse(length) {
            Ok(_) => return None,
            Err(error) => last = Some(error.to_string()),
        }
    }
    last
}

#[test]
fn a_command_that_cannot_be_typed_is_a_fault() {
    for text in [
        "merganser run makes it",
        "so merganser reprocess NAME --force does",
        "merganser backfill {dataset} goes on",
        "merganser reference oca makes a reference",
        "merganser status --nonsense shows it",
    ] {
        let found = commands(text);
        assert!(found.len() == 1 && fault(&found[0]).is_some(), "{text}: {found:?}");
    }
    for text in [
        "merganser run DATASET makes it; merganser status",
        "merganser reprocess {} NAME --force does.\\n",
        "merganser backfill {dataset} geocode goes on",
        "merganser reference {} --pad FILE --pluto FILE",
        "merganser failures --run {run_id} lists them",
    ] {
        let found = commands(text);
        let faults: Vec<_> = found.iter().filter_map(|words| fault(words)).collect();
        assert!(!found.is_empty() && faults.is_empty(), "{text}: {faults:?}");
    }
}

/// A table of one's own makes another name of the dataset, which no command takes.
#[test]
fn commands_name_a_dataset_as_it_is_typed() {
    let mut faults = Vec::new();
    for (file, code) in files() {
        let lines: Vec<_> = code.lines().collect();
        for Literal { line, text, .. } in literals(&code) {
            for part in text.split("merganser ").skip(1) {
                let Some((command, rest)) = part.split_once(" {") else { continue };
                let takes_dataset = Cli::command()
                    .find_subcommand(command)
                    .and_then(|command| command.get_positionals().next())
                    .is_some_and(|first| first.get_id() == "dataset");
                let name = rest.split('}').next().unwrap_or_default();
                let values = lines[line - 1..lines.len().min(line + 5)].join(" ");
                let values = values.split(");").next().unwrap_or_default();
                let is_fault = match name {
                    "" => !["typed(", "typed_in(", ".typed"].iter().any(|way| values.contains(way)),
                    name => name != "typed",
                };
                if takes_dataset && is_fault {
                    faults.push(format!("{file}:{line} {text}"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{} commands name the target:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_command_in_a_text_can_be_typed() {
    let (mut faults, mut all) = (Vec::new(), 0);
    for (file, code) in files() {
        for Literal { line, text, .. } in literals(&code) {
            for words in commands(&text) {
                all += 1;
                faults.extend(fault(&words).map(|fault| format!("{file}:{line} {text}\n{fault}")));
            }
        }
    }
    assert!(all > 60, "only {all} commands were found");
    assert!(faults.is_empty(), "{} commands:\n{}", faults.len(), faults.join("\n"));
}
