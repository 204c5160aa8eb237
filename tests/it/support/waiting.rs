//! Waiting for what another process does, for three minutes at most: other processes may need this machine too.

use std::time::{Duration, Instant};

use super::pipeline::{Pipeline, rows};

const PATIENCE: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until something is true.
pub async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !is_so().await {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits until the query gives a row, and returns its first cell.
pub async fn row(pipeline: &Pipeline, query: &str) -> String {
    let client = pipeline.database.client().await;
    let start = Instant::now();
    loop {
        if let Some(row) = rows(&client, query).await.into_iter().next() {
            return row.into_iter().next().flatten().unwrap_or_default();
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for a row: {query}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits until a run's session for this purpose waits for a lock.
pub async fn for_lock(pipeline: &Pipeline, purpose: &str) {
    let query = format!(
        "select pid from pg_stat_activity where application_name = 'merganser {purpose}'
             and wait_event_type = 'Lock' and datname = current_database()"
    );
    row(pipeline, &query).await;
}
