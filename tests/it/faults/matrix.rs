//! Every fault at every point.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::{StreamExt, stream};
use merganser::embedded::{Cluster, Embedded};
use merganser::fault::POINTS;

use super::attack::{Attack, Crash, Fault, cluster};
use super::report;
use super::world::World;
use crate::support::{self, postgres};

/// A kill is carried out at each point but the beginnings of steps, where a run is as at the end of the step before, and one of so
/// many other attacks unless all are tried; none at all would hide a fault that is like no kill.
const SOME: usize = 8;
/// Attacks at once.
const AT_ONCE: usize = 4;
/// The number of runs that one crash of the database breaks.
const PER_CRASH: usize = 8;

/// A kill at the first and the last time a run reaches each point, an error at the first time, and the other faults
/// inside steps, where a file or a transaction is open.
fn attacks(world: &World, fault: Fault) -> Vec<Attack> {
    let times = |point: &str| world.trace().iter().filter(|name| *name == point).count();
    let mut attacks = Vec::new();
    for point in POINTS {
        let is_boundary = point.ends_with(".begin") || point.ends_with(".end");
        let is_open =
            !is_boundary || ["load.begin", "promote.begin", "publish.begin", "run.end"].contains(point);
        if is_open || matches!(fault, Fault::Kill | Fault::Fail) {
            attacks.push(Attack::new(world, fault, point, 1));
        }
        if times(point) > 1 && fault == Fault::Kill {
            attacks.push(Attack::new(world, fault, point, times(point)));
        }
    }
    attacks
}

/// The attacks that are carried out.
fn chosen(all: &[Attack]) -> Vec<Attack> {
    let has_all = support::tries_all() || report::is_written();
    let is_chosen = |(place, attack): &(usize, &Attack)| {
        let is_kill = attack.fault == Fault::Kill && attack.time == 1 && !attack.point.ends_with(".begin");
        has_all || place % SOME == 0 || is_kill
    };
    all.iter().enumerate().filter(is_chosen).map(|(_, attack)| attack.clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_point_every_fault() {
    const FAULTS: [(Fault, &str); 4] = [
        (Fault::Kill, "killed"),
        (Fault::Fail, "an error"),
        (Fault::Stop, "hangs, SIGTERM"),
        (Fault::Disconnect, "connections ended"),
    ];
    let cluster = cluster().await;
    let world = Arc::new(World::make(cluster).await);
    for point in POINTS {
        assert!(world.trace().iter().any(|name| name == point), "no run comes by {point}");
    }
    let all: Vec<_> = FAULTS.iter().flat_map(|(fault, _)| attacks(&world, *fault)).collect();
    let done: Vec<_> = stream::iter(chosen(&all))
        .map(|attack| {
            let world = world.clone();
            async move {
                let words = attack.name();
                let task = tokio::spawn(async move {
                    let pipeline = world.copy(cluster, "attack").await;
                    attack.carry_out(&world, &pipeline, None).await;
                    attack
                });
                task.await.map_err(|_| words)
            }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    all_held(done);
    report::document("matrix", &report::table(&FAULTS, &all));
    let looks = world.looks.load(Ordering::Relaxed);
    report::note("looks", &format!("\nMeanwhile readers looked {looks} times, and saw no mixture.\n\n"));
}

/// The same with a crash of the whole database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_point_the_database_crashes() {
    const FAULTS: [(Fault, &str); 1] = [(Fault::Restart, "database crashes")];
    let dir = support::server_dir();
    let _janitor = support::Janitor::watch(dir.path(), &dir.path().join("data/postmaster.pid"), "QUIT");
    let mut cluster = start(dir.path()).await;
    let world = Arc::new(World::make(&cluster).await);
    let all = attacks(&world, Fault::Restart);
    let mut done = Vec::new();
    for group in chosen(&all).chunks(PER_CRASH) {
        let crash = Arc::new(Crash::of(group.len()));
        let (mut pipelines, mut tasks) = (Vec::new(), Vec::new());
        for _ in group {
            pipelines.push(world.copy(&cluster, "crash").await);
        }
        // A copied database has its sequences in the log with their present value, and PostgreSQL logs a sequence some
        // values ahead only at its next use after a checkpoint. Without this checkpoint, a crash would hand out values
        // twice.
        let admin = postgres::connect(&cluster.database_url("postgres")).await;
        admin.batch_execute("checkpoint").await.expect("a checkpoint");
        for (attack, pipeline) in group.iter().cloned().zip(pipelines) {
            let (world, crash, words) = (world.clone(), crash.clone(), attack.name());
            let task = tokio::spawn(async move {
                attack.carry_out(&world, &pipeline, Some(&crash)).await;
                attack
            });
            tasks.push((words, task));
        }
        cluster = crash
            .happen(async || {
                // The server stops at once, and recovers at its next start.
                tokio::task::spawn_blocking(|| drop(cluster)).await.expect("it stops");
                start(dir.path()).await
            })
            .await;
        for (words, task) in tasks {
            done.push(task.await.map_err(|_| words));
        }
    }
    all_held(done);
    report::document("crashes", &report::table(&FAULTS, &all));
}

async fn start(dir: &std::path::Path) -> Embedded {
    // An answered commit has reached the operating system, which survives a crash of the server alone.
    let settings = [("fsync", "off"), ("max_connections", "100")];
    let cluster =
        settings.iter().fold(Cluster::at(dir), |cluster, (name, value)| cluster.setting(name, value));
    cluster.start().await.expect("the cluster starts")
}

fn all_held(done: Vec<Result<Attack, String>>) {
    let fallen: Vec<_> = done.iter().filter_map(|attack| attack.as_ref().err()).collect();
    assert!(fallen.is_empty(), "attacks that failed: {fallen:#?}");
}
