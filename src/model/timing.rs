//! Time limits and retry limits of a run.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::mix;

/// Time limits and retry limits. All are per run; names that end in `_ms` are in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timing {
    /// Time limit of a write.
    pub write_ms: u32,
    /// How much longer an abandoned write may still take effect.
    pub settle_ms: u32,
    /// How long to wait for a replication job.
    pub job_ms: u32,
    /// How long to wait for audit entries after the last write.
    pub confirm_ms: u32,
    /// First wait of a back-off; it doubles.
    pub backoff_ms: u32,
    /// Longest wait of a back-off, and the longest `Retry-After` that a run waits for.
    pub backoff_max_ms: u32,
    /// First wait between polls; it grows by half.
    pub poll_ms: u32,
    /// Longest wait between polls.
    pub poll_max_ms: u32,
    /// Conflicts after which the tenant counts as contended.
    pub conflicts_max: u32,
    /// Failed requests in a row after which the run stops.
    pub faults_max: u32,
    /// Refusals by the rate limit in a row after which the run stops; as many as open the breaker.
    pub throttles_max: u32,
    /// Writes after which a run stops that still finds differences.
    pub writes_max: u32,
    /// Most concurrent writes of different objects.
    pub in_flight: u32,
    /// A run makes a new plan before it writes from a plan that is older than this.
    pub plan_ms: u32,
    /// Largest assumed difference between the server's clock and the local one.
    pub skew_ms: u32,
    /// How long a new object may be unreadable; until then genesync does not create it again.
    pub appear_ms: u32,
    /// How long a write may take to come into force; until then the platform may refuse another write.
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
    /// How often every tenant is read.
    pub resync: Duration,
    /// First wait after a run that failed; it doubles.
    pub retry: Duration,
    /// Longest such wait.
    pub retry_max: Duration,
}

/// Returns the time `ms` milliseconds later, at most the largest timestamp.
pub fn later(now: Timestamp, ms: u64) -> Timestamp {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    now.checked_add(SignedDuration::from_millis(ms)).unwrap_or(Timestamp::MAX)
}

/// Returns the time `ms` milliseconds earlier, at least the smallest timestamp.
pub fn earlier(now: Timestamp, ms: u64) -> Timestamp {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    now.checked_sub(SignedDuration::from_millis(ms)).unwrap_or(Timestamp::MIN)
}

/// Returns whole milliseconds from one time to a later one; 0 if it is not later.
pub fn elapsed_ms(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
}

impl Timing {
    /// Returns the wait before the next attempt, in milliseconds: the server's `Retry-After`, or `min(max,
    /// base·2^attempt)`, plus up to a quarter as jitter, so that tenants that failed together do not retry
    /// together.
    pub fn backoff(&self, attempt: u32, retry_after_ms: Option<u64>, seed: u64) -> u64 {
        let base = u64::from(self.backoff_ms);
        let max = u64::from(self.backoff_max_ms);
        let computed = base.saturating_mul(1 << attempt.min(20)).min(max);
        let wait = retry_after_ms.map_or(computed, |asked| asked.max(1).min(max.max(asked)));
        wait.saturating_add(mix(seed.wrapping_add(u64::from(attempt))) % (computed / 4 + 1))
    }

    /// Returns the wait before the next poll, in milliseconds.
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
    fn time_does_not_overflow() {
        assert_eq!(later(Timestamp::MAX, u64::MAX), Timestamp::MAX);
        assert_eq!(earlier(Timestamp::MIN, 5), Timestamp::MIN);
        assert_eq!(elapsed_ms(Timestamp::MAX, Timestamp::MIN), 0);
    }
}
