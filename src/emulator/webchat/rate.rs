//! The rate limit of one organization: a token bucket that refills continuously.
//!
//! In: the limit and the time. Out: whether a request can pass, or the time to wait. Never: uses floating
//! point. A request is [`UNIT`] parts, so a bucket refills by exactly limit × elapsed µs parts.

use jiff::Timestamp;

/// The number of parts of one request: the microseconds in a minute.
const UNIT: u128 = 60_000_000;

/// A bucket of available requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    per_minute: u64,
    parts: u128,
    filled_us: i64,
}

impl Bucket {
    /// Returns a full bucket.
    pub fn full(per_minute: u64, now: Timestamp) -> Bucket {
        Bucket { per_minute, parts: capacity(per_minute), filled_us: now.as_microsecond() }
    }

    /// Takes one request from the bucket. `Err` has the whole seconds until a request is available.
    pub fn take(&mut self, now: Timestamp) -> Result<(), u64> {
        self.refill(now);
        if let Some(left) = self.parts.checked_sub(UNIT) {
            self.parts = left;
            return Ok(());
        }
        let missing = UNIT.saturating_sub(self.parts);
        let wait_s = missing.div_ceil(u128::from(self.per_minute.max(1)) * 1_000_000);
        Err(u64::try_from(wait_s).unwrap_or(u64::MAX).max(1))
    }

    /// Returns the number of whole requests that are left.
    pub fn remaining(&mut self, now: Timestamp) -> u128 {
        self.refill(now);
        self.parts / UNIT
    }

    fn refill(&mut self, now: Timestamp) {
        let now_us = now.as_microsecond();
        // If the clock goes back, the bucket does not refill, and later does not count the same time twice.
        let elapsed = u128::try_from(now_us.saturating_sub(self.filled_us)).unwrap_or(0);
        self.parts = (self.parts + elapsed * u128::from(self.per_minute)).min(capacity(self.per_minute));
        self.filled_us = self.filled_us.max(now_us);
    }
}

fn capacity(per_minute: u64) -> u128 {
    u128::from(per_minute.div_ceil(60).max(10)) * UNIT
}

#[cfg(test)]
mod tests {
    use crate::emulator::webchat::rate::Bucket;
    use jiff::{SignedDuration, Timestamp};

    #[test]
    fn bursts_then_refills_continuously() {
        for (per_minute, burst, wait_s) in [(60, 10, 1), (6, 10, 10), (1, 10, 60), (6000, 100, 1)] {
            let start = Timestamp::UNIX_EPOCH;
            let mut bucket = Bucket::full(per_minute, start);
            for left in (0..burst).rev() {
                assert_eq!(bucket.take(start), Ok(()));
                assert_eq!(bucket.remaining(start), left);
            }
            assert_eq!(bucket.take(start), Err(wait_s), "{per_minute}");
            let nearly = start + SignedDuration::from_millis(60_000 / per_minute as i64 - 1);
            assert!(bucket.take(nearly).is_err());
            assert_eq!(bucket.take(nearly + SignedDuration::from_millis(1)), Ok(()));
            assert!(bucket.take(start).is_err(), "a clock set back fills nothing");
        }
    }

    #[test]
    fn extremes_do_not_overflow() {
        let mut bucket = Bucket::full(u64::MAX, Timestamp::MIN);
        assert_eq!(bucket.take(Timestamp::MAX), Ok(()));
    }
}
