//! A proxy in front of PostgreSQL that recognises only COMMIT; the test chooses what happens to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The message as the driver sends it.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";
/// The intended connections identify themselves by one of these texts at their start.
const WHOSE: [&[u8]; 2] = [b"merganser promote", b"merganser adopt"];

/// What happens to the first COMMIT of a promotion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It never arrives: both ends are closed.
    Lost,
    /// It arrives; its answer does not, and the client's end is closed.
    Unanswered,
    /// The client's end is closed at once; the server gets it after this delay.
    Late(Duration),
    /// As before, but instead of the COMMIT the server gets the end of its connection.
    LateAndLost(Duration),
    /// It arrives; the answer is delayed by this time.
    Slow(Duration),
}

/// The proxy; it ends with the test's runtime.
pub struct CommitProxy {
    pub port: u16,
    met: Arc<AtomicBool>,
}

impl CommitProxy {
    /// Passes connections on to `port`.
    pub async fn start(port: u16, fate: Fate) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let own_port = listener.local_addr().expect("it is bound").port();
        let met = Arc::new(AtomicBool::new(false));
        let shared = met.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await {
                    tokio::spawn(pass(shared.clone(), fate, client, server));
                }
            }
        });
        Self { port: own_port, met }
    }

    /// Has the COMMIT been seen?
    pub fn met(&self) -> bool {
        self.met.load(Ordering::SeqCst)
    }
}

async fn pass(met: Arc<AtomicBool>, fate: Fate, mut client: TcpStream, mut server: TcpStream) {
    let (mut up, mut down) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    let mut is_meant = false;
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let Ok(n @ 1..) = read else { return };
                let bytes = &up[..n];
                is_meant |= WHOSE.iter().any(|name| contains(bytes, name));
                if is_meant && contains(bytes, COMMIT) && !met.swap(true, Ordering::SeqCst) {
                    return meet(fate, bytes, client, server).await;
                }
                if server.write_all(bytes).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut down) => {
                let Ok(n @ 1..) = read else { return };
                if client.write_all(&down[..n]).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn meet(fate: Fate, commit: &[u8], mut client: TcpStream, mut server: TcpStream) {
    let mut answer = vec![0; 64 << 10];
    match fate {
        Fate::Lost => {}
        Fate::Unanswered => {
            let _ = server.write_all(commit).await;
            let _ = server.read(&mut answer).await;
        }
        Fate::Late(wait) => {
            drop(client);
            tokio::time::sleep(wait).await;
            let _ = server.write_all(commit).await;
            let _ = server.read(&mut answer).await;
        }
        Fate::LateAndLost(wait) => {
            drop(client);
            tokio::time::sleep(wait).await;
        }
        Fate::Slow(wait) => {
            let _ = server.write_all(commit).await;
            let n = server.read(&mut answer).await.unwrap_or_default();
            tokio::time::sleep(wait).await;
            let _ = client.write_all(&answer[..n]).await;
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        }
    }
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}
