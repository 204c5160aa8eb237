//! Downloads from a small server that breaks off, as networks do.

use std::sync::Arc;
use std::sync::Mutex;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::clients::store::{Keys, S3Options, Store, StoreError};

/// What the server does with the request of that number.
#[derive(Clone, Copy)]
enum Act {
    /// Sends this many of the requested bytes and hangs up.
    Break(usize),
    /// Sends all that was asked for.
    Whole,
    /// Sends the whole object, whatever range was asked for.
    IgnoreRange,
    Status(&'static str),
}

type Requests = Arc<Mutex<Vec<String>>>;

/// Serves one object; returns the store to read it from and the requests' heads (in lower case).
async fn serve(content: Vec<u8>, acts: Vec<Act>) -> (Store, Requests) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let requests = Requests::default();
    let seen = requests.clone();
    tokio::spawn(async move {
        for act in acts {
            let (socket, _) = listener.accept().await.unwrap();
            let mut socket = BufReader::new(socket);
            let mut head = String::new();
            while socket.read_line(&mut head).await.unwrap() > 2 {}
            let head = head.to_ascii_lowercase();
            let range = head.split_once("range: bytes=").and_then(|(_, r)| r.split_once('-'));
            let asked: usize = range.map_or(0, |(from, _)| from.parse().unwrap());
            seen.lock().unwrap().push(head);
            let from = if matches!(act, Act::IgnoreRange) { 0 } else { asked };
            let body = &content[from..];
            let partial = format!(
                "206 Partial Content\r\nContent-Range: bytes {from}-{}/{}",
                content.len() - 1,
                content.len()
            );
            let (status, send) = match act {
                Act::Status(status) => (status.to_owned(), &body[..0]),
                Act::Break(n) if from > 0 => (partial, &body[..n]),
                Act::Break(n) => ("200 OK".to_owned(), &body[..n]),
                _ if from > 0 => (partial, body),
                _ => ("200 OK".to_owned(), body),
            };
            let length = if matches!(act, Act::Status(_)) { 0 } else { body.len() };
            let answer = format!(
                "HTTP/1.1 {status}\r\nETag: \"v1\"\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            socket.write_all(answer.as_bytes()).await.unwrap();
            socket.write_all(send).await.unwrap();
            socket.shutdown().await.unwrap();
        }
    });
    let keys = Keys { access_key_id: "id".into(), secret_access_key: "secret".into(), session_token: None };
    let options = S3Options {
        endpoint_url: Some(endpoint),
        region: Some("us-east-1".into()),
        credentials: Some(keys),
        ..S3Options::default()
    };
    (Store::open(&"s3://bucket".parse().unwrap(), &options).await.unwrap(), requests)
}

fn content() -> Vec<u8> {
    (0..300_000u32).map(|i| (i % 251) as u8).collect()
}

#[tokio::test]
async fn a_broken_download_goes_on_where_it_broke() {
    let (store, requests) = serve(content(), vec![Act::Break(100_000), Act::Break(50_000), Act::Whole]).await;
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("a");
    let fetched = store.download("a.zip", &to, &|_| ()).await.unwrap();
    assert_eq!(fetched.size_bytes, 300_000);
    assert!(std::fs::read(&to).unwrap() == content());
    assert_eq!(fetched.sha256, crate::words::sha256(content()));
    let requests = requests.lock().unwrap();
    assert!(
        requests[0].starts_with("get /bucket/a.zip") && !requests[0].contains("range:"),
        "{}",
        requests[0]
    );
    assert!(requests[1].contains("range: bytes=100000-\r\n"), "{}", requests[1]);
    assert!(requests[2].contains("range: bytes=150000-\r\n"), "{}", requests[2]);
    assert!(requests[1].contains("if-match: \"v1\"\r\n"), "{}", requests[1]);
}

#[tokio::test]
async fn a_server_without_ranges_is_read_again_from_the_start() {
    let (store, _) = serve(content(), vec![Act::Break(100_000), Act::IgnoreRange]).await;
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("a");
    assert_eq!(store.download("a.zip", &to, &|_| ()).await.unwrap().size_bytes, 300_000);
    assert!(std::fs::read(&to).unwrap() == content());
}

#[tokio::test]
async fn an_object_that_changes_meanwhile_is_not_mixed() {
    let changed = vec![Act::Break(100_000), Act::Status("412 Precondition Failed")];
    let (store, _) = serve(content(), changed).await;
    let dir = tempfile::tempdir().unwrap();
    let error = store.download("a.zip", &dir.path().join("a"), &|_| ()).await.unwrap_err();
    assert!(matches!(error, StoreError::Changed { .. }), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");
}

#[tokio::test]
async fn a_small_object_that_breaks_is_read_again() {
    let (store, _) = serve(b"2026-11-14".to_vec(), vec![Act::Break(4), Act::Whole]).await;
    assert_eq!(store.read_bytes("last-updated-date.txt", 100).await.unwrap(), "2026-11-14");
}
