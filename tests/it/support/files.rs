//! A local server that serves files by name, and counts how often each was requested.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// The server; it ends when it is dropped.
pub struct FileServer {
    port: u16,
    state: Arc<State>,
}

struct State {
    files: BTreeMap<String, Vec<u8>>,
    /// Names of files of which only the first half is sent.
    cut: Vec<String>,
    asked: Mutex<Vec<String>>,
    is_stopped: AtomicBool,
}

impl FileServer {
    /// Serves these files; for those in `cut` the connection breaks half way.
    pub fn start(files: impl IntoIterator<Item = (&'static str, Vec<u8>)>, cut: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(State {
            files: files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect(),
            cut: cut.iter().map(|name| (*name).to_owned()).collect(),
            asked: Mutex::default(),
            is_stopped: AtomicBool::new(false),
        });
        let served = state.clone();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                if served.is_stopped.load(Ordering::Relaxed) {
                    return;
                }
                let _ = answer(&served, connection);
            }
        });
        Self { port, state }
    }

    /// The address of a file.
    pub fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/{name}", self.port)
    }

    /// The names that were asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        self.state.asked.lock().expect("no test panics with it").clone()
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.state.is_stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn answer(state: &State, mut connection: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(connection.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let name = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
    state.asked.lock().expect("no test panics with it").push(name.clone());
    let Some(bytes) = state.files.get(&name) else {
        return connection
            .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    write!(connection, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", bytes.len())?;
    let sent = if state.cut.contains(&name) { bytes.len() / 2 } else { bytes.len() };
    connection.write_all(&bytes[..sent])
}
