//! An HTTP proxy in front of the S3 server that answers, cuts, truncates, damages and delays as instructed, and logs
//! the requests. Each connection carries one request.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server is not asked; the answer has this status, and an error of this code as its body.
    Answer(u16, &'static str),
    /// Both ends are closed after this many bytes of the request's body.
    CutRequest(usize),
    /// The byte at this position of the request's body is changed.
    FlipRequest(usize),
    /// The server carries out the request, but its answer does not arrive.
    LoseAnswer,
    /// The connection ends after this many bytes of the answer's body.
    CutBody(usize),
    /// The answer's body has only this many bytes, and announces that length.
    ShortBody(usize),
    /// The byte at this position of the answer's body is changed.
    FlipBody(usize),
    /// The answer is delayed by this time.
    Delay(Duration),
    /// After this many bytes of the request's body, nothing more is read.
    HangRequest(usize),
    /// After this many bytes of the answer's body, nothing more is sent.
    HangBody(usize),
}

/// A request that was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names and values in lower case.
    pub headers: Vec<(String, String)>,
    pub body_bytes: usize,
    pub at: Instant,
    pub fault: Option<Fault>,
}

struct Rule {
    method: &'static str,
    part: String,
    fault: Fault,
    left: u32,
}

#[derive(Default)]
struct State {
    rules: Vec<Rule>,
    /// Faults that requests meet when they come for the first time, in turn.
    turns: Vec<Fault>,
    met: HashSet<String>,
    seen: Vec<Seen>,
}

/// A proxy; it ends with the test's runtime.
pub struct Fire {
    pub endpoint: String,
    state: Arc<Mutex<State>>,
}

impl Fire {
    /// Passes requests on to the server of that address (`http://127.0.0.1:PORT`).
    pub async fn start(endpoint: &str) -> Self {
        Self::listen(endpoint, None).await
    }

    /// The same behind TLS.
    pub async fn start_tls(endpoint: &str, tls: TlsAcceptor) -> Self {
        Self::listen(endpoint, Some(tls)).await
    }

    async fn listen(endpoint: &str, tls: Option<TlsAcceptor>) -> Self {
        let server = endpoint.strip_prefix("http://").expect("an address without TLS").to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        // Certificates are for names.
        let endpoint = match tls {
            Some(_) => format!("https://localhost:{port}"),
            None => format!("http://127.0.0.1:{port}"),
        };
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (state, server, tls) = (shared.clone(), server.clone(), tls.clone());
                tokio::spawn(async move {
                    // A client that breaks off is not an error of the proxy.
                    let _ = match tls {
                        None => pass(&state, client, &server).await,
                        Some(tls) => match tls.accept(client).await {
                            Ok(client) => pass(&state, client, &server).await,
                            Err(error) => Err(error),
                        },
                    };
                });
            }
        });
        Self { endpoint, state }
    }

    /// The next `times` requests of this method whose target has this part meet the fault.
    pub fn strike(&self, method: &'static str, part: &str, fault: Fault, times: u32) {
        let rule = Rule { method, part: part.into(), fault, left: times };
        self.state.lock().expect("nobody panicked").rules.push(rule);
    }

    /// Every request meets a fault when it comes for the first time: the next one of those that apply to it.
    pub fn strike_each_once(&self, faults: &[Fault]) {
        self.state.lock().expect("nobody panicked").turns = faults.to_vec();
    }

    /// No more faults, and nothing was seen.
    pub fn heal(&self) {
        *self.state.lock().expect("nobody panicked") = State::default();
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.lock().expect("nobody panicked").seen.clone()
    }

    /// The requests of this method whose target has this part.
    pub fn asked(&self, method: &str, part: &str) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.method == method && seen.target.contains(part)).collect()
    }
}

