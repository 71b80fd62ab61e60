//! Tests which requests a pacer admits, and how answers change it.

use super::*;

fn pacer() -> Pacer {
    Pacer::new(Pace { per_minute: 300, burst: 30 })
}

#[test]
fn retry_after_closes_the_gate_for_exactly_that_time() {
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
    // Two clients by turns; each sends the next request right after a refusal.
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
fn a_request_waits_until_the_server_has_capacity_again() {
    let (mut pacer, now) = (pacer(), crate::clock::monotonic());
    pacer.learn(200, None, allowance(300, Some(1)), now, now);
    assert_eq!(pacer.gate(now), Gate::Open);
    pacer.learn(200, None, allowance(300, Some(0)), now, now);
    assert_eq!(pacer.gate(now), Gate::Until(now + Duration::from_millis(200)));
    // If the limit is very low, the wait has a maximum and the bucket waits for the rest.
    let mut slow = Pacer::new(Pace { per_minute: 300, burst: 30 });
    slow.learn(200, None, allowance(1, Some(0)), now, now);
    assert_eq!(slow.gate(now), Gate::Until(now + EMPTY_WAIT_MAX));
    // A later `Retry-After` of the server counts.
    pacer.learn(429, Some(1_000), allowance(300, Some(0)), now, now);
    assert_eq!(pacer.gate(now), Gate::Until(now + Duration::from_secs(1)));
}

#[test]
fn requests_use_the_rest_of_a_window_at_once_and_then_wait_for_the_next_one() {
    let (mut pacer, now) = (pacer(), crate::clock::monotonic());
    let second = |second: u64| now + Duration::from_secs(second);
    let granted =
        |pacer: &mut Pacer, at: Instant| (0..1_000).take_while(|_| pacer.gate(at) == Gate::Open).count();
    assert_eq!(pacer.gate(now), Gate::Open, "the window is unknown");
    pacer.left();
    pacer.learn(200, None, windowed(299, 40), now, now);
    pacer.came_back();
    assert_eq!(granted(&mut pacer, now), 297);
    assert_eq!(pacer.gate(now), Gate::Again(second(40)));
    // A late answer reports fewer requests; it does not change the end, which has whole seconds.
    pacer.learn(200, None, windowed(250, 40), now, second(1));
    assert_eq!(pacer.gate(second(1)), Gate::Again(second(40)));
    // The next window is unknown before its first answer.
    assert_eq!(pacer.gate(second(40)), Gate::Open);
    (0..8).for_each(|_| pacer.left());
    pacer.learn(200, None, windowed(299, 60), second(40), second(40));
    assert_eq!(granted(&mut pacer, second(41)), 290, "seven other requests are open");
    // The next answer shows the requests of another process.
    let mut pacer = Pacer::new(Pace { per_minute: 300, burst: 30 });
    pacer.learn(200, None, windowed(299, 60), now, now);
    assert_eq!(pacer.gate(now), Gate::Open);
    pacer.learn(200, None, windowed(2, 55), now, second(5));
    assert_eq!(pacer.gate(second(5)), Gate::Again(second(60)));
}

#[test]
fn requests_that_are_set_aside_for_writes_stay_until_the_window_ends() {
    let (mut pacer, now) = (pacer(), crate::clock::monotonic());
    let second = |second: u64| now + Duration::from_secs(second);
    pacer.learn(200, None, windowed(8, 40), now, now);
    for _ in 0..3 {
        assert_eq!(pacer.set_one_aside(now), Gate::Open);
    }
    // Reads get the rest, even if an answer does not count the requests that are set aside.
    pacer.learn(200, None, windowed(7, 40), now, now);
    let reads = (0..9).take_while(|_| pacer.gate(now) == Gate::Open).count();
    assert_eq!(reads, 2, "7, less 3 set aside and 2 that are never used");
    assert_eq!(pacer.set_one_aside(now), Gate::Again(second(40)));
    assert!(pacer.use_one_set_aside(second(1)) && pacer.use_one_set_aside(second(1)));
    assert_eq!(pacer.set_aside(second(1)), 1);
    pacer.learn(200, None, windowed(299, 60), second(40), second(40));
    assert!(!pacer.use_one_set_aside(second(40)), "it belongs to the window before");

    // After the window ended, requests that are set aside belong to the next window, whose first answer comes
    // later.
    for _ in 0..2 {
        assert_eq!(pacer.set_one_aside(second(101)), Gate::Open);
    }
    pacer.learn(200, None, windowed(8, 60), second(101), second(101));
    assert_eq!(pacer.set_aside(second(101)), 2);
    let reads = (0..9).take_while(|_| pacer.gate(second(101)) == Gate::Open).count();
    assert_eq!(reads, 4, "8, less 2 set aside and 2 that are never used");
    // A wait that the server requested also applies to the requests that are set aside.
    pacer.learn(429, Some(3_000), None, second(102), second(102));
    assert!(!pacer.use_one_set_aside(second(103)) && pacer.use_one_set_aside(second(105)));

    let mut pacer = Pacer::new(Pace { per_minute: 300, burst: 30 });
    assert_eq!(pacer.set_one_aside(now), Gate::Open);
    assert!(!pacer.use_one_set_aside(second(600)), "it was not used in time");
}

#[test]
fn a_read_waits_for_the_next_window_and_a_write_for_half_its_time() {
    let (now, second) = (crate::clock::monotonic(), Duration::from_secs(1));
    let table = [
        (Gate::Again(now), None, Duration::MAX),
        (Gate::Filling(now), None, Duration::MAX),
        (Gate::Until(now), None, 15 * second),
        (Gate::Again(now), Some(10 * second), 5 * second),
        (Gate::Until(now), Some(10 * second), 5 * second),
    ];
    for (gate, limit, expected) in table {
        assert_eq!(gate.patience(limit, 15 * second), expected, "{gate:?} {limit:?}");
    }
}

/// Returns the limit of a server that counts by windows.
fn windowed(left: u32, reset_s: u32) -> Option<Allowance> {
    allowance(300, Some(left)).map(|allowance| Allowance { reset_s: Some(reset_s), ..allowance })
}

fn allowance(per_minute: u32, left: Option<u32>) -> Option<Allowance> {
    NonZeroU32::new(per_minute).map(|per_minute| Allowance { per_minute, left, reset_s: None })
}

#[test]
fn failures_use_up_the_retry_budget_and_successes_refill_it() {
    let mut budget = RetryBudget::full();
    let paid = (0..100).filter(|_| budget.pay(false)).count();
    assert_eq!(paid, 35);
    for _ in 0..10 {
        budget.refund();
    }
    assert!(budget.pay(true) && budget.pay(true) && budget.pay(true) && !budget.pay(false));
}
