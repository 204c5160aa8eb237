//! Values of the extract: text as XML gives it, and the strict forms of the typed columns.
//!
//! Nothing here allocates for a value that is good.

/// Decimal digits that a number may have; PostgreSQL and DuckDB both take this many.
const MAX_DIGITS: usize = 1000;

/// Why a piece of text cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TextFault {
    #[error("the character U+{0:04X} is not allowed in XML")]
    Character(u32),
    #[error("unknown entity &{0};")]
    Entity(String),
    #[error("bad character reference &{0};")]
    Reference(String),
    #[error("not valid UTF-8")]
    Utf8,
    #[error("longer than {0} bytes")]
    TooLong(usize),
}

/// The blanks of XML.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// The text without XML blanks at its ends. Other Unicode spaces are content and stay.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_ascii() && is_blank(c as u8))
}

/// Whether a text is of XML's blanks alone. Quick for a line break and what indents the next line.
#[inline]
pub(super) fn are_blanks(text: &str) -> bool {
    const INDENT: [u8; 8] = [b' '; 8];
    let is_blank = |byte: &u8| is_blank(*byte);
    let bytes = text.strip_prefix('\n').unwrap_or(text).as_bytes();
    let (words, rest) = bytes.as_chunks::<8>();
    words.iter().all(|word| *word == INDENT || word.iter().all(is_blank)) && rest.iter().all(is_blank)
}

/// Whether the text can be used as it came: no carriage return to normalise and nothing that XML
/// forbids. It may say no to harmless text, then [`push_text`] decides.
pub(super) fn is_plain(text: &str) -> bool {
    // 0xEF leads the bytes of U+FFFE and U+FFFF, which XML forbids.
    !text.bytes().fold(false, |odd, b| odd | ((b < 0x20) & (b != b'\n') & (b != b'\t')) | (b == 0xEF))
}

/// Whether XML 1.0 allows the character in a document.
fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// Appends literal text or the content of a CDATA section, line ends normalised to `\n`.
pub(super) fn push_text(arena: &mut String, text: &str) -> Result<(), TextFault> {
    if let Some(c) = text.chars().find(|c| !is_allowed(*c)) {
        return Err(TextFault::Character(c as u32));
    }
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\r', rest.as_bytes()) {
        arena.push_str(&rest[..at]);
        arena.push('\n');
        rest = &rest[at + 1..];
        rest = rest.strip_prefix('\n').unwrap_or(rest);
    }
    arena.push_str(rest);
    Ok(())
}

/// Appends what a reference (the part between `&` and `;`) stands for. A carriage return that came
/// as a reference is kept: line ends are normalised in literal text only.
pub(super) fn push_reference(arena: &mut String, name: &str) -> Result<(), TextFault> {
    let c = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let Some(number) = name.strip_prefix('#') else {
                return Err(TextFault::Entity(cut(name, 100)));
            };
            let (digits, radix) = match number.strip_prefix('x') {
                Some(hex) => (hex, 16),
                None => (number, 10),
            };
            // `from_str_radix` would take a sign.
            let code = Some(digits)
                .filter(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_hexdigit()))
                .and_then(|d| u32::from_str_radix(d, radix).ok());
            match code.map(|code| (code, char::from_u32(code))) {
                Some((_, Some(c))) if is_allowed(c) => c,
                Some((code, Some(_))) => return Err(TextFault::Character(code)),
                _ => return Err(TextFault::Reference(cut(name, 100))),
            }
        }
    };
    arena.push(c);
    Ok(())
}

/// The error in the XML, without the crate's own headings.
pub(super) fn xml_reason(error: &quick_xml::Error) -> String {
    match error {
        quick_xml::Error::Io(error) => error.to_string(),
        quick_xml::Error::Syntax(error) => error.to_string(),
        quick_xml::Error::IllFormed(error) => error.to_string(),
        error => error.to_string(),
    }
}

/// At most `chars` characters of the text.
pub(super) fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => text[..end].to_owned(),
        None => text.to_owned(),
    }
}

/// `YYYY-MM-DD`, a real date of the years 1 to 9999, as days since 1970-01-01.
pub(super) fn date(text: &str) -> Option<i32> {
    let b: &[u8; 10] = text.as_bytes().try_into().ok()?;
    if b[4] != b'-' || b[7] != b'-' {
        return None;
    }
    let (year, month, day) = (digits(&b[..4])?, digits(&b[5..7])?, digits(&b[8..])?);
    if year == 0 || day == 0 || day > days_of_month(year, month)? {
        return None;
    }
    // Years start in March here, so that the leap day is a year's last.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * m + 2) / 5 + day - 1;
    let days = 365 * y + y / 4 - y / 100 + y / 400 + day_of_year;
    Some(days as i32 - 719_468)
}

