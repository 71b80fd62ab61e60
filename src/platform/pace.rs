//! How fast one bucket of the platform is drawn on: a bucket of our own, a stop sign after 429, a circuit breaker, and
//! one budget of retries for all.
//!
//! In: answers, what they say of the server's limit, and the time. Out: whether a request may go, and when to ask again.
//! Never: waits, or sends. Start reading at [`Pacer::gate`].

use std::num::NonZeroU32;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// Refusals in a row that open the breaker.
const BREAKER_OPENS_AT: u32 = 10;
/// How long an open breaker lets nothing through before one request may try.
const BREAKER_COOL_DOWN: Duration = Duration::from_secs(30);
/// A server that says it has nothing left is left alone this long at most on that account.
const EMPTY_WAIT_MAX: Duration = Duration::from_secs(5);
/// Share of the server's own limit that is used: people work in the same organization.
const LIMIT_SHARE_PERCENT: u32 = 90;
/// So many requests of a window are left alone: what is counted here and there may differ by a few.
const WINDOW_RESERVE: u32 = 2;
/// Two ends of a window that lie no further apart are one: servers tell whole seconds.
const WINDOW_ENDS_APART: Duration = Duration::from_secs(2);

/// What was set aside for writes and is not used by then is gone. The slowest pace, one request a minute, fills a batch
/// in less.
const SET_ASIDE_FOR: Duration = Duration::from_secs(600);

/// How fast one organization may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Requests a minute.
    pub per_minute: u32,
    /// Requests that may go out at once.
    pub burst: u32,
}

/// What a server says of its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Requests a minute.
    pub per_minute: NonZeroU32,
    /// Requests that it would take at once now, where it says so.
    pub left: Option<u32>,
    /// Seconds until it counts from zero again, where it counts by windows and says so.
    pub reset_s: Option<u32>,
}

/// The pacer of what has one rate limit.
pub struct Pacer {
    configured: Pace,
    pace: Pace,
    bucket: DefaultDirectRateLimiter,
    not_before: Option<Instant>,
    breaker: Breaker,
    window: Option<Window>,
    /// Requests that were let through and are not answered.
    under_way: u32,
    /// Requests that were let through before it is known what they are: writes whose intents are not saved yet.
    set_aside: u32,
    set_aside_at: Option<Instant>,
    told_until: Option<Instant>,
}

/// What is left of the window in which a server counts requests.
#[derive(Debug, Clone, Copy)]
struct Window {
    /// When it counts from zero again, at the latest.
    ends_at: Instant,
    /// Requests that may go until then, at the least.
    left: u32,
}

/// Whether a request may go now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// It may, and is counted.
    Open,
    /// Not before this moment, at which the bucket has a token again.
    Filling(Instant),
    /// Not before this moment: the server asked for that.
    Until(Instant),
    /// Not before this moment, at which the server counts anew: what it allows a minute is used up.
    Anew(Instant),
    /// Not in this run: the breaker is open until this moment.
    Broken(Instant),
}

impl Gate {
    /// When it is worth asking again; none where a request may go.
    pub fn opens_at(self) -> Option<Instant> {
        match self {
            Gate::Open => None,
            Gate::Filling(at) | Gate::Until(at) | Gate::Anew(at) | Gate::Broken(at) => Some(at),
        }
    }

    /// How long a request may wait here; after that its run does, which can be stopped. A read waits for the bucket and
    /// for the next window however long that is: a look of more requests than they hold would never come to its end else.
    /// A write has to leave soon enough to be answered within its time.
    pub fn patience(self, write_limit: Option<Duration>, read_timeout: Duration) -> Duration {
        match (self, write_limit) {
            (_, Some(limit)) => limit / 2,
            (Gate::Anew(_) | Gate::Filling(_), None) => Duration::MAX,
            (_, None) => read_timeout,
        }
    }
}

