//! Deadlines and patience of a run.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::mix;

/// How long things may take and how often they may fail. All limits are per run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timing {
    /// A write is given up after this long.
    pub write_ms: u32,
    /// A write that was given up may still take effect for this much longer.
    pub settle_ms: u32,
    /// A replication job is waited for this long.
    pub job_ms: u32,
    /// Audit entries are waited for this long after the last write.
    pub confirm_ms: u32,
    /// First wait of a back-off; it doubles.
    pub backoff_ms: u32,
    /// Longest wait of a back-off, and the longest `Retry-After` that is waited for within a run.
    pub backoff_max_ms: u32,
    /// First wait between polls; it grows by half.
    pub poll_ms: u32,
    /// Longest wait between polls.
    pub poll_max_ms: u32,
    /// Conflicts after which the tenant is contended.
    pub conflicts_max: u32,
    /// Failed requests in a row after which the run gives up.
    pub faults_max: u32,
    /// Refusals by the rate limit in a row after which the run gives up: as many as open the breaker.
    pub throttles_max: u32,
    /// Writes after which a run that still differs gives up.
    pub writes_max: u32,
    /// At most so many writes of different objects are under way at once.
    pub in_flight: u32,
    /// A plan older than this is made anew before anything is written from it.
    pub plan_ms: u32,
    /// How far the server's clock may be from ours.
    pub skew_ms: u32,
    /// What was made may be readable only so much later; until then it is not made again.
    pub appear_ms: u32,
    /// What was written may take so long to come into force, and may be refused meanwhile for that reason alone.
    pub ready_ms: u32,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            write_ms: 10_000,
            settle_ms: 2_000,
            job_ms: 120_000,
            confirm_ms: 60_000,
            backoff_ms: 500,
            backoff_max_ms: 30_000,
            poll_ms: 100,
            poll_max_ms: 5_000,
            conflicts_max: 5,
            faults_max: 5,
            throttles_max: 10,
            writes_max: 50,
            in_flight: 8,
            plan_ms: 5_000,
            skew_ms: 300_000,
            appear_ms: 30_000,
            ready_ms: 60_000,
        }
    }
}

/// How long the controller waits between runs of one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intervals {
    /// Every tenant is looked at this often.
    pub resync: Duration,
    /// First wait after a run that did not end well; it doubles.
    pub retry: Duration,
    /// Longest such wait.
    pub retry_max: Duration,
}

/// A moment so many milliseconds later; the end of time where that is past it.
pub fn later(now: Timestamp, ms: u64) -> Timestamp {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    now.checked_add(SignedDuration::from_millis(ms)).unwrap_or(Timestamp::MAX)
}

/// A moment so many milliseconds earlier; the beginning of time where that is before it.
pub fn earlier(now: Timestamp, ms: u64) -> Timestamp {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    now.checked_sub(SignedDuration::from_millis(ms)).unwrap_or(Timestamp::MIN)
}

/// Whole milliseconds from one moment to a later one; 0 where it is not later.
pub fn elapsed_ms(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
}

impl Timing {
    /// How long to wait before the next attempt: what the server asked for, or `min(max, base·2^attempt)`,
    /// plus up to a quarter of it as jitter so that tenants that failed together do not come back together.
    pub fn backoff(&self, attempt: u32, retry_after_ms: Option<u64>, seed: u64) -> u64 {
        let base = u64::from(self.backoff_ms);
        let max = u64::from(self.backoff_max_ms);
        let computed = base.saturating_mul(1 << attempt.min(20)).min(max);
        let wait = retry_after_ms.map_or(computed, |asked| asked.max(1).min(max.max(asked)));
        wait.saturating_add(mix(seed.wrapping_add(u64::from(attempt))) % (computed / 4 + 1))
    }

    /// How long to wait before the next poll.
    pub fn poll(&self, attempt: u32) -> u64 {
        let mut wait = u64::from(self.poll_ms);
        for _ in 0..attempt.min(30) {
            wait += wait / 2;
        }
        wait.min(u64::from(self.poll_max_ms)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_its_limit_and_never_undercuts_the_server() {
        let timing = Timing { backoff_ms: 100, backoff_max_ms: 1_000, ..Timing::default() };
        for (attempt, least, most) in
            [(0, 100, 125), (1, 200, 250), (3, 800, 1_000), (9, 1_000, 1_250), (400, 1_000, 1_250)]
        {
            for seed in 0..50 {
                let wait = timing.backoff(attempt, None, seed);
                assert!((least..=most).contains(&wait), "attempt {attempt}, seed {seed}: {wait}");
            }
        }
        assert!(timing.backoff(0, Some(5_000), 1) >= 5_000);
        assert!(timing.backoff(0, Some(u64::MAX), 1) == u64::MAX);
    }

    #[test]
    fn time_does_not_run_over() {
        assert_eq!(later(Timestamp::MAX, u64::MAX), Timestamp::MAX);
        assert_eq!(earlier(Timestamp::MIN, 5), Timestamp::MIN);
        assert_eq!(elapsed_ms(Timestamp::MAX, Timestamp::MIN), 0);
    }
}
