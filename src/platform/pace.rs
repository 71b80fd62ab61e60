//! Paces the requests of one rate limit: a token bucket, a stop after a 429, a circuit breaker, and a retry
//! budget.
//!
//! In: answers, their rate limit headers, and the time. Out: whether a request may be sent, and when to
//! try again. Never: waits; sends. Start reading at [`Pacer::gate`].

use std::num::NonZeroU32;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// The number of refusals in a row that open the breaker.
const BREAKER_OPENS_AT: u32 = 10;
/// How long an open breaker blocks all requests before it admits one.
const BREAKER_COOL_DOWN: Duration = Duration::from_secs(30);
/// The maximum wait after a server reports that no requests are left.
const EMPTY_WAIT_MAX: Duration = Duration::from_secs(5);
/// The share of the server's limit that genesync uses, because people work in the same organization.
const LIMIT_SHARE_PERCENT: u32 = 90;
/// The number of requests of a window that genesync never uses, because the counts of client and server may
/// differ.
const WINDOW_RESERVE: u32 = 2;
/// The maximum difference between two reported ends of the same window: servers report whole seconds.
const WINDOW_ENDS_APART: Duration = Duration::from_secs(2);

/// How long requests stay set aside for writes. Even one request per minute fills a batch in less time.
const SET_ASIDE_FOR: Duration = Duration::from_secs(600);

/// The request limits for one organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Requests per minute.
    pub per_minute: u32,
    /// The maximum number of requests at once.
    pub burst: u32,
}

/// The rate limit that a server reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Requests per minute.
    pub per_minute: NonZeroU32,
    /// The number of requests that the server still accepts now, if it reports that.
    pub left: Option<u32>,
    /// Seconds until the next window, if the server counts by windows and reports that.
    pub reset_s: Option<u32>,
}

/// The pacer of one rate limit.
pub struct Pacer {
    configured: Pace,
    pace: Pace,
    bucket: DefaultDirectRateLimiter,
    not_before: Option<Instant>,
    breaker: Breaker,
    window: Option<Window>,
    /// The number of open requests.
    under_way: u32,
    /// The number of requests that are set aside for writes whose intents are not recorded yet.
    set_aside: u32,
    set_aside_at: Option<Instant>,
    reported_until: Option<Instant>,
}

/// The current window in which a server counts requests.
#[derive(Debug, Clone, Copy)]
struct Window {
    /// The latest end of the window.
    ends_at: Instant,
    /// The minimum number of requests that are left in the window.
    left: u32,
}

/// The decision whether a request may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// The request may be sent, and it is counted.
    Open,
    /// The token bucket is empty until this time.
    Filling(Instant),
    /// The server requested a wait until this time.
    Until(Instant),
    /// The limit of this window is used up; the next window starts at this time.
    Again(Instant),
    /// The breaker is open until this time; the run does not wait for it.
    Broken(Instant),
}

impl Gate {
    /// Returns when to try again; none if the request may be sent.
    pub fn opens_at(self) -> Option<Instant> {
        match self {
            Gate::Open => None,
            Gate::Filling(at) | Gate::Until(at) | Gate::Again(at) | Gate::Broken(at) => Some(at),
        }
    }

    /// Returns how long a request may wait here; for a longer wait, its run waits instead, because a user can
    /// stop it.
    ///
    /// A read waits for the bucket and for the next window without a limit. Otherwise a read of more objects
    /// than the limit allows would never finish. A write waits at most half of its time limit, so that time
    /// is left for the answer.
    pub fn patience(self, write_limit: Option<Duration>, read_timeout: Duration) -> Duration {
        match (self, write_limit) {
            (_, Some(limit)) => limit / 2,
            (Gate::Again(_) | Gate::Filling(_), None) => Duration::MAX,
            (_, None) => read_timeout,
        }
    }
}

impl Pacer {
    /// Returns a pacer with a full bucket.
    pub fn new(pace: Pace) -> Self {
        Self {
            configured: pace,
            bucket: full_bucket(pace),
            pace,
            not_before: None,
            breaker: Breaker::default(),
            window: None,
            under_way: 0,
            set_aside: 0,
            set_aside_at: None,
            reported_until: None,
        }
    }

