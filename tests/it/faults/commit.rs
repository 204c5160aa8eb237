//! The hard case: the connection breaks during COMMIT. The ledger shows what happened, so nothing is guessed.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::attack::cluster;
use super::world::{World, run_again, world};
use crate::support::commit_proxy::{CommitProxy, Fate};
use crate::support::pipeline::{Pipeline, Ran};
use crate::support::waiting::until;

/// Runs a world of its own through the proxy, and returns the broken run's output and the state after it.
async fn broken(world: &Arc<World>, fate: Fate) -> (Pipeline, Ran, usize) {
    let pipeline = world.copy(cluster().await, "commit").await;
    let reader = world.read(&pipeline);
    let (url, proxy) = through(&pipeline, fate).await;
    let ran = pipeline.start(&["--database-url", &url]).await.expect("the run is over");
    assert!(proxy.met(), "{}", ran.stderr);
    let state = world.state(&pipeline).await;
    reader.saw().await;
    (pipeline, ran, state)
}

/// The database's URL through the proxy.
async fn through(pipeline: &Pipeline, fate: Fate) -> (String, CommitProxy) {
    let url = pipeline.database.tcp_url();
    let port = url.rsplit_once(':').and_then(|(_, rest)| rest.split('/').next()).expect("a port");
    let proxy = CommitProxy::start(port.parse().expect("a port"), fate).await;
    (url.replace(&format!(":{port}/"), &format!(":{}/", proxy.port)), proxy)
}

/// The commit happened: the run finds out and goes on with its second batch and the public files.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_took_place() {
    let world = world().await;
    let (pipeline, ran, state) = broken(&world, Fate::Unanswered).await;
    assert_eq!((ran.code, state), (3, 2), "{}", ran.stderr);
    ran.says("asking the ledger");
    world.is_whole(&pipeline).await;
    assert_eq!(pipeline.one("select count(*) from etl.runs").await, "2");
}

/// The commit did not happen: the run says so, and the next run does the work. A COMMIT that is still on its way when
/// the ledger is asked cannot arrive later, because the session is ended first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_never_arrived_did_not_take_place() {
    let world = world().await;
    let late = Duration::from_millis(1500);
    for fate in [Fate::Lost, Fate::Late(late), Fate::LateAndLost(late)] {
        let (pipeline, ran, state) = broken(&world, fate).await;
        assert_eq!((ran.code, state), (1, 0), "{fate:?}\n{}", ran.stderr);
        ran.says("asking the ledger").says("The database is unchanged.");
        run_again(&pipeline).await.exits(3);
        world.is_whole(&pipeline).await;
    }
}

/// A run that is told to stop during the COMMIT waits for the answer, because its report about the database must be
/// true.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_stop_while_it_commits() {
    let world = world().await;
    let pipeline = world.copy(cluster().await, "commit").await;
    let (url, proxy) = through(&pipeline, Fate::Slow(Duration::from_millis(1500))).await;
    let none: [(&str, &str); 0] = [];
    let mut command = crate::support::command(pipeline.args(&["--database-url", &url]), none);
    let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = child.spawn().expect("the merganser binary runs");
    until("the commit reaches the proxy", async || proxy.met()).await;
    // The transaction is committed, and the client waits for the answer.
    tokio::time::sleep(Duration::from_millis(300)).await;
    kill_process(Pid::from_child(&child), Signal::TERM).expect("it lives");
    let output = tokio::task::spawn_blocking(|| child.wait_with_output()).await.expect("no panic");
    let ran = Ran::new(output.expect("it ended")).exits(143);
    assert_eq!(world.state(&pipeline).await, 1);
    ran.says("1 earlier batch");
    run_again(&pipeline).await.exits(0);
    world.is_whole(&pipeline).await;
}
