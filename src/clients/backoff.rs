//! How long to wait before another try.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The pause after `failures` failures in a row (counted from 1): `first`, doubled each time up to `longest`, with a
/// jitter of half of it either way, so that many clients do not come back at once.
pub fn pause(first: Duration, longest: Duration, failures: u32) -> Duration {
    let doubled = first.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(longest);
    let jitter = RandomState::new().hash_one(failures) % 1000;
    doubled / 2 + doubled.mul_f64(jitter as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_spread() {
        let (first, longest) = (Duration::from_millis(500), Duration::from_secs(16));
        for (failures, seconds) in
            [(0, 0.5), (1, 0.5), (2, 1.0), (3, 2.0), (6, 16.0), (7, 16.0), (u32::MAX, 16.0)]
        {
            let pause = pause(first, longest, failures).as_secs_f64();
            assert!((seconds / 2.0..seconds * 1.5).contains(&pause), "{failures}: {pause} s");
        }
    }
}
