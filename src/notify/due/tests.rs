//! Simulates a receiver over time: the messages that it gets, and those that it never gets.

use proptest::prelude::*;

use super::*;
use crate::model::FaultKind;
use crate::model::TenantName;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_770_000_000 + second).unwrap()
}

fn trouble(cause: Cause, tenant: &str, since: i64, reason: &str) -> Trouble {
    Trouble { cause, tenant: Some(TenantName::new(tenant)), since: at(since), reason: reason.into() }
}

fn drift(count: usize, since: i64) -> Vec<Trouble> {
    (0..count).map(|number| trouble(Cause::Drift, &format!("t{number:03}"), since, "by mara")).collect()
}

/// A receiver that accepts every message, unless it is down.
#[derive(Default)]
struct Life {
    sent: Sent,
    heard: Vec<(i64, Message)>,
    down: bool,
    tried: usize,
}

impl Life {
    fn turn(&mut self, second: i64, troubles: &[Trouble]) {
        let policy = NotifyPolicy::default();
        let (messages, sent) = due(at(second), troubles, &self.sent, &policy);
        if sent != self.sent {
            // The state survives a restart.
            self.sent = serde_json::from_str(&serde_json::to_string(&sent).unwrap()).unwrap();
            assert_eq!(self.sent, sent);
        }
        for message in messages {
            self.tried += 1;
            if self.down {
                self.sent.failed(at(second), &message, None, &policy);
            } else {
                self.sent.delivered(at(second), &message);
                self.heard.push((second, message));
            }
        }
    }

    /// Runs a turn every 10 seconds.
    fn run(&mut self, seconds: std::ops::Range<i64>, troubles: &[Trouble]) {
        seconds.step_by(10).for_each(|second| self.turn(second, troubles));
    }

    fn story(&self) -> Vec<(i64, &'static str, &str, usize)> {
        self.heard
            .iter()
            .map(|(second, message)| (*second, message.why.name(), message.group.as_str(), message.count))
            .collect()
    }
}

#[test]
fn a_problem_has_a_first_message_rarer_reminders_and_an_end() {
    let mut life = Life::default();
    life.run(0..200_000, &drift(12, 0));
    life.run(200_000..210_000, &[]);
    assert_eq!(
        life.story(),
        [
            (30, "first", "drift", 12),
            (3630, "reminder", "drift", 12),
            (18_030, "reminder", "drift", 12),
            (104_430, "reminder", "drift", 12),
            (190_830, "reminder", "drift", 12),
            (200_030, "resolved", "drift", 12),
        ]
    );
    let (_, first) = &life.heard[0];
    assert_eq!((first.tenants.len(), first.more, first.repeat), (10, 2, 0));
    assert_eq!(first.tenants[0].tenant.as_str(), "t000");
    let (_, last) = &life.heard[5];
    assert_eq!((last.since, last.until, last.repeat), (at(0), Some(at(200_000)), 5));
    assert!(life.sent.groups.contains_key("drift"), "the group is remembered after its end");
    life.turn(230_000, &[]);
    assert_eq!(life.sent, Sent::default());
}

#[test]
fn a_short_problem_sends_no_message() {
    let mut life = Life::default();
    life.run(0..30, &drift(3, 0));
    life.run(30..100, &[]);
    // A short gap is not an end.
    life.run(100..200, &drift(3, 100));
    life.run(200..220, &[]);
    life.run(220..300, &drift(3, 220));
    assert_eq!(life.story(), [(130, "first", "drift", 3)]);
    life.run(300..400, &[]);
    assert_eq!(life.heard.len(), 2);
}

#[test]
fn a_group_that_doubles_is_notified_and_one_more_tenant_is_not() {
    let mut life = Life::default();
    let mut troubles = drift(10, 0);
    life.run(0..100, &troubles);
    troubles.extend(drift(19, 0).into_iter().skip(10));
    life.run(100..1000, &troubles);
    assert_eq!(life.heard.len(), 1);
    troubles.extend(drift(20, 1000).into_iter().skip(19));
    life.run(1000..2000, &troubles);
    assert_eq!(life.story()[1..], [(1030, "grown", "drift", 20)]);
    // Many problems within seconds are one message; the next message follows only after the pause.
    let mut life = Life::default();
    life.run(0..40, &drift(1, 0));
    life.run(40..400, &drift(500, 0));
    assert_eq!(life.story(), [(30, "first", "drift", 1), (330, "grown", "drift", 500)]);
}

#[test]
fn five_hundred_tenants_with_one_failed_endpoint_are_one_message() {
    let cause = Cause::Degraded(FaultKind::Transient);
    let troubles: Vec<Trouble> = (0..500)
        .map(|number| {
            let name = format!("bank{number}");
            let reason = format!(
                "GET of 5b0c8a2e-93d4-4a57-8f0f-{number:012} for {name} at api.mypurecloud.ie took longer than {} ms",
                1000 + number
            );
            trouble(cause, &name, number, &reason)
        })
        .chain([trouble(Cause::Degraded(FaultKind::Denied), "other", 0, "the client has no permission")])
        .collect();
    let mut life = Life::default();
    life.run(540..600, &troubles);
    let reported: Vec<(usize, &str)> = life
        .heard
        .iter()
        .map(|(_, message)| (message.count, message.group.split('/').nth(1).unwrap()))
        .collect();
    assert_eq!(reported, [(1, "denied"), (500, "transient")], "{:?}", life.story());
}

