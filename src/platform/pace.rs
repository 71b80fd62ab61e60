//! How fast one organization is asked: a token bucket, a stop sign after 429, a circuit breaker, and one
//! budget of retries for all.

use std::num::NonZeroU32;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use governor::clock::DefaultClock;
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

/// The pacer of one organization.
pub struct Pacer {
    configured: Pace,
    pace: Pace,
    bucket: std::sync::Arc<DefaultDirectRateLimiter>,
    not_before: Option<Instant>,
    breaker: Breaker,
    window: Option<Window>,
    /// Requests that were let through and are not answered.
    under_way: u32,
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
    /// It may, as soon as the bucket has a token.
    Open,
    /// It may, at once: the server's window has room for it.
    Granted,
    /// Not before this moment: the server asked for that.
    Until(Instant),
    /// Not before this moment, at which the server counts anew: what it allows a minute is used up.
    Anew(Instant),
    /// Not in this run: the breaker is open until this moment.
    Broken(Instant),
}

impl Gate {
    /// How long a request may wait here; after that its run does, which can be stopped. A read waits for the next window
    /// however long that is: a look of more requests than a window holds would never come to its end else. A write has
    /// to leave soon enough to be answered within its time.
    pub fn patience(self, write_limit: Option<Duration>, read_timeout: Duration) -> Duration {
        match (self, write_limit) {
            (_, Some(limit)) => limit / 2,
            (Gate::Anew(_), None) => Duration::MAX,
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

    /// The bucket, to wait at.
    pub fn bucket(&self) -> std::sync::Arc<DefaultDirectRateLimiter> {
        std::sync::Arc::clone(&self.bucket)
    }

    /// Whether a request may go now. Going through a breaker that has cooled down makes it the one probe.
    pub fn gate(&mut self, now: Instant) -> Gate {
        if let Some(until) = self.breaker.blocks(now) {
            return Gate::Broken(until);
        }
        if let Some(until) = self.not_before.filter(|until| *until > now) {
            return Gate::Until(until);
        }
        match &mut self.window {
            Some(window) if window.ends_at > now && window.left > WINDOW_RESERVE => {
                window.left -= 1;
                Gate::Granted
            }
            Some(window) if window.ends_at > now => Gate::Anew(window.ends_at),
            // Until an answer tells what is left of the next window, the bucket lets a few through.
            _ => Gate::Open,
        }
    }

    /// Learns what is left of a window, where an answer tells. Those under way may be counted there already, or not.
    fn learn_window(&mut self, left: u32, reset_s: u32, now: Instant) {
        let Some(ends_at) = now.checked_add(Duration::from_secs(reset_s.into())) else { return };
        let left = left.saturating_sub(self.under_way.saturating_sub(1));
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

fn full_bucket(pace: Pace) -> std::sync::Arc<DefaultDirectRateLimiter> {
    // A new clock asks the processor what it can do, which a virtual machine answers slowly; one serves all.
    static CLOCK: LazyLock<DefaultClock> = LazyLock::new(DefaultClock::default);
    std::sync::Arc::new(RateLimiter::direct_with_clock(quota(pace), CLOCK.clone()))
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
    /// Until when nothing may pass; none lets the caller through.
    fn blocks(&mut self, now: Instant) -> Option<Instant> {
        let until = self.opened_at?.checked_add(BREAKER_COOL_DOWN)?;
        if now < until {
            return Some(until);
        }
        // The probe: whoever comes while it is under way waits another turn.
        self.opened_at = Some(now);
        None
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
mod tests {
    use super::*;

    fn pacer() -> Pacer {
        Pacer::new(Pace { per_minute: 300, burst: 30 })
    }

    #[test]
    fn retry_after_closes_the_gate_for_just_that_long() {
        let (mut pacer, now) = (pacer(), crate::clock::monotonic());
        pacer.learn(429, Some(3_000), None, now, now);
        assert_eq!(pacer.gate(now + Duration::from_millis(2_999)), Gate::Until(now + Duration::from_secs(3)));
        assert_eq!(pacer.gate(now + Duration::from_secs(3)), Gate::Open);
        // A later, shorter answer does not open it earlier.
        pacer.learn(429, Some(0), None, now, now);
        assert!(matches!(pacer.gate(now + Duration::from_secs(1)), Gate::Until(_)));
    }

    #[test]
    fn ten_refusals_open_the_breaker_and_one_probe_decides() {
        let (mut pacer, now) = (pacer(), crate::clock::monotonic());
        for _ in 0..9 {
            pacer.learn(429, None, None, now, now);
        }
        assert_eq!(pacer.gate(now), Gate::Open);
        pacer.learn(429, None, None, now, now);
        let cooled = now + BREAKER_COOL_DOWN;
        assert_eq!(pacer.gate(now), Gate::Broken(cooled));
        assert_eq!(pacer.gate(cooled), Gate::Open, "the probe");
        assert!(matches!(pacer.gate(cooled), Gate::Broken(_)), "only one");
        pacer.learn(200, None, None, cooled, cooled);
        assert_eq!(pacer.gate(cooled), Gate::Open);
    }

    #[test]
    fn refusals_of_requests_that_were_under_way_together_count_once() {
        let (mut pacer, sent_at) = (pacer(), crate::clock::monotonic());
        let second = |n: u64| sent_at + Duration::from_secs(n);
        for burst in 0..9 {
            for answer in 0..8 {
                let answered_at = second(burst) + Duration::from_millis(100 + answer);
                pacer.learn(429, None, None, second(burst), answered_at);
            }
        }
        assert_eq!(pacer.gate(second(9)), Gate::Open);
        pacer.learn(429, None, None, second(9), second(9));
        assert!(matches!(pacer.gate(second(9)), Gate::Broken(_)));
    }

    #[test]
    fn refusals_that_overlap_without_end_open_the_breaker() {
        let (mut pacer, first) = (pacer(), crate::clock::monotonic());
        let moment = |ms: u64| first + Duration::from_millis(ms);
        // Two askers by turns, each of whom asks again once it was refused.
        for n in 0..40 {
            pacer.learn(429, None, None, moment(n * 50), moment(n * 50 + 100));
        }
        assert!(matches!(pacer.gate(moment(2_100)), Gate::Broken(_)));
    }

    #[test]
    fn the_servers_own_limit_sets_the_pace() {
        let (mut pacer, now) = (pacer(), crate::clock::monotonic());
        pacer.learn(200, None, allowance(60, None), now, now);
        assert_eq!(pacer.pace, Pace { per_minute: 54, burst: 5 });
        assert_eq!(pacer.gate(now), Gate::Open);
    }

    #[test]
    fn a_server_that_has_nothing_left_is_asked_when_it_has_something_again() {
        let (mut pacer, now) = (pacer(), crate::clock::monotonic());
        pacer.learn(200, None, allowance(300, Some(1)), now, now);
        assert_eq!(pacer.gate(now), Gate::Open);
        pacer.learn(200, None, allowance(300, Some(0)), now, now);
        assert_eq!(pacer.gate(now), Gate::Until(now + Duration::from_millis(200)));
        // Where it allows very little, the bucket waits.
        let mut slow = Pacer::new(Pace { per_minute: 300, burst: 30 });
        slow.learn(200, None, allowance(1, Some(0)), now, now);
        assert_eq!(slow.gate(now), Gate::Until(now + EMPTY_WAIT_MAX));
        // What it asks for itself counts where that is later.
        pacer.learn(429, Some(1_000), allowance(300, Some(0)), now, now);
        assert_eq!(pacer.gate(now), Gate::Until(now + Duration::from_secs(1)));
    }

    #[test]
    fn what_is_left_of_a_window_may_go_at_once_and_the_rest_waits_for_the_next_one() {
        let (mut pacer, now) = (pacer(), crate::clock::monotonic());
        let second = |second: u64| now + Duration::from_secs(second);
        let tells = |left: u32, reset_s: u32| {
            let per_minute = NonZeroU32::new(300).unwrap();
            Some(Allowance { per_minute, left: Some(left), reset_s: Some(reset_s) })
        };
        let granted = |pacer: &mut Pacer, at: Instant| {
            (0..1_000).take_while(|_| pacer.gate(at) == Gate::Granted).count()
        };
        assert_eq!(pacer.gate(now), Gate::Open, "nothing is known of it yet");
        pacer.left();
        pacer.learn(200, None, tells(299, 40), now, now);
        pacer.came_back();
        assert_eq!(granted(&mut pacer, now), 297);
        assert_eq!(pacer.gate(now), Gate::Anew(second(40)));
        // An answer that was on its way longer knows of fewer; nor do whole seconds move the end.
        pacer.learn(200, None, tells(250, 40), now, second(1));
        assert_eq!(pacer.gate(second(1)), Gate::Anew(second(40)));
        // The next window is not known before something is asked in it.
        assert_eq!(pacer.gate(second(40)), Gate::Open);
        (0..8).for_each(|_| pacer.left());
        pacer.learn(200, None, tells(299, 60), second(40), second(40));
        assert_eq!(granted(&mut pacer, second(41)), 290, "seven others are under way");
        // What another process uses of it is seen in the next answer.
        let mut pacer = Pacer::new(Pace { per_minute: 300, burst: 30 });
        pacer.learn(200, None, tells(299, 60), now, now);
        assert_eq!(pacer.gate(now), Gate::Granted);
        pacer.learn(200, None, tells(2, 55), now, second(5));
        assert_eq!(pacer.gate(second(5)), Gate::Anew(second(60)));
    }

    #[test]
    fn a_read_waits_for_the_next_window_and_a_write_for_half_its_time() {
        let (now, second) = (crate::clock::monotonic(), Duration::from_secs(1));
        let table = [
            (Gate::Anew(now), None, Duration::MAX),
            (Gate::Until(now), None, 15 * second),
            (Gate::Anew(now), Some(10 * second), 5 * second),
            (Gate::Until(now), Some(10 * second), 5 * second),
        ];
        for (gate, limit, expected) in table {
            assert_eq!(gate.patience(limit, 15 * second), expected, "{gate:?} {limit:?}");
        }
    }

    fn allowance(per_minute: u32, left: Option<u32>) -> Option<Allowance> {
        NonZeroU32::new(per_minute).map(|per_minute| Allowance { per_minute, left, reset_s: None })
    }

    #[test]
    fn the_retry_budget_runs_dry_and_comes_back_with_successes() {
        let mut budget = RetryBudget::full();
        let paid = (0..100).filter(|_| budget.pay(false)).count();
        assert_eq!(paid, 35);
        for _ in 0..10 {
            budget.refund();
        }
        assert!(budget.pay(true) && budget.pay(true) && budget.pay(true) && !budget.pay(false));
    }
}
