//! Asks one host: one request after the other with a pause in between, and no more once it stops answering.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use url::Url;

use crate::clients::links::{LinkClient, LinkSaid, Looked};

/// The pause between two requests to one host.
const PAUSE: Duration = Duration::from_secs(1);
/// The pause if a host asks for one without saying how long, and the longest one that is made.
const BUSY: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(60);
/// How often one request is sent to a host that asks for a pause.
const TRIES: u32 = 3;
/// Addresses in a row without an answer after which a host is not asked any more.
const UNANSWERED: u32 = 2;

/// What is known of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LinkState {
    /// The address answers, perhaps after a permanent move to another one.
    There(Option<String>),
    /// The address is dead; the reason, for people.
    Dead(String),
    /// There is no such host, provided that name resolution works at all.
    NoHost(String),
    /// Its state is not known now; the reason.
    Unknown(String),
}

/// An address as it is in its row, and as it is requested.
#[derive(Clone, Debug)]
pub(super) struct LinkAddress {
    pub text: String,
    url: Url,
}

impl LinkAddress {
    /// The host's name, unless it is an IP address.
    pub fn domain(&self) -> Option<&str> {
        self.url.domain()
    }
}

/// The addresses of each host, in order. Texts that are not addresses have failed before.
pub(super) fn by_host(open: Vec<String>) -> BTreeMap<String, VecDeque<LinkAddress>> {
    let mut hosts = BTreeMap::<String, VecDeque<LinkAddress>>::new();
    for text in open {
        let Ok(url) = Url::parse(&text) else { continue };
        let host = url.host_str().unwrap_or_default().to_owned();
        hosts.entry(host).or_default().push_back(LinkAddress { text, url });
    }
    hosts
}

/// The addresses of one host that are still to be asked.
pub(super) struct HostQueue {
    client: LinkClient,
    addresses: VecDeque<LinkAddress>,
    deadline: Instant,
    not_before: Instant,
    /// Addresses in a row to which no answer came.
    unanswered: u32,
    /// Why the others are not asked.
    gave_up: Option<String>,
}

/// What to do next after a result.
enum NextLook {
    Done(LinkState),
    /// The host asks for a pause of this length.
    Later(Duration, String),
    /// It does not answer.
    Silent(String),
}

impl HostQueue {
    /// The addresses of a host. None is requested after the deadline.
    pub fn new(client: &LinkClient, addresses: VecDeque<LinkAddress>, deadline: Instant) -> Self {
        let not_before = Instant::now();
        Self { client: client.clone(), addresses, deadline, not_before, unanswered: 0, gave_up: None }
    }

    /// Looks at the next address.
    pub async fn next(mut self) -> Option<((LinkAddress, LinkState), Self)> {
        let address = self.addresses.pop_front()?;
        let state = self.look(&address.url).await;
        Some(((address, state), self))
    }

    async fn look(&mut self, url: &Url) -> LinkState {
        let mut tried = 0;
        while self.gave_up.is_none() {
            tokio::time::sleep_until(self.not_before.into()).await;
            if Instant::now() >= self.deadline {
                self.gave_up = Some("the time for checking addresses ran out".into());
                break;
            }
            let looked = self.client.look(url).await;
            self.not_before = Instant::now() + PAUSE;
            tried += 1;
            match next(url, &looked) {
                NextLook::Done(state) => {
                    self.unanswered = 0;
                    return state;
                }
                NextLook::Later(pause, why) => {
                    self.not_before = Instant::now() + pause.max(PAUSE);
                    if pause > LONGEST || self.not_before >= self.deadline {
                        self.gave_up = Some(why);
                    } else if tried >= TRIES {
                        return self.without(why);
                    }
                }
                NextLook::Silent(why) => return self.without(why),
            }
        }
        LinkState::Unknown(self.gave_up.clone().unwrap_or_default())
    }

