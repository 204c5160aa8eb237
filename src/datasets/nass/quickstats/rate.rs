//! How many calls the API takes in a while. A call that is refused counts, too.

use std::collections::VecDeque;
use std::time::Duration;

/// The calls of the last while.
#[derive(Clone, Debug)]
pub struct CallRate {
    calls: usize,
    window: Duration,
    times: VecDeque<Duration>,
}

impl CallRate {
    /// At most so many calls in any window.
    pub fn new(calls: usize, window: Duration) -> Self {
        Self { calls, window, times: VecDeque::new() }
    }

    /// Takes a call into account; `now` is the time since any fixed moment. False: it is one too many.
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
        // At 11 those of 2, 3 and 9 are still there; at 14 those of 9 and 11.
        assert_eq!(admitted, [true, true, true, false, false, false, true]);
    }
}
