//! Where an SFTP source is ([`SftpUrl`]): a URL, or the variables of the older job. A password has no
//! place in it, and nothing here repeats a text that could hold one.

use std::fmt;
use std::str::FromStr;

use crate::words::{percent_decoded, percent_encoded};

/// The port of SSH.
const DEFAULT_PORT: u16 = 22;
/// Characters that a URL must percent-encode.
const UNSHOWN: [char; 5] = ['%', '@', '?', '#', ' '];
/// The advice of a message about a password in the wrong place.
const PASSWORD_PLACE: &str = "set the environment variable SFTP_PSWD (or MERGANSER_SFTP_PASSWORD)";

/// A folder on an SFTP server: `sftp://USER@HOST[:PORT]/DIR`.
///
/// `/DIR` starts at the server's root, `/~/DIR` at the login folder; without any path it is the login folder itself.
/// User and path are percent-encoded where they hold
/// `@`, `:`, `/` (user), `?`, `#` or `%`. The older job's `SFTP_DIR` is taken as it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SftpUrl {
    user: String,
    host: String,
    port: u16,
    /// As it is sent to the server: absolute with a leading `/`, else relative to the login folder; empty: the login
    /// folder.
    folder: String,
}

/// Why a text is not the location of an SFTP source. The text itself is never repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SftpUrlError {
    #[error("the location of an SFTP source starts with `sftp://`")]
    Scheme,
    #[error("a password must not be in the URL of an SFTP source: {PASSWORD_PLACE}")]
    Password,
    #[error(
        "the URL of the SFTP source has an @ in the wrong place; in a user name or folder write %40 for it"
    )]
    At,
    #[error("the URL of the SFTP source names no user: write sftp://USER@HOST/DIR, or set SFTP_USER")]
    NoUser,
    #[error("{0} is not a user name: it is empty or has a control character")]
    User(&'static str),
    #[error("{0} names no host, or not a valid one: write NAME, NAME:PORT, ADDRESS:PORT or [IPV6]:PORT")]
    Host(&'static str),
    #[error("{0} has a port that is not a number from 1 to 65535")]
    Port(&'static str),
    #[error("{0} has a ? or #; in a folder's name write %3F or %23")]
    Extras(&'static str),
    #[error("{0} has a `%` that is not followed by two hex digits, or does not give UTF-8")]
    Encoding(&'static str),
    #[error("{0} is not the path of a folder: it has a control character")]
    Folder(&'static str),
}

const URL: &str = "the URL of the SFTP source";

impl SftpUrl {
    /// Reads a URL; `env` gives `SFTP_USER` where the URL names no user.
    pub fn parse(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, SftpUrlError> {
        let rest = text.trim().strip_prefix("sftp://").ok_or(SftpUrlError::Scheme)?;
        let (authority, path) = match rest.find(['/', '?', '#']) {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err(SftpUrlError::Password);
        }
        if path.contains('@') {
            // Most likely the end of a password that contains a `/`; what looks like host and port is its beginning.
            return Err(if authority.contains(':') { SftpUrlError::Password } else { SftpUrlError::At });
        }
        if path.contains(['?', '#']) {
            return Err(SftpUrlError::Extras(URL));
        }
        let user = match user {
            Some(user) => check_user(decode(user)?, URL)?,
            None => {
                check_user(filled(env, "SFTP_USER").ok_or(SftpUrlError::NoUser)?, "the value of SFTP_USER")?
            }
        };
        let (host, port) = host_and_port(host, URL)?;
        let folder = match path {
            "/~" => String::new(),
            path => match path.strip_prefix("/~/") {
                Some(path) => decode(path)?,
                None => decode(path)?,
            },
        };
        Ok(Self { user, host, port, folder: check_folder(folder, URL)? })
    }

    /// Reads `SFTP_HOST` (which may carry a port), `SFTP_USER` and `SFTP_DIR`; `None` if there is no host.
    pub fn from_env(env: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, SftpUrlError> {
        let Some(host) = filled(env, "SFTP_HOST") else { return Ok(None) };
        let (host, port) = host_and_port(host.trim(), "the value of SFTP_HOST")?;
        let user =
            check_user(filled(env, "SFTP_USER").ok_or(SftpUrlError::NoUser)?, "the value of SFTP_USER")?;
        let folder = check_folder(filled(env, "SFTP_DIR").unwrap_or_default(), "the value of SFTP_DIR")?;
        Ok(Some(Self { user, host, port, folder }))
    }

    /// The user to log in as.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Name or address of the server, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The server's port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server as known_hosts files name it: `host`, or `[host]:port` where the port is not 22.
    pub fn known_hosts_name(&self) -> String {
        match self.port {
            DEFAULT_PORT => self.host.clone(),
            port => format!("[{}]:{port}", self.host),
        }
    }

    /// The URL of a file in the folder, for messages.
    pub fn object(&self, name: &str) -> String {
        match name {
            "" => self.to_string(),
            name if self.folder.is_empty() => format!("{self}/~/{}", encode(name)),
            name => format!("{}/{}", self.to_string().trim_end_matches('/'), encode(name)),
        }
    }

    /// The folder as the server is asked for it.
    pub(super) fn folder_path(&self) -> &str {
        if self.folder.is_empty() { "." } else { &self.folder }
    }

    /// The path of a file in the folder as the server is asked for it.
    pub(super) fn file_path(&self, name: &str) -> String {
        match self.folder.as_str() {
            "" => name.to_owned(),
            "/" => format!("/{name}"),
            folder => format!("{folder}/{name}"),
        }
    }
}

impl FromStr for SftpUrl {
    type Err = SftpUrlError;

    /// Reads the text alone, without the environment.
    fn from_str(text: &str) -> Result<Self, SftpUrlError> {
        Self::parse(text, &|_| None)
    }
}

impl fmt::Display for SftpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sftp://{}@", encode(&self.user).replace('/', "%2F").replace(':', "%3A"))?;
        match self.host.contains(':') {
            true => write!(f, "[{}]", self.host)?,
            false => f.write_str(&self.host)?,
        }
        if self.port != DEFAULT_PORT {
            write!(f, ":{}", self.port)?;
        }
        match self.folder.strip_prefix('/') {
            // Otherwise it would be read as the login folder.
            Some(path) if path == "~" || path.starts_with("~/") => write!(f, "/%7E{}", encode(&path[1..])),
            Some(_) => f.write_str(&encode(&self.folder)),
            None if self.folder.is_empty() => Ok(()),
            None => write!(f, "/~/{}", encode(&self.folder)),
        }
    }
}

/// A variable that is set to something.
fn filled(env: &dyn Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    env(name).filter(|value| !value.is_empty())
}

fn check_user(user: String, place: &'static str) -> Result<String, SftpUrlError> {
    match user.is_empty() || user.chars().any(char::is_control) {
        true => Err(SftpUrlError::User(place)),
        false => Ok(user),
    }
}

fn check_folder(folder: String, place: &'static str) -> Result<String, SftpUrlError> {
    if folder.chars().any(char::is_control) {
        return Err(SftpUrlError::Folder(place));
    }
    let trimmed = folder.trim_end_matches('/');
    Ok(match trimmed {
        "" if folder.starts_with('/') => "/".into(),
        "." => String::new(),
        trimmed => trimmed.into(),
    })
}

fn host_and_port(text: &str, place: &'static str) -> Result<(String, u16), SftpUrlError> {
    let bad = SftpUrlError::Host(place);
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or(bad.clone())?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| bad.clone())?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or(bad.clone())?) })
        }
        None if text.parse::<std::net::Ipv6Addr>().is_ok() => (text, None),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let usable = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || host.starts_with('-') || !host.chars().all(usable) {
        return Err(bad);
    }
    let port = match port {
        None => DEFAULT_PORT,
        Some(port) if port.chars().all(|c| c.is_ascii_digit()) => {
            port.parse().ok().filter(|port| *port > 0).ok_or(SftpUrlError::Port(place))?
        }
        Some(_) => return Err(SftpUrlError::Port(place)),
    };
    Ok((host.to_ascii_lowercase(), port))
}

