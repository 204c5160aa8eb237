//! Texts from values: numbers, sizes and times as people read them, and what formats write (hexadecimal, base64, CSV).

use std::borrow::Cow;
use std::time::{Duration, Instant};

use data_encoding::{BASE64, HEXLOWER};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

/// What is percent-encoded in a part of a URL.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A duration as people read it: `840 ms`, `12.3 s`, `4 min 05 s`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1000.0)
    } else if seconds < 60.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{} min {:02} s", time.as_secs() / 60, time.as_secs() % 60)
    }
}

/// A number with separators: `1,300,000`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things as people read it: `1 record`, `1,300,000 records`.
pub fn counted(number: u64, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{} {}", count(number), plural(noun)),
    }
}

/// Several of a thing: `records`, `batches`, `histories`.
pub fn plural(noun: &str) -> String {
    match noun {
        _ if ["s", "x", "ch", "sh"].iter().any(|end| noun.ends_with(end)) => format!("{noun}es"),
        _ if ["ay", "ey", "oy"].iter().any(|end| noun.ends_with(end)) => format!("{noun}s"),
        _ => match noun.strip_suffix('y') {
            Some(stem) => format!("{stem}ies"),
            None => format!("{noun}s"),
        },
    }
}

/// A word as a shell takes it.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// A size as people read it: `3.4 MB`.
pub fn size(bytes: u64) -> String {
    indicatif::DecimalBytes(bytes).to_string()
}

/// The line of a step: its name in a column of its own, then what it did.
pub fn step_line(step: &str, what: &str) -> String {
    format!("{step:<8} {what}")
}

/// Milliseconds since `start`.
pub fn millis(start: Instant) -> u64 {
    start.elapsed().as_millis() as u64
}

/// Bytes as hexadecimal digits, two each.
pub fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// SHA-256, 64 hexadecimal digits.
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(bytes))
}

/// A text that stands in markup, between tags or in an attribute: of a page, a drawing or a graph.
pub fn markup(text: &str) -> String {
    let mut markup = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => markup += "&amp;",
            '<' => markup += "&lt;",
            '>' => markup += "&gt;",
            '"' => markup += "&quot;",
            '\'' => markup += "&#39;",
            // Markup has no others.
            c if c.is_control() && !matches!(c, '\n' | '\t') => markup.push('\u{fffd}'),
            '\u{fffe}' | '\u{ffff}' => markup.push('\u{fffd}'),
            c => markup.push(c),
        }
    }
    markup
}

/// Bytes in base64, padded: as a Content-Security-Policy names a hash.
pub fn base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// A text as a part of a URL: letters, digits and `-._~` as they are, all else percent-encoded (RFC 3986, 2.3).
pub fn percent_encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// What a percent-encoded text says; `None`: a `%` without two hexadecimal digits behind it, or no UTF-8.
pub fn percent_decoded(text: &str) -> Option<String> {
    let is_code =
        |rest: &str| rest.as_bytes().get(..2).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
    text.split('%')
        .skip(1)
        .all(is_code)
        .then(|| percent_decode_str(text).decode_utf8().ok())?
        .map(Cow::into_owned)
}

/// The cells of the first line of a CSV, without a mark of its encoding.
pub fn csv_cells(text: &str) -> Vec<String> {
    let mut cells = csv::StringRecord::new();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.read_record(&mut cells).expect("a text is read, and one record is as long as itself");
    cells.iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_a_csv_is_taken_apart() {
        assert_eq!(csv_cells("\u{feff}\"a, b\",c,\"d\"\"e\"\r\n1,2,3\r\n"), ["a, b", "c", "d\"e"]);
        assert!(csv_cells("").is_empty());
    }

    #[test]
    fn base64_is_padded() {
        let texts = ["", "f", "fo", "foo", "foob"].map(|text| base64(text.as_bytes()));
        assert_eq!(texts, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]);
    }

    #[test]
    fn text_never_becomes_markup() {
        let text = markup("<b a='\"'>&\u{1}\u{ffff}");
        assert_eq!(text, "&lt;b a=&#39;&quot;&#39;&gt;&amp;\u{fffd}\u{fffd}");
    }

    #[test]
    fn numbers_and_durations_read_well() {
        assert_eq!((count(0), count(999), count(1_300_000)), ("0".into(), "999".into(), "1,300,000".into()));
        assert_eq!([0, 1, 2_000].map(|n| counted(n, "record")), ["0 records", "1 record", "2,000 records"]);
        assert_eq!(["batch", "day", "history"].map(plural), ["batches", "days", "histories"]);
        assert_eq!(duration(Duration::from_millis(840)), "840 ms");
        assert_eq!(duration(Duration::from_secs(245)), "4 min 05 s");
    }
}
