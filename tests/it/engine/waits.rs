//! A statement that waits for somebody says so, and a terminal shows what the longest step is doing.

use std::process::Stdio;
use std::time::Duration;

use merganser::embedded::Cluster;
use tokio_postgres::Client;

use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, Ran};
use crate::support::postgres::TestDatabase;
use crate::support::{self, Janitor, waiting};

/// This makes the program look at a statement after two seconds instead of ten.
fn hasty(pipeline: &Pipeline) -> String {
    let url = pipeline.database.url();
    match url.contains("://") {
        true => format!("{url}{}tcp_user_timeout=6000", if url.contains('?') { '&' } else { '?' }),
        false => format!("{url} tcp_user_timeout=6000"),
    }
}

/// A pipeline whose next run waits in its promotion, the session that holds it up, and how the message names that
/// session.
async fn held_up(hint: &str) -> (Pipeline, Client, String) {
    let pipeline = Pipeline::new(hint).await;
    pipeline.put(Extract::weekly("2024-01-01").case("a", ""));
    pipeline.run().await.exits(0);
    pipeline.put(Extract::weekly("2024-01-08").case("a", "").case("b", ""));
    let holder = pipeline.database.client().await;
    holder.batch_execute("set application_name = 'a report'").await.expect("a name");
    holder.batch_execute("begin; lock table oca_parties in share mode").await.expect("a lock");
    let pid: i32 = holder.query_one("select pg_backend_pid()", &[]).await.expect("a row").get(0);
    holder.batch_execute("select 'sesame'").await.expect("an answer");
    (pipeline, holder, format!("held by session {pid} of merganser (a report)"))
}

/// Waits until a session of a run waits for this, long enough for several looks at it.
async fn looked_at(pipeline: &Pipeline, wait_event: &str) {
    let waits = format!(
        "from pg_stat_activity where datname = current_database() and {wait_event}
            and application_name like 'merganser %'"
    );
    waiting::row(pipeline, &format!("select pid {waits}")).await;
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_ne!(pipeline.one(&format!("select count(*) {waits}")).await, "0", "it still waits");
}

const LOCK: &str = "wait_event_type = 'Lock'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_waits_for_a_lock_names_who_holds_it() {
    let (pipeline, holder, named) = held_up("waits for a lock").await;
    let url = hasty(&pipeline);
    let run = pipeline.start(&["--database-url", &url]);
    looked_at(&pipeline, LOCK).await;
    holder.batch_execute("commit").await.expect("it lets go");
    let ran = run.await.expect("the run is over").exits(0);
    let waits: Vec<_> = ran.events.iter().filter(|event| event["level"] == "WARN").collect();
    // The message comes once, however long the wait.
    assert_eq!(waits.len(), 1, "{}", ran.stderr);
    let said = waits[0]["message"].as_str().expect("a message");
    assert!(said.contains("oca_parties: waiting for a lock on public.oca_parties, "), "{said}");
    assert!(said.contains(&named) && said.contains(", in a transaction since "), "{said}");
    assert!(!ran.stderr.contains("sesame"), "a query may hold values\n{}", ran.stderr);
    assert_eq!(pipeline.one("select count(*) from oca_index").await, "2");
}

/// Somebody changed a row and did not commit: the run waits for the end of that transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_waits_for_a_row_names_its_table() {
    let (pipeline, holder, named) = held_up("waits for a row").await;
    holder.batch_execute("rollback; begin; update oca_index set court = 'elsewhere'").await.expect("a row");
    let url = hasty(&pipeline);
    let run = pipeline.start(&["--database-url", &url]);
    looked_at(&pipeline, LOCK).await;
    holder.batch_execute("rollback").await.expect("it lets go");
    let ran = run.await.expect("the run is over").exits(0);
    ran.says("waiting for a row of public.oca_index, ").says(&named);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_waits_for_a_standby_says_so() {
    let dir = support::server_dir();
    let _janitor = Janitor::watch(dir.path(), &dir.path().join("data/postmaster.pid"), "QUIT");
    let cluster = Cluster::at(dir.path()).setting("fsync", "off").tcp(true).start().await.expect("it starts");
    let pipeline = Pipeline::on(TestDatabase::of(&cluster, "merganser"));
    pipeline.put(Extract::weekly("2024-01-01").case("a", ""));
    pipeline.execute("alter system set synchronous_standby_names = 'ghost'").await;
    pipeline.execute("select pg_reload_conf()").await;
    let url = hasty(&pipeline);
    let run = pipeline.start(&["--database-url", &url]);
    looked_at(&pipeline, "wait_event = 'SyncRep'").await;
    pipeline.execute("alter system reset synchronous_standby_names").await;
    pipeline.execute("select pg_reload_conf()").await;
    let ran = run.await.expect("the run is over").exits(0);
    ran.says("waiting for a standby that confirms the commit (synchronous_standby_names is 'ghost')");
    cluster.stop().await.expect("it stops");
}

/// The output that a person sees: `script` gives the program a terminal of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promotion_shows_on_a_terminal_what_it_does() {
    let (pipeline, holder, named) = held_up("terminal").await;
    let url = hasty(&pipeline);
    let words: Vec<_> = pipeline
        .args(&["--database-url", &url])
        .into_iter()
        .map(|word| format!("'{}'", word.replace('\'', r"'\''")))
        .collect();
    let line =
        format!("stty cols 200 rows 50; exec '{}' {}", env!("CARGO_BIN_EXE_merganser"), words.join(" "));
    let mut command = tokio::process::Command::new("script");
    command.args(["--quiet", "--return", "--flush", "--command", &line, "/dev/null"]);
    command.env("TERM", "xterm").env("SHELL", "/bin/sh").stdin(Stdio::null()).kill_on_drop(true);
    let run = tokio::spawn(async move { command.output().await.expect("script runs") });
    looked_at(&pipeline, LOCK).await;
    holder.batch_execute("commit").await.expect("it lets go");
    let ran = Ran::new(run.await.expect("the run is over")).exits(0);
    // The line stays while the statement waits, is redrawn with the elapsed time, and shows the reason.
    let shown = "replace rows of oca_parties (4 of 13, ";
    assert!(ran.stdout.matches(shown).count() > 3, "{}", ran.stdout);
    ran.says(&format!(" rows): waiting for a lock on public.oca_parties, {named}"));
}
