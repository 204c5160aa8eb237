//! docs/session.md is correct: its commands are run in their order, by a shell and on real servers, and their outputs
//! equal those of the page, except for run ids, times and places.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Janitor, older_merganser, server_dir};

const PAGE: &str = "docs/session.md";
/// With this variable, the outputs are written into the page instead of compared.
const WRITE: &str = "MERGANSER_TEST_WRITE_DOCS";
/// The folder of the page's commands.
const PLACE: &str = "/tmp/session";
/// The name of the host in the page.
const HOST: &str = "etl-1";
/// The separator between the outputs of two blocks.
const MARK: &str = "--- the end of a block ---";

/// A part of the page.
enum Part {
    Text(String),
    Commands(String),
    Output(String),
}

fn parts(page: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut fence = None;
    for line in page.lines() {
        let line = format!("{line}\n");
        match (fence, line.trim_end()) {
            (None, "```sh") => {
                fence = Some("sh");
                parts.push(Part::Commands(String::new()));
            }
            (None, "```text") => {
                fence = Some("text");
                parts.push(Part::Output(String::new()));
            }
            (Some(_), "```") => {
                fence = None;
                parts.push(Part::Text(String::new()));
            }
            _ => match parts.last_mut() {
                Some(Part::Text(text) | Part::Commands(text) | Part::Output(text)) => *text += &line,
                None => parts.push(Part::Text(line)),
            },
        }
    }
    assert!(fence.is_none(), "a fence is not closed");
    parts
}

fn page(parts: &[Part]) -> String {
    let parts = parts.iter().map(|part| match part {
        Part::Text(text) => text.clone(),
        Part::Commands(text) => format!("```sh\n{text}```\n"),
        Part::Output(text) => format!("```text\n{text}```\n"),
    });
    parts.collect()
}

/// The output of each block of commands, both streams in the order in which they come.
fn play(blocks: &[&str]) -> Vec<String> {
    let folder = server_dir();
    let place = folder.path().join("session");
    let _janitor = Janitor::watch(folder.path(), &place.join("postgres/data/postmaster.pid"), "QUIT");
    // The server of root's private cluster runs as another user.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let programs = folder.path().join("bin");
    fs::create_dir(&programs).unwrap();
    symlink(env!("CARGO_BIN_EXE_merganser"), programs.join("merganser")).unwrap();
    symlink(older_merganser(), programs.join("older-merganser")).unwrap();

    let end = format!("\necho; echo '{MARK}'\n");
    let script: String = blocks.iter().map(|block| [block, end.as_str()].concat()).collect();
    let script = script.replace(PLACE, &place.display().to_string());
    let file = folder.path().join("session.sh");
    fs::write(&file, format!("exec 2>&1\n{script}")).unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut shell = Command::new("sh");
    shell.arg(&file).env_clear().current_dir(folder.path()).stdin(Stdio::null());
    shell.env("PATH", format!("{}:{path}", programs.display()));
    shell.envs(std::env::var_os("HOME").map(|home| ("HOME", home)));
    let said = String::from_utf8(shell.output().unwrap().stdout).unwrap();
    let host = |name: &str| format!(" on {name} as ");
    let said = said.replace(&host(&merganser::system::machine::host()), &host(HOST));
    let said = said.replace(&place.display().to_string(), PLACE);
    let mut outputs: Vec<_> = said.split(&format!("\n{MARK}\n")).map(str::to_owned).collect();
    assert_eq!(outputs.pop().as_deref(), Some(""), "the shell gave up");
    outputs
}

/// The text without what differs from run to run: run ids (the same id stays the same), durations, memory, moments.
fn plain(text: &str, runs: &mut BTreeMap<String, usize>) -> Vec<String> {
    let lines = text.lines().map(|line| {
        // The speed, and the shares of the steps.
        let line = line
            .split_once(" Most of it: ")
            .map_or(line, |(rate, _)| rate.split(", ").next().unwrap_or_default());
        let mut words: Vec<String> = Vec::new();
        for word in line.split_whitespace() {
            let bare = word.trim_end_matches([',', ';', '.', ':']);
            let number = words.last().is_some_and(|last| last.parse::<f64>().is_ok());
            if uuid::Uuid::try_parse(bare).is_ok() {
                let next = runs.len() + 1;
                words.push(format!("(run {})", runs.entry(bare.into()).or_insert(next)));
            } else if number && ["ms", "s", "min"].contains(&bare) {
                words.pop();
                words.push("(time)".into());
            } else if words.last().is_some_and(|last| last == "(time)") && bare.parse::<f64>().is_ok() {
                // The seconds after minutes.
            } else if number && ["kB", "MB", "GB"].contains(&bare) {
                words.pop();
                words.push("(size)".into());
            } else if bare.len() >= 19 && bare.get(..20).unwrap_or(bare).contains('T') && is_date(bare) {
                words.push("(moment)".into());
            } else if is_time(bare) && words.last().is_some_and(|last| is_date(last)) {
                words.pop();
                words.push("(moment)".into());
            } else if is_date(bare) && words.last().is_some_and(|last| last == "until") {
                // The end of a period of keeping depends on today.
                words.push("(day)".into());
            } else {
                words.push(word.into());
            }
        }
        words.join(" ")
    });
    lines.collect()
}

/// True if the text begins with `YYYY-MM-DD`.
fn is_date(word: &str) -> bool {
    word.get(..10).is_some_and(|date| date.parse::<jiff::civil::Date>().is_ok())
}

fn is_time(word: &str) -> bool {
    word.len() == 8 && word.parse::<jiff::civil::Time>().is_ok()
}

#[test]
fn the_session_of_the_documents_is_true() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let mut parts = parts(&fs::read_to_string(&path).unwrap());
    let blocks = parts.iter().filter_map(|part| match part {
        Part::Commands(text) => Some(text.as_str()),
        _ => None,
    });
    let blocks: Vec<_> = blocks.collect();
    let (build, blocks) = blocks.split_first().expect("the page has commands");
    assert!(build.starts_with("make "), "the first block only builds: {build}");
    let mut said = play(blocks).into_iter();

    // The output of each block of commands but the first, and the page's text of it.
    let (mut printed, mut compared) = (String::new(), 0);
    let (mut page_runs, mut real_runs) = (BTreeMap::new(), BTreeMap::new());
    for part in parts.iter_mut().skip_while(|part| !matches!(part, Part::Commands(_))).skip(1) {
        match part {
            Part::Text(text) if text.trim().is_empty() => {}
            Part::Output(text) => {
                if std::env::var_os(WRITE).is_some() {
                    printed.clone_into(text);
                }
                let page = plain(text, &mut page_runs);
                assert_eq!(
                    plain(&printed, &mut real_runs),
                    page,
                    "{PAGE} says\n{text}\nand it was\n{printed}\n\
                     {WRITE}=1 cargo test --features failpoints --test it docs::session writes what it was"
                );
                printed.clear();
                compared += 1;
            }
            Part::Text(_) | Part::Commands(_) => {
                assert_eq!(printed, "", "{PAGE} has no block of output for what a block of commands prints");
                if let Part::Commands(_) = part {
                    printed = said.next().expect("as many outputs as blocks");
                }
            }
        }
    }
    assert!(compared > 10, "only {compared} outputs were compared");
    if std::env::var_os(WRITE).is_some() {
        fs::write(path, page(&parts)).unwrap();
    }
}
