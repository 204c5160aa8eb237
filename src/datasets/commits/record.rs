//! A commit as both sources tell it.

/// Who did something, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Signature {
    pub name: String,
    pub email: String,
    /// Seconds since 1970, UTC; `None`: they cannot be read.
    pub seconds: Option<i64>,
    /// Seconds east of UTC; `None`: the source does not say it, or not so that it can be read.
    pub offset_seconds: Option<i32>,
}

/// A commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Commit {
    /// Hexadecimal digits.
    pub sha: String,
    pub author: Signature,
    pub committer: Signature,
    /// As it was written, without what a text cannot hold.
    pub message: String,
    pub parents: Vec<String>,
    /// `None`: the source does not say.
    pub is_signed: Option<bool>,
    /// What of it could not be read as it should be.
    pub notes: Vec<&'static str>,
}

impl Commit {
    /// Did a program make it? By the name or the address that hosts give to theirs.
    pub(super) fn is_bot(&self) -> bool {
        self.author.name.ends_with("[bot]") || self.author.email.contains("[bot]@")
    }
}

/// Decodes a text in the encoding that it says it has, and notes what could not be read.
pub(super) fn decode(
    bytes: &[u8],
    is_latin_1: bool,
    note: &'static str,
    notes: &mut Vec<&'static str>,
) -> String {
    let mut text = match std::str::from_utf8(bytes) {
        Ok(text) if !is_latin_1 || bytes.is_ascii() => text.to_owned(),
        _ if is_latin_1 => bytes.iter().map(|byte| char::from(*byte)).collect(),
        _ => {
            add_note(notes, note);
            String::from_utf8_lossy(bytes).into_owned()
        }
    };
    // No text of a database holds one.
    if text.contains('\0') {
        add_note(notes, "a zero byte is left out");
        text.retain(|c| c != '\0');
    }
    text
}

/// Adds a note that is not there yet.
pub(super) fn add_note(notes: &mut Vec<&'static str>, note: &'static str) {
    if !notes.contains(&note) {
        notes.push(note);
    }
}
