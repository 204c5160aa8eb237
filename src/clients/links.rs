//! Looks whether anybody is at an address that somebody else wrote down. It may be any address: nobody is asked who is not on
//! the public web, unless he was named, and nothing is sent but the question.

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

/// How long it is waited for an answer to begin.
const BEGINS: Duration = Duration::from_secs(15);
/// How often an address may lead on to another one.
const REDIRECTS: usize = 5;
/// Names that are looked up to see whether any can be.
const LOOKED_UP: usize = 5;

/// Asks, one address after the other. A clone is the same client.
#[derive(Clone, Debug)]
pub struct LinkClient {
    client: Client,
    /// Hosts that may be asked wherever they are.
    own_hosts: Arc<BTreeSet<String>>,
}

/// What was found at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// The address that said it: the one that was asked, or the one that it leads to.
    pub at: Url,
    /// It leads there for good.
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
    /// The host is not on the public web: nobody was asked.
    NotPublic,
    /// It leads where nobody is asked; in words for people.
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
    /// Prepares a client; opens nothing. It asks directly, through nobody: what a proxy reaches is not known here.
    ///
    /// # Errors
    /// If TLS cannot be prepared.
    pub fn new(own_hosts: &[String]) -> Result<Self, HttpSetupError> {
        let own_hosts = Arc::new(own_hosts.iter().cloned().collect::<BTreeSet<_>>());
        let names = Arc::new(PublicNames { own_hosts: own_hosts.clone() });
        let client = builder()?.redirect(Policy::none()).no_proxy().dns_resolver(names).build();
        Ok(Self { client: client.map_err(HttpSetupError::of)?, own_hosts })
    }

    /// Looks at an address: asks for its head, and for all of it where the head is refused; of what comes nothing is read.
    pub async fn look(&self, url: &Url) -> Looked {
        let head = self.follow(&Method::HEAD, url).await;
        match head.said {
            // Many a server knows no HEAD, and says so in many ways.
            LinkSaid::Status { status: 300..=428 | 430..=502 | 504.., .. } | LinkSaid::Silent(_) => {
                self.follow(&Method::GET, url).await
            }
            _ => head,
        }
    }

    /// Is any of these addresses at a host of the public web whose name can be looked up? A few are tried.
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

    /// May this address be asked? Names are looked up only then, and seen to by whoever does.
    fn admit(&self, at: &Url) -> Result<(), LinkSaid> {
        if !["http", "https"].contains(&at.scheme()) {
            return Err(LinkSaid::Astray("it leads to what is no address of the web"));
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

/// Where an answer leads to.
fn leads_to(response: &Response, at: &Url) -> Option<Url> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    at.join(response.headers().get(LOCATION)?.to_str().ok()?).ok()
}

/// What an error of the library is; a name that nobody has is told through it.
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

/// Looks up names, and gives nothing but public addresses: what is connected to is what was looked at.
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

/// Is it known that there is no host of this name? The library has no kind of error for that; these are the C libraries' words,
/// which differ from those for a name server that does not answer.
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
        // Numbers have many ways to be written; the parser knows them.
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
