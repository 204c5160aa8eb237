//! Metrics for Prometheus.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::prometheus::{PrometheusText, label};

/// Upper ends of the buckets, in seconds.
const BUCKETS: [f64; 9] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];
const STATUSES: [u16; 7] = [200, 304, 400, 404, 405, 500, 503];

/// Counts since the server started.
#[derive(Debug, Default)]
pub struct ServeMetrics {
    statuses: [AtomicU64; STATUSES.len()],
    /// The number of answers of the API by how long they took, each counted in one bucket; the last bucket is for those beyond
    /// all limits.
    buckets: [AtomicU64; BUCKETS.len() + 1],
    microseconds: AtomicU64,
    refused_full: AtomicU64,
}

impl ServeMetrics {
    /// Counts an answer.
    pub fn answered(&self, status: u16, took: Duration) {
        if let Some(at) = STATUSES.iter().position(|known| *known == status) {
            self.statuses[at].fetch_add(1, Ordering::Relaxed);
        }
        let at = BUCKETS.iter().position(|end| took.as_secs_f64() <= *end).unwrap_or(BUCKETS.len());
        self.buckets[at].fetch_add(1, Ordering::Relaxed);
        self.microseconds.fetch_add(took.as_micros() as u64, Ordering::Relaxed);
    }

    /// Counts a question that found no connection free.
    pub fn full(&self) {
        self.refused_full.fetch_add(1, Ordering::Relaxed);
    }

    /// The metrics in Prometheus' text format.
    pub fn text(&self, (busy, waiting): (usize, usize), is_ready: bool) -> String {
        let mut text = PrometheusText::default();
        text.begin("merganser_serve_responses_total", "counter", "Answers by status.");
        for (status, count) in STATUSES.iter().zip(&self.statuses) {
            let status = label("status", &status.to_string());
            text.value("merganser_serve_responses_total", &status, count.load(Ordering::Relaxed));
        }
        text.begin("merganser_serve_seconds", "histogram", "The time that answers took.");
        let mut sum = 0;
        for (end, count) in
            BUCKETS.iter().map(ToString::to_string).chain(["+Inf".to_owned()]).zip(&self.buckets)
        {
            sum += count.load(Ordering::Relaxed);
            text.value("merganser_serve_seconds_bucket", &label("le", &end), sum);
        }
        let seconds = self.microseconds.load(Ordering::Relaxed) as f64 / 1e6;
        text.value("merganser_serve_seconds_sum", "", seconds);
        text.value("merganser_serve_seconds_count", "", sum);
        let full = self.refused_full.load(Ordering::Relaxed);
        for (name, kind, help, value) in [
            (
                "merganser_serve_refused_total",
                "counter",
                "Questions that found pool and queue full, or waited in vain.",
                full,
            ),
            ("merganser_serve_connections_busy", "gauge", "Connections at work.", busy as u64),
            ("merganser_serve_waiting", "gauge", "Questions that wait for a connection.", waiting as u64),
            (
                "merganser_serve_ready",
                "gauge",
                "1 if the database can be asked, otherwise 0.",
                u64::from(is_ready),
            ),
        ] {
            text.begin(name, kind, help);
            text.value(name, "", value);
        }
        text.into_text()
    }
}
