//! A receiver of what a run tells others: on the loopback address, it takes a message, fails, leads elsewhere or stands still.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// What the receiver does with a request.
#[derive(Clone, Copy, Debug)]
pub enum Reply {
    Status(u16),
    /// With the seconds of `Retry-After`.
    TooMany(u32),
    /// To another place.
    Elsewhere,
    /// Nothing, for so long.
    Silence(Duration),
}

/// What came.
#[derive(Clone, Debug)]
pub struct Message {
    pub method: String,
    pub path: String,
    /// Names in small letters.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Message {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// A header's value; nothing, if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// A receiver; its replies are used up one by one, and the last one stays.
pub struct Receiver {
    port: u16,
    told: Arc<Mutex<Vec<Message>>>,
}

impl Receiver {
    pub fn start(replies: &[Reply]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let told = Arc::new(Mutex::new(Vec::new()));
        let (shared, mut replies) = (told.clone(), replies.to_vec());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let reply = if replies.len() > 1 { replies.remove(0) } else { replies[0] };
                let told = shared.clone();
                thread::spawn(move || serve(&client, reply, &told));
            }
        });
        Self { port, told }
    }

    /// Its address with a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What it was told so far.
    pub fn told(&self) -> Vec<Message> {
        self.told.lock().expect("no panic while it is held").clone()
    }
}

fn serve(client: &TcpStream, reply: Reply, told: &Mutex<Vec<Message>>) {
    let mut reader = BufReader::new(client);
    let (mut line, mut first, mut headers) = (String::new(), String::new(), Vec::new());
    while reader.read_line(&mut line).is_ok_and(|bytes| bytes > 2) {
        if first.is_empty() {
            first.clone_from(&line);
        } else if let Some((name, value)) = line.split_once(':') {
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        line.clear();
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().expect("a length"))];
    reader.read_exact(&mut body).expect("the whole message");
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let body = String::from_utf8(body).expect("UTF-8");
    told.lock().expect("no panic while it is held").push(Message { method, path, headers, body });
    let mut client = client;
    let (status, header) = match reply {
        Reply::Status(status) => (status, String::new()),
        Reply::TooMany(seconds) => (429, format!("Retry-After: {seconds}\r\n")),
        Reply::Elsewhere => (307, "Location: http://localhost:9/else\r\n".into()),
        Reply::Silence(time) => return thread::sleep(time),
    };
    let _ =
        write!(client, "HTTP/1.1 {status} So\r\n{header}Content-Length: 2\r\nConnection: close\r\n\r\nok");
}
