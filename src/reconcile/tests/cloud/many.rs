//! Tests of many objects of one organization: what continues while others become active, what is written in
//! parallel, and what a failure stops.

mod platform;

use super::*;
use crate::model::{Guard, ObjectRef};
use platform::{ACTIVE_MS, Many, configuration, deployment, refusal};

#[test]
fn others_continue_while_one_becomes_active_and_one_listing_serves_many_creations() {
    let mut many = Many::new(50);
    let (ended, took_ms) = many.run();
    assert!(ended.starts_with("Synced"), "{ended}");
    assert_eq!((many.count("store"), many.count("publish")), (100, 50));
    // The first read, and one more whenever a listing is too old for a creation.
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
fn an_intent_is_made_right_before_its_write_and_from_a_recent_read() {
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
        assert_eq!(many.journal.last_intent, 72, "a withdrawn intent is not counted");
        many.count("look")
    };
    let plan_ms = u64::from(Timing::default().plan_ms);
    let at_once = looks(0);
    assert!(
        looks(plan_ms / 2 + 100) > 0 && looks(plan_ms / 4) <= at_once,
        "an object with a recent read is not read again"
    );
    assert!(looks(plan_ms * 2) > at_once);
}

#[test]
fn at_most_begun_max_objects_are_begun_at_once() {
    let mut many = Many::new(100);
    // The platform is slow for every object.
    let (ended, _) = many.run();
    assert!(ended.starts_with("Synced"), "{ended}");
    assert!(many.begun_max <= crate::replicate::BEGUN_MAX, "{}", many.begun_max);
}

