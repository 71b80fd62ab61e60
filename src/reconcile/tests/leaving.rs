//! Tests of regions that do not answer.

use super::*;

/// Rounds of reads that each fail at the first replica.
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
        off: false,
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
        let reported = run.left_out().map(|fault| fault.message).unwrap_or_default();
        assert_eq!(reported, "us-east-1 (organization org-1) is left out: lost");
    }
}

#[test]
fn nothing_is_written_without_the_primary() {
    let mut events = vec![Event::Begin, Event::Failed(fault())];
    for _ in 0..4 {
        events.extend([Event::Woke, Event::Failed(fault())]);
    }
    let (run, asked) = after(enforced(1, Journal::default()), events);
    assert_eq!((asked.as_str(), run.left_out()), ("Degraded", None));
}

#[test]
fn a_region_that_fails_is_left_out_and_a_denied_one_is_not() {
    let denied = Event::Failed(Fault::new(FaultKind::Denied, "403"));
    let (run, asked) = after(enforced(1, Journal::default()), vec![Event::Begin, seen(3, 5), denied]);
    assert_eq!((asked.as_str(), run.left_out()), ("Degraded", None));
    // The server asks for a longer wait than a run lasts: the region is left out at once.
    let asks = Event::Failed(Fault { retry_after_ms: Some(600_000), ..fault() });
    let (run, asked) = after(enforced(1, Journal::default()), vec![Event::Begin, seen(3, 5), asks]);
    assert_eq!(asked, "observe org-0");
    assert_eq!(run.left_out().and_then(|fault| fault.retry_after_ms), Some(600_000));
}

#[test]
fn an_intent_stays_unresolved_while_the_api_does_not_answer() {
    let settled = [rounds_that_fail(5), vec![seen(3, 5), Event::Proceed, Event::Saved]].concat();
    let (run, asked) = after(enforced(1, open(put_to(1))), settled.clone());
    assert_eq!((asked.as_str(), run.journal.0.unresolved.len()), ("Degraded", 1));
    // If every region answers, it is resolved.
    let (run, _) = after(enforced(1, open(put_to(0))), settled);
    assert_eq!(run.journal.0.unresolved.len(), 0);
    // The result of a job is known only after reading all of its targets.
    let job = open(IntentAction::Job { targets: vec![(target(1), Some(1))] });
    let (run, asked) = after(enforced(2, job), rounds_that_fail(5));
    assert_eq!((asked.as_str(), run.journal.0.unresolved.len()), ("Degraded", 1));
}

#[test]
fn a_watched_tenant_with_an_unread_region_is_degraded() {
    let events = [rounds_that_fail(5), vec![seen(3, 1), Event::Proceed]].concat();
    assert_eq!(after(run_with(1, Mode::Watch, Journal::default()), events).1, "Degraded");
}

/// Runs up to the n-th round with a plan for two replicas and no job left to try, with the state of the
/// primary and of each replica.
fn written_plainly(rounds: &[[Event; 2]], answers: &[Event]) -> (Run, String) {
    let mut run = enforced(2, Journal::default());
    run.job_tried = true;
    let mut events = vec![Event::Begin];
    for ([one, other], answer) in rounds.iter().zip(answers) {
        events.extend([seen(3, 5), one.clone(), other.clone(), Event::Proceed, Event::Saved, answer.clone()]);
    }
    // The first plan needs `Proceed`; after that a round ends in an intent by itself.
    let mut asked = String::new();
    for event in events {
        if event == Event::Proceed && run.phase != Phase::Planned {
            continue;
        }
        let settling = [Phase::Settling, Phase::Waiting].contains(&run.phase);
        for event in settling.then_some(Event::Woke).into_iter().chain([event]) {
            (run, asked) = after(run, vec![event]);
        }
        while matches!(run.phase, Phase::Closing(_) | Phase::Resolving) {
            (run, asked) = after(run, vec![Event::Saved]);
        }
    }
    (run, asked)
}

#[test]
fn a_region_is_left_out_for_its_own_failures_alone() {
    // Four faults of one, one of the other.
    let mut events = rounds_that_fail(4);
    events.extend([Event::Woke, seen(3, 1), seen(1, 5), Event::Failed(fault())]);
    let (run, asked) = after(enforced(2, Journal::default()), events);
    assert!(asked.starts_with("wait ") && run.left_out().is_none(), "{asked}");
    // If they alternate, the run still ends.
    let mut run = enforced(2, Journal::default());
    let mut event = Event::Begin;
    for number in 0..200 {
        let (next, asked) = after(run, vec![event]);
        run = next;
        event = match asked.as_str() {
            "observe org-0" => seen(3, 1),
            "observe org-1" if number % 2 == 0 => seen(1, 5),
            "observe org-1" | "observe org-2" => Event::Failed(fault()),
            _ => Event::Woke,
        };
        if run.left_out().is_some() {
            return;
        }
    }
    panic!("the run does not end");
}

