//! The rules for the content of a cell, and suggestions for cells that break them.

use jiff::civil::Date;

use super::near::key_of;
use super::sheets::{CellRule, SheetField};
use crate::public_web::is_public;

/// The longest address.
const LONGEST_URL: usize = 2000;
/// The longest key or word.
const LONGEST_KEY: usize = 100;
/// The longest name.
const LONGEST_NAME: usize = 300;
/// The accepted range of years.
const YEARS: std::ops::RangeInclusive<i16> = 1950..=2100;

/// The fault of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CellFault {
    pub reason: String,
    pub suggestion: Option<String>,
}

impl CellFault {
    fn new(reason: impl Into<String>, suggestion: impl Into<Option<String>>) -> Self {
        Self { reason: reason.into(), suggestion: suggestion.into() }
    }
}

/// Checks that a cell holds what its column may; gives the day that it is, in a column of days. `own_hosts` may stand in
/// addresses though nobody else can reach them.
///
/// # Errors
/// The first thing that is wrong. What it suggests would pass.
pub(super) fn check(field: &SheetField, cell: &str, own_hosts: &[&str]) -> Result<Option<Date>, CellFault> {
    judge(field, cell, own_hosts).map_err(|fault| CellFault {
        suggestion: fault.suggestion.filter(|meant| judge(field, meant, own_hosts).is_ok()),
        ..fault
    })
}

fn judge(field: &SheetField, cell: &str, own_hosts: &[&str]) -> Result<Option<Date>, CellFault> {
    if cell.is_empty() {
        return match field.is_optional {
            true => Ok(None),
            false => Err(CellFault::new("the cell is empty, and must not be", None)),
        };
    }
    plain(field.rule, cell)?;
    match field.rule {
        CellRule::Key | CellRule::Word => key(cell)?,
        // Whether the key exists is checked later, when all keys are known, with a suggestion.
        CellRule::Reference => within(cell, LONGEST_KEY)?,
        CellRule::Name => {
            within(cell, LONGEST_NAME)?;
            one_alphabet(cell)?;
        }
        CellRule::Text => {}
        CellRule::Url => url(cell, own_hosts)?,
        CellRule::Repository => repository(cell, own_hosts)?,
        CellRule::License => license(cell)?,
        CellRule::Date => return date(cell).map(Some),
    }
    Ok(None)
}

/// The day that a cell holds.
///
/// # Errors
/// Fails if it is not a valid day.
pub(super) fn date(cell: &str) -> Result<Date, CellFault> {
    let is_shape = cell.len() == 10
        && cell.bytes().enumerate().all(|(at, c)| match at {
            4 | 7 => c == b'-',
            _ => c.is_ascii_digit(),
        });
    match cell.parse::<Date>() {
        Ok(date) if is_shape && YEARS.contains(&date.year()) => Ok(date),
        Ok(_) if is_shape => Err(CellFault::new(
            format!("the year is not between {} and {}", YEARS.start(), YEARS.end()),
            None,
        )),
        _ if is_shape => Err(CellFault::new("there is no such day", None)),
        _ => Err(CellFault::new("not a date as YYYY-MM-DD", day_meant(cell))),
    }
}

/// Checks what holds for every cell: one line without invisible characters, formulas or markup.
fn plain(rule: CellRule, cell: &str) -> Result<(), CellFault> {
    let trimmed = cell.trim_matches(is_blank);
    if trimmed.len() != cell.len() {
        let meant = (!trimmed.is_empty()).then(|| trimmed.to_owned());
        return Err(CellFault::new("it has blanks before or after it", meant));
    }
    if let Some(error) = ["#REF!", "#N/A", "#NAME?", "#VALUE!", "#DIV/0!", "#NUM!", "#NULL!", "#ERROR!"]
        .iter()
        .find(|error| cell.eq_ignore_ascii_case(error))
    {
        return Err(CellFault::new(format!("{error} is what a formula says that fails"), None));
    }
    if cell.starts_with(['=', '+', '@']) || cell.starts_with('-') && rule != CellRule::Text {
        let meant = cell.trim_start_matches(['=', '+', '@', '-', ' ']).to_owned();
        return Err(CellFault::new(
            "it begins as a formula does",
            Some(meant).filter(|meant| !meant.is_empty()),
        ));
    }
    let hidden = |c: char| (c.is_control() && !(rule == CellRule::Text && c == '\n')) || is_invisible(c);
    if let Some(c) = cell.chars().find(|c| hidden(*c)) {
        let meant: String = cell
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .filter(|c| !is_invisible(*c))
            .collect();
        return Err(CellFault::new(
            format!("a character that cannot be seen, U+{:04X}", u32::from(c)),
            meant,
        ));
    }
    if cell.contains('\u{a0}') || rule != CellRule::Text && cell.contains("  ") {
        let meant = cell.split([' ', '\u{a0}']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        return Err(CellFault::new("blanks that are doubled, or of an odd kind", meant));
    }
    if matches!(rule, CellRule::Url | CellRule::Repository)
        && let Some(letter) = cell.chars().find(|c| ['"', '<', '>', '\\'].contains(c))
    {
        return Err(CellFault::new(format!("{letter} is not allowed in an address"), None));
    }
    let is_quote = |c: char| matches!(c, '“' | '”' | '„' | '«' | '»' | '‘' | '‚');
    let is_wrapped = cell.len() > 1 && cell.starts_with('"') && cell.ends_with('"');
    if is_wrapped || rule != CellRule::Text && cell.contains(|c: char| is_quote(c) || c == '"') {
        let meant: String = cell.chars().filter(|c| !is_quote(*c) && *c != '"').collect();
        return Err(CellFault::new("odd quotes", meant));
    }
    match without_markup(cell) {
        Some(meant) => {
            let is_code = ["<script", "<style"].iter().any(|tag| cell.to_lowercase().contains(tag));
            let meant = Some(meant).filter(|meant| !meant.is_empty() && !is_code);
            Err(CellFault::new("it has markup of a web page", meant))
        }
        None => Ok(()),
    }
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}' || c == '\u{200b}'
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{ad}' | '\u{fffd}')
}

