//! A line of a commit that says who did something and when, read as git reads it.

use super::record::{Signature, add_note, decode};

/// Seconds beyond which no time is one that a database keeps: the years 9999 and -9999 or so.
const FARTHEST: i64 = 253_402_300_799;

/// Reads `NAME <ADDRESS> SECONDS ZONE`, however it is broken: the address is what the first brackets hold, the seconds are the
/// digits behind the last bracket. What cannot be read is empty, and noted.
pub(super) fn signature(line: &[u8], is_latin_1: bool, notes: &mut Vec<&'static str>) -> Signature {
    let mut text = |bytes: &[u8]| decode(bytes, is_latin_1, "a name is in no encoding that is known", notes);
    let Some(open) = line.iter().position(|byte| *byte == b'<') else {
        let name = text(trimmed(line));
        add_note(notes, "no address, and no time, stands behind a name");
        return Signature { name, ..Signature::default() };
    };
    let rest = &line[open + 1..];
    let close = rest.iter().position(|byte| *byte == b'>').unwrap_or(rest.len());
    let (name, email) = (text(trimmed_end(&line[..open])), text(&rest[..close]));
    let behind = line.iter().rposition(|byte| *byte == b'>').map_or(&[][..], |last| &line[last + 1..]);
    let (seconds, offset_seconds) = time(trimmed(behind), notes);
    Signature { name, email, seconds, offset_seconds }
}

/// Seconds since 1970, and the offset in seconds, of `1234567890 +0130`.
fn time(text: &[u8], notes: &mut Vec<&'static str>) -> (Option<i64>, Option<i32>) {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let seconds = number(&text[..digits]).filter(|seconds| *seconds <= FARTHEST);
    if seconds.is_none() {
        add_note(notes, "the seconds of a time cannot be read");
        return (None, None);
    }
    let offset_seconds = offset(trimmed(&text[digits..]));
    if offset_seconds.is_none() {
        add_note(notes, "the zone of a time cannot be read");
    }
    (seconds, offset_seconds)
}

/// Seconds east of UTC of `+0130`.
fn offset(text: &[u8]) -> Option<i32> {
    let (sign, digits) = match text.split_first()? {
        (b'+', digits) => (1, digits),
        (b'-', digits) => (-1, digits),
        _ => return None,
    };
    if digits.len() != 4 {
        return None;
    }
    let number = i32::try_from(number(digits)?).ok()?;
    let (hours, minutes) = (number / 100, number % 100);
    (minutes < 60 && hours <= 26).then_some(sign * (hours * 3600 + minutes * 60))
}

fn number(digits: &[u8]) -> Option<i64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn trimmed_end(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|byte| !is_blank(*byte)).map_or(0, |last| last + 1);
    &text[..end]
}

fn trimmed(text: &[u8]) -> &[u8] {
    let text = trimmed_end(text);
    let begin = text.iter().position(|byte| !is_blank(*byte)).unwrap_or(text.len());
    &text[begin..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> (Signature, Vec<&'static str>) {
        let mut notes = Vec::new();
        (signature(line.as_bytes(), false, &mut notes), notes)
    }

    #[test]
    fn an_ordinary_line_has_all_four() {
        let (signature, notes) = read("A U Thor <a@example.org> 1234567890 -0130");
        assert_eq!((signature.name.as_str(), signature.email.as_str()), ("A U Thor", "a@example.org"));
        assert_eq!((signature.seconds, signature.offset_seconds), (Some(1_234_567_890), Some(-5400)));
        assert!(notes.is_empty());
    }

    #[test]
    fn broken_lines_keep_what_can_be_read() {
        for (line, name, email, seconds, offset) in [
            ("A <a@b> <a@b> 5 +0000", "A", "a@b", Some(5), Some(0)),
            ("A <<a@b>> 5 +0000", "A", "<a@b", Some(5), Some(0)),
            ("<a@b> 5 +0000", "", "a@b", Some(5), Some(0)),
            ("A <> 5 +0000", "A", "", Some(5), Some(0)),
            ("A <a@b> 5 +051800", "A", "a@b", Some(5), None),
            ("A <a@b> 5", "A", "a@b", Some(5), None),
            ("A <a@b> x +0000", "A", "a@b", None, None),
            ("A <a@b>", "A", "a@b", None, None),
            ("A <a@b> 99999999999999999999 +0000", "A", "a@b", None, None),
            ("A <a@b 5 +0000", "A", "a@b 5 +0000", None, None),
            ("A", "A", "", None, None),
            ("", "", "", None, None),
        ] {
            let (signature, notes) = read(line);
            let found = (
                signature.name.as_str(),
                signature.email.as_str(),
                signature.seconds,
                signature.offset_seconds,
            );
            assert_eq!(found, (name, email, seconds, offset), "{line}");
            assert_eq!(notes.is_empty(), seconds.is_some() && offset.is_some(), "{line}");
        }
    }

    #[test]
    fn a_name_is_read_in_the_encoding_that_is_said() {
        let mut notes = Vec::new();
        let line = b"J\xf6rg <j@b> 5 +0000";
        assert_eq!(signature(line, true, &mut notes).name, "Jörg");
        assert!(notes.is_empty());
        assert_eq!(signature(line, false, &mut notes).name, "J\u{fffd}rg");
        assert_eq!(notes, ["a name is in no encoding that is known"]);
        assert_eq!(signature("Jörg <j@b> 5 +0000".as_bytes(), false, &mut Vec::new()).name, "Jörg");
    }
}
