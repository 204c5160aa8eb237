//! One attack: a run is broken at a point, the result is checked, and an undisturbed run follows.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use merganser::embedded::Embedded;
use rustix::process::{Pid, Signal, kill_process};
use tokio::task::JoinHandle;

use super::world::{STATES, World, run_again};
use crate::support::held::held;
use crate::support::pipeline::{Pipeline, Ran, rows};
use crate::support::postgres;

/// The ways to break a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// SIGKILL.
    Kill,
    /// The operation fails.
    Fail,
    /// The process hangs and is told to stop, by SIGTERM.
    Stop,
    /// The database ends every connection of the run.
    Disconnect,
    /// The database crashes, and recovers.
    Restart,
}

/// The point where a run is broken, and the state after that.
#[derive(Clone, Debug)]
pub struct Attack {
    pub fault: Fault,
    pub point: &'static str,
    /// The run is broken when it reaches the point for the `time`-th time.
    pub time: usize,
    /// The expected state after the break.
    pub expected: usize,
}

impl Attack {
    /// An attack when a run reaches the point for the `time`-th time. The trace of an undisturbed run gives the
    /// expected state.
    pub fn new(world: &World, fault: Fault, point: &'static str, time: usize) -> Self {
        let places = world.trace().iter().enumerate().filter(|(_, name)| *name == point);
        let place = places.map(|(place, _)| place).nth(time - 1).expect("the run comes by");
        let expected = world.trace()[..=place].iter().filter(|name| *name == "promote.after_commit").count();
        Self { fault, point, time, expected }
    }

    /// The attack in words.
    pub fn name(&self) -> String {
        format!("{:?} at {}@{}", self.fault, self.point, self.time)
    }

    /// Starts the run that is to be broken.
    fn start(&self, pipeline: &Pipeline) -> (JoinHandle<Ran>, PathBuf) {
        let file = pipeline.folder().join("held");
        let action = match self.fault {
            Fault::Kill => "kill".to_owned(),
            Fault::Fail => "fail".to_owned(),
            Fault::Stop | Fault::Disconnect | Fault::Restart => format!("hold {}", file.display()),
        };
        let faults = format!("{}@{}={action}", self.point, self.time);
        (pipeline.start_with(&[], &[("FAULTS", &faults)]), file)
    }

    /// Breaks a run on its own copy of production, and lets another run follow.
    pub async fn carry_out(&self, world: &Arc<World>, pipeline: &Pipeline, crash: Option<&Crash>) {
        let reader = world.read(pipeline);
        let (run, file) = self.start(pipeline);
        match self.fault {
            Fault::Kill | Fault::Fail => {}
            Fault::Stop => {
                let pid = held(&file, &run).await;
                kill_process(Pid::from_raw(pid).expect("a process"), Signal::TERM).expect("it lives");
            }
            Fault::Disconnect => {
                held(&file, &run).await;
                disconnect(pipeline, "merganser %").await;
                fs::remove_file(&file).expect("it can go on");
            }
            Fault::Restart => {
                held(&file, &run).await;
                crash.expect("somebody restarts the database").wait().await;
                fs::remove_file(&file).expect("it can go on");
            }
        }
        let began = Instant::now();
        let ran = run.await.expect("the run is over");
        assert!(began.elapsed() < Duration::from_secs(60), "{}: {:?}", self.name(), began.elapsed());
        let state = world.state(pipeline).await;
        assert_eq!(STATES[state], STATES[self.expected], "{}\n{}", self.name(), ran.stderr);
        self.tells_the_truth(&ran, state);
        let next = run_again(pipeline).await;
        // The file with the failed record is in the first batch.
        let code = if state == 0 { 3 } else { 0 };
        assert_eq!(next.code, code, "{}, then\n{}", self.name(), next.stderr);
        world.is_whole(pipeline).await;
        reader.saw().await;
    }

    /// Checks that the broken run's statement about the database is true.
    fn tells_the_truth(&self, ran: &Ran, state: usize) {
        let codes: &[i32] = match self.fault {
            Fault::Kill => &[-1],
            Fault::Stop => &[143],
            Fault::Fail | Fault::Disconnect | Fault::Restart if state == 2 => &[0, 1, 3, 4],
            Fault::Fail | Fault::Disconnect | Fault::Restart => &[1],
        };
        assert!(codes.contains(&ran.code), "{}: {}\n{}", self.name(), ran.code, ran.stderr);
        if self.fault == Fault::Fail {
            assert!(ran.failure().contains(&format!("fault point {}", self.point)), "{}", ran.stderr);
        }
        let said = ran.failure();
        if !said.is_empty() {
            let is_right = match state {
                0 => said.contains("The database is unchanged."),
                1 => said.contains("1 earlier batch"),
                _ => said.contains("committed"),
            };
            assert!(is_right, "{} in state {}: {said}", self.name(), STATES[state]);
        }
    }
}

/// Ends the sessions of the run whose application name matches.
pub async fn disconnect(pipeline: &Pipeline, names: &str) {
    let client = pipeline.database.client().await;
    let end = format!(
        "select pg_terminate_backend(pid, 10000) from pg_stat_activity
         where datname = current_database() and application_name like '{names}'"
    );
    rows(&client, &end).await;
}

/// A crash of the database that several runs wait for.
pub struct Crash {
    arrived: tokio::sync::Barrier,
    over: tokio::sync::Barrier,
}

impl Crash {
    /// A crash for this number of runs, and for the session that restarts the server.
    pub fn of(runs: usize) -> Self {
        Self { arrived: tokio::sync::Barrier::new(runs + 1), over: tokio::sync::Barrier::new(runs + 1) }
    }

    async fn wait(&self) {
        self.arrived.wait().await;
        self.over.wait().await;
    }

    /// Waits until all runs are held, and lets the database crash and start again.
    pub async fn happen<T>(&self, restart: impl AsyncFnOnce() -> T) -> T {
        let all = tokio::time::timeout(Duration::from_secs(120), self.arrived.wait()).await;
        all.expect("every run reaches its point");
        let restarted = restart().await;
        self.over.wait().await;
        restarted
    }
}

/// The cluster of most attacks.
pub async fn cluster() -> &'static Embedded {
    postgres::shared().await
}
