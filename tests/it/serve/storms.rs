//! The server survives a database that goes and comes back, more questions than it can answer, and slow clients.

use std::time::{Duration, Instant};

use merganser::embedded::Cluster;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::world::{Serving, loaded};
use crate::datasets::datapoints::world::{load, sample};
use crate::support::pipeline::Pipeline;
use crate::support::postgres::TestDatabase;

async fn question(pipeline: &Pipeline) -> String {
    format!("/api/{}/2013-01-20/5", pipeline.one("select min(postcode) from datapoint_places").await)
}

#[tokio::test]
async fn who_finds_pool_and_queue_full_is_told_at_once() {
    let pipeline = loaded("serve full", "500", "50").await;
    let limits = ["--connections", "1", "--queue", "1", "--timeout", "5"];
    let serving = Serving::start(&pipeline.database.url(), &limits).await.ready().await;
    let path = question(&pipeline).await;
    let mut client = pipeline.database.client().await;
    let lock = client.transaction().await.unwrap();
    lock.batch_execute("lock table datapoint_places in access exclusive mode").await.unwrap();
    let (first, second, third) = tokio::join!(
        serving.get(&path),
        async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            serving.get(&path).await
        },
        async {
            tokio::time::sleep(Duration::from_millis(1_000)).await;
            let begun = Instant::now();
            let reply = serving.get(&path).await;
            assert!(begun.elapsed() < Duration::from_secs(2), "at once");
            let metrics = serving.get("/metrics").await.body;
            assert!(metrics.contains("merganser_serve_connections_busy 1\n"), "{metrics}");
            assert!(metrics.contains("merganser_serve_waiting 1\n"), "{metrics}");
            assert!(metrics.contains("merganser_serve_refused_total 1\n"), "{metrics}");
            lock.rollback().await.unwrap();
            reply
        }
    );
    assert_eq!((third.status, third.header("retry-after")), (503, Some("1")), "{third:?}");
    assert_eq!((first.status, second.status), (200, 200), "{first:?}{second:?}");
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_given_up_and_the_connection_is_good_again() {
    let pipeline = loaded("serve slow", "500", "50").await;
    let serving = Serving::start(&pipeline.database.url(), &["--connections", "1", "--timeout", "1"])
        .await
        .ready()
        .await;
    let path = question(&pipeline).await;
    let mut client = pipeline.database.client().await;
    let lock = client.transaction().await.unwrap();
    lock.batch_execute("lock table datapoint_place_days in access exclusive mode").await.unwrap();
    let reply = serving.get(&path).await;
    assert_eq!(reply.status, 503, "{reply:?}");
    assert!(reply.body.contains("took too long"), "{reply:?}");
    lock.rollback().await.unwrap();
    assert_eq!(serving.get(&path).await.status, 200);
}

#[tokio::test]
async fn after_a_restart_of_the_database_it_comes_back_by_itself() {
    let folder = crate::support::server_dir();
    let cluster = || Cluster::at(folder.path()).setting("fsync", "off").tcp(false);
    let database = cluster().start().await.unwrap();
    let pipeline = Pipeline::on(TestDatabase::of(&database, "merganser"));
    sample(&pipeline.source(), &["--rows", "500", "--places", "50", "--days", "40", "--from", "2013-01-15"]);
    load(&pipeline, &[]).await.exits(0);
    let serving = Serving::start(&pipeline.database.url(), &["--timeout", "2"]).await.ready().await;
    let path = question(&pipeline).await;
    let before = serving.get(&path).await;
    assert_eq!(before.status, 200);
    let tag = before.header("etag").unwrap().to_owned();
    database.stop().await.unwrap();
    let gone = serving.get(&path).await;
    assert_eq!(gone.status, 503, "{gone:?}");
    assert!(gone.header("retry-after").is_some());
    let mut ready = serving.get("/readyz").await.status;
    for _ in 0..50 {
        if ready == 503 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        ready = serving.get("/readyz").await.status;
    }
    assert_eq!((ready, serving.get("/healthz").await.status), (503, 200));
    let unsure = serving.get_with(&path, &format!("If-None-Match: {tag}\r\n")).await;
    assert_eq!(unsure.status, 503, "the server cannot know whether the answer is still true");
    let database = cluster().start().await.unwrap();
    let serving = serving.ready().await;
    let after = serving.get(&path).await;
    assert_eq!((after.status, after.body), (200, before.body));
    // Every session is cut, and no question notices.
    pipeline.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'merganser serve'").await;
    assert_eq!(serving.get(&path).await.status, 200);
    drop(serving);
    database.stop().await.unwrap();
}

#[tokio::test]
async fn it_may_start_before_the_database_and_before_anything_is_loaded() {
    let pipeline = Pipeline::new("serve early").await;
    let serving = Serving::start(&pipeline.database.url(), &[]).await.ready().await;
    let early = serving.get("/api/1011AA/2013-01-20").await;
    assert_eq!(early.status, 503, "{early:?}");
    assert!(early.body.contains("`merganser run datapoints` does that"));
    sample(&pipeline.source(), &["--rows", "500", "--places", "50", "--days", "40", "--from", "2013-01-15"]);
    load(&pipeline, &[]).await.exits(0);
    assert_eq!(serving.get(&question(&pipeline).await).await.status, 200);
    let nowhere = "postgresql://nobody@127.0.0.1:1/none?connect_timeout=2";
    let waiting = Serving::start(nowhere, &["--timeout", "2"]).await;
    assert_eq!(waiting.get("/healthz").await.status, 200);
    assert_eq!(waiting.get("/api/1011AA/2013-01-20").await.status, 503);
}

/// A client that sends a head slowly, or reads nothing of an answer, is cut off. Others are served meanwhile.
#[tokio::test]
async fn slow_clients_are_cut_off() {
    let pipeline = loaded("serve crawl", "500", "50").await;
    let serving = Serving::start(&pipeline.database.url(), &[]).await.ready().await;
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(&serving.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
        slow.push(stream);
    }
    assert_eq!(serving.get("/").await.status, 200);
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(20), slow[0].read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "it is cut off");
}

#[tokio::test]
async fn it_reads_only_and_ends_in_order() {
    let pipeline = loaded("serve stop", "500", "50").await;
    pipeline
        .execute(
            "create role serve_reader login; grant usage on schema public, etl to serve_reader;
             grant select on all tables in schema public, etl to serve_reader;",
        )
        .await;
    let serving =
        Serving::start(&pipeline.database.url_as("serve_reader"), &["--timeout", "20"]).await.ready().await;
    let path = question(&pipeline).await;
    assert_eq!(serving.get(&path).await.status, 200, "the rights to read are enough");
    let settings = "select count(*) from pg_stat_activity where application_name = 'merganser serve' and usename = 'serve_reader'";
    assert_ne!(pipeline.one(settings).await, "0");
    let mut client = pipeline.database.client().await;
    let lock = client.transaction().await.unwrap();
    lock.batch_execute("lock table datapoint_place_days in access exclusive mode").await.unwrap();
    let mut stream = TcpStream::connect(&serving.address).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (stopped, answer) = tokio::join!(serving.stop(), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        lock.rollback().await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    });
    assert!(answer.starts_with("HTTP/1.1 200"), "what was under way is answered: {answer}");
    assert_eq!(stopped.0, 0, "{}", stopped.1);
    let warned = Serving::start(&pipeline.database.url(), &[]).await.ready().await.stop().await.1;
    assert!(warned.contains("may write"), "{warned}");
    assert!(!stopped.1.contains("may write"), "{}", stopped.1);
}