impl Pacer {
    /// A pacer with a full bucket.
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
            told_until: None,
        }
    }

    /// Takes in that a request was let through.
    pub fn left(&mut self) {
        self.under_way += 1;
    }

    /// Takes in that a request was answered, or will not be.
    pub fn came_back(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// Whether a request may go now, which is counted then. Going through a breaker that has cooled down makes it the one
    /// probe.
    pub fn gate(&mut self, now: Instant) -> Gate {
        if let Some(until) = self.breaker.blocks(now) {
            return Gate::Broken(until);
        }
        if let Some(until) = self.not_before.filter(|until| *until > now) {
            return Gate::Until(until);
        }
        match &mut self.window {
            Some(window) if window.ends_at > now && window.left > WINDOW_RESERVE => window.left -= 1,
            Some(window) if window.ends_at > now => return Gate::Anew(window.ends_at),
            // Until an answer tells what is left of the next window, the bucket lets a few through.
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

    /// Has nothing go before this moment.
    pub fn close_until(&mut self, until: Instant) {
        self.not_before = Some(until).max(self.not_before);
    }

    /// Whether nobody was told of a wait until then, or nearly then.
    pub fn is_news(&mut self, until: Instant, apart: Duration) -> bool {
        let is_news = self.told_until.is_none_or(|told| until > told + apart);
        if is_news {
            self.told_until = Some(until);
        }
        is_news
    }

    /// How many writes have something set aside.
    pub fn set_aside(&self, now: Instant) -> u32 {
        let is_recent = |at: Instant| now.saturating_duration_since(at) < SET_ASIDE_FOR;
        if self.set_aside_at.is_some_and(is_recent) { self.set_aside } else { 0 }
    }

    /// Sets one request aside for a write, as [`Pacer::gate`] lets it through.
    pub fn set_one_aside(&mut self, now: Instant) -> Gate {
        let known = self.set_aside(now);
        let gate = self.gate(now);
        if gate == Gate::Open {
            (self.set_aside, self.set_aside_at) = (known + 1, Some(now));
        }
        gate
    }

    /// Uses up one request that was set aside, if there is one and the server has not asked to wait since.
    pub fn use_one_set_aside(&mut self, now: Instant) -> bool {
        if self.breaker.blocks(now).is_some() || self.not_before.is_some_and(|until| until > now) {
            return false;
        }
        let known = self.set_aside(now);
        self.set_aside = known.saturating_sub(1);
        known > 0
    }

    /// Learns what is left of a window, where an answer tells. Those under way may be counted there already, or not; what
    /// is set aside is not.
    fn learn_window(&mut self, left: u32, reset_s: u32, now: Instant) {
        let Some(ends_at) = now.checked_add(Duration::from_secs(reset_s.into())) else { return };
        let left = left.saturating_sub(self.under_way.saturating_sub(1));
        // What was set aside before the last window ended was counted there.
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

    /// Learns from an answer: its status, `Retry-After`, and what the server says of its own limit. Requests that were
    /// under way together and are all refused count as one refusal.
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
                // How much may come at once is the server's secret. One that fills up evenly and has nothing left has
                // something again when one request's share of a minute is over. A share of many seconds is for the
                // bucket to wait out.
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

/// A new clock asks the processor what it can do, which a virtual machine answers slowly; one serves all.
static CLOCK: LazyLock<DefaultClock> = LazyLock::new(DefaultClock::default);

fn full_bucket(pace: Pace) -> DefaultDirectRateLimiter {
    RateLimiter::direct_with_clock(quota(pace), CLOCK.clone())
}

fn quota(pace: Pace) -> Quota {
    let positive = |number: u32| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    Quota::per_minute(positive(pace.per_minute)).allow_burst(positive(pace.burst))
}

/// Opens after ten refusals in a row; one probe decides whether it closes.
#[derive(Debug, Default)]
struct Breaker {
    refusals: u32,
    refused_at: Option<Instant>,
    opened_at: Option<Instant>,
}

impl Breaker {
    /// Until when nothing may pass.
    fn blocks(&self, now: Instant) -> Option<Instant> {
        let until = self.opened_at?.checked_add(BREAKER_COOL_DOWN)?;
        (now < until).then_some(until)
    }

    /// Something passes. Where the breaker was open it is the probe: whoever comes while it is under way waits another turn.
    fn passes(&mut self, now: Instant) {
        if self.opened_at.is_some() {
            self.opened_at = Some(now);
        }
    }

    fn refused(&mut self, sent_at: Instant, now: Instant) {
        // Measured from the refusal that counted: where requests overlap without end, each would be of a burst else.
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

/// One budget for all retries of a process: when much fails at once, retrying it all would keep it down.
///
/// The figures are those of the AWS SDKs' standard mode: 500 to start with, 14 for a retry after a passing
/// failure, 5 after a throttle, 1 back for each success.
#[derive(Debug)]
pub struct RetryBudget {
    left: u32,
}

impl RetryBudget {
    const CAPACITY: u32 = 500;
    const TRANSIENT_COST: u32 = 14;
    const THROTTLE_COST: u32 = 5;

    /// A full budget.
    pub fn full() -> Self {
        Self { left: Self::CAPACITY }
    }

    /// Pays for the retry of a failure; false where it can't.
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

    /// Takes a success in.
    pub fn refund(&mut self) {
        self.left = (self.left + 1).min(Self::CAPACITY);
    }
}

#[cfg(test)]
mod tests;