/// The text without tags, and with the letters that entities stand for, if there are some.
fn without_markup(cell: &str) -> Option<String> {
    let is_tag = |rest: &str| {
        let inside = rest.strip_prefix(['/', '!']).unwrap_or(rest);
        rest.starts_with("!--") || inside.starts_with(|c: char| c.is_ascii_alphabetic())
    };
    let is_entity = |rest: &str| {
        let end = rest.find(';').filter(|end| (2..=10).contains(end));
        end.is_some_and(|end| rest[..end].bytes().all(|c| c.is_ascii_alphanumeric() || c == b'#'))
    };
    let (mut text, mut rest, mut found) = (String::new(), cell, false);
    while let Some(at) = rest.find(['<', '&']) {
        text += &rest[..at];
        let (mark, behind) = rest[at..].split_at(1);
        let end = match mark {
            "<" if is_tag(behind) => Some(behind.find('>').map_or(behind.len(), |end| end + 1)),
            "&" if is_entity(behind) => {
                let (name, _) = behind.split_once(';').unwrap_or_default();
                text += match name {
                    "amp" => "&",
                    "lt" => "<",
                    "gt" => ">",
                    "quot" => "\"",
                    "#39" | "apos" => "'",
                    _ => " ",
                };
                Some(name.len() + 1)
            }
            _ => None,
        };
        rest = match end {
            Some(end) => {
                found = true;
                &behind[end..]
            }
            None => {
                text += mark;
                behind
            }
        };
    }
    text += rest;
    found.then(|| text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn within(cell: &str, longest: usize) -> Result<(), CellFault> {
    match cell.chars().count() {
        count if count > longest => Err(CellFault::new(format!("it is longer than {longest} letters"), None)),
        _ => Ok(()),
    }
}

fn key(cell: &str) -> Result<(), CellFault> {
    within(cell, LONGEST_KEY)?;
    let is_letter = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_key = cell.bytes().enumerate().all(|(at, c)| is_letter(c) || at > 0 && c == b'-');
    match is_key {
        true => Ok(()),
        false => Err(CellFault::new(
            "not a key: small letters, digits and hyphens, a letter or digit first",
            key_of(cell).filter(|key| key != cell),
        )),
    }
}

/// Letters that look like those of the Latin alphabet and are of another, each with the one it looks like.
const LOOK_ALIKES: [(&str, &str); 2] =
    [("АВЕКМНОРСТУХаеорсухіј", "ABEKMHOPCTYXaeopcyxij"), ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEZHIKMNOPTYXo")];

/// No word has Latin letters and others that only look so: `Аmber` beside `Amber` is one thing that was entered twice.
fn one_alphabet(cell: &str) -> Result<(), CellFault> {
    let meant = |c: char| {
        LOOK_ALIKES.iter().find_map(|(others, latin)| {
            let at = others.chars().position(|other| other == c)?;
            latin.chars().nth(at)
        })
    };
    for word in cell.split_whitespace() {
        let strange = |c: &char| c.is_alphabetic() && !c.is_ascii();
        let is_mixed = word.contains(|c: char| c.is_ascii_alphabetic());
        if let Some(c) = word.chars().find(|c| strange(c) && meant(*c).is_some())
            && is_mixed
            && word.chars().filter(strange).all(|c| meant(c).is_some())
        {
            return Err(CellFault::new(
                format!("a letter of another alphabet that looks like a Latin one, U+{:04X}", u32::from(c)),
                cell.chars().map(|c| meant(c).unwrap_or(c)).collect::<String>(),
            ));
        }
    }
    Ok(())
}

fn url(cell: &str, own_hosts: &[&str]) -> Result<(), CellFault> {
    // An index holds it, and counts bytes.
    if cell.len() > LONGEST_URL {
        return Err(CellFault::new(format!("it is longer than {LONGEST_URL} bytes"), None));
    }
    let bad = |reason: &str, meant: Option<String>| Err(CellFault::new(reason, meant));
    if let Some(behind) = cell.strip_prefix("//").or_else(|| cell.strip_prefix("www.").map(|_| cell)) {
        return bad("an address begins with https:// or http://", Some(format!("https://{behind}")));
    }
    match url::Url::parse(cell) {
        Ok(url) if !["http", "https"].contains(&url.scheme()) => {
            bad("an address begins with https:// or http://", None)
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            bad("an address with a name or a password in it", None)
        }
        Ok(url) if !is_reachable(&url, own_hosts) => bad("its host is not on the public internet", None),
        Ok(_) if cell.contains(' ') => bad("an address with a blank in it", Some(cell.replace(' ', "%20"))),
        Ok(_) => Ok(()),
        Err(_) => {
            let meant = format!("https://{cell}");
            let is_meant = !cell.contains(':')
                && url::Url::parse(&meant)
                    .is_ok_and(|url| url.host_str().is_some_and(|host| host.contains('.')));
            bad("not an address of the web", is_meant.then_some(meant))
        }
    }
}

/// Can others reach its host?
fn is_reachable(url: &url::Url, own_hosts: &[&str]) -> bool {
    let name = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    own_hosts.contains(&name)
        || match url.host() {
            Some(url::Host::Domain(name)) => name.contains('.'),
            Some(url::Host::Ipv4(address)) => is_public(address.into()),
            Some(url::Host::Ipv6(address)) => is_public(address.into()),
            None => false,
        }
}

fn repository(cell: &str, own_hosts: &[&str]) -> Result<(), CellFault> {
    if cell.contains("://") {
        return url(cell, own_hosts);
    }
    let is_name = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c))
    };
    match cell.split('/').collect::<Vec<_>>()[..] {
        [owner, name] if is_name(owner) && is_name(name) => Ok(()),
        [host, owner, name] if host.contains('.') && is_name(owner) && is_name(name) => {
            Err(CellFault::new("not OWNER/NAME, nor an address", Some(format!("https://{cell}"))))
        }
        _ => Err(CellFault::new("not OWNER/NAME, nor an address", None)),
    }
}