/// `YYYY-MM-DDTHH:MM:SS` with up to six digits of a fraction and no zone, as microseconds since
/// 1970-01-01T00:00:00.
pub(super) fn timestamp(text: &str) -> Option<i64> {
    let b = text.as_bytes();
    if b.len() < 19 || b[10] != b'T' || b[13] != b':' || b[16] != b':' {
        return None;
    }
    // The date's ten bytes are followed by an ASCII byte, so this is a character boundary.
    let days = i64::from(date(text.get(..10)?)?);
    let (hour, minute, second) = (digits(&b[11..13])?, digits(&b[14..16])?, digits(&b[17..19])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let micros = match &b[19..] {
        [] => 0,
        [b'.', fraction @ ..] if (1..=6).contains(&fraction.len()) => {
            digits(fraction)? * 10u32.pow(6 - fraction.len() as u32)
        }
        _ => return None,
    };
    let seconds = days * 86_400 + i64::from(hour * 3600 + minute * 60 + second);
    Some(seconds * 1_000_000 + i64::from(micros))
}

/// `true` or `false`.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// Whether the text is a number: an optional sign, digits, an optional point with digits.
pub(super) fn is_numeric(text: &str) -> bool {
    let b = text.as_bytes();
    let unsigned = b.strip_prefix(b"-").or_else(|| b.strip_prefix(b"+")).unwrap_or(b);
    let (whole, fraction) = match memchr::memchr(b'.', unsigned) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let is_digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    is_digits(whole) && fraction.is_none_or(is_digits) && unsigned.len() <= MAX_DIGITS
}

/// The number that up to nine digits stand for.
fn digits(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + u32::from(b - b'0')))
}