#[test]
fn reasons_that_differ_each_time_make_no_flood_and_are_not_lost() {
    let cause = Cause::Degraded(FaultKind::Rejected);
    let mut life = Life::default();
    let word = |turn: i64, tenant: usize| -> String {
        let letter = |number: i64| char::from(b'a' + u8::try_from(number.rem_euclid(26)).unwrap());
        [letter(turn), letter(turn / 26), letter(tenant as i64), letter(turn * 7 + 3)].iter().collect()
    };
    for turn in 0..360 {
        let troubles: Vec<Trouble> =
            (0..20).map(|tenant| trouble(cause, &format!("t{tenant}"), 0, &word(turn, tenant))).collect();
        life.turn(turn * 10, &troubles);
    }
    life.run(3600..3700, &[]);
    let story = life.story();
    assert!(story.len() <= 3, "{story:?}");
    assert_eq!((story[0].1, story[0].2), ("first", "degraded/other"));
    assert_eq!(story.last().unwrap().1, "resolved");
    assert!(life.sent.groups.len() <= CLOSED_MAX);
}

#[test]
fn a_problem_that_comes_back_is_reported_later_each_time() {
    let mut life = Life::default();
    for episode in 0..200 {
        let start = episode * 120;
        life.run(start..start + 60, &drift(1, start));
        life.run(start + 60..start + 120, &[]);
    }
    assert!(life.heard.len() <= 4, "{:?}", life.story());
    assert_eq!(life.heard.last().unwrap().1.why, Why::Resolved);
}

#[test]
fn a_problem_of_all_tenants_names_no_tenant() {
    let everybody = Trouble { tenant: None, ..trouble(Cause::SourceStale, "x", 0, "no route\u{1b}[2J") };
    let mut life = Life::default();
    life.run(0..100, &[everybody]);
    let (_, message) = &life.heard[0];
    assert_eq!((message.count, message.tenants.len(), message.more), (0, 0, 0));
    assert_eq!(message.reason, "no route\\u{1b}[2J");
    assert_eq!(life.heard.len(), 1);
}

#[test]
fn a_receiver_that_was_down_gets_every_message_later_with_few_retries() {
    let mut life = Life { down: true, ..Life::default() };
    life.run(0..7200, &drift(2, 0));
    assert!((12..=20).contains(&life.tried), "{}", life.tried);
    life.down = false;
    life.run(7200..8000, &drift(2, 0));
    life.down = true;
    life.run(8000..20_000, &[]);
    assert_eq!(life.heard.len(), 1);
    life.down = false;
    life.run(20_000..21_000, &[]);
    let whys: Vec<Why> = life.heard.iter().map(|(_, message)| message.why).collect();
    assert_eq!(whys, [Why::First, Why::Resolved]);
}

// Guarantee: ends-are-reported
#[test]
fn a_requested_wait_is_kept_and_an_unconfirmed_end_is_corrected() {
    let policy = NotifyPolicy::default();
    let mut life = Life::default();
    life.run(0..100, &drift(1, 0));
    let (messages, mut sent) = due(at(200), &[], &life.sent, &policy);
    assert!(messages.is_empty());
    (_, sent) = due(at(230), &[], &sent, &policy);
    let (messages, mut sent) = due(at(240), &[], &sent, &policy);
    assert_eq!(messages[0].why, Why::Resolved);
    sent.failed(at(240), &messages[0], Some(Duration::from_secs(120)), &policy);
    // The receiver may have the end. The problem is back, so a message with another id is due.
    let (early, sent) = due(at(350), &drift(1, 300), &sent, &policy);
    assert!(early.is_empty());
    let (again, mut sent) = due(at(360), &drift(1, 300), &sent, &policy);
    assert_eq!((again[0].why, again[0].state), (Why::Reminder, MessageState::Firing));
    assert_ne!(again[0].id, messages[0].id);
    sent.delivered(at(360), &again[0]);
    assert!(due(at(400), &drift(1, 300), &sent, &policy).0.is_empty());
}

#[test]
fn a_message_without_a_result_is_due_again_with_the_same_id() {
    let policy = NotifyPolicy::default();
    let (_, sent) = due(at(0), &drift(1, 0), &Sent::default(), &policy);
    let (first, sent) = due(at(30), &drift(1, 0), &sent, &policy);
    let (again, _) = due(at(31), &drift(1, 0), &sent, &policy);
    assert_eq!((first.len(), &first[0].id), (1, &again[0].id));
    assert_eq!(first[0].id, "drift@1770000000#1-first");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// For any sequence of problems and outages, the receiver gets no two messages with one id. After all
    /// problems end and the receiver is up, it has the end of every reported problem.
    #[test]
    fn the_receiver_gets_every_end(turns in proptest::collection::vec((0_u8..8, any::<bool>(), 1_i64..400), 1..60)) {
        let mut life = Life::default();
        let mut now = 0;
        let mut since = [None::<i64>; 3];
        for (present, down, pause) in turns {
            now += pause;
            life.down = down;
            let mut troubles = Vec::new();
            let causes = [Cause::Drift, Cause::Held, Cause::Degraded(FaultKind::Local)];
            for (bit, cause) in causes.into_iter().enumerate() {
                since[bit] = (present & (1 << bit) != 0).then(|| since[bit].unwrap_or(now));
                troubles.extend(since[bit].map(|since| trouble(cause, "t", since, "why")));
            }
            life.turn(now, &troubles);
        }
        life.down = false;
        for _ in 0..100 {
            now += 60;
            life.turn(now, &[]);
        }
        let mut ids = BTreeSet::new();
        let mut last = BTreeMap::new();
        for (_, message) in &life.heard {
            prop_assert!(ids.insert(message.id.clone()), "twice: {}", message.id);
            last.insert(message.group.clone(), message.state);
        }
        prop_assert!(last.values().all(|state| *state == MessageState::Resolved), "{:?}", life.story());
        // After the memory time, the state is empty.
        life.turn(now + 100_000, &[]);
        prop_assert_eq!(&life.sent, &Sent::default());
    }
}
