//! What we take for trailers is what git takes for such.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;

/// Messages on which readers of trailers do not agree.
const MESSAGES: &[&str] = &[
    "Subject: not one\n\nText: neither\n\nCo-authored-by: A B <a@b>\nFixes: #7\n",
    "Folded\n\nSigned-off-by: Long\n  Name <l@x.org>\n",
    "Folded \n\nSee: a \n\tb  \n c\nSigned-off-by: x\n  and more\n",
    "No blank\n\nAcked-by:Nospace <n@x.org>\nTested-by : Blank <b@x.org>\nEmpty:\n",
    "Picked\n\nSigned-off-by: A <a@x.org>\n(cherry picked from commit 0123456)\n",
    "Picked\n\nProse.\nMore.\nAnd more.\n(cherry picked from commit 0123456)\n",
    "Picked\n\nProse.\nMore.\nAnd more.\nAnd more.\n(cherry picked from commit 0123456)\n",
    "Line\n\nText\n---\nSigned-off-by: A <a@x.org>\n",
    "Line\n\nText\n\n---\n\nSigned-off-by: A <a@x.org>\n",
    "Line\n\nA: b\n--- \n\nfile | 2 +-\n",
    "Prose\n\nNote: this is prose.\nIt goes on.\n",
    "Prose\n\nNote: this is prose.\n",
    "Prose\n\nSigned-off-by: A\none\ntwo\nthree\n",
    "Prose\n\nSigned-off-by: A\none\ntwo\nthree\nfour\n",
    "Page\n\nhttp://x/y\n",
    "Fixes: #7",
    "Fixes: #7\nSigned-off-by: A\n",
    "\n \nFixes: #7\n\nA: b\n",
    "Comments\n\nA: b\n# c\nC: d\n# e\n\n",
    "# All\n# comments\n\nA: b\n",
    "Conflicts\n\nA: b\n\nConflicts:\n\tone\n\ttwo\n",
    "Conflicts\n\nA: b\nConflicts:\n\tone\nB: c\n",
    "Cut\n\nA: b\n# ------------------------ >8 ------------------------\ndiff\n",
    "Carriage\r\n\r\nText\r\n\r\nA: b\r\n c\r\n",
    "Blank end\n\nA: b\n  \n",
    " c\n\n a\nA: b\n",
    "Spaces\n\n a\n",
    "Long\n\nA-token-that-has-more-than-forty-letters-in-it-is-one: b\n",
    "Ümlaut\n\nGrüße: b\n",
    "Ümlaut\n\nA: \u{a0}b\u{a0}\n",
    "",
    "\n\n\n",
    "x",
];

/// Lines of which messages are made up.
const LINES: &[&str] = &[
    "",
    "",
    "",
    "Text.",
    "More text",
    "A: b",
    "See-also:c",
    "Signed-off-by: A <a@x.org>",
    "  folded",
    "\tfolded ",
    "# comment",
    "(cherry picked from commit 01)",
    "---",
    "Conflicts:",
    "Note: x",
    "A : b",
    " A: b",
    "http://x",
    ":",
    "-: b",
    "   ",
    "A:\r",
    "Signed-off-by:B",
    "a b: c",
];

fn git(folder: &Path, arguments: &[&str], input: &[u8]) -> String {
    let mut git = Command::new("git")
        .args(["--no-replace-objects", "-c", "safe.directory=*"])
        .args(arguments)
        .current_dir(folder)
        .env_remove("GIT_DIR")
        .envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("git is there");
    git.stdin.take().unwrap().write_all(input).unwrap();
    let output = git.wait_with_output().unwrap();
    assert!(output.status.success(), "git {arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// As git's log has them.
fn ours(message: &str) -> String {
    trailers(message).iter().map(|found| format!("{}: {}\n", found.token, found.value)).collect()
}

fn by_git(folder: &Path, what: &str) -> Vec<(String, String)> {
    let format = format!("--format={what}%x1f%(trailers:only,unfold)%x1e");
    let said = git(folder, &["log", "--encoding=UTF-8", &format, "--all"], b"");
    let entries = said.split('\u{1e}').map(|entry| entry.strip_prefix('\n').unwrap_or(entry));
    let pairs = entries.filter_map(|entry| entry.split_once('\u{1f}'));
    pairs.map(|(what, found)| (what.to_owned(), found.to_owned())).collect()
}

#[test]
fn trailers_are_what_git_takes_for_such() {
    let mut messages: Vec<_> = MESSAGES.iter().map(|message| (*message).to_owned()).collect();
    // Numbers that look as if they came by chance, and are the same each time.
    let mut seed = 1_u64;
    let mut number = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    for _ in 0..3_000 {
        let lines: Vec<_> = (0..2 + number(9)).map(|_| LINES[number(LINES.len())]).collect();
        messages.push(format!("Subject\n{}\n", lines.join("\n")));
    }
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "--quiet", "--bare"], b"");
    let mut stream = String::new();
    for (message, number) in messages.iter().zip(0..) {
        stream += &format!("commit refs/heads/main\ncommitter {number} <> {number} +0000\n");
        stream += &format!("data {}\n{message}\n", message.len());
    }
    git(folder.path(), &["fast-import", "--quiet"], stream.as_bytes());
    let said = by_git(folder.path(), "%cn");
    assert_eq!(said.len(), messages.len());
    assert!(said.iter().filter(|(_, trailers)| !trailers.is_empty()).count() > 300);
    for (number, expected) in said {
        let message = &messages[number.parse::<usize>().unwrap()];
        assert_eq!(ours(message), expected, "{message:?}");
        // Hosts leave out how a message ends.
        assert_eq!(ours(message.trim_end_matches('\n')), expected, "{message:?}");
    }
}

#[test]
fn trailers_of_this_projects_own_history_are_those_of_git() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if !root.join(".git").exists() {
        println!("*** NOT TESTED: this project's own history, which is not here");
        return;
    }
    for (message, expected) in by_git(root, "%B") {
        assert_eq!(ours(&message), expected, "{message:?}");
    }
}

#[test]
fn a_person_stands_in_a_trailer_with_brackets_or_without() {
    let found = trailers("a\n\nReviewed-by: A B a@b.c\nSee: x@y\nSigned-off-by: Long\n  Name <l@x.org>\n");
    let people: Vec<_> = found.iter().map(Trailer::person).collect();
    assert_eq!(people, [Some(("A B", "a@b.c")), None, Some(("Long Name", "l@x.org"))]);
}
