//! The two texts that say where a database is, taken apart into libpq's options: a URL, and a list of `key=value`.

use super::PgUrlError;
use crate::words::percent_decoded;

/// Sets an option; a later value takes the place of an earlier one, as in libpq.
fn set(pairs: &mut Vec<(String, String)>, key: String, value: String) {
    match pairs.iter_mut().find(|(k, _)| *k == key) {
        Some(pair) => pair.1 = value,
        None => pairs.push((key, value)),
    }
}

/// The options that a URL sets, behind its `postgresql://`.
pub(super) fn url_pairs(rest: &str) -> Result<Vec<(String, String)>, PgUrlError> {
    const AT: PgUrlError = PgUrlError::Syntax(
        "it has more than one @; in a user name or password write %40 for @ and %2F for /",
    );
    let mut pairs = Vec::new();
    let (credentials, rest) = match rest.find(['@', '/']) {
        Some(at) if rest[at..].starts_with('@') => (Some(&rest[..at]), &rest[at + 1..]),
        _ => (None, rest),
    };
    if let Some(credentials) = credentials {
        let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
        set(&mut pairs, "user".into(), decode(user)?);
        set(&mut pairs, "password".into(), decode(password)?);
    }
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    // What looks like a host may be the end of a password: it must not get into a message.
    if place.contains('@') {
        return Err(AT);
    }
    let (hosts, database) = place.split_once('/').unwrap_or((place, ""));
    if !hosts.is_empty() {
        let (mut names, mut ports) = (Vec::new(), Vec::new());
        for host in hosts.split(',') {
            let (name, port) = host_and_port(host)?;
            names.push(name);
            ports.push(port);
        }
        set(&mut pairs, "host".into(), names.join(","));
        set(&mut pairs, "port".into(), ports.join(","));
    }
    set(&mut pairs, "dbname".into(), decode(database)?);
    for option in query.split('&').filter(|option| !option.is_empty()) {
        let (key, value) = option.split_once('=').ok_or(PgUrlError::Syntax("an option has no `=`"))?;
        set(&mut pairs, decode(key)?, decode(value)?);
    }
    Ok(pairs)
}

fn host_and_port(text: &str) -> Result<(String, String), PgUrlError> {
    const BAD_HOST: PgUrlError =
        PgUrlError::Syntax("the host is not `name:port`, `address:port` or `[IPv6]:port`");
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (name, rest) = rest.split_once(']').ok_or(BAD_HOST)?;
            (name, if rest.is_empty() { "" } else { rest.strip_prefix(':').ok_or(BAD_HOST)? })
        }
        None => text.split_once(':').unwrap_or((text, "")),
    };
    if !port.is_empty() && port.parse::<u16>().is_err() {
        return Err(PgUrlError::Syntax("the port is not a number up to 65535"));
    }
    let name = decode(name)?;
    if name.contains(',') {
        return Err(BAD_HOST);
    }
    Ok((name, if port.is_empty() { "5432".to_owned() } else { port.to_owned() }))
}

fn decode(text: &str) -> Result<String, PgUrlError> {
    let text = percent_decoded(text)
        .ok_or(PgUrlError::Syntax("a % is not followed by two hex digits of UTF-8 text"))?;
    if text.contains('\0') {
        return Err(PgUrlError::Syntax("it holds a NUL character"));
    }
    Ok(text)
}

/// libpq's other form: `key = value` with blanks between; a value may stand in single quotes, and a
/// backslash takes the next character as it is.
pub(super) fn key_value_pairs(text: &str) -> Result<Vec<(String, String)>, PgUrlError> {
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (key, after) =
            rest.split_once('=').ok_or(PgUrlError::Syntax("it is neither a URL nor a list of key=value"))?;
        let key = key.trim();
        if key.is_empty() || key.contains(char::is_whitespace) {
            return Err(PgUrlError::Syntax("it is neither a URL nor a list of key=value"));
        }
        let mut value = String::new();
        let after = after.trim_start();
        let quoted = after.starts_with('\'');
        let mut chars = after.char_indices().skip(usize::from(quoted));
        let end = loop {
            match chars.next() {
                Some((_, '\\')) => value.extend(chars.next().map(|(_, c)| c)),
                Some((i, '\'')) if quoted => break i + 1,
                Some((i, c)) if !quoted && c.is_whitespace() => break i,
                Some((_, c)) => value.push(c),
                None if quoted => return Err(PgUrlError::Syntax("a quoted value does not end")),
                None => break after.len(),
            }
        };
        set(&mut pairs, key.to_owned(), value);
        rest = after[end..].trim_start();
    }
    Ok(pairs)
}
