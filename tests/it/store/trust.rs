//! What the store keeps for the guards: which tenants went off, what a commit said, which guards are open,
//! and the identity of the store.

use genesync::model::precedent::RunLimits;
use genesync::model::unmanaged::Noticed;
use genesync::model::{Baseline, Class, Guard, Object, ObjectRef, Precedents, Protect, Said};
use genesync::store::GuardOpening;

use super::*;

fn off(id: u64) -> Record {
    match intent(id, Vec::new()) {
        Record::Intent(intent) => Record::Intent(Intent { off: true, ..intent }),
        other => other,
    }
}

fn not_executed(id: u64) -> Record {
    Record::Resolved { intent: id, receipts: Vec::new(), ending: Ending::NotExecuted }
}

/// Random work of two processes: genesync refuses exactly the second tenant that would go off within an hour.
pub async fn no_two_tenants_go_off_within_an_hour(pair: &Pair) {
    let names = ["a", "b", "c", "d"];
    let mut leases = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let store = if index % 2 == 0 { &pair.a } else { &pair.b };
        leases.push(take(store, name, LONG).await.unwrap());
    }
    let mut went: Vec<(usize, u64)> = Vec::new();
    let mut refused = 0;
    for round in 1..=120_u64 {
        let dice = genesync::model::mix(round);
        let at = usize::try_from(dice % 4).unwrap();
        let store = if at.is_multiple_of(2) { &pair.a } else { &pair.b };
        let lease = &leases[at];
        match dice >> 8 & 3 {
            0 => {
                // A write that was not executed uses up nothing.
                let Some(place) = went.iter().position(|(tenant, _)| *tenant == at) else { continue };
                let (_, id) = went.remove(place);
                store.append(lease, &[not_executed(id)]).await.unwrap();
            }
            1 => {
                store.append(lease, &[intent(round, Vec::new()), not_executed(round)]).await.unwrap();
            }
            kind => {
                let opened = kind == 2 && dice >> 16 & 7 == 0;
                let lease = Lease { over_off: opened, ..lease.clone() };
                let other = went.iter().any(|(tenant, _)| *tenant != at);
                let result = store.append(&lease, &[off(round)]).await;
                if other && !opened {
                    assert!(matches!(&result, Err(StoreError::Off { .. })), "{round}: {result:?} {went:?}");
                    refused += 1;
                } else {
                    result.unwrap();
                    went.push((at, round));
                }
            }
        }
    }
    assert!(refused > 10, "{refused}");
    // Two tenants ask at the same moment: one of them may go off.
    for (at, id) in std::mem::take(&mut went) {
        let store = if at.is_multiple_of(2) { &pair.a } else { &pair.b };
        store.append(&leases[at], &[not_executed(id)]).await.unwrap();
    }
    for round in 0..10_u64 {
        let id = 1_000 + round;
        let records = [off(id)];
        let (one, other) =
            tokio::join!(pair.a.append(&leases[0], &records), pair.b.append(&leases[1], &records));
        assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
        let (store, lease) = if one.is_ok() { (&pair.a, &leases[0]) } else { (&pair.b, &leases[1]) };
        store.append(lease, &[not_executed(id)]).await.unwrap();
    }
}

/// What a commit said of guards counts once its organizations are found in sync, and for no other tenant
/// before.
pub async fn what_was_said_of_guards_is_kept_with_a_run_in_sync(pair: &Pair) {
    let Pair { a, b } = pair;
    advance(a, None, "c1", &[wanted("acme", "1")]).await;
    let organizations: BTreeSet<OrganizationId> = ["o", "p"].map(OrganizationId::new).into();
    assert_eq!(b.precedents(&organizations).await.unwrap(), Precedents::new());
    let said = |max: usize| {
        let said = Said {
            protected: BTreeSet::from([Protect::Off, Protect::Reach]),
            objects: BTreeSet::from([genesync::model::Object::implied()]),
            windows: Vec::new(),
            tenant_changes_max: max,
            tenant_changes_max_percent: 50,
        };
        Precedents::from([(OrganizationId::new("o"), said)])
    };
    for max in [7, 9] {
        a.poke(None, ClaimCause::Operator).await.unwrap();
        let claimed = claim(a, 1).await;
        a.finish(&[Finished { said: said(max), ..done(&claimed[0], true) }]).await.unwrap();
        assert_eq!(b.precedents(&organizations).await.unwrap(), said(max));
    }
    assert_eq!(b.run_limits("repo").await.unwrap(), None);
    for limits in [(3, 50), (usize::MAX, 100)] {
        let limits = RunLimits { tenants_max: limits.0, tenants_max_percent: limits.1 };
        a.keep_run_limits("repo", limits).await.unwrap();
        assert_eq!(b.run_limits("repo").await.unwrap(), Some(limits));
    }
}

