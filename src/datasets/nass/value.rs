//! Parses cells that are not plain texts: figures with their codes, days, times, the code of a county.

/// A figure: its digits, or the code that replaces them.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Figure {
    Empty,
    Number(String),
    /// The source's reason why there is no number: `(D)`.
    Code(String),
}

/// Parses `16,231,930`, `-0.5`, or `                 (D)`; `None`: the text is neither a number nor a code.
pub(super) fn figure(text: &str) -> Option<Figure> {
    let text = text.trim();
    if text.is_empty() {
        return Some(Figure::Empty);
    }
    if let Some(letters) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        let letters = letters.trim();
        let is_code =
            (1..=6).contains(&letters.len()) && letters.bytes().all(|byte| byte.is_ascii_uppercase());
        return is_code.then(|| Figure::Code(format!("({letters})")));
    }
    number(text).map(Figure::Number)
}

/// A number without its thousands separators, which must be in the right places.
fn number(text: &str) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut groups = whole.split(',');
    let first = groups.next()?;
    let rest: Vec<_> = groups.collect();
    let is_grouped = !rest.is_empty();
    let good = (is_digits(first) && (!is_grouped || first.len() <= 3)
        || first.is_empty() && !is_grouped && fraction.is_some())
        && rest.iter().all(|group| group.len() == 3 && is_digits(group))
        && fraction.is_none_or(is_digits);
    if !good || text.len() > 60 {
        return None;
    }
    let whole = format!("{first}{}", rest.concat());
    let whole = if whole.is_empty() { "0" } else { &whole };
    Some(match fraction {
        Some(fraction) => format!("{sign}{whole}.{fraction}"),
        None => format!("{sign}{whole}"),
    })
}

/// A year of four digits.
pub(super) fn year(text: &str) -> Option<i32> {
    let text = text.trim();
    (text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// The days from 1970-01-01 to a date such as `2012-06-03`.
pub(super) fn day(text: &str) -> Option<i32> {
    let day: jiff::civil::Date = text.trim().parse().ok()?;
    let epoch = jiff::civil::date(1970, 1, 1);
    Some(epoch.until(day).ok()?.get_days())
}

/// The microseconds from 1970-01-01 to a time such as `2012-12-31 00:00:00`, with or without a fraction.
pub(super) fn time(text: &str) -> Option<i64> {
    let time: jiff::civil::DateTime = text.trim().parse().ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_microsecond())
}

/// The code of a real county, five digits. Combined counties have no such code, and no state has 98 or 99.
pub(super) fn fips(state: &str, county: &str, county_ansi: &str) -> Option<String> {
    let is_code = |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_real = is_code(state, 2)
        && is_code(county, 3)
        && !county_ansi.trim().is_empty()
        && !["00", "98", "99"].contains(&state)
        && !["000", "998", "999"].contains(&county);
    is_real.then(|| format!("{state}{county}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_a_number_or_a_code_and_never_both() {
        let number = |text: &str| Some(Figure::Number(text.to_owned()));
        let code = |text: &str| Some(Figure::Code(text.to_owned()));
        assert_eq!(figure("16,231,930"), number("16231930"));
        assert_eq!(figure(" 161.20 "), number("161.20"));
        assert_eq!(figure("-5"), number("-5"));
        assert_eq!(figure(".5"), number("0.5"));
        assert_eq!(figure("0"), number("0"));
        assert_eq!(figure("                 (D)"), code("(D)"));
        assert_eq!(figure("(NA) "), code("(NA)"));
        assert_eq!(figure("  "), Some(Figure::Empty));
        for bad in
            ["1,23", "12,34,567", "1234,567", "1.2.3", "1e5", "(d)", "()", "D", "--1", "1,", "5.", "NaN"]
        {
            assert_eq!(figure(bad), None, "{bad}");
        }
    }

    #[test]
    fn days_times_and_years_are_read_in_both_ways_that_they_are_written() {
        assert_eq!(time("1970-01-01 00:00:01"), Some(1_000_000));
        assert_eq!(time("1970-01-01 00:00:01.000"), Some(1_000_000));
        assert_eq!(time("yesterday"), None);
        assert_eq!(day("1970-01-11"), Some(10));
        assert_eq!(day("2025-02-30"), None);
        assert_eq!((year("2012"), year("12"), year("2012.0")), (Some(2012), None, None));
    }

    #[test]
    fn only_a_real_county_has_a_code() {
        assert_eq!(fips("01", "001", "001").as_deref(), Some("01001"));
        for (state, county, ansi) in
            [("01", "998", ""), ("01", "998", "998"), ("98", "001", "001"), ("01", "", ""), ("01", "001", "")]
        {
            assert_eq!(fips(state, county, ansi), None);
        }
    }
}
