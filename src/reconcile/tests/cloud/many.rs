//! Many objects of one organization: what goes on while others become active, what is written side by side, and what
//! stops what.

mod platform;

use super::*;
use crate::model::{Guard, ObjectRef};
use platform::{ACTIVE_MS, Many, configuration, deployment, refusal};

#[test]
fn others_go_on_while_one_becomes_active_and_a_listing_is_read_for_many_that_are_made() {
    let mut many = Many::new(50);
    let (ended, took_ms) = many.run();
    assert!(ended.starts_with("Synced"), "{ended}");
    assert_eq!((many.count("store"), many.count("publish")), (100, 50));
    // The first look, and before what is made as often as a look is too old for it.
    assert!(many.count("list") <= 10, "{:?}", many.requests);
    assert!(many.requests.len() <= 50 * 6 + 20, "{} requests", many.requests.len());
    assert!(many.waited_ms <= 3 * ACTIVE_MS, "{took_ms} ms, of which {} waited", many.waited_ms);

    many.colour = "#222222";
    let (ended, took_ms) = many.run();
    assert!(ended.starts_with("Synced"), "{ended}");
    assert_eq!((many.count("store"), many.count("publish"), many.count("list")), (100, 50, 1));
    assert!(many.requests.len() <= 50 * 8 + 20, "{} requests", many.requests.len());
    assert!(many.waited_ms <= 3 * ACTIVE_MS, "{took_ms} ms, of which {} waited", many.waited_ms);
    let (ended, _) = many.run();
    assert!(ended.starts_with("Synced") && many.requests.len() == 1, "{ended}, {:?}", many.requests);
}

#[test]
fn an_intent_is_made_when_its_write_may_leave_and_what_it_rests_on_is_not_older_than_a_plan_may_be() {
    let looks = |queue_ms| {
        let mut many = Many::new(12);
        many.queue_ms = queue_ms;
        let (ended, _) = many.run();
        assert!(ended.starts_with("Synced"), "{queue_ms}: {ended}");
        (many.colour, many.is_exact) = ("#222222", true);
        let (ended, _) = many.run();
        assert!(ended.starts_with("Synced"), "{queue_ms}: {ended}");
        assert_served(&mut many, 2, &format!("queues for {queue_ms} ms"));
        assert_eq!((many.count("store"), many.count("publish")), (24, 12), "{queue_ms}");
        assert_eq!(many.journal.last_intent, 72, "an intent that was withdrawn leaves no trace");
        many.count("look")
    };
    let plan_ms = u64::from(Timing::default().plan_ms);
    let at_once = looks(0);
    assert!(
        looks(plan_ms / 2 + 100) > 0 && looks(plan_ms / 4) <= at_once,
        "what was looked at a moment ago is not looked at again"
    );
    assert!(looks(plan_ms * 2) > at_once);
}

#[test]
fn no_more_than_so_many_are_begun_at_once() {
    let mut many = Many::new(100);
    // The platform takes its time with everything.
    let (ended, _) = many.run();
    assert!(ended.starts_with("Synced"), "{ended}");
    assert!(many.begun_max <= crate::replicate::BEGUN_MAX, "{}", many.begun_max);
}

#[test]
fn what_never_becomes_active_keeps_no_other_from_being_in_force() {
    let mut many = Many::new(5);
    many.slow = Some((configuration(2), u64::MAX));
    let (ended, _) = many.run();
    assert!(
        ended.starts_with("Degraded") && ended.contains("002") && ended.contains("still not active"),
        "{ended}"
    );
    for n in [0, 1, 3, 4] {
        assert!(many.is_served(&deployment(n)), "{n}");
    }
    assert!(!many.held.contains_key(&deployment(2)));
}

/// Whether everything is served as git says, after so many versions of each.
fn assert_served(many: &mut Many, versions: usize, what: &str) {
    // What an earlier run wrote last is not waited for, if nothing else is to be written.
    many.now = later(many.now, ACTIVE_MS);
    for object in (0..many.pairs).flat_map(|n| [configuration(n), deployment(n)]) {
        assert!(many.is_served(&object), "{what}: {object}");
        assert_eq!(many.held[&object].versions.len(), versions, "{what}: {object}");
    }
}

#[test]
fn a_process_that_dies_anywhere_among_many_is_followed_by_one_that_repeats_nothing() {
    let mut longest = 0;
    for effects in 0..120 {
        let mut many = Many::new(3);
        longest = longest.max(if many.run_until(effects).0 == "killed" { effects } else { 0 });
        let ended = many.run().0;
        assert!(ended.starts_with("Synced"), "killed after {effects} effects: {ended}");
        assert_served(&mut many, 1, &format!("killed after {effects} effects"));
        many.colour = "#222222";
        many.run_until(effects);
        let ended = many.run().0;
        assert!(ended.starts_with("Synced"), "killed after {effects} effects: {ended}");
        assert_served(&mut many, 2, &format!("killed after {effects} effects of a change"));
    }
    assert!((25..119).contains(&longest), "{longest}");
}

