//! The trailers of a message: lines such as `Co-authored-by: NAME <ADDRESS>` in its last paragraph. Which paragraph and which
//! lines count is as in git's own log (`git log --format='%(trailers:only,unfold)'`).

use std::borrow::Cow;

use super::email::{name_and_address, name_before_address};

/// A trailer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trailer<'a> {
    pub token: &'a str,
    /// In one line, however many it has in the message.
    pub value: Cow<'a, str>,
}

impl Trailer<'_> {
    /// Name and address of a person, where the value is `NAME <ADDRESS>` or `NAME ADDRESS`.
    pub(super) fn person(&self) -> Option<(&str, &str)> {
        let brackets = name_and_address(&self.value).map(|(name, address, _)| (name, address));
        brackets.or_else(|| name_before_address(&self.value))
    }
}

/// What git treats as a blank.
const BLANK: [char; 4] = [' ', '\t', '\r', '\n'];
/// Beside a line that git itself has written, three of four other lines need not be trailers.
const GENERATED: [&str; 2] = ["Signed-off-by: ", "(cherry picked from commit "];
/// From here on git shows what it would commit, which is no part of the message.
const SCISSORS: &str = "# ------------------------ >8 ------------------------";

/// The trailers of a message, in their order.
pub(super) fn trailers(message: &str) -> Vec<Trailer<'_>> {
    let mut lines: Vec<_> = message.split('\n').collect();
    // After the last line break there is no line.
    lines.pop_if(|last| last.is_empty());
    let begin = lines.iter().position(|line| !is_blank(line)).unwrap_or(lines.len());
    let lines = without_end(&lines[begin..]);
    folded(block(lines)).filter_map(trailer).collect()
}

/// The lines before the comments, the empty lines and the list of conflicts at the end, which git leaves out.
fn without_end<'b, 'a>(lines: &'b [&'a str]) -> &'b [&'a str] {
    let lines = &lines[..lines.iter().position(|line| *line == SCISSORS).unwrap_or(lines.len())];
    let (mut end, mut is_conflicts) = (None, false);
    for (line, number) in lines.iter().zip(0..) {
        match *line {
            "" => end = end.or(Some(number)),
            line if is_comment(line) => end = end.or(Some(number)),
            "Conflicts:" => (end, is_conflicts) = (end.or(Some(number)), true),
            line if is_conflicts && line.starts_with('\t') => {}
            _ => (end, is_conflicts) = (None, false),
        }
        // A message does not consist of its end alone.
        end = end.filter(|end| *end > 0);
    }
    &lines[..end.unwrap_or(lines.len())]
}

/// The last paragraph, if it is not the first, and all its lines are trailers, or enough of those beside one that git wrote.
fn block<'b, 'a>(lines: &'b [&'a str]) -> &'b [&'a str] {
    let is_end = |line: &&str| !is_comment(line) && is_blank(line);
    let subject = lines.iter().position(is_end).unwrap_or(lines.len());
    let (mut has_generated, mut is_begun) = (false, false);
    // Lines that begin with a blank continue a trailer, if there is one before them.
    let (mut trailers, mut others, mut folded) = (0, 0, 0);
    for at in (subject..lines.len()).rev() {
        let line = lines[at];
        if is_comment(line) {
            others += std::mem::take(&mut folded);
        } else if is_blank(line) {
            if !is_begun {
                continue;
            }
            others += folded;
            let is_block = has_generated && trailers * 3 >= others || trailers > 0 && others == 0;
            return if is_block { &lines[at + 1..] } else { &[] };
        } else {
            is_begun = true;
            let is_generated = GENERATED.iter().any(|begin| line.starts_with(begin));
            has_generated |= is_generated;
            if is_generated || separator(line).is_some() {
                trailers += 1;
                folded = 0;
            } else if line.starts_with(BLANK) {
                folded += 1;
            } else {
                others += 1 + std::mem::take(&mut folded);
            }
        }
    }
    &[]
}

fn is_blank(line: &str) -> bool {
    line.trim_matches(BLANK).is_empty()
}

fn is_comment(line: &str) -> bool {
    line.starts_with('#')
}

/// Where the colon of a trailer is: after a word of letters, digits and hyphens.
fn separator(line: &str) -> Option<usize> {
    let at = line.find(':')?;
    let token = line[..at].trim_end_matches([' ', '\t']);
    let is_token = !token.is_empty() && token.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
    is_token.then_some(at)
}

/// Lines, each with the lines after it that begin with a blank and so continue it.
pub(super) fn folded<'b, 'a>(lines: &'b [&'a str]) -> impl Iterator<Item = &'b [&'a str]> {
    lines.chunk_by(|_, next| next.starts_with(BLANK) && !is_blank(next))
}

/// The trailer in a line and those that continue it, wherever they stand; `None`: it is not one.
pub(super) fn trailer<'a>(lines: &[&'a str]) -> Option<Trailer<'a>> {
    let (first, others) = lines.split_first()?;
    let at = separator(first)?;
    let (token, value) = (first[..at].trim_matches(BLANK), &first[at + 1..]);
    let value = match others {
        [] => Cow::Borrowed(value.trim_matches(BLANK)),
        _ => {
            let parts = others.iter().map(|line| line.trim_start_matches(BLANK));
            let unfolded = std::iter::once(value).chain(parts).collect::<Vec<_>>().join(" ");
            Cow::Owned(unfolded.trim_matches(BLANK).to_owned())
        }
    };
    Some(Trailer { token, value })
}

#[cfg(test)]
mod tests;
