//! Kills at random times, again and again: a short round with the other tests, a long one by `make soak`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand_pcg::Pcg32;
use rand_pcg::rand_core::Rng;
use rustix::process::{Pid, Signal, kill_process};

use super::attack::{cluster, disconnect};
use super::report;
use super::world::{STATES, World, run_again, world};
use crate::support;

/// The number of productions that are attacked at once.
const AT_ONCE: usize = 3;

/// The result.
#[derive(Default)]
struct Soaked {
    runs: usize,
    broken: usize,
    found: [usize; 3],
    finished: usize,
}

/// Kills runs of one production until a run succeeds, and begins again, until the time is over.
async fn soak(world: Arc<World>, seed: u64, until: Instant, limit: usize) -> Soaked {
    let mut random = Pcg32::new(seed, 1);
    let mut below = move |limit: u64| u64::from(random.next_u32()) % limit;
    let mut soaked = Soaked::default();
    while Instant::now() < until && soaked.runs < limit {
        let pipeline = world.copy(cluster().await, "soak").await;
        let reader = world.read(&pipeline);
        let mut state = 0;
        loop {
            let none: [(&str, &str); 0] = [];
            let mut command = tokio::process::Command::from(support::command(pipeline.args(&[]), none));
            command
                .kill_on_drop(true)
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null());
            let mut child = command.spawn().expect("the merganser binary runs");
            // When the time is over, the production is finished undisturbed.
            let wait = match Instant::now() < until && soaked.runs < limit {
                true => Duration::from_millis(below(world.duration.as_millis() as u64 * 3 / 2)),
                false => Duration::MAX,
            };
            let fault = below(6);
            soaked.runs += 1;
            let ended = tokio::time::timeout(wait, child.wait()).await;
            if let (Err(_), Some(id)) = (&ended, child.id()) {
                let pid = Pid::from_raw(id as i32).expect("a process");
                let signal = if fault == 0 { Signal::TERM } else { Signal::KILL };
                match fault {
                    1 => disconnect(&pipeline, "merganser %").await,
                    _ => drop(kill_process(pid, signal)),
                }
            }
            let status = child.wait().await.expect("it ended");
            let now = world.state(&pipeline).await;
            assert!(now >= state, "from {} back to {}", STATES[state], STATES[now]);
            state = now;
            match status.code() {
                Some(0 | 3) => break,
                // The sessions of a killed process end a moment later.
                Some(75) => tokio::time::sleep(Duration::from_millis(50)).await,
                _ => {
                    soaked.broken += 1;
                    soaked.found[state] += 1;
                }
            }
        }
        run_again(&pipeline).await.exits(0);
        world.is_whole(&pipeline).await;
        reader.saw().await;
        soaked.finished += 1;
    }
    soaked
}

async fn soak_all(seconds: u64, limit: usize) -> String {
    // A seed decides when the kills come, but not where the run is then.
    let seed = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(1, |now| now.as_secs());
    let seed = std::env::var("MERGANSER_TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(seed);
    println!("soak: MERGANSER_TEST_SEED={seed}");
    let world = world().await;
    let until = Instant::now() + Duration::from_secs(seconds);
    let tasks: Vec<_> = (0..AT_ONCE)
        .map(|n| tokio::spawn(soak(world.clone(), seed + n as u64, until, limit / AT_ONCE)))
        .collect();
    let mut sum = Soaked::default();
    for task in tasks {
        let soaked = task.await.unwrap_or_else(|_| panic!("failed with MERGANSER_TEST_SEED={seed}"));
        sum.runs += soaked.runs;
        sum.broken += soaked.broken;
        sum.finished += soaked.finished;
        for (sum, found) in sum.found.iter_mut().zip(soaked.found) {
            *sum += found;
        }
    }
    assert!(sum.broken > 0 && sum.finished > 0, "{} runs, none broken", sum.runs);
    let [before, half, after] = sum.found;
    let report = format!(
        "\n{} runs of {} productions, of which {} were broken at random times (seed {seed}): production was then \
         {before} times as before, {half} times after the first batch, {after} times after all; in the end all {} \
         were as after an undisturbed run.\n\n",
        sum.runs, sum.finished, sum.broken, sum.finished
    );
    println!("soak: {}", report.trim());
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_kills() {
    let (seconds, limit) = if support::tries_all() { (20, 45) } else { (10, 21) };
    soak_all(seconds, limit).await;
}

/// Some hundreds of runs; `make soak`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes some minutes: make soak"]
async fn random_kills_for_long() {
    let seconds = std::env::var("MERGANSER_TEST_SOAK_SECONDS").ok().and_then(|text| text.parse().ok());
    report::note("soak", &soak_all(seconds.unwrap_or(600), 2000).await);
}