#[test]
fn a_process_that_dies_within_a_batch_is_followed_by_one_that_repeats_nothing() {
    for dies_before in 1..=16 {
        for at_creation in [true, false] {
            let mut many = Many::new(5);
            if !at_creation {
                assert!(many.run().0.starts_with("Synced"));
                many.colour = "#222222";
            }
            many.dies_before = Some(dies_before);
            let killed = many.run().0 == "killed";
            assert_eq!(killed, dies_before <= 15, "{dies_before}");
            many.dies_before = None;
            let ended = many.run().0;
            let what = format!("killed before write {dies_before}, at creation {at_creation}");
            assert!(ended.starts_with("Synced"), "{what}: {ended}");
            assert_served(&mut many, if at_creation { 1 } else { 2 }, &what);
        }
    }
}

#[test]
fn of_a_hundred_objects_three_that_need_somebody_stop_what_refers_to_them_and_no_other() {
    let mut many = Many::new(50);
    assert!(many.run().0.starts_with("Synced"));
    many.now = later(many.now, 3_600_000);
    many.colour = "#222222";
    many.refused.insert(deployment(3), refusal(&deployment(3), "400: no"));
    many.drafted = Some(configuration(5));
    many.slow = Some((deployment(7), u64::MAX));
    let (ended, _) = many.run();
    for told in [
        "Held",
        "`003` of organization org-0 was answered with 400",
        "Mara",
        "`007` of organization org-0 is still not active",
        "not written for that reason: MessengerDeployment `005`",
    ] {
        assert!(ended.contains(told), "{told}: {ended}");
    }
    let open = [deployment(3), configuration(5), deployment(5), deployment(7)];
    let all = || (0..50).flat_map(|n| [configuration(n), deployment(n)]);
    for object in all().filter(|object| !open.contains(object)) {
        assert!(many.is_served(&object) && many.held[&object].versions.len() == 2, "{object}");
    }
    assert_eq!(many.held[&configuration(5)].versions.len(), 1, "what somebody left is as she left it");
    // What is in force is kept as base and proved, whatever became of the others.
    let is_base = |object: &Object| {
        let object = ObjectRef::new(OrganizationId::new("org-0"), object.clone());
        many.journal.bases.get(&object).is_some_and(|base| {
            base.body
                .get("messenger")
                .is_none_or(|messenger| messenger["styles"]["primaryColor"] == "#222222")
        })
    };
    assert!(all().filter(|object| !open.contains(object)).all(|object| is_base(&object)));
    assert!(many.journal.owed.is_empty() && many.journal.unresolved.is_empty());
    // Once somebody has seen to them, the rest is done, and nothing twice.
    (many.refused, many.drafted, many.slow) = (BTreeMap::new(), None, None);
    many.held.get_mut(&deployment(7)).unwrap().active_at = many.now;
    let (ended, _) = many.run();
    assert!(ended.starts_with("Synced"), "{ended}");
    assert_eq!((many.count("store"), many.count("publish")), (3, 1), "{:?}", many.requests);
    assert_served(&mut many, 2, "seen to");
}

#[test]
fn what_all_would_be_refused_is_not_asked_for_each() {
    let mut many = Many::new(100);
    many.refused = (0..100).map(|n| (configuration(n), refusal(&configuration(n), "400: no"))).collect();
    let (ended, _) = many.run();
    assert!(ended.starts_with("Degraded") && ended.contains("and 182 more"), "{ended}");
    assert!(many.count("refuse") <= 8, "{:?}", many.requests);
    // Refused for reasons of their own, they are no sign for the others.
    many.refused =
        (0..4).map(|n| (configuration(n), refusal(&configuration(n), &format!("400: {n}")))).collect();
    let (ended, _) = many.run();
    assert!(ended.starts_with("Degraded"), "{ended}");
    assert!((4..100).all(|n| many.is_served(&deployment(n))), "{ended}");
}

#[test]
fn what_fails_while_others_are_accepted_is_tried_again_a_few_times_and_stops_no_other() {
    let mut many = Many::new(20);
    let fault = || Fault::new(FaultKind::Transient, "503 for this one");
    many.refused = BTreeMap::from([(configuration(2), Outcome::Unsent(fault()))]);
    let (ended, _) = many.run();
    assert!(ended.starts_with("Degraded") && ended.contains("503 for this one"), "{ended}");
    assert!(many.count("refuse") <= 2 * Timing::default().faults_max as usize, "{:?}", many.requests);
    assert!((0..20).filter(|n| *n != 2).all(|n| many.is_served(&deployment(n))), "{ended}");
}

