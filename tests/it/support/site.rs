//! Hosts on the loopback network that answer as a test says, by path, and note who asks for what and when.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What is answered to a path.
#[derive(Clone, Debug)]
pub enum SiteReply {
    Status(u16),
    /// To every question but GET this status, to GET the other.
    ByMethod(u16, u16),
    /// Leads elsewhere, with this status.
    To(u16, String),
    /// Busy for so many seconds the first so many times, then there.
    Busy {
        status: u16,
        retry_after: String,
        times: usize,
    },
    /// Nothing, for so long.
    Silence(Duration),
    /// A file of this type.
    File(&'static str, String),
}

/// A question that came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    /// Names in small letters.
    pub headers: Vec<(String, String)>,
    pub at: Instant,
}

/// A host; it answers as long as the tests run.
pub struct Site {
    port: u16,
    address: &'static str,
    replies: Arc<Mutex<BTreeMap<String, SiteReply>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Site {
    /// On this address of the loopback network; what is not named is there.
    pub fn start(address: &'static str) -> Self {
        let listener = TcpListener::bind((address, 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let site = Self { port, address, replies: Arc::default(), asked: Arc::default() };
        let (replies, asked) = (site.replies.clone(), site.asked.clone());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (replies, asked) = (replies.clone(), asked.clone());
                thread::spawn(move || answer(&client, &replies, &asked));
            }
        });
        site
    }

    /// From now on this is answered to a path.
    pub fn reply(&self, path: &str, reply: SiteReply) -> &Self {
        self.replies.lock().unwrap().insert(path.to_owned(), reply);
        self
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}:{}{path}", self.address, self.port)
    }

    /// What came so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Methods and paths of what came so far, in order.
    pub fn lines(&self) -> Vec<String> {
        self.asked().iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect()
    }
}

fn answer(client: &TcpStream, replies: &Mutex<BTreeMap<String, SiteReply>>, asked: &Mutex<Vec<Asked>>) {
    let mut reader = BufReader::new(client);
    let (mut line, mut first, mut headers) = (String::new(), String::new(), Vec::new());
    while reader.read_line(&mut line).is_ok_and(|bytes| bytes > 2) {
        match line.split_once(':') {
            _ if first.is_empty() => first.clone_from(&line),
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
            None => {}
        }
        line.clear();
    }
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    asked.lock().unwrap().push(Asked {
        method: method.clone(),
        path: path.clone(),
        headers,
        at: Instant::now(),
    });
    let reply = {
        let mut replies = replies.lock().unwrap();
        let reply = replies.get(&path).cloned().unwrap_or(SiteReply::Status(200));
        if let Some(SiteReply::Busy { times, .. }) = replies.get_mut(&path) {
            *times = times.saturating_sub(1);
        }
        reply
    };
    let (status, header, body) = match reply {
        SiteReply::Status(status) => (status, String::new(), "ok".to_owned()),
        SiteReply::ByMethod(_, get) if method == "GET" => (get, String::new(), "ok".to_owned()),
        SiteReply::ByMethod(other, _) => (other, String::new(), "ok".to_owned()),
        SiteReply::To(status, to) => (status, format!("Location: {to}\r\n"), String::new()),
        SiteReply::Busy { times: 0, .. } => (200, String::new(), "ok".to_owned()),
        SiteReply::Busy { status, retry_after, .. } => {
            (status, format!("Retry-After: {retry_after}\r\n"), String::new())
        }
        SiteReply::Silence(time) => return thread::sleep(time),
        SiteReply::File(kind, text) => (200, format!("Content-Type: {kind}\r\n"), text),
    };
    let mut client = client;
    let body = if method == "HEAD" { String::new() } else { body };
    let length = body.len();
    let _ = write!(
        client,
        "HTTP/1.1 {status} So\r\n{header}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
}