fn license(cell: &str) -> Result<(), CellFault> {
    if spdx::Expression::parse(cell).is_ok() {
        return Ok(());
    }
    let current = |name: &str| spdx::license_id(name).is_some_and(|license| !license.is_deprecated());
    let known = spdx::identifiers::LICENSES.iter().map(|license| license.0).filter(|name| current(name));
    let meant = match cell.to_lowercase().contains("gpl") {
        true => gnu_license(cell),
        // It looks at the beginning; of what stands behind it nobody knows what it means.
        false => spdx::imprecise_license_id(cell)
            .filter(|(_, letters)| *letters == cell.len())
            .map(|(license, _)| license.name.to_owned())
            .or_else(|| super::near::nearest(cell, known).map(str::to_owned)),
    };
    let meant = meant.filter(|meant| current(meant));
    Err(CellFault::new("not a license of the SPDX list", meant))
}

/// A license of the GNU project whose version somebody wrote in another way, with `or later` or without.
fn gnu_license(cell: &str) -> Option<String> {
    let said = cell.to_lowercase();
    let family = ["agpl", "lgpl", "gpl"].into_iter().find(|family| said.contains(family))?.to_uppercase();
    let mut numbers = said.split(|c: char| !c.is_ascii_digit() && c != '.').map(|it| it.trim_matches('.'));
    let version = numbers.find(|number| !number.is_empty())?;
    let minor = if version.contains('.') { "" } else { ".0" };
    let is_later = said.contains('+') || said.contains("lat");
    Some(format!("{family}-{version}{minor}-{}", if is_later { "or-later" } else { "only" }))
}

/// The day that a text in another format unambiguously means.
fn day_meant(cell: &str) -> Option<String> {
    let parts: Vec<_> = cell.split(['-', '/', '.']).collect();
    let numbers: Vec<i16> = parts.iter().map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let date = |year: i16, month: i16, day: i16| {
        let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
        YEARS.contains(&year).then(|| date.to_string())
    };
    match numbers[..] {
        [year] => date(year, 1, 1),
        [year, month] => date(year, month, 1),
        [year, month, day] if year > 31 => date(year, month, day),
        // Only one of the two numbers can be a month.
        [a, b, year] if a > 12 => date(year, b, a),
        [a, b, year] if b > 12 => date(year, a, b),
        [a, b, year] if a == b => date(year, a, b),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