    /// Records that a request was admitted.
    pub fn left(&mut self) {
        self.under_way += 1;
    }

    /// Records that a request was answered or given up.
    pub fn came_back(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// Decides whether a request may be sent now, and counts it if so. After the cool-down of an open
    /// breaker, one request is admitted as a probe.
    pub fn gate(&mut self, now: Instant) -> Gate {
        if let Some(until) = self.breaker.blocks(now) {
            return Gate::Broken(until);
        }
        if let Some(until) = self.not_before.filter(|until| *until > now) {
            return Gate::Until(until);
        }
        match &mut self.window {
            Some(window) if window.ends_at > now && window.left > WINDOW_RESERVE => window.left -= 1,
            Some(window) if window.ends_at > now => return Gate::Again(window.ends_at),
            // The bucket admits a few requests until an answer reports the next window.
            _ => {
                if let Err(refused) = self.bucket.check() {
                    let wait = refused.wait_time_from(CLOCK.now());
                    return Gate::Filling(now.checked_add(wait).unwrap_or(now));
                }
            }
        }
        self.breaker.passes(now);
        Gate::Open
    }

    /// Blocks all requests until a time.
    pub fn close_until(&mut self, until: Instant) {
        self.not_before = Some(until).max(self.not_before);
    }

    /// Returns whether a wait until this time was not reported yet, and records it as reported.
    pub fn is_news(&mut self, until: Instant, apart: Duration) -> bool {
        let is_news = self.reported_until.is_none_or(|reported| until > reported + apart);
        if is_news {
            self.reported_until = Some(until);
        }
        is_news
    }

    /// Returns the number of requests that are set aside for writes.
    pub fn set_aside(&self, now: Instant) -> u32 {
        let is_recent = |at: Instant| now.saturating_duration_since(at) < SET_ASIDE_FOR;
        if self.set_aside_at.is_some_and(is_recent) { self.set_aside } else { 0 }
    }

    /// Sets one request aside for a write if [`Pacer::gate`] admits it.
    pub fn set_one_aside(&mut self, now: Instant) -> Gate {
        let known = self.set_aside(now);
        let gate = self.gate(now);
        if gate == Gate::Open {
            (self.set_aside, self.set_aside_at) = (known + 1, Some(now));
        }
        gate
    }

    /// Uses one request that is set aside; returns false if there is none, or if the server requested a wait
    /// since.
    pub fn use_one_set_aside(&mut self, now: Instant) -> bool {
        if self.breaker.blocks(now).is_some() || self.not_before.is_some_and(|until| until > now) {
            return false;
        }
        let known = self.set_aside(now);
        self.set_aside = known.saturating_sub(1);
        known > 0
    }

    /// Updates the window from an answer. The server may or may not have counted the open requests, and it
    /// has not counted the requests that are set aside.
    fn learn_window(&mut self, left: u32, reset_s: u32, now: Instant) {
        let Some(ends_at) = now.checked_add(Duration::from_secs(reset_s.into())) else { return };
        let left = left.saturating_sub(self.under_way.saturating_sub(1));
        // Requests that were set aside before the end of the last window counted in that window.
        let ended_at = self.window.map(|window| window.ends_at).filter(|ended_at| *ended_at <= now);
        if ended_at.is_some_and(|ended_at| self.set_aside_at.is_some_and(|at| at < ended_at)) {
            self.set_aside = 0;
        }
        let left = left.saturating_sub(self.set_aside(now));
        let known = self.window.filter(|known| {
            known.ends_at > now && ends_at.saturating_duration_since(known.ends_at) < WINDOW_ENDS_APART
        });
        self.window = Some(match known {
            Some(known) => Window { ends_at: known.ends_at.min(ends_at), left: known.left.min(left) },
            None => Window { ends_at, left },
        });
    }

    /// Updates the pacer from an answer: its status, `Retry-After`, and the server's limit. Refusals of
    /// requests that were open at the same time count as one refusal.
    pub fn learn(
        &mut self,
        status: u16,
        retry_after_ms: Option<u64>,
        allowance: Option<Allowance>,
        sent_at: Instant,
        now: Instant,
    ) {
        if let Some(Allowance { per_minute: limit, left, reset_s }) = allowance {
            let limit = limit.get();
            let per_minute = (limit.saturating_mul(LIMIT_SHARE_PERCENT) / 100).max(1);
            let pace = Pace { per_minute, burst: self.configured.burst.min(per_minute / 10).max(1) };
            if pace != self.pace {
                self.bucket = full_bucket(pace);
                self.pace = pace;
            }
            match (left, reset_s) {
                (Some(left), Some(reset_s)) => self.learn_window(left, reset_s.min(60), now),
                // The server does not report its burst. If its limit refills evenly, the next request is free
                // after one request's share of a minute. If that share is longer than the maximum, the bucket
                // waits for the rest.
                (Some(0), None) => {
                    let even = (Duration::from_secs(60) / limit).min(EMPTY_WAIT_MAX);
                    self.not_before = now.checked_add(even).max(self.not_before);
                }
                (_, _) => {}
            }
        }
        if status == 429 {
            let wait = Duration::from_millis(retry_after_ms.unwrap_or(0));
            self.not_before = now.checked_add(wait).max(self.not_before);
            self.breaker.refused(sent_at, now);
        } else {
            self.breaker.answered();
        }
    }
}

/// The clock of all buckets. A new clock queries the features of the processor, which is slow in a virtual
/// machine.
static CLOCK: LazyLock<DefaultClock> = LazyLock::new(DefaultClock::default);

fn full_bucket(pace: Pace) -> DefaultDirectRateLimiter {
    RateLimiter::direct_with_clock(quota(pace), CLOCK.clone())
}

fn quota(pace: Pace) -> Quota {
    let positive = |number: u32| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    Quota::per_minute(positive(pace.per_minute)).allow_burst(positive(pace.burst))
}

/// A circuit breaker: it opens after ten refusals in a row, and the answer to one probe decides whether it
/// closes.
#[derive(Debug, Default)]
struct Breaker {
    refusals: u32,
    refused_at: Option<Instant>,
    opened_at: Option<Instant>,
}

impl Breaker {
    /// Returns until when the breaker blocks requests; none if it does not.
    fn blocks(&self, now: Instant) -> Option<Instant> {
        let until = self.opened_at?.checked_add(BREAKER_COOL_DOWN)?;
        (now < until).then_some(until)
    }

