//! Checks whether an address from somebody else's data answers. It may be any address at all: a host that is not on the
//! public web is asked only if it was named, and nothing but the request is sent.

use std::collections::BTreeSet;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::LOCATION;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response};
use url::{Host, Url};

use super::http::{HttpError, HttpSetupError, builder, failure, retry_after};
use crate::public_web::is_public;

/// How long to wait for an answer to begin.
const BEGINS: Duration = Duration::from_secs(15);
/// How many redirects are followed.
const REDIRECTS: usize = 5;
/// How many names are looked up to find out whether name resolution works.
const LOOKED_UP: usize = 5;

/// Asks one address after the other. A clone is the same client.
#[derive(Clone, Debug)]
pub struct LinkClient {
    client: Client,
    /// Hosts that may be asked even if they are not public.
    own_hosts: Arc<BTreeSet<String>>,
}

/// What was found at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// The address that answered: the one that was asked, or the one it redirects to.
    pub at: Url,
    /// The redirect is permanent.
    pub has_moved: bool,
    pub said: LinkSaid,
}

/// What an address said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkSaid {
    /// An answer begins.
    Status {
        status: u16,
        /// Nothing is to be asked before that much time has passed.
        retry_after: Option<Duration>,
    },
    /// No host has this name.
    NoHost,
    /// The host is not on the public web and was not asked.
    NotPublic,
    /// It redirects to an address that is not asked; the reason, for people.
    Astray(&'static str),
    /// No answer.
    Silent(HttpError),
}

#[derive(Debug, thiserror::Error)]
#[error("no host has this name")]
struct NoHost;

#[derive(Debug, thiserror::Error)]
#[error("the host is not on the public web")]
struct NotPublic;

impl LinkClient {
    /// Prepares a client; opens nothing. It never uses a proxy, since it could not check which address the proxy
    /// connects to.
    ///
    /// # Errors
    /// If TLS cannot be prepared.
    pub fn new(own_hosts: &[String]) -> Result<Self, HttpSetupError> {
        let own_hosts = Arc::new(own_hosts.iter().cloned().collect::<BTreeSet<_>>());
        let names = Arc::new(PublicNames { own_hosts: own_hosts.clone() });
        let client = builder()?.redirect(Policy::none()).no_proxy().dns_resolver(names).build();
        Ok(Self { client: client.map_err(HttpSetupError::of)?, own_hosts })
    }

    /// Checks an address with HEAD, and with GET where HEAD is refused; the body is never read.
    pub async fn look(&self, url: &Url) -> Looked {
        let head = self.follow(&Method::HEAD, url).await;
        match head.said {
            // Many servers do not support HEAD, and say so in many ways.
            LinkSaid::Status { status: 300..=428 | 430..=502 | 504.., .. } | LinkSaid::Silent(_) => {
                self.follow(&Method::GET, url).await
            }
            _ => head,
        }
    }

    /// Can the host name of any of these addresses be resolved to a public address? A few are tried.
    pub async fn finds_one_of(&self, urls: &[String]) -> bool {
        let name = |url: &String| Some(Url::parse(url).ok()?.domain()?.to_owned());
        let names: BTreeSet<_> = urls.iter().filter_map(name).collect();
        for name in names.into_iter().filter(|name| !self.own_hosts.contains(name)).take(LOOKED_UP) {
            if let Ok(mut found) = tokio::net::lookup_host((name, 0)).await
                && found.any(|address| is_public(address.ip()))
            {
                return true;
            }
        }
        false
    }

    async fn follow(&self, method: &Method, url: &Url) -> Looked {
        let (mut at, mut has_moved) = (url.clone(), true);
        for _ in 0..=REDIRECTS {
            let said = match self.ask(method, &at).await {
                Err(said) => said,
                Ok(response) => {
                    let status = response.status().as_u16();
                    match leads_to(&response, &at) {
                        Some(next) => {
                            has_moved &= [301, 308].contains(&status);
                            at = next;
                            continue;
                        }
                        None => LinkSaid::Status { status, retry_after: retry_after(&response) },
                    }
                }
            };
            return Looked { has_moved: has_moved && at != *url, at, said };
        }
        Looked { at, has_moved: false, said: LinkSaid::Astray("it leads on and on") }
    }

