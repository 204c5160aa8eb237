//! The addresses of services and files, and which of them may be asked.

use url::{Host, Url};

/// The address of a service: HTTPS, or HTTP to this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpUrl(pub(super) Url);

/// Why an address is not valid for a service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpUrlError {
    #[error("not the address of a service: {0}")]
    Syntax(url::ParseError),
    #[error(
        "the address of a service begins with https:// (http:// only on this machine: what is asked is private)"
    )]
    Scheme,
    #[error("the address of a service has no user, password, query or fragment")]
    Parts,
}

impl std::str::FromStr for HttpUrl {
    type Err = HttpUrlError;

    fn from_str(text: &str) -> Result<Self, HttpUrlError> {
        let url = secure(text)?;
        let has_login = !url.username().is_empty() || url.password().is_some();
        if has_login || url.query().is_some() || url.fragment().is_some() {
            return Err(HttpUrlError::Parts);
        }
        Ok(Self(url))
    }
}

/// An address that is a secret as a whole, such as a webhook's: anybody who knows it may write there. It is never
/// shown.
#[derive(Clone)]
pub struct SecretUrl(pub(super) HttpUrl);

impl std::str::FromStr for SecretUrl {
    type Err = HttpUrlError;

    fn from_str(text: &str) -> Result<Self, HttpUrlError> {
        Ok(Self(HttpUrl(secure(text)?)))
    }
}

impl std::fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretUrl")
    }
}

impl SecretUrl {
    /// An address that telemetry is sent to. It may be unencrypted even on another machine, such as a
    /// gateway in the same cluster.
    ///
    /// # Errors
    /// Fails if the text is not an HTTP or HTTPS address.
    pub fn in_the_clear(text: &str) -> Result<Self, HttpUrlError> {
        let url = Url::parse(text.trim()).map_err(HttpUrlError::Syntax)?;
        match url.scheme() {
            "https" | "http" => Ok(Self(HttpUrl(url))),
            _ => Err(HttpUrlError::Scheme),
        }
    }

    /// The address with `path` appended, unless `is_there` says that it ends there already.
    pub fn below(&self, path: &str, is_there: impl Fn(&str) -> bool) -> Self {
        let mut url = self.0.0.clone();
        if !is_there(url.path()) {
            url.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
        }
        Self(HttpUrl(url))
    }

    /// The host and port, which are not secret.
    pub fn host(&self) -> Option<(&str, u16)> {
        self.0.host()
    }
}

impl std::fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl HttpUrl {
    /// Host and port.
    pub fn host(&self) -> Option<(&str, u16)> {
        Some((self.0.host_str()?, self.0.port_or_known_default()?))
    }

    /// The address of one file, which may have a query.
    ///
    /// # Errors
    /// Fails if it is neither HTTPS nor HTTP to this machine, or if it holds a user or a password.
    pub fn of_file(text: &str) -> Result<Self, HttpUrlError> {
        let mut url = secure(text)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(HttpUrlError::Parts);
        }
        url.set_fragment(None);
        Ok(Self(url))
    }

    /// The name of the file in this folder that a link on its page leads to, if it leads to one.
    pub fn file_of(&self, link: &str) -> Option<String> {
        let folder = self.below("/", &[]);
        let url = folder.join(link.trim()).ok()?;
        let name = url.as_str().strip_prefix(folder.as_str())?;
        let is_plain = name.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-+".contains(&c));
        (is_plain && !name.is_empty() && !name.starts_with('.')).then(|| name.to_owned())
    }

    /// Resolves an address of the same service: either a complete one, or a path with its query below this one.
    pub(super) fn within(&self, address: &str) -> Option<Url> {
        let url = match address.strip_prefix('/') {
            Some(path) => Url::parse(&format!("{self}/{path}")).ok()?,
            None => Url::parse(address).ok()?,
        };
        let has_login = !url.username().is_empty() || url.password().is_some();
        (url.origin() == self.0.origin() && !has_login).then_some(url)
    }

    /// The address with a path and a query below it.
    pub(super) fn below(&self, path: &str, query: &[(&'static str, String)]) -> Url {
        let mut url = self.0.clone();
        if path.is_empty() && query.is_empty() {
            return url;
        }
        url.set_path(&format!("{}{path}", self.0.path().trim_end_matches('/')));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

/// Parses an address and accepts it only if nobody can listen in.
pub(super) fn secure(text: &str) -> Result<Url, HttpUrlError> {
    let url = Url::parse(text.trim()).map_err(HttpUrlError::Syntax)?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_here(&url) => Ok(url),
        _ => Err(HttpUrlError::Scheme),
    }
}

/// Is it on this machine?
pub(super) fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_goes_to_https_or_stays_on_this_machine() {
        for good in
            ["https://example.org", "http://127.0.0.1:8080/geo/", "http://[::1]:1", "http://localhost:1"]
        {
            assert!(good.parse::<HttpUrl>().is_ok(), "{good}");
        }
        for bad in [
            "http://example.org",
            "ftp://example.org",
            "https://u:p@example.org",
            "https://e.org/?k=1",
            "x",
            "",
        ] {
            assert!(bad.parse::<HttpUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_and_a_query_go_below_the_address() {
        let base: HttpUrl = "https://example.org/geo/".parse().unwrap();
        let url = base.below("/v2/search", &[("text", "1 A & B".into())]);
        assert_eq!(url.as_str(), "https://example.org/geo/v2/search?text=1+A+%26+B");
    }
}
