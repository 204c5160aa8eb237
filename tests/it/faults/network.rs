//! Faults of the network to PostgreSQL, and people who hold locks.

use std::time::{Duration, Instant};

use super::attack::{cluster, disconnect};
use super::world::{run_again, world};
use crate::support::held::{hold, let_go};
use crate::support::pipeline::Pipeline;
use crate::support::proxy::{Fault, Proxy};

/// The database's URL over TCP, with another port and more options.
fn url(pipeline: &Pipeline, port: Option<u16>, options: &str) -> String {
    let url = pipeline.database.tcp_url();
    let own = server_port(pipeline);
    let port = port.unwrap_or(own);
    format!("{}?{options}", url.replace(&format!(":{own}/"), &format!(":{port}/")))
}

fn server_port(pipeline: &Pipeline) -> u16 {
    let url = pipeline.database.tcp_url();
    url.rsplit_once(':').and_then(|(_, rest)| rest.split('/').next()?.parse().ok()).expect("a port")
}

/// Every connection goes dead after a number of bytes, silently: bytes are accepted but none arrive, and TCP does not
/// notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_open_connection_ends_in_time() {
    let world = world().await;
    for (after_bytes, faults) in [(3_000, u32::MAX), (6_000, 2), (10_000, u32::MAX)] {
        let pipeline = world.copy(cluster().await, "half open").await;
        let proxy = Proxy::start(server_port(&pipeline), Fault::Hang, after_bytes, faults).await;
        let url = url(&pipeline, Some(proxy.port), "tcp_user_timeout=2000&connect_timeout=2");
        let began = Instant::now();
        let ran = pipeline.start(&["--database-url", &url]).await.expect("the run is over");
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
        let state = world.state(&pipeline).await;
        assert!(ran.code == 1 || (ran.code, state) == (4, 2), "{} in {state}\n{}", ran.code, ran.stderr);
        let says = ["The database is unchanged.", "1 earlier batch", "committed"][state];
        assert!(ran.failure().contains(says), "{state}: {}", ran.failure());
        // The server still waits for the vanished client, because the proxy keeps its end open.
        drop(proxy);
        disconnect(&pipeline, "merganser %").await;
        run_again(&pipeline).await;
        world.is_whole(&pipeline).await;
    }
}

/// The connection is cut at any byte: the run fails, and the next one makes up for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_cut() {
    let world = world().await;
    for (after_bytes, faults) in [(1, 1), (900, 9), (4_000, 1), (9_000, 3), (30_000, 5)] {
        let pipeline = world.copy(cluster().await, "cut").await;
        let proxy = Proxy::start(server_port(&pipeline), Fault::Cut, after_bytes, faults).await;
        let reader = world.read(&pipeline);
        let url = url(&pipeline, Some(proxy.port), "connect_timeout=5");
        let ran = pipeline.start(&["--database-url", &url]).await.expect("the run is over");
        let state = world.state(&pipeline).await;
        assert!(ran.code == 1 || state == 2, "{} in {state}\n{}", ran.code, ran.stderr);
        run_again(&pipeline).await;
        world.is_whole(&pipeline).await;
        reader.saw().await;
    }
}

/// A distant server makes a run slow, with no other effect.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_far_away() {
    let world = world().await;
    let pipeline = world.copy(cluster().await, "far").await;
    let proxy = Proxy::far(server_port(&pipeline), Duration::from_millis(15)).await;
    let url = url(&pipeline, Some(proxy.port), "tcp_user_timeout=3000");
    pipeline.start(&["--database-url", &url]).await.expect("the run is over").exits(3);
    world.is_whole(&pipeline).await;
}

/// The role's limits are meant for people; the program's own sessions set theirs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_of_the_role_do_not_break_a_run() {
    let world = world().await;
    let pipeline = world.copy(cluster().await, "limits").await;
    for setting in [
        "statement_timeout = '50ms'",
        "lock_timeout = '1ms'",
        "idle_in_transaction_session_timeout = '100ms'",
        "idle_session_timeout = '100ms'",
    ] {
        pipeline.execute(&format!("alter database {} set {setting}", pipeline.database.name())).await;
    }
    // The transaction waits longer than any of these limits, and the connection with the lock is idle.
    let run = hold(&pipeline, &[], "promote.before_commit").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let_go(run).await.exits(3);
    assert_eq!(pipeline.one("select count(*) from etl.steps where status = 'running'").await, "0");
}

/// Somebody holds a lock on a table. The run waits for a limited time and names the holder, and readers do not wait
/// meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_somebody_holds_is_waited_for_and_named() {
    let world = world().await;
    let pipeline = world.copy(cluster().await, "lock").await;
    let holder = pipeline.database.client().await;
    holder
        .batch_execute("set application_name = 'a report'; begin; lock table oca_motions in share mode")
        .await
        .expect("a lock");
    let pid = holder.query_one("select pg_backend_pid()", &[]).await.expect("a row").get::<_, i32>(0);
    let began = Instant::now();
    let run = pipeline.start(&[]);
    let reader = pipeline.database.client().await;
    let mut longest = Duration::ZERO;
    while !run.is_finished() {
        let asked = Instant::now();
        reader.batch_execute("select count(*) from oca_motions").await.expect("an answer");
        longest = longest.max(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(longest < Duration::from_secs(2), "a reader waited for {longest:?}");
    assert!((25..60).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    let ran = run.await.expect("the run is over").exits(1).says("The database is unchanged.");
    ran.says("55P03").says(&format!("held up by session {pid} of merganser (a report)"));
    assert_eq!(world.state(&pipeline).await, 0);
    holder.batch_execute("rollback").await.expect("it lets go");
    run_again(&pipeline).await.exits(3);
    world.is_whole(&pipeline).await;
}