fn days_of_month(year: u32, month: u32) -> Option<u32> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    Some(match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_real_and_in_one_form() {
        assert_eq!(date("1970-01-01"), Some(0));
        assert_eq!(date("1969-12-31"), Some(-1));
        assert_eq!(date("2000-02-29"), Some(11_016));
        assert_eq!(date("0001-01-01"), Some(-719_162));
        assert_eq!(date("9999-12-31"), Some(2_932_896));
        for bad in ["0000-01-01", "1900-02-29", "2023-13-01", "2023-00-10", "2023-04-31", "2023-4-1"] {
            assert_eq!(date(bad), None, "{bad}");
        }
        for bad in ["", "20230401", "2023/04/01", "2023-04-01Z", "+023-04-01", "２-04-01x", "2023-04-0a"] {
            assert_eq!(date(bad), None, "{bad}");
        }
    }

    /// Every day from 0001 to 9999 agrees with an independent calendar.
    #[test]
    fn dates_agree_with_jiff() {
        let epoch = jiff::civil::date(1970, 1, 1);
        let mut day = jiff::civil::date(1, 1, 1);
        let mut days = date("0001-01-01").unwrap();
        assert_eq!(i64::from(days), i64::from(epoch.until(day).unwrap().get_days()));
        while day < jiff::civil::date(9999, 12, 31) {
            (day, days) = (day.tomorrow().unwrap(), days + 1);
            assert_eq!(date(&day.to_string()), Some(days), "{day}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]

        /// Every point in time, written with every number of digits.
        #[test]
        fn date_times_agree_with_jiff(
            seconds in -62_135_596_800_i64..253_402_300_800, micros in 0..1_000_000_i64, digits in 0..7_usize
        ) {
            let point = jiff::Timestamp::new(seconds, (micros * 1000) as i32).unwrap();
            let point = jiff::tz::TimeZone::UTC.to_datetime(point);
            let fraction = format!("{micros:06}");
            let micros = micros - micros % 10_i64.pow(6 - digits as u32);
            let text = match digits {
                0 => point.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
                _ => format!("{}.{}", point.strftime("%Y-%m-%dT%H:%M:%S"), &fraction[..digits]),
            };
            proptest::prop_assert_eq!(timestamp(&text), Some(seconds * 1_000_000 + micros), "{}", text);
        }

        /// Accepted values are the same as those that other parsers read; no input panics.
        #[test]
        fn what_is_taken_has_one_meaning(text in "[0-9T:.+Z -]{0,30}|[0-9]{4}-[01][0-9]-[0-3][0-9]|\\PC{0,20}") {
            if let Some(days) = date(&text) {
                let read: jiff::civil::Date = text.parse().unwrap();
                let epoch = jiff::civil::date(1970, 1, 1);
                proptest::prop_assert_eq!(epoch.until(read).unwrap().get_days(), days);
            }
            proptest::prop_assert!(timestamp(&text).is_none() || text.contains('T'));
            if is_numeric(&text) {
                proptest::prop_assert!(text.parse::<f64>().is_ok_and(f64::is_finite), "{}", text);
            }
        }
    }

    #[test]
    fn date_times_have_no_zone() {
        assert_eq!(timestamp("1970-01-01T00:00:01"), Some(1_000_000));
        assert_eq!(timestamp("1969-12-31T23:59:59"), Some(-1_000_000));
        assert_eq!(timestamp("1970-01-02T00:00:00.5"), Some(86_400_500_000));
        assert_eq!(timestamp("1970-01-01T00:00:00.000001"), Some(1));
        for bad in ["1970-01-01", "1970-01-01 00:00:00", "1970-01-01T24:00:00", "1970-01-01T00:60:00"] {
            assert_eq!(timestamp(bad), None, "{bad}");
        }
        for bad in
            ["T00:00:00.", "T00:00:60", "T00:00:00Z", "T00:00:00.1234567", "T00:00:00+05:00", "T0:00:00"]
        {
            assert_eq!(timestamp(&format!("1970-01-01{bad}")), None, "{bad}");
        }
        assert_eq!(timestamp("1970-01-0é0:00:00:00"), None);
    }

    #[test]
    fn numbers_have_digits_and_nothing_else() {
        for good in ["0", "8189.56", "-800.00", "+5", "007", "-0", &"9".repeat(1000)] {
            assert!(is_numeric(good), "{good}");
        }
        for bad in ["", "-", "1e5", "1,000", "$5", "NaN", ".5", "5.", "1.2.3", "--1", "1 0", "１"] {
            assert!(!is_numeric(bad), "{bad}");
        }
        assert!(!is_numeric(&"9".repeat(1001)));
    }

    #[test]
    fn line_ends_are_normalised_in_text_but_not_in_references() {
        let mut arena = String::new();
        push_text(&mut arena, "a\r\nb\rc\n\r\r\n").unwrap();
        push_reference(&mut arena, "#13").unwrap();
        assert_eq!(arena, "a\nb\nc\n\n\n\r");
        assert!(!is_plain("a\rb") && !is_plain("a\0b") && !is_plain("\u{FFFE}"));
        assert!(is_plain("a\tb\nc é 10 €"));
    }

    #[test]
    fn references_are_resolved_or_refused() {
        let mut arena = String::new();
        for name in ["amp", "lt", "gt", "quot", "apos", "#65", "#x42", "#x1F600", "#xa"] {
            push_reference(&mut arena, name).unwrap();
        }
        assert_eq!(arena, "&<>\"'AB😀\n");
        for bad in ["#", "#x", "#+5", "#x110000", "#xD800", "#99999999999", "#-1", "#xg", "#1a"] {
            let fault = push_reference(&mut arena, bad).unwrap_err();
            assert_eq!(fault, TextFault::Reference(bad.to_owned()));
        }
        assert_eq!(push_reference(&mut arena, "#0"), Err(TextFault::Character(0)));
        assert_eq!(push_reference(&mut arena, "#xFFFF"), Err(TextFault::Character(0xFFFF)));
        assert_eq!(push_reference(&mut arena, "nbsp"), Err(TextFault::Entity("nbsp".to_owned())));
        assert_eq!(push_text(&mut arena, "a\u{1}"), Err(TextFault::Character(1)));
        assert_eq!(push_text(&mut arena, "\u{FFFE}"), Err(TextFault::Character(0xFFFE)));
        assert_eq!(push_text(&mut arena, "\u{FEFF}\u{7F}"), Ok(()));
    }

    #[test]
    fn only_xml_blanks_are_trimmed() {
        assert_eq!(trim(" \t\r\n5\n "), "5");
        assert_eq!(trim("\u{A0}5\u{B}"), "\u{A0}5\u{B}");
        for text in ["", "\n", "\n          ", "\n\t\t\t\t\t\t\t\t\t", "\r\n         \r", " \n \n"] {
            assert!(are_blanks(text), "{text:?}");
            for other in ["x", "\u{B}", "\u{A0}"] {
                assert!(!are_blanks(&format!("{text}{other}")) && !are_blanks(&format!("{other}{text}")));
            }
        }
    }
}
