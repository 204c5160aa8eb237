//! Limits the number of calls in a period. A refused call counts as well.

use std::collections::VecDeque;
use std::time::Duration;

/// The recent calls.
#[derive(Clone, Debug)]
pub struct CallRate {
    calls: usize,
    window: Duration,
    times: VecDeque<Duration>,
}

impl CallRate {
    /// Allows at most `calls` calls in any period of length `window`.
    pub fn new(calls: usize, window: Duration) -> Self {
        Self { calls, window, times: VecDeque::new() }
    }

    /// Counts a call; `now` is the time since some fixed moment. Returns false if there were too many.
    pub fn admit(&mut self, now: Duration) -> bool {
        while self.times.front().is_some_and(|first| *first + self.window <= now) {
            self.times.pop_front();
        }
        self.times.push_back(now);
        self.times.len() <= self.calls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_takes_so_many_and_forgets_them() {
        let mut rate = CallRate::new(3, Duration::from_secs(10));
        let admitted = [0, 1, 2, 3, 9, 11, 14].map(|at| rate.admit(Duration::from_secs(at)));
        // At 11 the calls at 2, 3 and 9 still count; at 14 those at 9 and 11.
        assert_eq!(admitted, [true, true, true, false, false, false, true]);
    }
}
