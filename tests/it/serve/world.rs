//! A database with data points, the real server over it, and a client that can misbehave.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::datasets::datapoints::world::{load, sample};
use crate::support::pipeline::Pipeline;

const LIMIT: Duration = Duration::from_secs(60);

/// A server that stops when the test ends.
pub struct Serving {
    pub address: String,
    pub process: Child,
}

/// An answer of the server.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

impl Serving {
    /// Starts the server over a database, with more options.
    pub async fn start(url: &str, extra: &[&str]) -> Self {
        let args = ["serve", "--listen", "127.0.0.1:0", "--database-url", url];
        let none: [(&str, &str); 0] = [];
        let command = crate::support::command(args.into_iter().chain(extra.iter().copied()), none);
        let mut command = Command::from(command);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("the merganser binary runs");
        let mut line = String::new();
        let mut stdout = BufReader::new(process.stdout.take().expect("it is a pipe"));
        tokio::time::timeout(LIMIT, stdout.read_line(&mut line)).await.expect("in time").expect("a line");
        let address = line.trim().strip_prefix("http://").unwrap_or_else(|| panic!("an address: {line:?}"));
        Self { address: address.trim_end_matches('/').to_owned(), process }
    }

    /// Waits until the server has asked the database.
    pub async fn ready(self) -> Self {
        for _ in 0..600 {
            if self.get("/readyz").await.status == 200 {
                return self;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the server is not ready within a minute");
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.get_with(path, "").await
    }

    /// Gets with more lines in the head, each with its line end.
    pub async fn get_with(&self, path: &str, head: &str) -> Reply {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{head}\r\n").as_bytes())
            .await
    }

    /// Sends bytes as they are, and reads to the end.
    pub async fn send(&self, bytes: &[u8]) -> Reply {
        let talk = async {
            let mut stream = TcpStream::connect(&self.address).await.expect("the server listens");
            // The server may refuse before it has read everything.
            let _ = stream.write_all(bytes).await;
            let mut all = Vec::new();
            let _ = stream.read_to_end(&mut all).await;
            String::from_utf8_lossy(&all).into_owned()
        };
        let text = tokio::time::timeout(LIMIT, talk).await.expect("an answer in time");
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Reply { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// Tells the server to stop, and returns its log.
    pub async fn stop(self) -> (i32, String) {
        let pid =
            rustix::process::Pid::from_raw(self.process.id().expect("it runs") as i32).expect("a process");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it can be told");
        let output = tokio::time::timeout(LIMIT, self.process.wait_with_output()).await;
        let output = output.expect("it ends in time").expect("it was started");
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// A database with a sample: 40 days from 15 January 2013 on.
pub async fn loaded(hint: &str, rows: &str, places: &str) -> Pipeline {
    let pipeline = Pipeline::new(hint).await;
    let args = ["--rows", rows, "--places", places, "--days", "40", "--from", "2013-01-15"];
    sample(&pipeline.source(), &args);
    load(&pipeline, &[]).await.exits(0);
    pipeline
}