/// A head counts as written once one of its changes was applied.
pub async fn a_head_is_written_once_something_came_of_it(pair: &Pair) {
    let Pair { a, b } = pair;
    advance(a, None, "c1", &[wanted("acme", "1")]).await;
    assert_eq!(b.written_head("repo").await.unwrap(), None);
    let claimed = claim(a, 1).await;
    a.finish(&[done(&claimed[0], false)]).await.unwrap();
    assert_eq!(b.written_head("repo").await.unwrap(), None);
    a.poke(None, ClaimCause::Operator).await.unwrap();
    let claimed = claim(a, 1).await;
    let came_of = Some(Revision::new("c1"));
    a.finish(&[Finished { came_of: came_of.clone(), ..done(&claimed[0], true) }]).await.unwrap();
    assert_eq!(b.written_head("repo").await.unwrap(), came_of);
    advance(a, Some("c1"), "c2", &[wanted("acme", "2")]).await;
    assert_eq!(b.written_head("repo").await.unwrap(), came_of, "the second one caused no write yet");
}

/// A guard stays open until a run of the tenant wrote, or until it expires.
pub async fn an_opening_lasts_until_a_run_wrote(pair: &Pair) {
    let Pair { a, b } = pair;
    advance(a, None, "c1", &[wanted("acme", "1"), wanted("zeta", "1")]).await;
    let names = [tenant("acme"), tenant("zeta")];
    let opening = |guard: Guard| GuardOpening { guard, by: "mara".into(), reason: "asked \"for\"".into() };
    let both = [opening(Guard::Pause), opening(Guard::Protected)];
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    a.open_for_next_run(&names[0], &both[1..], later).await.unwrap();
    a.open_for_next_run(&names[0], &both, later).await.unwrap();
    a.open_for_next_run(&names[1], &both, jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1))
        .await
        .unwrap();
    let open = b.openings(&names).await.unwrap();
    assert_eq!(open.into_iter().collect::<Vec<_>>(), [(names[0].clone(), both.to_vec())]);
    // A run that found nothing to write leaves it open, and so does a run that began earlier.
    let opened = BTreeSet::from([Guard::Pause, Guard::Protected]);
    for (touched, opened, left) in [(false, opened.clone(), 1), (true, BTreeSet::new(), 1), (true, opened, 0)]
    {
        a.poke(None, ClaimCause::Operator).await.unwrap();
        let claimed = claim(a, 2).await;
        let finished: Vec<Finished> = claimed
            .iter()
            .map(|one| Finished { touched, opened: opened.clone(), ..done(one, true) })
            .collect();
        a.finish(&finished).await.unwrap();
        assert_eq!(b.openings(&names).await.unwrap().len(), left, "{touched} {opened:?}");
    }
}

// Guarantee: one-state
#[test]
fn a_restored_or_replaced_server_accepts_no_intents() {
    let cluster = Postgres::start();
    let place = StorePlace::Postgres(Secret::new(cluster.database("exchanged")));
    block_on(async {
        for (exchange, reported) in [
            ("UPDATE identity SET epoch = 1", "an older copy"),
            ("UPDATE identity SET id = 'another'", "another store"),
            ("DELETE FROM identity", "another store"),
        ] {
            let store = Store::open(&place, "a").await.unwrap();
            let lease = take(&store, "acme", LONG).await.unwrap();
            let next = store.journal(&tenant("acme")).await.unwrap().last_intent + 1;
            store.append(&lease, &[intent(next, Vec::new()), not_executed(next)]).await.unwrap();
            // Each later opening of the store continues the count, and so does each renewal.
            Store::open(&place, "b").await.unwrap().close().await;
            store.count_epoch().await.unwrap();
            store.append(&lease, &[intent(next + 1, Vec::new()), not_executed(next + 1)]).await.unwrap();
            cluster.sql("exchanged", exchange);
            let refused = store.append(&lease, &[intent(next + 2, Vec::new())]).await.unwrap_err();
            assert!(refused.to_string().contains(reported), "{exchange}: {refused}");
            assert!(store.exchanged().is_some_and(|why| why.contains(reported)), "{exchange}");
            // Outcomes of earlier intents are still recorded.
            store.append(&lease, &[not_executed(next + 1)]).await.unwrap();
            store.release(&[lease]).await.unwrap();
            store.close().await;
        }
    });
}

fn object(organization: &str) -> ObjectRef {
    ObjectRef::new(OrganizationId::new(organization), Object::implied())
}

fn body(word: &str) -> std::sync::Arc<serde_json::Map<String, serde_json::Value>> {
    std::sync::Arc::new(serde_json::json!({ "x": word }).as_object().cloned().unwrap())
}

fn based(organization: &str, version: u64) -> Record {
    let base = Base {
        version,
        body: body("applied"),
        revision: Revision::new("c1"),
        id: None,
        onto: 0,
        drafted_at: 0,
        ignored: Default::default(),
    };
    Record::Applied { object: object(organization), base }
}

fn compared(organization: &str, word: &str) -> Record {
    let baseline = Baseline { version: 2, body: body(word), id: Some("c-1".into()) };
    Record::Baseline { object: object(organization), baseline: Some(baseline) }
}