    /// This address has no answer now; whether the host has for others, the next one shows.
    fn without(&mut self, why: String) -> LinkState {
        self.unanswered += 1;
        self.gave_up = Some(why.clone()).filter(|_| self.unanswered >= UNANSWERED);
        LinkState::Unknown(why)
    }
}

/// The state of an address after a request. A host that refuses to answer is there; an address is dead only if the host
/// says that nothing is there.
fn next(url: &Url, looked: &Looked) -> NextLook {
    // Also if scheme, host or path differ: a redirect is part of what a person sees.
    let lead = match looked.at == *url {
        true => String::new(),
        false => format!("it leads to {}, and there ", short(looked.at.as_str())),
    };
    let said = |what: &str| format!("{lead}{what}");
    match &looked.said {
        LinkSaid::Status { status: status @ (404 | 410), .. } => {
            NextLook::Done(LinkState::Dead(said(&format!("no page is at this address (HTTP {status})"))))
        }
        LinkSaid::Status { status: status @ (429 | 503), retry_after } => {
            NextLook::Later(retry_after.unwrap_or(BUSY), said(&format!("the host is busy (HTTP {status})")))
        }
        LinkSaid::Status { status: status @ 500.., .. } => {
            NextLook::Done(LinkState::Unknown(said(&format!("the host has trouble (HTTP {status})"))))
        }
        LinkSaid::Status { .. } => {
            let moved_to = Some(looked.at.to_string()).filter(|_| looked.has_moved);
            NextLook::Done(LinkState::There(moved_to))
        }
        LinkSaid::NoHost => NextLook::Done(LinkState::NoHost(said("no host has this name"))),
        LinkSaid::NotPublic => NextLook::Done(LinkState::Unknown(said("the host is not on the public web"))),
        LinkSaid::Astray(why) => NextLook::Done(LinkState::Unknown((*why).to_owned())),
        LinkSaid::Silent(error) => NextLook::Silent(said(&error.to_string())),
    }
}

/// The beginning of an address, which may have any length.
fn short(url: &str) -> String {
    const LETTERS: usize = 200;
    match url.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}…", &url[..end]),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(url: &str, at: &str, said: LinkSaid) -> LinkState {
        let looked = Looked { at: at.parse().unwrap(), has_moved: url != at, said };
        match next(&url.parse().unwrap(), &looked) {
            NextLook::Done(state) => state,
            NextLook::Later(pause, why) => LinkState::Unknown(format!("later {} {why}", pause.as_secs())),
            NextLook::Silent(why) => LinkState::Unknown(why),
        }
    }

    fn status(status: u16) -> LinkSaid {
        LinkSaid::Status { status, retry_after: None }
    }

    #[test]
    fn only_who_says_that_there_is_nothing_is_dead() {
        let here = "https://a.example/x";
        for there in [200, 204, 400, 401, 403, 405, 406, 418, 451] {
            assert_eq!(state(here, here, status(there)), LinkState::There(None), "{there}");
        }
        for dead in [404, 410] {
            assert!(
                matches!(state(here, here, status(dead)), LinkState::Dead(why) if why.contains("HTTP 4"))
            );
        }
        for unknown in [
            status(500),
            status(503),
            status(429),
            LinkSaid::NotPublic,
            LinkSaid::Astray("it leads on and on"),
            LinkSaid::Silent(crate::clients::http::HttpError::Unreachable),
        ] {
            assert!(matches!(state(here, here, unknown), LinkState::Unknown(_)));
        }
    }

    #[test]
    fn where_it_leads_is_told() {
        let (here, now) = ("https://a.example/x", "https://b.example/y");
        assert_eq!(state(here, now, status(200)), LinkState::There(Some(now.into())));
        let LinkState::Dead(why) = state(here, now, status(404)) else { panic!("nobody is there") };
        assert_eq!(why, "it leads to https://b.example/y, and there no page is at this address (HTTP 404)");
    }
}
