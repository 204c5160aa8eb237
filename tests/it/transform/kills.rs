//! Workers are killed at random while a reader looks, version after version. No row is lost or doubled, and nobody sees
//! two versions mixed. `MERGANSER_TEST_KILLS=500` sets the number of kills.

use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use merganser::embedded::{Cluster, Embedded};
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng as _, SeedableRng as _};
use rustix::process::{Pid, Signal, kill_process};

use super::world::{IN_ONE_PIECE, World};
use crate::support;
use crate::support::postgres::{TestDatabase, connect};

const WORKERS: usize = 3;
const ROWS: u32 = 20_000;
const LEASE: &str = "1";
/// The number of kills without the variable.
const KILLS: u32 = 24;
/// The server is restarted once, after this many kills.
const RESTART: u32 = 16;

/// The ways to stop a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Death {
    Kill,
    Terminate,
    Sleep,
    Cut,
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

async fn cluster(dir: &std::path::Path) -> Embedded {
    Cluster::at(dir)
        .setting("fsync", "off")
        .setting("max_connections", "100")
        .start()
        .await
        .expect("it starts")
}

fn signal(child: &Child, signal: Signal) {
    let _ = kill_process(Pid::from_raw(child.id() as i32).unwrap(), signal);
}

/// Looks at the clean table all the time, and ends with an error when it sees something wrong.
fn reader(url: String, stop: Arc<AtomicBool>) -> tokio::task::JoinHandle<Result<u64, String>> {
    tokio::spawn(async move {
        let mut looks = 0;
        while !stop.load(Ordering::Relaxed) {
            let Ok((client, connection)) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            tokio::spawn(connection);
            // Every other transaction sees one snapshot in all its statements.
            let mode = if looks % 2 == 0 { "read committed" } else { "repeatable read" };
            let look = async {
                client.batch_execute(&format!("begin isolation level {mode}")).await?;
                let query = "select count(distinct version), count(*), min(version) from companies_clean";
                let row = client.query_one(query, &[]).await?;
                client.batch_execute("commit").await?;
                Ok::<_, tokio_postgres::Error>((
                    row.get::<_, i64>(0),
                    row.get::<_, i64>(1),
                    row.get::<_, i32>(2),
                ))
            };
            if let Ok((versions, rows, version)) = look.await {
                if versions != 1 || rows != i64::from(ROWS - ROWS / 50) {
                    return Err(format!(
                        "{versions} versions, {rows} rows, the first of version {version}, {mode}"
                    ));
                }
                looks += 1;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(looks)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_die_lose_and_double_nothing() {
    deaths(false).await;
}

/// The same with workers that first read the raw table into buckets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_die_over_buckets_lose_and_double_nothing() {
    deaths(true).await;
}

async fn deaths(over_buckets: bool) {
    let kills = number("MERGANSER_TEST_KILLS").map_or(KILLS, |kills| kills as u32);
    let seed = number("MERGANSER_TEST_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("MERGANSER_TEST_SEED={seed}");
    let mut random = Pcg64Mcg::seed_from_u64(seed);
    let dir = support::server_dir();
    let _janitor = support::Janitor::watch(dir.path(), &dir.path().join("data/postmaster.pid"), "QUIT");
    let store = format!("file:{}", dir.path().join("store").display());
    let words = match over_buckets {
        true => vec!["work", "--lease", LEASE, "--store", &store, "--bucket-mib", "1"],
        false => vec!["work", "--lease", LEASE],
    };
    let mut server = cluster(dir.path()).await;
    let admin = connect(&server.database_url("postgres")).await;
    admin.batch_execute("create database kills").await.unwrap();
    let mut world = World::on(TestDatabase::of(&server, "kills"), ROWS).await;
    world.edit("job.toml", "group_rows = 400", "group_rows = 40");
    world.expect(0, &["run", "--workers", "2"]);
    world.assert_whole().await;

    let stop = Arc::new(AtomicBool::new(false));
    let reader = reader(world.database.url(), stop.clone());
    let (mut dead, mut version, mut restarts, mut counts) = (0, 1, 0, [0; 4]);
    while dead < kills {
        world.edit(
            "clean.duckdb.sql",
            &format!("{version} as version"),
            &format!("{} as version", version + 1),
        );
        version += 1;
        let start = |world: &World| world.start(&words, "");
        let mut workers: Vec<Child> = (0..WORKERS).map(|_| start(&world)).collect();
        let mut sleepers: Vec<(Child, std::time::Instant)> = Vec::new();
        loop {
            tokio::time::sleep(Duration::from_millis(150 + u64::from(random.next_u32() % 450))).await;
            // A worker that has slept past its lease wakes up.
            for at in (0..sleepers.len()).rev() {
                if sleepers[at].1.elapsed() > Duration::from_secs(4) {
                    let (sleeper, _) = sleepers.remove(at);
                    signal(&sleeper, Signal::CONT);
                    workers.push(sleeper);
                }
            }
            let mut ended = Vec::new();
            for at in (0..workers.len()).rev() {
                if let Some(status) = workers[at].try_wait().unwrap() {
                    let worker = workers.remove(at);
                    let output = worker.wait_with_output().unwrap();
                    let log = String::from_utf8_lossy(&output.stderr).into_owned();
                    // A worker that finds no server at its start ends, and whatever started it starts it again.
                    if status.code() == Some(1) && restarts > 0 && log.contains("connecting to") {
                        workers.push(start(&world));
                        continue;
                    }
                    assert_eq!(status.code(), Some(0), "seed {seed}, version {version}: {log}");
                    ended.push(log);
                }
            }
            if workers.is_empty() && sleepers.is_empty() {
                break;
            }
            // Once the version is in place, more deaths would only delay the end.
            if !ended.is_empty() || dead >= kills || workers.is_empty() {
                continue;
            }
            let deaths = [Death::Kill, Death::Terminate, Death::Sleep, Death::Cut];
            let death = deaths[random.next_u32() as usize % 4];
            let at = random.next_u32() as usize % workers.len();
            match death {
                Death::Kill => {
                    signal(&workers[at], Signal::KILL);
                    workers.remove(at).wait().unwrap();
                    workers.push(start(&world));
                }
                Death::Terminate => {
                    signal(&workers[at], Signal::TERM);
                    let output = workers.remove(at).wait_with_output().unwrap();
                    let code = output.status.code();
                    // The worker may have ended just before, or not yet handle signals.
                    let log = String::from_utf8_lossy(&output.stderr).into_owned();
                    assert!([Some(143), Some(0), None].contains(&code), "seed {seed}: {code:?} {log}");
                    workers.push(start(&world));
                }
                Death::Sleep => {
                    let sleeper = workers.remove(at);
                    signal(&sleeper, Signal::STOP);
                    sleepers.push((sleeper, std::time::Instant::now()));
                    if workers.len() < 2 {
                        workers.push(start(&world));
                    }
                }
                Death::Cut => {
                    let cut = "select pg_terminate_backend(pid) from pg_stat_activity
                        where application_name = 'merganser transform' order by random() limit 1";
                    let _ = world.client.query(cut, &[]).await;
                }
            }
            dead += 1;
            counts[death as usize] += 1;
            if dead / RESTART > restarts {
                restarts += 1;
                tokio::task::spawn_blocking(|| drop(server)).await.unwrap();
                server = cluster(dir.path()).await;
                world.client = connect(&world.database.url()).await;
            }
        }
        let truth = IN_ONE_PIECE.replace(", 1\n", &format!(", {version}\n"));
        let differing = world.differing("companies_clean", &truth).await;
        assert_eq!(differing, "0 too many, 0 missing", "seed {seed}, version {version}");
        let undone =
            "select count(*) from etl.transform_groups join etl.transform_versions using (version_id)
            where state = 'swapped' and status not in ('done', 'split')";
        assert_eq!(world.one(undone).await, "0", "seed {seed}, version {version}");
        let buckets =
            "select coalesce(max(buckets), 0) > 1 from etl.transform_versions where state = 'swapped'";
        assert_eq!(world.one(buckets).await, over_buckets.to_string(), "seed {seed}, version {version}");
        let old = world.expect(0, &["drop"]);
        assert!(old.contains("Removed"), "{old}");
    }
    stop.store(true, Ordering::Relaxed);
    let looks = reader.await.unwrap().unwrap_or_else(|seen| panic!("seed {seed}: a reader saw {seen}"));
    assert!(looks > 10, "{looks}");
    let lost = world.one("select sum(losses) from etl.transform_groups").await;
    assert!(kills < 100 || lost != "0", "no worker died with a claim");
    println!(
        "{dead} deaths (kill, terminate, sleep, cut: {counts:?}), {restarts} restarts, {version} versions, {lost} claims taken \
         over, {looks} looks"
    );
}