#[test]
fn what_the_platform_is_not_done_with_may_be_refused_often_and_fail_once() {
    let mut many = Many::new(3);
    let fault = Outcome::Unsent(Fault::new(FaultKind::Transient, "503"));
    let refusals = vec![refusal(&deployment(1), "404: not yet"); 6];
    // The last one first.
    many.before_accepted = BTreeMap::from([(deployment(1), [vec![fault], refusals].concat())]);
    let (ended, _) = many.run();
    assert!(ended.starts_with("Synced"), "{ended}");
    assert_eq!(many.count("refuse"), 7);
    assert_served(&mut many, 1, "refused");
}

#[test]
fn what_a_run_has_done_is_told_once_it_writes() {
    let run = Run::new(Arc::new(Many::new(2).spec()), Journal::default());
    let mut next = step(run, Event::Begin, super::platform::at(0));
    let mut many = Many::new(2);
    let mut told = Vec::new();
    loop {
        told.extend(next.run.advance().filter(|advance| told.last() != Some(advance)));
        let asked =
            next.effects.into_iter().find(|effect| !matches!(effect, crate::reconcile::Effect::Report(_)));
        let event = match asked {
            _ if next.run.end().is_some() => break,
            Some(effect) => many.perform(effect, &next.run),
            None => {
                assert_eq!(next.run.advance(), None, "a plan is no advance");
                Event::Proceed
            }
        };
        next = step(next.run, event, many.now);
    }
    let counts: Vec<(usize, usize)> = told.iter().map(|advance| (advance.done, advance.all)).collect();
    assert_eq!((counts.first(), counts.last()), (Some(&(0, 4)), Some(&(4, 4))));
    assert!(counts.is_sorted(), "{counts:?}");
}

#[test]
fn an_answer_that_is_lost_among_many_is_read_back() {
    for lost in 1..=9 {
        let mut many = Many::new(3);
        for (versions, colour) in [(1, "#111111"), (2, "#222222")] {
            (many.lost, many.colour) = (Some(lost), colour);
            let ended = many.run().0;
            assert!(ended.starts_with("Synced"), "{lost}: {ended}");
            assert_served(&mut many, versions, &format!("write {lost} to {colour}"));
        }
    }
}

#[test]
fn what_became_active_while_others_went_on_is_not_reported_as_inactive() {
    let mut many = Many::new(60);
    // The others take longer than an object is waited for.
    (many.latency_ms, many.slow) = (1_500, Some((configuration(0), 62_000)));
    let (ended, took_ms) = many.run();
    assert!(took_ms > 62_000 && ended.starts_with("Synced"), "{took_ms} ms: {ended}");
    assert_served(&mut many, 1, "a slow one");
}

#[test]
fn what_was_never_applied_from_here_is_left_alone_with_what_refers_to_it_and_the_others_go_on() {
    let mut many = Many::new(6);
    assert!(many.run().0.starts_with("Synced"));
    // The state is lost for two of the pairs; one of them is as git says.
    let journal = &mut many.journal;
    let is_lost = |object: &ObjectRef| [configuration(0), configuration(1)].contains(&object.object);
    journal.bases.retain(|object, _| !is_lost(object));
    journal.owed.retain(|receipt| !is_lost(&receipt.target.object_ref()));
    journal.proofs.retain(|_, (object, _)| !is_lost(object));
    let before = many.held.get(&configuration(0)).unwrap().versions.clone();
    many.colour = "#222222";
    let (ended, _) = many.run();
    assert!(ended.starts_with("Refused"), "{ended}");
    for told in ["`000`", "`001`", "adopt", "not written for that reason: MessengerDeployment `000`"] {
        assert!(ended.contains(told), "{told}: {ended}");
    }
    assert!(!ended.contains("`002`"), "{ended}");
    assert_eq!((many.count("store"), many.count("publish")), (8, 4), "{:?}", many.requests);
    assert_eq!(many.held.get(&configuration(0)).unwrap().versions, before);
    many.allowed.insert(Guard::Adopt);
    let (ended, _) = many.run();
    assert!(ended.starts_with("Synced"), "{ended}");
    // From then on it is known.
    many.allowed.clear();
    many.colour = "#333333";
    let (ended, _) = many.run();
    assert!(ended.starts_with("Synced"), "{ended}");
}
