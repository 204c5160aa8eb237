//! A run that did not end well is told to a webhook: a receiver of this machine, which takes it, fails, or stands still.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, Ran};

/// What the receiver does with a request.
#[derive(Clone, Copy, Debug)]
enum Reply {
    Status(u16),
    /// With the seconds of `Retry-After`.
    TooMany(u32),
    /// To another place.
    Elsewhere,
    /// Nothing, for so long.
    Silence(Duration),
}

/// A receiver; its replies are used up one by one, and the last one stays.
struct Receiver {
    port: u16,
    told: Arc<Mutex<Vec<Value>>>,
}

impl Receiver {
    fn start(replies: &[Reply]) -> Self {
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

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/services/planted?sig=planted", self.port)
    }

    /// What it was told so far.
    fn told(&self) -> Vec<Value> {
        self.told.lock().expect("no panic while it is held").clone()
    }
}

fn serve(client: &TcpStream, reply: Reply, told: &Mutex<Vec<Value>>) {
    let mut reader = BufReader::new(client);
    let (mut line, mut length, mut first) = (String::new(), 0, String::new());
    while reader.read_line(&mut line).is_ok_and(|bytes| bytes > 2) {
        if first.is_empty() {
            first.clone_from(&line);
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().expect("a length");
        }
        line.clear();
    }
    assert!(first.starts_with("POST /services/planted?sig=planted "), "{first}");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("the whole message");
    told.lock().expect("no panic while it is held").push(serde_json::from_slice(&body).expect("JSON"));
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

async fn told(pipeline: &Pipeline, receiver: &Receiver, extra: &[&str]) -> Ran {
    let ran = pipeline.start_with(extra, &[("MERGANSER_NOTIFY", &receiver.url())]).await.expect("it ends");
    for text in [&ran.stdout, &ran.stderr] {
        assert!(!text.contains("planted"), "{text}");
    }
    ran
}

#[tokio::test]
async fn whoever_should_know_is_told_what_to_type() {
    let pipeline = Pipeline::new("notify").await;
    let receiver = Receiver::start(&[Reply::Status(204)]);
    pipeline.put(Extract::weekly("2024-03-04").case("good", ""));
    told(&pipeline, &receiver, &[]).await.exits(0);
    // Nothing new.
    told(&pipeline, &receiver, &[]).await.exits(0);
    assert_eq!(receiver.told(), Vec::<Value>::new());

    let wrong = "<FiledDate>2024-13-45</FiledDate>";
    pipeline.put(Extract::weekly("2024-03-11").case("good", "").case("broken", wrong));
    told(&pipeline, &receiver, &["--dry-run"]).await.exits(3);
    assert_eq!(receiver.told(), Vec::<Value>::new());
    told(&pipeline, &receiver, &[]).await.exits(3);
    let told_of = receiver.told().remove(0);
    let run = told_of["run_id"].as_str().expect("a run").to_owned();
    let expected = [
        ("dataset", "oca".to_owned()),
        ("reason", "1 record(s) failed, 0 file(s) could not be read, 0 broke off".into()),
        ("next", format!("merganser failures --run {run}")),
    ];
    for (field, value) in expected {
        assert_eq!(told_of[field], value, "{told_of}");
        assert!(told_of["text"].as_str().expect("words").contains(&value), "{told_of}");
    }
    assert_eq!(told_of["exit_code"], 3);
    assert!(
        told_of["database"].as_str().expect("words").starts_with("Committed: 1 cases loaded"),
        "{told_of}"
    );
    // The value that is wrong is in the ledger, which not everybody reads.
    assert!(!told_of.to_string().contains("2024-13-45"), "{told_of}");

    pipeline.put(Extract::weekly("2024-03-18").case("good", ""));
    pipeline.execute("drop table oca_warrants").await;
    told(&pipeline, &receiver, &[]).await.exits(1);
    let told_of = receiver.told().pop().expect("told");
    assert_eq!(told_of["exit_code"], 1);
    assert_eq!(told_of["database"], "The database is unchanged.");
    assert!(told_of["reason"].as_str().expect("words").contains("oca_warrants"), "{told_of}");

    // Where nobody can enter it into a ledger.
    let nowhere = Pipeline::new("notify nowhere").await.with("--database-url", "postgresql://127.0.0.1:1/x");
    told(&nowhere, &receiver, &[]).await.exits(1);
    let told_of = receiver.told().pop().expect("told");
    assert!(told_of["run_id"].is_null(), "{told_of}");
    assert_eq!(told_of["database"], "The database is unchanged.");
    assert_eq!(receiver.told().len(), 3);
}

#[tokio::test]
async fn a_webhook_that_does_not_answer_changes_nothing() {
    let pipeline = Pipeline::new("notify trouble").await;
    pipeline.put(
        Extract::weekly("2024-03-04").case("broken", "<FiledDate>2024-13-45</FiledDate>").case("good", ""),
    );
    pipeline.run().await.exits(3);
    let silence = Reply::Silence(Duration::from_secs(30));
    for (replies, tries, said) in [
        (&[Reply::Status(500), Reply::TooMany(1), Reply::Status(200)][..], 3, ""),
        (&[silence, Reply::Status(200)], 2, ""),
        (&[Reply::Status(503)], 3, "was not told how this run ended: the service answered with HTTP 503"),
        (
            &[Reply::Status(404)],
            1,
            "was not told how this run ended: the service refused the request with HTTP 404",
        ),
        (
            &[Reply::Elsewhere],
            1,
            "was not told how this run ended: the service leads to another place (HTTP 307)",
        ),
        (&[silence], 3, "was not told how this run ended: no answer within 5 s"),
        (&[Reply::TooMany(3600)], 1, "was not told how this run ended: no answer within 20 s"),
    ] {
        let receiver = Receiver::start(replies);
        let began = Instant::now();
        let ran = told(&pipeline, &receiver, &["--reprocess", "*"]).await.exits(3);
        assert!(began.elapsed() < Duration::from_secs(60), "{replies:?} took {:?}", began.elapsed());
        assert_eq!(receiver.told().len(), tries, "{replies:?}");
        assert_eq!(ran.stderr.contains("was not told"), !said.is_empty(), "{replies:?}: {}", ran.stderr);
        drop(ran.says(said));
    }
}

#[tokio::test]
async fn a_webhook_that_is_none_is_refused_before_anything_is_tried() {
    let pipeline = Pipeline::new("notify none").await;
    for wrong in ["planted", "http://planted.example/x", "ftp://127.0.0.1/planted"] {
        let env = [("MERGANSER_NOTIFY", wrong)];
        let ran = pipeline.start_with(&[], &env).await.expect("it ends").exits(2);
        let ran = ran.says("MERGANSER_NOTIFY is not the address of a webhook");
        assert!(!ran.stderr.contains("planted"), "{}", ran.stderr);
    }
    assert_eq!(
        pipeline.one("select count(*) from information_schema.schemata where schema_name = 'etl'").await,
        "0"
    );
}

#[tokio::test]
async fn check_looks_where_it_is_and_sends_nothing() {
    let receiver = Receiver::start(&[Reply::Status(200)]);
    let check = async |webhook: String| {
        let pipeline = Pipeline::new("notify check").await.env([("MERGANSER_NOTIFY".into(), webhook)]);
        pipeline.put(Extract::weekly("2024-03-04").case("good", ""));
        pipeline.other(&["check", "oca"]).await
    };
    let ran = check(receiver.url()).await.exits(0);
    drop(ran.says("notify").says("127.0.0.1"));
    assert_eq!(receiver.told(), Vec::<Value>::new());
    let ran =
        check("https://no-such-host.invalid/planted".into()).await.exits(1).says("no-such-host.invalid");
    assert!(!ran.stdout.contains("planted"), "{}", ran.stdout);
    check("planted".into()).await.exits(1).says("MERGANSER_NOTIFY is not the address of a webhook");
}
