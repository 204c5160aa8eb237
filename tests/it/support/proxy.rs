//! A TCP proxy that hangs or cuts connections after a number of bytes from the server, or adds latency.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// What goes wrong with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is passed on any more.
    Hang,
    /// Both ends are closed.
    Cut,
}

/// A proxy in front of a server of this machine; it ends with the test's runtime.
pub struct Proxy {
    pub port: u16,
    state: Arc<State>,
}

struct State {
    fault: Fault,
    after_bytes: u64,
    /// The delay of bytes from the server.
    delay: Duration,
    /// How many further connections meet the fault.
    faults: AtomicU32,
    connections: AtomicU32,
    /// Bytes from the server that were passed on, over all connections.
    bytes: AtomicU64,
}

impl Proxy {
    /// Passes connections on to `port`; the first `faults` of them go wrong after so many bytes.
    pub async fn start(port: u16, fault: Fault, after_bytes: u64, faults: u32) -> Self {
        Self::new(port, fault, after_bytes, faults, Duration::ZERO).await
    }

    /// Passes connections on as if the server were far away.
    pub async fn far(port: u16, delay: Duration) -> Self {
        Self::new(port, Fault::Cut, u64::MAX, 0, delay).await
    }

    async fn new(port: u16, fault: Fault, after_bytes: u64, faults: u32, delay: Duration) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let own_port = listener.local_addr().expect("it is bound").port();
        let faults = AtomicU32::new(faults);
        let (connections, bytes) = (AtomicU32::new(0), AtomicU64::new(0));
        let state = Arc::new(State { fault, after_bytes, delay, faults, connections, bytes });
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await {
                    shared.connections.fetch_add(1, Ordering::Relaxed);
                    tokio::spawn(pass(shared.clone(), client, server));
                }
            }
        });
        Self { port: own_port, state }
    }

    /// Connections so far.
    pub fn connections(&self) -> u32 {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// Bytes from the server so far.
    pub fn bytes(&self) -> u64 {
        self.state.bytes.load(Ordering::Relaxed)
    }
}

async fn pass(state: Arc<State>, client: TcpStream, server: TcpStream) {
    let take = |left: u32| left.checked_sub(1);
    let is_faulty = state.faults.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
    let limit = if is_faulty { state.after_bytes } else { u64::MAX };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let back = async {
        match state.delay.is_zero() {
            true => copy(from_server, to_client, limit, Some(&state)).await,
            false => copy_late(from_server, to_client, state.delay).await,
        }
    };
    // Either end closes both: each half is dropped with its future.
    tokio::select! {
        () = copy(from_client, to_server, u64::MAX, None) => {}
        () = back => {}
    }
}

async fn copy_late(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Duration) {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let read = async move {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(n @ 1..) = from.read(&mut buffer).await {
            let _ = sender.send((Instant::now() + delay, buffer[..n].to_vec()));
        }
    };
    let write = async move {
        while let Some((due, bytes)) = receiver.recv().await {
            sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(read, write);
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, limit: u64, count: Option<&State>) {
    let mut buffer = vec![0; 16 << 10];
    let mut passed = 0;
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        if to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
        passed += n as u64;
        let Some(state) = count else { continue };
        state.bytes.fetch_add(n as u64, Ordering::Relaxed);
        if passed >= limit && state.fault == Fault::Hang {
            std::future::pending::<()>().await;
        } else if passed >= limit {
            return;
        }
    }
}