/// A renamed folder takes over what was applied under its old name, once; its own records are newer.
pub async fn what_another_tenant_applied_goes_with_the_object(pair: &Pair) {
    let (a, b) = (&pair.a, &pair.b);
    let (old, older, new) = (
        take(a, "old", LONG).await.unwrap(),
        take(a, "older", LONG).await.unwrap(),
        take(b, "new", LONG).await.unwrap(),
    );
    let read = async |store: &Store, lease: &Lease| store.journal(&lease.tenant).await.unwrap();
    a.append(&old, &[based("o", 7), compared("o", "old")]).await.unwrap();
    a.append(&older, &[based("o", 3), compared("o", "older"), based("p", 1)]).await.unwrap();
    let inherit = async |mut journal: genesync::model::record::Journal, is_applied: bool| {
        b.inherit(&new.tenant, &mut journal, &[object("o"), object("q")], is_applied).await.unwrap();
        journal
    };
    // The name that saw the newest version wins, for both.
    let journal = inherit(read(b, &new).await, true).await;
    let o = object("o");
    assert_eq!((journal.bases[&o].version, &journal.baselines[&o].body), (7, &body("old")));
    assert_eq!(journal.inherited, std::collections::BTreeSet::from([o.clone()]));
    // What is accepted under the new name before its first record stays accepted.
    b.append(&new, &[compared("o", "accepted")]).await.unwrap();
    let journal = inherit(read(b, &new).await, true).await;
    assert_eq!((journal.bases[&o].version, &journal.baselines[&o].body), (7, &body("accepted")));
    // For a watched object a baseline is enough.
    assert!(inherit(read(b, &new).await, false).await.bases.is_empty());
    // Once it is kept there, no other tenant has it.
    let kept = [based("o", 8), compared("o", "new"), Record::Inherited { object: o.clone() }];
    b.append(&new, &kept).await.unwrap();
    let journal = inherit(read(b, &new).await, true).await;
    assert_eq!((journal.bases[&o].version, journal.inherited.len()), (8, 0));
    for lease in [&old, &older] {
        let left = read(a, lease).await;
        assert!(!left.bases.contains_key(&o) && left.baselines.is_empty(), "{}", lease.tenant);
    }
    assert_eq!(read(a, &older).await.bases.len(), 1, "another object stays");
    // A baseline is deleted if the base has the same information.
    b.append(&new, &[Record::Baseline { object: o, baseline: None }]).await.unwrap();
    assert!(read(b, &new).await.baselines.is_empty());
}

fn noticed(path: &str) -> Noticed {
    Noticed {
        organization: OrganizationId::new("o"),
        object: Object::implied(),
        path: path.into(),
        class: Class::Off,
        value: "sha256:1".into(),
        by: Some("by Mara Ionescu".into()),
        is_named: true,
        version: 5,
        since: "2026-11-29T10:00:00Z".parse().unwrap(),
    }
}

/// The accepted changes, the remaining ones and the line of history are one transaction, which needs the
/// lease.
pub async fn what_a_person_accepts_is_kept_whole_or_not_at_all(pair: &Pair) {
    let (a, b) = (&pair.a, &pair.b);
    advance(a, None, "c1", &[wanted("acme", "1")]).await;
    let claimed = claim(a, 1).await.pop().unwrap();
    let both = vec![noticed("x"), noticed("y")];
    let ended = Finished { unmanaged: Some(both.clone()), ..done(&claimed, true) };
    a.finish(&[ended]).await.unwrap();
    let row = async || b.tenants(Which::Troubled).await.unwrap().pop();
    assert_eq!(row().await.unwrap().unmanaged, both, "a notification is about it");
    // A run that could not compare leaves it unchanged.
    let lease = take(a, "acme", LONG).await.unwrap();
    let left = vec![noticed("y")];
    a.accept(&lease, &[compared("o", "accepted")], &left, "by mara: x").await.unwrap();
    assert_eq!(row().await.unwrap().unmanaged, left);
    let lines = b.history(&lease.tenant, 10).await.unwrap();
    let reported: Vec<&str> =
        lines.iter().filter(|line| line.kind == "accepted").map(|line| line.detail.as_str()).collect();
    assert_eq!(reported, ["by mara: x"]);
    assert_eq!(b.journal(&lease.tenant).await.unwrap().baselines[&object("o")].body, body("accepted"));
    // Without the lease nothing of it is stored.
    a.release(std::slice::from_ref(&lease)).await.unwrap();
    let other = take(b, "acme", LONG).await.unwrap();
    let fenced = a.accept(&lease, &[compared("o", "late")], &[], "late").await;
    assert!(matches!(fenced, Err(StoreError::Fenced { .. })), "{fenced:?}");
    assert_eq!(b.journal(&other.tenant).await.unwrap().baselines[&object("o")].body, body("accepted"));
    b.accept(&other, &[], &[], "by mara: y").await.unwrap();
    assert_eq!(row().await.map(|row| row.unmanaged), None);
}