    /// Records that a request is admitted. If the breaker was open, the request is the probe, and the breaker
    /// blocks the other requests for another cool-down.
    fn passes(&mut self, now: Instant) {
        if self.opened_at.is_some() {
            self.opened_at = Some(now);
        }
    }

    fn refused(&mut self, sent_at: Instant, now: Instant) {
        // Only requests that were sent before the last counted refusal belong to it. Otherwise requests that
        // always overlap would never count.
        if self.refused_at.is_some_and(|counted_at| sent_at < counted_at) {
            return;
        }
        self.refused_at = Some(now);
        self.refusals += 1;
        if self.refusals >= BREAKER_OPENS_AT {
            self.opened_at = Some(now);
        }
    }

    fn answered(&mut self) {
        *self = Breaker::default();
    }
}

/// A budget for retries: if many requests fail at once, retries of all of them would prolong the outage.
///
/// The values are those of the AWS SDKs' standard mode: 500 at the start, minus 14 for a retry after a
/// temporary failure, minus 5 for a retry after a 429, plus 1 for each success.
#[derive(Debug)]
pub struct RetryBudget {
    left: u32,
}

impl RetryBudget {
    const CAPACITY: u32 = 500;
    const TRANSIENT_COST: u32 = 14;
    const THROTTLE_COST: u32 = 5;

    /// Returns a full budget.
    pub fn full() -> Self {
        Self { left: Self::CAPACITY }
    }

    /// Pays for one retry; returns false if the budget is too low.
    pub fn pay(&mut self, throttled: bool) -> bool {
        let cost = if throttled { Self::THROTTLE_COST } else { Self::TRANSIENT_COST };
        match self.left.checked_sub(cost) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    /// Records a success.
    pub fn refund(&mut self) {
        self.left = (self.left + 1).min(Self::CAPACITY);
    }
}

#[cfg(test)]
mod tests;
