//! The rate limit of a service: a token bucket that fills at the rate, and a maximum of requests in any window of time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::dataset::asked::Manners;

/// The state of the rate limit.
#[derive(Debug)]
pub(super) struct Rate {
    per_second: f64,
    burst: f64,
    full: f64,
    filled_at: Instant,
    window: Duration,
    most: usize,
    sent: VecDeque<Instant>,
}

impl Rate {
    pub(super) fn new(manners: &Manners, now: Instant) -> Self {
        Self {
            per_second: manners.per_minute / 60.0,
            burst: f64::from(manners.burst.max(1)),
            full: f64::from(manners.burst.max(1)),
            filled_at: now,
            window: Duration::from_secs(manners.window.0),
            most: manners.window.1.max(1) as usize,
            sent: VecDeque::new(),
        }
    }

    /// How long a request must wait before it may be sent; zero: it may be sent now and is counted as sent.
    pub(super) fn take(&mut self, now: Instant) -> Duration {
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.full = (self.full + passed * self.per_second).min(self.burst);
        self.filled_at = now;
        while self.sent.front().is_some_and(|sent| now.saturating_duration_since(*sent) >= self.window) {
            self.sent.pop_front();
        }
        if self.sent.len() >= self.most {
            let first = self.sent.front().copied().unwrap_or(now);
            return (first + self.window).saturating_duration_since(now).max(Duration::from_millis(1));
        }
        if self.full < 1.0 {
            return Duration::from_secs_f64((1.0 - self.full) / self.per_second)
                .max(Duration::from_millis(1));
        }
        self.full -= 1.0;
        self.sent.push_back(now);
        Duration::ZERO
    }

    /// How long this many requests take if no allowance is left, as after those of a dry run.
    pub(super) fn duration(&self, requests: u64) -> Duration {
        Duration::from_secs_f64(requests as f64 / self.per_second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manners(per_minute: f64, burst: u32, window: (u64, u32)) -> Manners {
        Manners { base: String::new(), per_minute, burst, window, max_age_days: 30 }
    }

    /// Sends each request as early as allowed; returns the times, in seconds.
    fn sent(mut rate: Rate, start: Instant, requests: usize) -> Vec<f64> {
        let mut now = start;
        let mut sent = Vec::new();
        while sent.len() < requests {
            match rate.take(now) {
                Duration::ZERO => sent.push((now - start).as_secs_f64()),
                wait => now += wait,
            }
        }
        sent
    }

    #[test]
    fn a_burst_then_the_rate_and_never_more_than_ninety_in_five_minutes() {
        let start = Instant::now();
        let times = sent(Rate::new(&manners(16.0, 10, (300, 90)), start), start, 400);
        assert_eq!(times[..10], [0.0; 10]);
        assert!((times[10] - 3.75).abs() < 0.1, "{}", times[10]);
        for (at, first) in times.iter().enumerate() {
            let within = times[at..].iter().take_while(|time| **time < first + 300.0).count();
            assert!(within <= 90, "{within} from {first} s on");
        }
        let last = times[399];
        assert!(last <= 390.0 / 16.0 * 60.0 * 1.1, "{last} s for 400 requests");
    }
}