#[test]
fn a_write_that_landed_after_all_is_no_failure_of_another_region() {
    let lost = || answered(Outcome::Unknown(fault()));
    let old = || [seen(1, 1), seen(1, 1)];
    let mut rounds: Vec<[Event; 2]> = (0..5).map(|_| old()).collect();
    rounds.push([seen(2, 5), seen(1, 1)]);
    let (run, asked) = written_plainly(&rounds, &[lost(), lost(), lost(), lost(), lost(), lost()]);
    assert_eq!((asked.starts_with("wait "), run.left_out(), run.receipts.len()), (true, None, 1), "{asked}");
}

#[test]
fn a_refused_body_stops_the_tenant() {
    let refused = || answered(Outcome::Rejected(Fault::new(FaultKind::Rejected, "400")));
    let (run, asked) = written_plainly(&[[seen(1, 1), seen(1, 1)]], &[refused()]);
    assert_eq!((asked.as_str(), run.left_out()), ("Degraded", None));
}

#[test]
fn a_region_that_the_client_gave_up_on_is_left_out_at_once() {
    let given_up = Event::Failed(Fault { given_up: true, ..fault() });
    let (run, asked) = after(enforced(1, Journal::default()), vec![Event::Begin, seen(3, 1), given_up]);
    assert_eq!((asked.as_str(), run.left_out().is_some()), ("observe org-0", true));
    let local = Event::Failed(Fault::new(FaultKind::Local, "no credentials"));
    let (run, asked) = after(enforced(1, Journal::default()), vec![Event::Begin, seen(3, 1), local]);
    assert_eq!((asked.as_str(), run.left_out()), ("Degraded", None));
}

#[test]
fn the_reason_names_the_left_out_region_with_any_other_failure() {
    let mut run = enforced(1, Journal::default());
    let mut spec = Spec::clone(&run.spec);
    spec.limits.tenant_changes_max = 0;
    run.spec = Arc::new(spec);
    let (run, asked) = after(run, [rounds_that_fail(5), vec![seen(3, 1), Event::Proceed]].concat());
    let reason = run.reason().unwrap_or_default();
    assert!(asked == "Refused" && reason.contains("us-east-1 (organization org-1) is left out"), "{reason}");
}

#[test]
fn each_organization_is_shown_with_its_own_plan() {
    // All are read; org-1 is rate limited for an hour, org-2 is written.
    let left_alone = answered(Outcome::Throttled { retry_after_ms: Some(3_600_000) });
    let mut run = enforced(2, Journal::default());
    run.job_tried = true;
    let planned =
        [Event::Begin, seen(3, 5), seen(7, 1), seen(9, 1), Event::Proceed, Event::Saved, left_alone];
    let written = answered(Outcome::Accepted(stored(10, 5, "us")));
    let without = [Event::Saved, seen(3, 5), seen(9, 1), Event::Saved, Event::Saved, written];
    let denied = Event::Failed(Fault::new(FaultKind::Denied, "403"));
    let ended = [Event::Saved, seen(3, 5), seen(10, 5), Event::Saved, denied];
    let (run, _) = after(run, [&planned[..], &without[..], &ended[..]].concat());
    let table = crate::cli::commands::apply::table(&[(crate::model::Status::Held, &run)]);
    let row = |region: &str| {
        let line = table.lines().find(|line| line.contains(region)).unwrap_or_default();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    assert!(row("us-east-1").ends_with("us-east-1 7 - -"), "{table}");
    assert!(row("ap-south-1").contains("9 -> 10"), "{table}");
}

#[test]
fn being_throttled_is_no_failure_of_the_tenant_that_fails_next() {
    let throttled = || Event::Failed(Fault::new(FaultKind::Throttled, "429"));
    let mut events = vec![Event::Begin];
    for _ in 0..9 {
        events.extend([throttled(), Event::Woke]);
    }
    events.extend([seen(3, 1), Event::Failed(fault())]);
    let (run, asked) = after(enforced(1, Journal::default()), events);
    assert!(asked.starts_with("wait ") && run.left_out().is_none(), "{asked}");
    let mut events = vec![Event::Begin];
    for _ in 0..4 {
        events.extend([throttled(), Event::Woke]);
    }
    events.push(Event::Failed(fault()));
    assert!(after(enforced(0, Journal::default()), events).1.starts_with("wait "));
}