impl Seen {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

impl Fault {
    fn can_befall(self, seen: &Seen) -> bool {
        match self {
            Self::CutRequest(place) | Self::FlipRequest(place) | Self::HangRequest(place) => {
                seen.body_bytes > place
            }
            Self::CutBody(_) | Self::ShortBody(_) | Self::FlipBody(_) | Self::HangBody(_) => {
                seen.method == "GET"
            }
            Self::Answer(..) | Self::LoseAnswer | Self::Delay(_) => true,
        }
    }
}

impl State {
    /// Logs a request; returns its fault.
    fn meet(&mut self, mut seen: Seen) -> Option<Fault> {
        let rule = self
            .rules
            .iter_mut()
            .find(|rule| rule.left > 0 && rule.method == seen.method && seen.target.contains(&rule.part));
        seen.fault = rule.map(|rule| {
            rule.left -= 1;
            rule.fault
        });
        if seen.fault.is_none()
            && self.met.insert(format!("{} {}", seen.method, seen.target))
            && let Some(turn) = self.turns.iter().position(|fault| fault.can_befall(&seen))
        {
            seen.fault = Some(self.turns[turn]);
            self.turns[turn..].rotate_left(1);
        }
        let fault = seen.fault;
        self.seen.push(seen);
        fault
    }
}

type Headers = Vec<(String, String)>;

fn header<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// One request and its answer.
async fn pass<C: AsyncRead + AsyncWrite + Unpin>(
    state: &Mutex<State>,
    mut client: C,
    server: &str,
) -> std::io::Result<()> {
    let head = read_head(&mut client).await?;
    let (line, headers) = parse(&head);
    let mut words = line.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let body_bytes = header(&headers, "content-length").map_or(0, |n| n.parse().expect("a length"));
    assert!(header(&headers, "transfer-encoding").is_none(), "a request of unknown length");
    let is_head = method == "HEAD";
    let expects = header(&headers, "expect").is_some();
    let seen = Seen { method, target, headers, body_bytes, at: Instant::now(), fault: None };
    let fault = state.lock().expect("nobody panicked").meet(seen);
    if expects {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let taken = match fault {
        Some(Fault::CutRequest(place) | Fault::HangRequest(place)) => place,
        _ => body_bytes,
    };
    let mut body = vec![0; taken];
    client.read_exact(&mut body).await?;
    match fault {
        Some(Fault::Answer(status, code)) => {
            let body = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>struck</Message></Error>"
            );
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} Struck\r\nContent-Type: application/xml\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            client.write_all(head.as_bytes()).await?;
            if !is_head {
                client.write_all(body.as_bytes()).await?;
            }
            return client.shutdown().await;
        }
        Some(Fault::FlipRequest(place)) => body[place] ^= 0x20,
        Some(Fault::HangRequest(_)) => return hang(client).await,
        _ => {}
    }
    let mut upstream = TcpStream::connect(server).await?;
    // The host stays as it was signed.
    let closing = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    upstream.write_all(closing.as_bytes()).await?;
    upstream.write_all(&body).await?;
    if let Some(Fault::CutRequest(_)) = fault {
        // It must have arrived before the connection is gone.
        tokio::time::sleep(Duration::from_millis(50)).await;
        return Ok(());
    }
    let mut head = read_head(&mut upstream).await?;
    while head.starts_with("HTTP/1.1 100") {
        head = read_head(&mut upstream).await?;
    }
    let mut body = Vec::new();
    upstream.read_to_end(&mut body).await?;
    match fault {
        Some(Fault::LoseAnswer) => return Ok(()),
        Some(Fault::CutBody(place) | Fault::HangBody(place)) => body.truncate(place),
        Some(Fault::FlipBody(place)) => body[place] ^= 0x20,
        Some(Fault::Delay(delay)) => tokio::time::sleep(delay).await,
        Some(Fault::ShortBody(place)) if body.len() > place => {
            let length =
                head.to_lowercase().find("\r\ncontent-length:").expect("the answer tells its length");
            let end = length + 2 + head[length + 2..].find("\r\n").expect("a line ends");
            head.replace_range(length..end, &format!("\r\ncontent-length: {place}"));
            body.truncate(place);
        }
        _ => {}
    }
    client.write_all(head.as_bytes()).await?;
    client.write_all(&body).await?;
    if let Some(Fault::HangBody(_)) = fault {
        return hang(client).await;
    }
    client.shutdown().await
}

/// The connection stays open, and nothing moves on it.
async fn hang<C>(client: C) -> std::io::Result<()> {
    tokio::time::sleep(Duration::from_secs(600)).await;
    drop(client);
    Ok(())
}

/// The lines before a body, with the empty one.
async fn read_head(from: &mut (impl AsyncRead + Unpin)) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(from.read_u8().await?);
    }
    Ok(String::from_utf8(head).expect("a head is text"))
}

fn parse(head: &str) -> (&str, Headers) {
    let mut lines = head.lines();
    let line = lines.next().unwrap_or_default();
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_lowercase()));
    (line, headers.collect())
}
