//! Poolers between a run and its database, with a real PgBouncer: one that keeps a session for its client works, and
//! any other is refused before the run sets anything.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::Client;

use crate::support::extract::Extract;
use crate::support::pgbouncer::PgBouncer;
use crate::support::pipeline::{Pipeline, Ran};
use crate::support::postgres;

/// Settings that somebody set in the session, without those that PgBouncer sets itself.
const SET: &str = "select count(*) from pg_settings where source = 'session' and name not in
    ('application_name', 'client_encoding', 'DateStyle', 'TimeZone', 'standard_conforming_strings', 'IntervalStyle')";

async fn pipeline(hint: &str) -> Pipeline {
    let pipeline = Pipeline::new(hint).await;
    pipeline.put(Extract::weekly("2024-01-08").case("a", "").case("b", ""));
    pipeline
}

async fn check(url: &str, pipeline: &Pipeline) -> Ran {
    let args = pipeline.args(&["--database-url", url]);
    let mut words: Vec<_> = args.iter().map(String::as_str).collect();
    words[0] = "check";
    let none: [(&str, &str); 0] = [];
    let command = crate::support::command(words, none);
    let output = tokio::process::Command::from(command).output().await;
    Ran::new(output.expect("the merganser binary runs"))
}

/// Several sessions of the pool at once: all of them, if it has no more.
async fn sessions(url: &str) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..8 {
        let client = postgres::connect(url).await;
        client.simple_query("begin").await.expect("a session of the pool");
        clients.push(client);
    }
    clients
}

/// No session of the pool has a setting of the program's, and no session holds its lock.
async fn is_clean(pipeline: &Pipeline, url: &str) {
    for client in sessions(url).await {
        let set = client.simple_query(SET).await.expect("an answer");
        let set = set.iter().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        assert_eq!(set.as_deref(), Some("0"), "a session of the pool has settings of ours");
        client.simple_query("commit").await.expect("it ends");
    }
    let held = "select count(*) from pg_locks where locktype = 'advisory'
        and database = (select oid from pg_database where datname = current_database())";
    assert_eq!(pipeline.one(held).await, "0", "a session of the pool holds a lock of ours");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_of_sessions_works_and_gets_them_back_as_they_were() {
    // The second pooler resets nothing by itself.
    for settings in ["pool_mode = session", "pool_mode = session\nserver_reset_query ="] {
        let pipeline = pipeline("pool of sessions").await;
        let bouncer = PgBouncer::start(&pipeline.database, settings);
        let url = bouncer.url(&pipeline.database);
        let checked = check(&url, &pipeline).await.exits(0).says("A run of oca would work.");
        checked.says("by way of a pooler that keeps sessions, lets merganser in");
        is_clean(&pipeline, &url).await;
        for said in ["2 cases loaded", "Nothing new"] {
            pipeline.run_with(&["--database-url", &url]).await.exits(0).says(said);
            is_clean(&pipeline, &url).await;
        }
        let pipeline = pipeline.with("--database-url", &url);
        pipeline.other(&["purge", "oca"]).await.exits(0).says("Verified");
        is_clean(&pipeline, &url).await;
        pipeline.other(&["status"]).await.exits(0);
        is_clean(&pipeline, &url).await;
        check(&url, &pipeline).await.exits(0);
        is_clean(&pipeline, &url).await;
        assert_eq!(pipeline.one("select count(*) from oca_index").await, "2");
    }
}

/// Other clients work through the same pool, each statement in a transaction of its own.
fn busy(url: &str) -> Vec<JoinHandle<()>> {
    let work = |url: String| async move {
        let client = postgres::connect(&url).await;
        while client.simple_query("select pg_sleep(0.002)").await.is_ok() {}
    };
    (0..3).map(|_| tokio::spawn(work(url.to_owned()))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_of_transactions_or_statements_is_refused() {
    for (settings, others) in [
        ("pool_mode = transaction", false),
        ("pool_mode = transaction", true),
        ("pool_mode = transaction\ndefault_pool_size = 1", false),
        ("pool_mode = transaction\nserver_round_robin = 1\nmin_pool_size = 3", false),
        ("pool_mode = transaction\nserver_round_robin = 1\nmin_pool_size = 4", true),
        ("pool_mode = statement", false),
    ] {
        let pipeline = pipeline("pool of transactions").await;
        let bouncer = PgBouncer::start(&pipeline.database, settings);
        let url = bouncer.url(&pipeline.database);
        let others = if others { busy(&url) } else { Vec::new() };
        tokio::time::sleep(Duration::from_millis(100)).await;
        let said = "a pooler is between, which hands each transaction another session of the server";
        for _ in 0..3 {
            let ran = pipeline.run_with(&["--database-url", &url]).await.exits(1).says(said);
            ran.says("The database is unchanged.").says("pool_mode = session");
        }
        let checked = check(&url, &pipeline).await.exits(1);
        assert!(checked.stdout.contains(said), "{settings}\n{}", checked.stdout);
        assert!(checked.stdout.contains("would not work: database."), "{settings}\n{}", checked.stdout);
        assert_eq!(pipeline.one("select to_regnamespace('etl')").await, "NULL", "{settings}");
        others.iter().for_each(JoinHandle::abort);
        if settings == "pool_mode = transaction" {
            is_clean(&pipeline, &url).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_that_is_too_small_is_told() {
    let pipeline = pipeline("small pool").await;
    let bouncer = PgBouncer::start(&pipeline.database, "pool_mode = session\ndefault_pool_size = 1");
    let url = bouncer.url(&pipeline.database);
    let ran = pipeline.run_with(&["--database-url", &url]).await.exits(1);
    ran.says("gave no second session within 10 s").says("room for six sessions");
}
