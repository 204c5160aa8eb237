//! The server survives a database that goes and comes back, more questions than it can answer, and slow clients.

use std::process::Stdio;
use std::time::{Duration, Instant};

use merganser::embedded::Cluster;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::world::{Serving, loaded};
use crate::datasets::datapoints::world::{load, sample};
use crate::support::pipeline::Pipeline;
use crate::support::postgres::{TestDatabase, connect};
use crate::support::replica::follow;

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
async fn who_goes_away_leaves_no_statement_behind() {
    let pipeline = loaded("serve gone", "500", "50").await;
    let limits = ["--connections", "1", "--timeout", "60"];
    let serving = Serving::start(&pipeline.database.url(), &limits).await.ready().await;
    let path = question(&pipeline).await;
    let mut client = pipeline.database.client().await;
    let lock = client.transaction().await.unwrap();
    lock.batch_execute("lock table datapoint_place_days in access exclusive mode").await.unwrap();
    let waiting = "select count(*) from pg_stat_activity
        where application_name = 'merganser serve' and wait_event_type = 'Lock'";
    let count = async |wanted: &str| {
        for _ in 0..100 {
            if pipeline.one(waiting).await == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("not {wanted} statement(s) within ten seconds");
    };
    let mut stream = TcpStream::connect(&serving.address).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
    count("1").await;
    drop(stream);
    count("0").await;
    lock.rollback().await.unwrap();
    assert_eq!(serving.get(&path).await.status, 200, "the place in the pool is free again");
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

/// A standby passes no notice on, so the ledger is asked; nothing needs to be written there.
#[tokio::test]
async fn a_standby_is_served_and_its_next_run_is_noticed() {
    let folder = crate::support::server_dir();
    let _janitor =
        crate::support::Janitor::watch(folder.path(), &folder.path().join("data/postmaster.pid"), "QUIT");
    let database = Cluster::at(folder.path()).setting("fsync", "off").start().await.unwrap();
    let pipeline = Pipeline::on(TestDatabase::of(&database, "merganser"));
    let args = ["--rows", "500", "--places", "50", "--days", "40", "--from", "2013-01-15"];
    sample(&pipeline.source(), &args);
    load(&pipeline, &[]).await.exits(0);
    let admin = connect(&database.database_url("postgres")).await;
    let replica = follow(folder.path(), &admin).await;
    let url = replica.database_url("merganser");
    let serving = Serving::start(&url, &["--timeout", "5"]).await.ready().await;
    let path = question(&pipeline).await;
    let run = "select max(run_id::text) from etl.runs";
    let first = serving.get(&path).await;
    assert_eq!((first.status, &first.json()["run_id"]), (200, &pipeline.one(run).await.into()), "{first:?}");
    let tag = format!("If-None-Match: {}\r\n", first.header("etag").unwrap());
    assert_eq!(serving.get_with(&path, &tag).await.status, 304);
    sample(&pipeline.source(), &[&args[..], &["--seed", "2"]].concat());
    load(&pipeline, &["--allow", "drop", "--force"]).await.exits(0);
    let newest = pipeline.one(run).await;
    let begun = Instant::now();
    while serving.get_with(&path, &tag).await.status == 304 {
        assert!(begun.elapsed() < Duration::from_secs(30), "the next run is not noticed");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(serving.get(&path).await.json()["run_id"], newest);
    let log = serving.stop().await.1;
    assert!(log.contains("asks the ledger every second"), "{log}");
    drop(replica);
    database.stop().await.unwrap();
}

#[tokio::test]
async fn it_may_start_before_the_database_and_before_anything_is_loaded() {
    let pipeline = Pipeline::new("serve early").await;
    let serving = Serving::start(&pipeline.database.url(), &[]).await.ready().await;
    let early = serving.get("/api/1011AA/2013-01-20").await;
    assert_eq!(early.status, 503, "{early:?}");
    assert!(early.body.contains("`merganser run datapoints` loads it"));
    sample(&pipeline.source(), &["--rows", "500", "--places", "50", "--days", "40", "--from", "2013-01-15"]);
    load(&pipeline, &[]).await.exits(0);
    assert_eq!(serving.get(&question(&pipeline).await).await.status, 200);
    // It was asked again which rights the role has, when there was something to have them on.
    let log = serving.stop().await.1;
    assert!(log.contains("may write"), "{log}");
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
    // One that asks for much and takes nothing of it: the answers fill what lies between, and then nothing moves.
    let mut idle = TcpStream::connect(&serving.address).await.unwrap();
    const ASKED: usize = 200;
    let asked = "GET /leaflet.js HTTP/1.1\r\nHost: x\r\n\r\n".repeat(ASKED);
    idle.write_all(asked.as_bytes()).await.unwrap();
    assert_eq!(serving.get("/").await.status, 200);
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(20), slow[0].read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "it is cut off");
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mut taken = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(20), idle.read_to_end(&mut taken)).await;
    let whole = serving.get("/leaflet.js").await.body.len() * ASKED;
    assert!(ended.is_ok() && taken.len() < whole, "it is cut off: {} of {whole} bytes", taken.len());
}

#[tokio::test]
async fn the_demo_says_which_address_to_open() {
    let pipeline = Pipeline::new("serve demo").await;
    let (url, dir) = (pipeline.database.url(), pipeline.folder().join("demo"));
    let args =
        ["demo", "serve", "--points", "2000", "--listen", "127.0.0.1:0", "--database-url", &url, "--dir"];
    let none: [(&str, &str); 0] = [];
    let command = crate::support::command(args.into_iter().chain(dir.to_str()), none);
    let mut command = tokio::process::Command::from(command);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut demo = command.spawn().expect("the merganser binary runs");
    let mut lines = BufReader::new(demo.stdout.take().expect("it is a pipe")).lines();
    let (mut postcode, mut address) = (None, None);
    while address.is_none() {
        let line = tokio::time::timeout(Duration::from_secs(120), lines.next_line()).await.expect("in time");
        let line = line.unwrap().expect("an address before it ends");
        if let Some((_, said)) = line.split_once("a postcode to begin with: ") {
            postcode = said.split('.').next().map(str::to_owned);
        }
        address = line.strip_prefix("http://").map(|address| address.trim_end_matches('/').to_owned());
    }
    let serving = Serving { address: address.unwrap(), process: demo }.ready().await;
    let postcode = postcode.expect("a postcode to begin with");
    let answer = serving.get(&format!("/api/{postcode}/2026-10-01..2026-10-31/5")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.json()["places"].as_u64().unwrap() > 100, "{answer:?}");
    assert_eq!(serving.stop().await.0, 0);
}

#[tokio::test]
async fn it_reads_only_and_ends_in_order() {
    let pipeline = loaded("serve stop", "500", "50").await;
    // The rights that the document names are enough, and read no point.
    let document = include_str!("../../../docs/serve.md");
    let (_, grants) = document.split_once("grant usage on schema").expect("the document grants rights");
    let (grants, _) = grants.split_once("```").expect("the grants end");
    let grants: Vec<_> = grants.split(';').filter(|grant| !grant.contains("oca_")).collect();
    let grants =
        format!("grant usage on schema{}", grants.join(";")).replace("merganser_reader", "serve_reader");
    pipeline.execute(&format!("create role serve_reader login; {grants}")).await;
    let may = "select has_table_privilege('serve_reader', 'datapoints', 'select')";
    assert_eq!(pipeline.one(may).await, "f");
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
