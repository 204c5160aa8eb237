//! The real server, and a plain client with a connection for each question.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::pipeline::Bench;

/// The real server, until it is dropped.
pub struct Serving {
    address: String,
    process: Child,
}

/// An answer.
pub struct Told {
    pub seconds: f64,
    pub tag: String,
    pub is_unchanged: bool,
    pub body: String,
}

impl Serving {
    pub fn start(bench: &Bench, schema: &str) -> Self {
        let ledger = format!("{schema}_etl");
        let mut process = Command::new(env!("CARGO_BIN_EXE_merganser"))
            .args(["serve", "--listen", "127.0.0.1:0", "--database-url", bench.url()])
            .args(["--schema", schema, "--ledger-schema", &ledger, "--connections", "8"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("merganser runs");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("it is a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("the server says where it listens");
        let address = line.trim().trim_start_matches("http://").trim_end_matches('/').to_owned();
        let serving = Self { address, process };
        while serving.ask("/readyz", "").0 != 200 {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        serving
    }

    /// Status, head and body.
    pub fn ask(&self, path: &str, head: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.address).expect("the server listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{head}\r\n");
        stream.write_all(request.as_bytes()).expect("the server reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("the server answers");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, head.to_owned(), body.to_owned())
    }

    pub fn get(&self, path: &str, head: &str) -> Told {
        let started = Instant::now();
        let (status, head, body) = self.ask(path, head);
        let seconds = started.elapsed().as_secs_f64();
        assert!(status == 200 || status == 304, "{path}: {status} {body}");
        let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap_or_default().to_owned();
        Told { seconds, tag, is_unchanged: status == 304, body }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