#[test]
fn an_object_that_never_becomes_active_blocks_no_other() {
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

/// Asserts that everything is served as in git, after this many versions of each.
fn assert_served(many: &mut Many, versions: usize, what: &str) {
    // The last write of an earlier run is not waited for if there is nothing else to write.
    many.now = later(many.now, ACTIVE_MS);
    for object in (0..many.pairs).flat_map(|n| [configuration(n), deployment(n)]) {
        assert!(many.is_served(&object), "{what}: {object}");
        assert_eq!(many.held[&object].versions.len(), versions, "{what}: {object}");
    }
}

#[test]
fn a_run_after_a_crash_among_many_objects_repeats_nothing() {
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
fn a_run_after_a_crash_within_a_batch_repeats_nothing() {
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
fn three_of_a_hundred_objects_that_need_a_person_stop_only_their_dependents() {
    let mut many = Many::new(50);
    assert!(many.run().0.starts_with("Synced"));
    many.now = later(many.now, 3_600_000);
    many.colour = "#222222";
    many.refused.insert(deployment(3), refusal(&deployment(3), "400: no"));
    many.drafted = Some(configuration(5));
    many.slow = Some((deployment(7), u64::MAX));
    let (ended, _) = many.run();
    for reported in [
        "Held",
        "`003` of organization org-0 was answered with 400",
        "Mara",
        "`007` of organization org-0 is still not active",
        "not written for that reason: MessengerDeployment `005`",
    ] {
        assert!(ended.contains(reported), "{reported}: {ended}");
    }
    let open = [deployment(3), configuration(5), deployment(5), deployment(7)];
    let all = || (0..50).flat_map(|n| [configuration(n), deployment(n)]);
    for object in all().filter(|object| !open.contains(object)) {
        assert!(many.is_served(&object) && many.held[&object].versions.len() == 2, "{object}");
    }
    assert_eq!(many.held[&configuration(5)].versions.len(), 1, "the draft of the other user is unchanged");
    // The configuration in force is kept as base and confirmed, whatever the result of the others.
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
    // After a person has decided, the rest is written, and nothing twice.
    (many.refused, many.drafted, many.slow) = (BTreeMap::new(), None, None);
    many.held.get_mut(&deployment(7)).unwrap().active_at = many.now;
    let (ended, _) = many.run();
    assert!(ended.starts_with("Synced"), "{ended}");
    assert_eq!((many.count("store"), many.count("publish")), (3, 1), "{:?}", many.requests);
    assert_served(&mut many, 2, "decided");
}

#[test]
fn a_refusal_of_all_objects_is_not_tried_for_each() {
    let mut many = Many::new(100);
    many.refused = (0..100).map(|n| (configuration(n), refusal(&configuration(n), "400: no"))).collect();
    let (ended, _) = many.run();
    assert!(ended.starts_with("Degraded") && ended.contains("and 182 more"), "{ended}");
    assert!(many.count("refuse") <= 8, "{:?}", many.requests);
    // Refusals for different reasons say nothing of the other objects.
    many.refused =
        (0..4).map(|n| (configuration(n), refusal(&configuration(n), &format!("400: {n}")))).collect();
    let (ended, _) = many.run();
    assert!(ended.starts_with("Degraded"), "{ended}");
    assert!((4..100).all(|n| many.is_served(&deployment(n))), "{ended}");
}

#[test]
fn an_object_that_fails_is_retried_a_few_times_and_stops_no_other() {
    let mut many = Many::new(20);
    let fault = || Fault::new(FaultKind::Transient, "503 for this one");
    many.refused = BTreeMap::from([(configuration(2), Outcome::Unsent(fault()))]);
    let (ended, _) = many.run();
    assert!(ended.starts_with("Degraded") && ended.contains("503 for this one"), "{ended}");
    assert!(many.count("refuse") <= 2 * Timing::default().faults_max as usize, "{:?}", many.requests);
    assert!((0..20).filter(|n| *n != 2).all(|n| many.is_served(&deployment(n))), "{ended}");
}

#[test]
fn a_recent_object_may_be_refused_often_and_fail_once() {
    let mut many = Many::new(3);
    let fault = Outcome::Unsent(Fault::new(FaultKind::Transient, "503"));
    let refusals = vec![refusal(&deployment(1), "404: not yet"); 6];
    // In reverse order.
    many.before_accepted = BTreeMap::from([(deployment(1), [vec![fault], refusals].concat())]);
    let (ended, _) = many.run();
    assert!(ended.starts_with("Synced"), "{ended}");
    assert_eq!(many.count("refuse"), 7);
    assert_served(&mut many, 1, "refused");
}

#[test]
fn progress_is_reported_once_a_run_writes() {
    let run = Run::new(Arc::new(Many::new(2).spec()), Journal::default());
    let mut next = step(run, Event::Begin, super::platform::at(0));
    let mut many = Many::new(2);
    let mut reported = Vec::new();
    loop {
        reported.extend(next.run.advance().filter(|advance| reported.last() != Some(advance)));
        let asked =
            next.effects.into_iter().find(|effect| !matches!(effect, crate::reconcile::Effect::Report(_)));
        let event = match asked {
            _ if next.run.end().is_some() => break,
            Some(effect) => many.perform(effect, &next.run),
            None => {
                assert_eq!(next.run.advance(), None, "a plan is no progress");
                Event::Proceed
            }
        };
        next = step(next.run, event, many.now);
    }
    let counts: Vec<(usize, usize)> = reported.iter().map(|advance| (advance.done, advance.all)).collect();
    assert_eq!((counts.first(), counts.last()), (Some(&(0, 4)), Some(&(4, 4))));
    assert!(counts.is_sorted(), "{counts:?}");
}

#[test]
fn a_lost_answer_among_many_is_read_back() {
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
fn an_object_that_became_active_meanwhile_is_not_reported_as_inactive() {
    let mut many = Many::new(60);
    // The others take longer than the wait for one object.
    (many.latency_ms, many.slow) = (1_500, Some((configuration(0), 62_000)));
    let (ended, took_ms) = many.run();
    assert!(took_ms > 62_000 && ended.starts_with("Synced"), "{took_ms} ms: {ended}");
    assert_served(&mut many, 1, "a slow one");
}

#[test]
fn an_object_without_a_base_and_its_dependents_are_not_written_and_the_others_are() {
    let mut many = Many::new(6);
    assert!(many.run().0.starts_with("Synced"));
    // The bases of two pairs are lost; one of the pairs matches git.
    let journal = &mut many.journal;
    let is_lost = |object: &ObjectRef| [configuration(0), configuration(1)].contains(&object.object);
    journal.bases.retain(|object, _| !is_lost(object));
    journal.owed.retain(|receipt| !is_lost(&receipt.target.object_ref()));
    journal.proofs.retain(|_, (object, _)| !is_lost(object));
    let before = many.held.get(&configuration(0)).unwrap().versions.clone();
    many.colour = "#222222";
    let (ended, _) = many.run();
    assert!(ended.starts_with("Refused"), "{ended}");
    for reported in ["`000`", "`001`", "adopt", "not written for that reason: MessengerDeployment `000`"] {
        assert!(ended.contains(reported), "{reported}: {ended}");
    }
    assert!(!ended.contains("`002`"), "{ended}");
    assert_eq!((many.count("store"), many.count("publish")), (8, 4), "{:?}", many.requests);
    assert_eq!(many.held.get(&configuration(0)).unwrap().versions, before);
    many.allowed.insert(Guard::Adopt);
    let (ended, _) = many.run();
    assert!(ended.starts_with("Synced"), "{ended}");
    // Now it has a base.
    many.allowed.clear();
    many.colour = "#333333";
    let (ended, _) = many.run();
    assert!(ended.starts_with("Synced"), "{ended}");
}
