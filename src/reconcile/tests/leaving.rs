//! Regions that do not answer.

use super::*;

/// Rounds of reads, each of which fails at the replica after the primary.
fn rounds_that_fail(count: usize) -> Vec<Event> {
    let round = [seen(3, 1), Event::Failed(fault())];
    let mut events = vec![Event::Begin];
    for number in 0..count {
        events.extend((number > 0).then_some(Event::Woke));
        events.extend(round.clone());
    }
    events
}

fn enforced(replicas: usize, journal: Journal) -> Run {
    run_with(replicas, Mode::Enforce, journal)
}

fn open(action: IntentAction) -> Journal {
    let mut journal = Journal::default();
    let intent = Intent {
        id: 1,
        revision: Revision::new("r0"),
        action,
        sent_at: now(),
        deadline: now(),
        reverts: Vec::new(),
    };
    journal.absorb(Record::Intent(intent));
    journal
}

fn put_to(number: usize) -> IntentAction {
    let body = stored(1, 5, "us").body;
    IntentAction::Put { target: target(number), if_match: Some(1), body, act: Act::Store, over: None }
}

#[test]
fn a_replica_is_left_out_once_it_has_failed_often_enough_and_the_others_go_on() {
    let (_, asked) = after(enforced(2, Journal::default()), rounds_that_fail(4));
    assert!(asked.starts_with("wait "), "{asked}");
    let without = |more: Vec<Event>| [rounds_that_fail(5), more].concat();
    let rest = [
        (vec![], "observe org-0"),
        (vec![seen(3, 1)], "observe org-2"),
        (vec![seen(3, 1), seen(1, 5)], "planned"),
        (vec![seen(3, 1), seen(1, 5), Event::Proceed], "intent"),
        (vec![seen(3, 1), seen(1, 5), Event::Proceed, Event::Saved], "write org-0 over Some(3)"),
        (vec![seen(3, 5), seen(1, 5), Event::Proceed, Event::Saved], "Degraded"),
    ];
    for (more, expected) in rest {
        let (run, asked) = after(enforced(2, Journal::default()), without(more));
        assert_eq!(asked, expected);
        let told = run.left_out().map(|fault| fault.message).unwrap_or_default();
        assert_eq!(told, "us-east-1 (organization org-1) is left out: lost");
    }
}

#[test]
fn nothing_is_carried_anywhere_without_the_primary() {
    let mut events = vec![Event::Begin, Event::Failed(fault())];
    for _ in 0..4 {
        events.extend([Event::Woke, Event::Failed(fault())]);
    }
    let (run, asked) = after(enforced(1, Journal::default()), events);
    assert_eq!((asked.as_str(), run.left_out()), ("Degraded", None));
}

#[test]
fn what_can_not_be_read_is_left_out_and_what_may_not_be_read_is_not() {
    let denied = Event::Failed(Fault::new(FaultKind::Denied, "403"));
    let (run, asked) = after(enforced(1, Journal::default()), vec![Event::Begin, seen(3, 5), denied]);
    assert_eq!((asked.as_str(), run.left_out()), ("Degraded", None));
    // The server asks for longer than a run lasts: that is heard at once.
    let asks = Event::Failed(Fault { retry_after_ms: Some(600_000), ..fault() });
    let (run, asked) = after(enforced(1, Journal::default()), vec![Event::Begin, seen(3, 5), asks]);
    assert_eq!(asked, "observe org-0");
    assert_eq!(run.left_out().and_then(|fault| fault.retry_after_ms), Some(600_000));
}

#[test]
fn what_is_unresolved_where_nobody_answers_stays_so() {
    let settled = [rounds_that_fail(5), vec![seen(3, 5), Event::Proceed, Event::Saved]].concat();
    let (run, asked) = after(enforced(1, open(put_to(1))), settled.clone());
    assert_eq!((asked.as_str(), run.journal.0.unresolved.len()), ("Degraded", 1));
    // Where everybody answers it is resolved.
    let (run, _) = after(enforced(1, open(put_to(0))), settled);
    assert_eq!(run.journal.0.unresolved.len(), 0);
    // What a job copied can't be told without reading all that it was to copy to.
    let job = open(IntentAction::Job { targets: vec![(target(1), Some(1))] });
    let (run, asked) = after(enforced(2, job), rounds_that_fail(5));
    assert_eq!((asked.as_str(), run.journal.0.unresolved.len()), ("Degraded", 1));
}

#[test]
fn a_watched_tenant_of_which_a_region_is_unknown_is_not_well() {
    let events = [rounds_that_fail(5), vec![seen(3, 1), Event::Proceed]].concat();
    assert_eq!(after(run_with(1, Mode::Watch, Journal::default()), events).1, "Degraded");
}