fn decode(text: &str) -> Result<String, SftpUrlError> {
    percent_decoded(text).ok_or(SftpUrlError::Encoding(URL))
}

/// What [`decode`] undoes, for the characters that a URL cannot show.
fn encode(text: &str) -> String {
    text.split_inclusive(UNSHOWN)
        .map(|part| match part.strip_suffix(UNSHOWN) {
            Some(plain) => format!("{plain}{}", percent_encoded(&part[plain.len()..])),
            None => part.to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn locations_are_parsed_and_shown() {
        for (text, folder, shown) in [
            ("sftp://u@host/out/new/", "/out/new", "sftp://u@host/out/new"),
            ("sftp://u@Host:2222/", "/", "sftp://u@host:2222/"),
            ("sftp://u@host", ".", "sftp://u@host"),
            ("sftp://u@host/~", ".", "sftp://u@host"),
            ("sftp://u@host/~/a b", "a b", "sftp://u@host/~/a%20b"),
            ("sftp://u@host/%7E/x", "/~/x", "sftp://u@host/%7E/x"),
            ("sftp://a%40b%3Ac@host:22/d%23", "/d#", "sftp://a%40b%3Ac@host/d%23"),
            ("sftp://u@[::1]:2022/d", "/d", "sftp://u@[::1]:2022/d"),
        ] {
            let url: SftpUrl = text.parse().unwrap();
            assert_eq!((url.folder_path(), url.to_string().as_str()), (folder, shown), "{text}");
            assert_eq!(shown.parse(), Ok(url), "{shown}");
        }
        let url: SftpUrl = "sftp://u@host".parse().unwrap();
        assert_eq!(
            (url.file_path("a.zip"), url.object("a.zip").as_str()),
            ("a.zip".into(), "sftp://u@host/~/a.zip")
        );
        let url: SftpUrl = "sftp://u@host/".parse().unwrap();
        assert_eq!(
            (url.file_path("a.zip"), url.object("a.zip").as_str()),
            ("/a.zip".into(), "sftp://u@host/a.zip")
        );
        let url: SftpUrl = "sftp://u@[::1]:2022/d".parse().unwrap();
        assert_eq!((url.known_hosts_name().as_str(), url.host()), ("[::1]:2022", "::1"));
    }

    #[test]
    fn bad_locations_are_refused_and_not_repeated() {
        use SftpUrlError as E;
        for (text, problem) in [
            ("sftp://u:sesame@host/d", E::Password),
            ("sftp://u:@host/d", E::Password),
            ("sftp://u:ses/ame@host/d", E::Password),
            ("sftp://u:ses#ame@host/d", E::Password),
            ("sftp://u/sesame@host", E::At),
            ("sftp://host/d", E::NoUser),
            ("sftp://@host/d", E::User(URL)),
            ("sftp://u@/d", E::Host(URL)),
            ("sftp://u@ho st/d", E::Host(URL)),
            ("sftp://u@-oProxyCommand=x/d", E::Host(URL)),
            ("sftp://u@[::1/d", E::Host(URL)),
            ("sftp://u@host:0/d", E::Port(URL)),
            ("sftp://u@host:70000/d", E::Port(URL)),
            ("sftp://u@host:/d", E::Port(URL)),
            ("sftp://u@host:+22/d", E::Port(URL)),
            ("sftp://u@host/d?x=sesame", E::Extras(URL)),
            ("sftp://u@host/%zz", E::Encoding(URL)),
            ("sftp://u@host/%ff", E::Encoding(URL)),
            ("sftp://u@host/a%0Ab", E::Folder(URL)),
            ("ssh://u@host/d", E::Scheme),
        ] {
            let error = text.parse::<SftpUrl>().unwrap_err();
            assert_eq!(error, problem, "{text}");
            assert!(!error.to_string().contains("sesame"));
        }
    }

    #[test]
    fn the_older_job_s_variables_name_a_source() {
        let of = |pairs: &[(&str, &str)]| SftpUrl::from_env(&env(pairs));
        assert_eq!(of(&[("SFTP_HOST", ""), ("SFTP_USER", "u")]), Ok(None));
        let all =
            of(&[("SFTP_HOST", "Host:2222"), ("SFTP_USER", "u"), ("SFTP_DIR", "in/new/")]).unwrap().unwrap();
        assert_eq!((all.to_string().as_str(), all.folder_path()), ("sftp://u@host:2222/~/in/new", "in/new"));
        let few = of(&[("SFTP_HOST", "host"), ("SFTP_USER", "u"), ("SFTP_DIR", "")]).unwrap().unwrap();
        assert_eq!(few.to_string(), "sftp://u@host");
        assert_eq!(of(&[("SFTP_HOST", "host")]), Err(SftpUrlError::NoUser));
        let place = "the value of SFTP_HOST";
        assert_eq!(of(&[("SFTP_HOST", "sftp://host/"), ("SFTP_USER", "u")]), Err(SftpUrlError::Port(place)));
        assert_eq!(of(&[("SFTP_HOST", "u@host"), ("SFTP_USER", "u")]), Err(SftpUrlError::Host(place)));
    }

    #[test]
    fn a_url_without_a_user_takes_sftp_user() {
        let url = SftpUrl::parse("sftp://host/d", &env(&[("SFTP_USER", "u")])).unwrap();
        assert_eq!(url.to_string(), "sftp://u@host/d");
    }
}