    async fn ask(&self, method: &Method, at: &Url) -> Result<Response, LinkSaid> {
        self.admit(at)?;
        let sent = self.client.request(method.clone(), at.clone()).send();
        match tokio::time::timeout(BEGINS, sent).await {
            Err(_) => Err(LinkSaid::Silent(HttpError::TimedOut(BEGINS))),
            Ok(Err(error)) => Err(why(&error)),
            Ok(Ok(response)) => Ok(response),
        }
    }

    /// May this address be asked? Host names are not resolved here: the resolver checks the addresses that it finds.
    fn admit(&self, at: &Url) -> Result<(), LinkSaid> {
        if !["http", "https"].contains(&at.scheme()) {
            return Err(LinkSaid::Astray("it leads to something that is not an address of the web"));
        }
        if !at.username().is_empty() || at.password().is_some() {
            return Err(LinkSaid::Astray("it leads to an address with a name or a password in it"));
        }
        let is_own = at.host_str().is_some_and(|host| self.own_hosts.contains(host.trim_matches(['[', ']'])));
        let is_admitted = match at.host() {
            Some(Host::Ipv4(address)) => is_own || is_public(address.into()),
            Some(Host::Ipv6(address)) => is_own || is_public(address.into()),
            Some(Host::Domain(_)) => true,
            None => false,
        };
        if is_admitted { Ok(()) } else { Err(LinkSaid::NotPublic) }
    }
}

/// The target of a redirect.
fn leads_to(response: &Response, at: &Url) -> Option<Url> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    at.join(response.headers().get(LOCATION)?.to_str().ok()?).ok()
}

/// Translates an error of the library, which is also how an unknown host name is reported.
fn why(error: &reqwest::Error) -> LinkSaid {
    let mut source = error.source();
    while let Some(inner) = source {
        match () {
            () if inner.is::<NoHost>() => return LinkSaid::NoHost,
            () if inner.is::<NotPublic>() => return LinkSaid::NotPublic,
            () => source = inner.source(),
        }
    }
    LinkSaid::Silent(failure(error, BEGINS))
}

/// Resolves names and returns only public addresses, so the address that is connected to is the one that was checked.
struct PublicNames {
    own_hosts: Arc<BTreeSet<String>>,
}

impl Resolve for PublicNames {
    fn resolve(&self, name: Name) -> Resolving {
        let is_own = self.own_hosts.contains(name.as_str());
        Box::pin(async move {
            let found = match tokio::net::lookup_host((name.as_str(), 0)).await {
                Ok(found) => found.collect::<Vec<SocketAddr>>(),
                Err(error) if is_unknown_name(&error) => return Err(NoHost.into()),
                Err(error) => return Err(error.into()),
            };
            let public: Vec<_> =
                found.into_iter().filter(|address| is_own || is_public(address.ip())).collect();
            match public.is_empty() {
                true => Err(NotPublic.into()),
                false => Ok(Box::new(public.into_iter()) as Addrs),
            }
        })
    }
}

/// Does the error mean that no host has this name? The library has no error kind for that; these are the messages of
/// the C libraries, which differ from those for a name server that does not answer.
fn is_unknown_name(error: &io::Error) -> bool {
    let said = error.to_string();
    ["Name or service not known", "Name does not resolve", "nodename nor servname provided"]
        .iter()
        .any(|words| said.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_address_leads_to_is_seen_to_like_the_address() {
        let client = LinkClient::new(&["10.0.0.7".to_owned(), "::1".to_owned()]).unwrap();
        let admitted = |text: &str| client.admit(&text.parse().unwrap());
        for good in ["http://10.0.0.7/x", "http://[::1]:8080/", "https://example.org/", "http://8.8.8.8"] {
            assert_eq!(admitted(good), Ok(()), "{good}");
        }
        // An IPv4 address can be written in many ways, all of which the parser understands.
        for private in
            ["http://127.0.0.1/", "http://2130706433/", "http://0x7f.1/", "http://[::ffff:7f00:1]/"]
        {
            assert_eq!(admitted(private), Err(LinkSaid::NotPublic), "{private}");
        }
        assert!(matches!(admitted("ftp://example.org/"), Err(LinkSaid::Astray(_))));
        assert!(matches!(admitted("https://u:p@example.org/"), Err(LinkSaid::Astray(_))));
    }

    #[test]
    fn a_name_that_nobody_has_is_not_a_name_server_that_is_away() {
        let said = |text: &str| io::Error::other(format!("failed to lookup address information: {text}"));
        assert!(is_unknown_name(&said("Name or service not known")));
        assert!(!is_unknown_name(&said("Temporary failure in name resolution")));
    }
}
