//! Runs that stand still at a fault point until the test lets them go.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::pipeline::{Pipeline, Ran};

/// Starts a run, and waits until it is held at the point.
pub async fn hold(pipeline: &Pipeline, extra: &[&str], point: &str) -> (JoinHandle<Ran>, PathBuf) {
    let file = pipeline.folder().join(format!("held {point}"));
    let run = pipeline.start_with(extra, &[("FAULTS", &format!("{point}=hold {}", file.display()))]);
    held(&file, &run).await;
    (run, file)
}

/// Lets a held run go on to its end.
pub async fn let_go((run, file): (JoinHandle<Ran>, PathBuf)) -> Ran {
    fs::remove_file(file).expect("it can go on");
    run.await.expect("the run is over")
}

/// Waits until a process is held at its point, where it writes this file; returns its process id.
pub async fn held<T>(file: &Path, run: &JoinHandle<T>) -> i32 {
    let start = Instant::now();
    loop {
        if let Ok(text) = fs::read_to_string(file) {
            return text.parse().expect("a process id");
        }
        assert!(!run.is_finished(), "the run ended without reaching its point");
        assert!(start.elapsed() < Duration::from_secs(180), "the run does not reach its point");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
