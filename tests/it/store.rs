//! One test suite for both engines of the store: each case runs on SQLite and on a private PostgreSQL.

mod trust;
mod waves;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use genesync::model::record::{Ending, Intent, IntentAction, Revert};
use genesync::model::standing::Standing;
use genesync::model::{
    Act, Base, CredentialsName, FaultKind, OrganizationId, Receipt, Receiver, Record, Region, Revision,
    Secret, Status, StorePlace, Target, TenantName, Wanted, WantedSettings,
};
use genesync::store::{
    Advance, Asked, Claim, ClaimCause, Claimed, Finished, Judge, Lease, NewHead, Pause, PauseKind, RunRow,
    Store, StoreError, Which,
};
use jiff::Timestamp;

use crate::postgres::{Bouncer, Postgres};
use trust::{
    a_head_is_written_once_something_came_of_it, an_opening_lasts_until_a_run_wrote,
    no_two_tenants_go_off_within_an_hour, what_a_person_accepts_is_kept_whole_or_not_at_all,
    what_another_tenant_applied_goes_with_the_object, what_was_said_of_guards_is_kept_with_a_run_in_sync,
};
use waves::{
    a_change_waits_for_lower_waves_and_is_watched, an_invalid_tenant_counts_as_git_says_now,
    another_commit_than_the_head_is_begun_for_itself,
    only_what_may_be_written_and_is_not_holds_higher_waves_back, the_gate_of_queries_is_the_pure_one,
    what_cannot_be_reached_is_waited_for_once, what_cannot_be_read_keeps_its_place,
};

const LONG: Duration = Duration::from_secs(60);
/// How long other tenants wait for a tenant that cannot be reached.
const PATIENCE: Duration = Duration::from_secs(900);

fn tenant(name: &str) -> TenantName {
    TenantName::new(name)
}

fn target() -> Target {
    Target {
        organization: OrganizationId::new("o"),
        region: Region::EuWest1,
        credentials: CredentialsName::new("c"),
        object: genesync::model::Object::implied(),
    }
}

fn intent(id: u64, reverts: Vec<Revert>) -> Record {
    Record::Intent(Intent {
        id,
        revision: Revision::new("r"),
        action: IntentAction::Put {
            target: target(),
            if_match: Some(3),
            body: Arc::default(),
            act: Act::Store,
            over: None,
        },
        sent_at: now(),
        deadline: now(),
        reverts,
        off: false,
    })
}

/// Returns the current time in milliseconds, the precision of the store.
fn now() -> Timestamp {
    Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap()
}

fn receipt(version: u64) -> Receipt {
    Receipt {
        target: target(),
        from_version: Some(3),
        version,
        sent_at: now(),
        by: Receiver::Put,
        made_at: None,
    }
}

fn revert() -> Revert {
    Revert {
        object: target().object_ref(),
        path: "greetings.delayMs".into(),
        by: None,
        theirs: None,
        ours: None,
        at: now(),
    }
}

fn wanted(name: &str, digest: &str) -> Wanted {
    Wanted {
        tenant: tenant(name),
        digest: (!digest.is_empty()).then(|| digest.into()),
        settings: Some(WantedSettings { enforced: true, credentials: CredentialsName::new("c"), wave: 0 }),
        invalid: digest.is_empty().then(|| "not valid".into()),
    }
}

fn done(claimed: &Claimed, in_sync: bool) -> Finished {
    Finished {
        lease: claimed.lease.clone(),
        wanted: std::sync::Arc::clone(&claimed.wanted),
        status: Some(if in_sync { Status::Synced } else { Status::Degraded(FaultKind::Rejected) }),
        reason: String::new(),
        standing: Some(if in_sync { Standing::HasIt } else { Standing::Failed }),
        waits_for: None,
        in_sync,
        touched: false,
        drifted: Some(false),
        looked: true,
        failures: u32::from(!in_sync),
        unmanaged: None,
        again: (Duration::from_secs(600), ClaimCause::Resync),
        run: None,
        said: Default::default(),
        came_of: None,
        opened: Default::default(),
        history: Vec::new(),
    }
}

async fn claim(store: &Store, limit: usize) -> Vec<Claimed> {
    claim_for(store, limit, LONG, &[]).await
}

async fn claim_for(store: &Store, limit: usize, lease: Duration, saturated: &[&str]) -> Vec<Claimed> {
    let saturated: BTreeSet<CredentialsName> =
        saturated.iter().map(|name| CredentialsName::new(*name)).collect();
    let head = store.head("repo").await.unwrap().unwrap();
    let claim = Claim { limit, lease, saturated: &saturated, patience: PATIENCE, head: ("repo", &head) };
    store.claim(&claim).await.unwrap()
}

fn named(claimed: &[Claimed]) -> Vec<&str> {
    claimed.iter().map(|one| one.lease.tenant.as_str()).collect()
}

async fn take(store: &Store, name: &str, length: Duration) -> Option<Lease> {
    store.take(&[tenant(name)], length).await.unwrap().pop()
}

async fn advance(store: &Store, known: Option<&str>, revision: &str, rows: &[Wanted]) -> Advance {
    advance_judged(store, known, revision, rows, &|_| None).await.unwrap()
}

async fn advance_judged(
    store: &Store,
    known: Option<&str>,
    revision: &str,
    rows: &[Wanted],
    judge: &Judge<'_>,
) -> Result<Advance, StoreError> {
    advance_some(store, known, revision, rows, None, judge).await
}

async fn advance_some(
    store: &Store,
    known: Option<&str>,
    revision: &str,
    rows: &[Wanted],
    gone: Option<&[TenantName]>,
    judge: &Judge<'_>,
) -> Result<Advance, StoreError> {
    let (known, revision) = (known.map(Revision::new), Revision::new(revision));
    let head = NewHead {
        repository: "repo",
        known: known.as_ref(),
        revision: &revision,
        rows,
        gone,
        judge: Some(judge),
    };
    store.advance(&head).await
}

/// Waits until a condition of the store holds; the store has its own clock.
async fn eventually<F: Future<Output = bool>>(mut condition: impl FnMut() -> F) {
    for _ in 0..1_000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("timed out after 10 s");
}

/// Two handles of one store, like those of two processes.
struct Pair {
    a: Store,
    b: Store,
}

async fn journal_is_read_back(pair: &Pair) {
    let Pair { a, .. } = pair;
    let acme = tenant("acme");
    assert_eq!(a.journal(&acme).await.unwrap(), Default::default());
    let lease = take(a, "acme", LONG).await.unwrap();
    a.append(&lease, &[intent(1, vec![revert()]), intent(2, Vec::new())]).await.unwrap();
    let open = a.journal(&acme).await.unwrap();
    assert_eq!(open.unresolved.iter().map(|intent| intent.id).collect::<Vec<_>>(), [1, 2]);
    assert_eq!((open.last_intent, open.reverts.len(), open.owed.len()), (2, 0, 0));

    let base = Base {
        version: 4,
        body: Arc::default(),
        revision: Revision::new("r"),
        id: None,
        onto: 0,
        drafted_at: 0,
        ignored: Default::default(),
    };
    let receipts = vec![receipt(4)];
    let object = target().object_ref();
    a.append(
        &lease,
        &[
            Record::Resolved { intent: 1, receipts: receipts.clone(), ending: Ending::Written },
            Record::Applied { object: object.clone(), base: base.clone() },
            Record::Resolved { intent: 2, receipts: Vec::new(), ending: Ending::NotExecuted },
        ],
    )
    .await
    .unwrap();
    let ended = a.journal(&acme).await.unwrap();
    assert_eq!((ended.unresolved.len(), ended.reverts.len()), (0, 1));
    assert_eq!((&ended.owed, &ended.bases[&object]), (&receipts, &base));
    a.append(&lease, &[Record::Confirmed { object, version: 4, entry: "e-1".into() }]).await.unwrap();
    assert_eq!(a.journal(&acme).await.unwrap().owed, Vec::new());
    // A second intent with the same number comes from a process that numbered again after a crash: the store
    // refuses it.
    assert!(a.append(&lease, &[intent(2, Vec::new())]).await.is_err());
    a.prune(0).await.unwrap();
    assert_eq!(a.journal(&acme).await.unwrap().last_intent, 2, "numbers continue after pruning");
}

async fn a_lease_has_one_holder_and_its_token_grows(pair: &Pair) {
    let Pair { a, b } = pair;
    let first = take(a, "acme", Duration::from_millis(400)).await.unwrap();
    assert_eq!(take(b, "acme", LONG).await, None);
    assert_eq!(a.holder_of(&first.tenant).await.unwrap().as_deref(), Some("a"));
    a.append(&first, &[intent(1, Vec::new())]).await.unwrap();
    eventually(|| async { a.holder_of(&first.tenant).await.unwrap().is_none() }).await;
    assert!(
        matches!(a.append(&first, &[intent(2, Vec::new())]).await, Err(StoreError::Fenced { .. })),
        "expired"
    );
    let second = take(b, "acme", LONG).await.unwrap();
    assert!(second.token > first.token);
    assert!(matches!(a.append(&first, &[intent(2, Vec::new())]).await, Err(StoreError::Fenced { .. })));
    assert_eq!(a.renew(std::slice::from_ref(&first), LONG).await.unwrap(), BTreeSet::new());
    a.release(std::slice::from_ref(&first)).await.unwrap();
    assert_eq!(
        b.renew(std::slice::from_ref(&second), LONG).await.unwrap().len(),
        1,
        "another process cannot release it"
    );
    let journal = b.journal(&second.tenant).await.unwrap();
    assert_eq!((journal.unresolved.len(), journal.last_intent), (1, 1), "a fenced append stores nothing");
    b.release(&[second]).await.unwrap();
    assert!(take(a, "acme", LONG).await.is_some());
}

async fn a_new_head_makes_due_what_it_moves(pair: &Pair) {
    let Pair { a, b } = pair;
    let rows = [wanted("acme", "1"), wanted("beta", "1"), wanted("broken", "")];
    assert_eq!(advance(a, None, "c1", &rows).await, Advance::Taken(3));
    assert_eq!(advance(b, None, "c1", &rows).await, Advance::Taken(0), "the other replica has taken it");
    let claimed = claim(a, 10).await;
    assert_eq!(named(&claimed), ["acme", "beta"], "an invalid tenant is not due");
    assert!(claimed.iter().all(|one| one.cause == ClaimCause::Commit && !one.applied));
    a.finish(&[done(&claimed[0], true), done(&claimed[1], true)]).await.unwrap();
    assert_eq!(claim(b, 10).await.len(), 0);
    let rows = [wanted("acme", "2"), wanted("beta", "1")];
    assert_eq!(
        advance(b, Some("c0"), "c2", &rows).await,
        Advance::Moved(Revision::new("c1")),
        "taken against a head that is no longer the last"
    );
    assert_eq!(advance(b, Some("c1"), "c2", &rows).await, Advance::Taken(1));
    assert_eq!(a.head("repo").await.unwrap(), Some(Revision::new("c2")));
    assert_eq!(named(&claim(a, 10).await), ["acme"]);
    let status = a.tenants(Which::All).await.unwrap();
    assert_eq!(
        status.iter().map(|row| row.tenant.as_str()).collect::<Vec<_>>(),
        ["acme", "beta"],
        "broken is removed"
    );
    a.keep_head("repo", &Revision::new("c9")).await.unwrap();
    assert_eq!(b.head("repo").await.unwrap(), Some(Revision::new("c9")));
}

async fn what_becomes_due_during_a_run_stays_due(pair: &Pair) {
    let Pair { a, .. } = pair;
    advance(a, None, "c1", &[wanted("acme", "1")]).await;
    let claimed = claim(a, 1).await;
    assert_eq!(claim(a, 1).await.len(), 0, "one run per tenant");
    advance(a, Some("c1"), "c2", &[wanted("acme", "2")]).await;
    assert_eq!(claim(a, 1).await.len(), 0, "due, but leased");
    a.finish(&[done(&claimed[0], true)]).await.unwrap();
    let again = claim(a, 1).await;
    assert_eq!((named(&again), again[0].cause, again[0].applied), (vec!["acme"], ClaimCause::Commit, false));
    a.finish(&[done(&again[0], true)]).await.unwrap();
    assert_eq!(claim(a, 1).await.len(), 0);
    assert_eq!(a.poke(Some(&[tenant("acme"), tenant("nobody")]), ClaimCause::Operator).await.unwrap(), 1);
    assert_eq!(claim(a, 1).await[0].cause, ClaimCause::Operator);
}

async fn who_dies_is_followed(pair: &Pair) {
    let Pair { a, b } = pair;
    advance(a, None, "c1", &[wanted("acme", "1")]).await;
    let lost = claim_for(a, 1, Duration::from_millis(200), &[]).await;
    let mut taken = Vec::new();
    for _ in 0..1_000 {
        taken = claim(b, 1).await;
        if !taken.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((named(&taken), taken[0].cause), (vec!["acme"], ClaimCause::Takeover));
    a.finish(&[done(&lost[0], true)]).await.unwrap();
    assert_eq!(
        b.tenants(Which::All).await.unwrap()[0].status,
        Status::OutOfSync,
        "a holder of old says nothing"
    );
    b.finish(&[done(&taken[0], true)]).await.unwrap();
    assert_eq!(b.tenants(Which::All).await.unwrap()[0].status, Status::Synced);
}

async fn an_intent_is_refused_once_git_moved_on_or_the_tenant_is_paused(pair: &Pair) {
    let Pair { a, .. } = pair;
    advance(a, None, "c1", &[wanted("acme", "1")]).await;
    let claimed = claim(a, 1).await;
    let lease = &claimed[0].lease;
    a.append(lease, &[intent(1, Vec::new())]).await.unwrap();
    let pause = Pause {
        kind: PauseKind::Pause,
        by: "mara".into(),
        reason: "campaign".into(),
        since: now(),
        until: None,
    };
    a.pause(&lease.tenant, &pause).await.unwrap();
    let refused = |result: Result<(), StoreError>| matches!(result, Err(StoreError::Superseded { .. }));
    assert!(refused(a.append(lease, &[intent(2, Vec::new())]).await));
    let ended = Record::Resolved { intent: 1, receipts: Vec::new(), ending: Ending::NotExecuted };
    a.append(lease, &[ended]).await.unwrap();
    let hold = Pause { kind: PauseKind::Hold, by: "genesync".into(), ..pause.clone() };
    a.pause(&lease.tenant, &hold).await.unwrap();
    let paused = a.tenants(Which::All).await.unwrap().remove(0).pause.unwrap();
    assert_eq!(
        (paused.kind, paused.reason.as_str()),
        (PauseKind::Pause, "campaign"),
        "a hold does not replace a pause"
    );
    assert!(a.resume(&lease.tenant).await.unwrap() && !a.resume(&lease.tenant).await.unwrap());
    a.append(lease, &[intent(2, Vec::new())]).await.unwrap();
    let over = Pause { until: Some(Timestamp::from_millisecond(1_000).unwrap()), ..pause };
    a.pause(&lease.tenant, &over).await.unwrap();
    assert_eq!(a.tenants(Which::All).await.unwrap()[0].pause, None, "a pause ends at its date");
    advance(a, Some("c1"), "c2", &[wanted("acme", "2")]).await;
    assert!(refused(a.append(lease, &[intent(3, Vec::new())]).await));
}

async fn a_hold_ends_when_git_says_something_else(pair: &Pair) {
    let Pair { a, .. } = pair;
    advance(a, None, "c1", &[wanted("acme", "1"), wanted("beta", "1")]).await;
    for (name, kind) in [("acme", PauseKind::Hold), ("beta", PauseKind::Pause)] {
        let pause = Pause { kind, by: "x".into(), reason: "y".into(), since: now(), until: None };
        a.pause(&tenant(name), &pause).await.unwrap();
    }
    advance(a, Some("c1"), "c2", &[wanted("acme", "2"), wanted("beta", "2")]).await;
    let pauses: Vec<bool> =
        a.tenants(Which::All).await.unwrap().iter().map(|row| row.pause.is_some()).collect();
    assert_eq!(pauses, [false, true]);
}

async fn a_head_that_changes_too_much_is_held_and_a_replica_behind_claims_nothing(pair: &Pair) {
    let Pair { a, .. } = pair;
    advance(a, None, "c1", &[wanted("acme", "1"), wanted("beta", "1")]).await;
    let first = claim(a, 5).await;
    a.finish(&first.iter().map(|one| done(one, true)).collect::<Vec<_>>()).await.unwrap();
    let hold = Pause {
        kind: PauseKind::Hold,
        by: "guard run-tenants".into(),
        reason: "y".into(),
        since: now(),
        until: None,
    };
    let rows = [wanted("acme", "2"), wanted("beta", "1"), wanted("new", "1")];
    let counted = std::sync::Mutex::new(Vec::new());
    let judge = |changing: usize| {
        counted.lock().unwrap().push(changing);
        (changing > 0).then(|| hold.clone())
    };
    let held = async || -> Vec<bool> {
        a.tenants(Which::All).await.unwrap().iter().map(|row| row.pause.is_some()).collect()
    };
    advance_judged(a, Some("c1"), "c2", &rows, &judge).await.unwrap();
    // The commit creates a tenant, which is held too: the guard refuses a head as a whole.
    assert_eq!(held().await, [true, false, true]);
    // A further commit does not open a guard, and the held changes still count.
    let again = [wanted("acme", "3"), wanted("beta", "1"), wanted("new", "1")];
    advance_judged(a, Some("c2"), "c3", &again, &judge).await.unwrap();
    assert_eq!(held().await, [true, false, true]);
    let back = [wanted("acme", "1"), wanted("beta", "1"), wanted("new", "1")];
    advance_judged(a, Some("c3"), "c4", &back, &judge).await.unwrap();
    assert_eq!(held().await, [false, false, false], "git returned to the applied commit");
    assert_eq!(*counted.lock().unwrap(), [1, 1, 0]);
    // A held tenant counts if a commit does not name it. A tenant that returns with another change counts,
    // too.
    advance_judged(a, Some("c4"), "c2", &rows, &judge).await.unwrap();
    let beta_gone = [tenant("beta")];
    advance_some(a, Some("c2"), "c5", &[wanted("new", "2")], Some(&beta_gone), &judge).await.unwrap();
    advance_some(a, Some("c5"), "c2", &[wanted("beta", "9")], Some(&[]), &judge).await.unwrap();
    assert_eq!(counted.lock().unwrap().split_off(3), [1, 1, 2]);
    let revision = Revision::new("c2");
    let behind = Revision::new("c1");
    let saturated = BTreeSet::new();
    let claim =
        Claim { limit: 5, lease: LONG, saturated: &saturated, patience: PATIENCE, head: ("repo", &behind) };
    assert_eq!(a.claim(&claim).await.unwrap().len(), 0);
    assert_eq!(a.claim(&Claim { head: ("repo", &revision), ..claim }).await.unwrap().len(), 3);
}

async fn what_was_written_in_part_changes_when_git_goes_back(pair: &Pair) {
    let Pair { a, .. } = pair;
    advance(a, None, "c1", &[wanted("acme", "1"), wanted("beta", "1")]).await;
    let first = claim(a, 5).await;
    a.finish(&first.iter().map(|one| done(one, true)).collect::<Vec<_>>()).await.unwrap();
    let second = [wanted("acme", "2"), wanted("beta", "2")];
    advance(a, Some("c1"), "c2", &second).await;
    // One region of acme was written and another was down; beta was not written.
    let partly = |claimed: &Claimed, writes: usize| {
        let (started_at, revision, cause) = (now(), Revision::new("c2"), ClaimCause::Commit);
        Finished {
            run: Some(RunRow {
                started_at,
                revision,
                cause,
                writes,
                conflicts: 0,
                status: "Degraded",
                asked: None,
            }),
            touched: writes > 0,
            ..done(claimed, false)
        }
    };
    let claimed = claim(a, 5).await;
    let ended: Vec<Finished> =
        claimed.iter().map(|one| partly(one, usize::from(one.lease.tenant == tenant("acme")))).collect();
    a.finish(&ended).await.unwrap();
    let counted = std::sync::Mutex::new(Vec::new());
    let judge = |changing: usize| {
        counted.lock().unwrap().push(changing);
        None
    };
    let back = [wanted("acme", "1"), wanted("beta", "1")];
    advance_judged(a, Some("c2"), "c3", &back, &judge).await.unwrap();
    assert_eq!(*counted.lock().unwrap(), [1]);
    // Once it is in sync again, nothing is due.
    let claimed = claim(a, 5).await;
    a.finish(&claimed.iter().map(|one| done(one, true)).collect::<Vec<_>>()).await.unwrap();
    advance_judged(a, Some("c3"), "c4", &back, &judge).await.unwrap();
    assert_eq!(*counted.lock().unwrap(), [1, 0]);
}

async fn claims_are_fair_and_keep_the_caps(pair: &Pair) {
    let Pair { a, .. } = pair;
    let mut rows: Vec<Wanted> = (0..20).map(|number| wanted(&format!("hot-{number:02}"), "1")).collect();
    advance(a, None, "c1", &rows).await;
    let other = WantedSettings { enforced: true, credentials: CredentialsName::new("other"), wave: 0 };
    let late = Wanted { settings: Some(other), ..wanted("late", "1") };
    rows.push(late);
    tokio::time::sleep(Duration::from_millis(5)).await;
    advance(a, Some("c1"), "c2", &rows).await;
    assert_eq!(named(&claim_for(a, 2, LONG, &["c"]).await), ["late"], "a full credential delays no other");
    assert_eq!(named(&claim(a, 2).await), ["hot-00", "hot-01"], "the longest waiting first");
}

async fn what_runs_left_behind_is_shown(pair: &Pair) {
    let Pair { a, .. } = pair;
    advance(a, None, "c1", &[wanted("acme", "1"), wanted("beta", "1")]).await;
    let claimed = claim(a, 5).await;
    let run = RunRow {
        started_at: now(),
        revision: Revision::new("c1"),
        cause: ClaimCause::Commit,
        writes: 2,
        conflicts: 1,
        status: "Drifted",
        asked: Some(Asked { by: "mara@ops-1".into(), why: "--allow window: a release".into() }),
    };
    let reported = Finished {
        drifted: Some(true),
        run: Some(run),
        reason: "mara moved it".into(),
        history: vec![("drift", "greetings.delayMs".into())],
        ..done(&claimed[0], false)
    };
    a.finish(&[reported, done(&claimed[1], true)]).await.unwrap();
    let runs = a.runs(&tenant("acme"), 10).await.unwrap();
    assert_eq!((runs.len(), runs[0].writes, runs[0].conflicts, runs[0].cause.as_str()), (1, 2, 1, "commit"));
    let asked = (runs[0].asked_by.as_str(), runs[0].asked_why.as_str());
    assert_eq!(asked, ("mara@ops-1", "--allow window: a release"));
    a.tell(&tenant("acme"), "paused", "by mara").await.unwrap();
    let history = a.history(&tenant("acme"), 10).await.unwrap();
    assert_eq!(
        history.iter().map(|line| line.kind.as_str()).collect::<BTreeSet<_>>(),
        ["drift", "paused"].into()
    );
    let row = a.tenants(Which::Named(&[tenant("acme")])).await.unwrap().remove(0);
    assert!(row.drifted_at.is_some() && row.synced_at.is_none() && row.checked_at.is_some());
    assert_eq!((row.failures, row.reason.as_str()), (1, "mara moved it"));
    let next = a.next_due("repo").await.unwrap();
    assert_eq!(next.head, Some(Revision::new("c1")));
    let left = next.left.unwrap();
    assert!(left > Duration::from_secs(500) && left <= Duration::from_secs(600), "{left:?}");
    assert_eq!(a.note("x").await.unwrap(), None);
    a.keep_note("x", "1").await.unwrap();
    a.keep_note("x", "2").await.unwrap();
    assert_eq!(a.note("x").await.unwrap().as_deref(), Some("2"));
}

async fn the_fleet_is_counted_by_status(pair: &Pair) {
    let Pair { a, .. } = pair;
    let rows = ["calm", "drifting", "quiet", "wrong"]
        .map(|name| if name == "wrong" { wanted(name, "") } else { wanted(name, "1") });
    advance(a, None, "c1", &rows).await;
    let pause = Pause {
        kind: PauseKind::Pause,
        by: "ops".into(),
        reason: "a migration".into(),
        since: now(),
        until: None,
    };
    a.pause(&tenant("quiet"), &pause).await.unwrap();
    // A hold does not count as paused, and an expired pause does not either.
    let hold = Pause { kind: PauseKind::Hold, ..pause.clone() };
    a.pause(&tenant("drifting"), &hold).await.unwrap();
    let over = Pause { until: Some(Timestamp::from_millisecond(1_000).unwrap()), ..pause };
    a.pause(&tenant("calm"), &over).await.unwrap();
    let claimed = claim(a, 10).await;
    let ended = |one: &Claimed| match one.lease.tenant.as_str() {
        "drifting" => Finished { status: Some(Status::Drifted), drifted: Some(true), ..done(one, false) },
        _ => done(one, true),
    };
    a.finish(&claimed.iter().map(ended).collect::<Vec<_>>()).await.unwrap();
    let figures = a.figures(3).await.unwrap();
    let mut standing: Vec<(Status, usize)> =
        figures.by_status.iter().map(|some| (some.status, some.tenants)).collect();
    // Each database sorts absent values in its own way.
    standing.sort_by_key(|(status, _)| status.row().metric);
    let expected = [(Status::Drifted, 1), (Status::Invalid, 1), (Status::Paused, 1), (Status::Synced, 1)];
    assert_eq!(standing, expected);
    assert_eq!(figures.oldest.len(), 3, "no more than asked for");
    let seen: Vec<Timestamp> = figures.oldest.iter().map(|(_, at)| *at).collect();
    assert!(seen.is_sorted(), "{seen:?}");
    let troubled = a.tenants(Which::Troubled).await.unwrap();
    let named: Vec<(&str, Option<Timestamp>)> =
        troubled.iter().map(|row| (row.tenant.as_str(), row.drifted_at)).collect();
    assert_eq!(named, [("drifting", figures.drifted_at), ("wrong", None)]);
    assert_eq!((figures.drifted, figures.drifted_at.is_some()), (1, true));
    // Tenants that git no longer has are not counted.
    let [calm, _, _, wrong] = rows;
    advance(a, Some("c1"), "c2", &[calm, wrong]).await;
    let figures = a.figures(3).await.unwrap();
    assert_eq!(figures.by_status.iter().map(|some| some.tenants).sum::<usize>(), 2);
    assert_eq!((figures.oldest.len(), figures.drifted, figures.drifted_at), (2, 0, None));
}

/// A hundred appends at once: those that are refused, or that the database cannot take, leave nothing and
/// affect no other.
async fn appends_of_one_group_fail_alone(pair: &Pair) {
    let names: Vec<TenantName> = (0..100).map(|number| tenant(&format!("t-{number:03}"))).collect();
    let mut leases = pair.a.take(&names, LONG).await.unwrap();
    leases.sort_by(|a, b| a.tenant.cmp(&b.tenant));
    pair.a.release(&leases.iter().step_by(10).cloned().collect::<Vec<_>>()).await.unwrap();
    let appends = leases.iter().enumerate().map(|(number, lease)| {
        let (store, lease) = (pair.a.clone(), lease.clone());
        // A tenant has no two intents with one id.
        let second = if number % 10 == 5 { 1 } else { 2 };
        tokio::spawn(async move {
            store.append(&lease, &[intent(1, Vec::new()), intent(second, Vec::new())]).await
        })
    });
    let (mut refused, mut broken) = (0, 0);
    for (number, append) in appends.collect::<Vec<_>>().into_iter().enumerate() {
        match append.await.unwrap() {
            Ok(()) => assert_ne!(number % 5, 0),
            Err(StoreError::Fenced { .. }) => refused += 1,
            Err(StoreError::Database { .. }) => broken += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!((refused, broken), (10, 10));
    let journals = pair.b.journals(&names).await.unwrap();
    assert_eq!(journals.len(), 80);
    assert!(journals.values().all(|journal| journal.unresolved.len() == 2));
}

/// Sixty runs end at once: each is recorded, and its lease is free.
async fn ends_that_come_together_are_all_written_down(pair: &Pair) {
    let rows: Vec<Wanted> = (0..60).map(|number| wanted(&format!("t-{number:02}"), "1")).collect();
    advance(&pair.a, None, "c1", &rows).await;
    let claimed = claim(&pair.a, 60).await;
    assert_eq!(claimed.len(), 60);
    let line = |one: &Claimed| Finished { history: vec![("drift", "a line".into())], ..done(one, true) };
    let ends = claimed.iter().map(|one| {
        let (store, finished) = (pair.a.clone(), line(one));
        tokio::spawn(async move { store.finish_in_group(&finished).await })
    });
    for end in ends.collect::<Vec<_>>() {
        end.await.unwrap().unwrap();
    }
    let tenants = pair.b.tenants(Which::All).await.unwrap();
    assert!(tenants.len() == 60 && tenants.iter().all(|row| row.status == Status::Synced));
    assert!(pair.b.holder_of(&claimed[7].lease.tenant).await.unwrap().is_none());
    // A run whose answer was lost is recorded again, and occurs once in the history.
    pair.a.finish_in_group(&line(&claimed[7])).await.unwrap();
    assert_eq!(pair.b.history(&claimed[7].lease.tenant, 10).await.unwrap().len(), 1);
}

/// Two processes claim at once, over and over: they never hold the same tenant.
async fn claims_never_overlap(pair: &Pair) {
    let rows: Vec<Wanted> = (0..50).map(|number| wanted(&format!("t-{number:02}"), "1")).collect();
    advance(&pair.a, None, "c1", &rows).await;
    let working = Arc::new(std::sync::Mutex::new(BTreeSet::new()));
    let work = |store: Store| {
        let working = Arc::clone(&working);
        async move {
            let mut ran = 0;
            for _ in 0..20 {
                let claimed = claim(&store, 5).await;
                for one in &claimed {
                    assert!(working.lock().unwrap().insert(one.lease.tenant.clone()), "{}", one.lease.tenant);
                }
                tokio::task::yield_now().await;
                for one in &claimed {
                    working.lock().unwrap().remove(&one.lease.tenant);
                }
                let finished: Vec<Finished> = claimed.iter().map(|one| done(one, true)).collect();
                store.finish(&finished).await.unwrap();
                ran += claimed.len();
            }
            ran
        }
    };
    let (a, b) = tokio::join!(tokio::spawn(work(pair.a.clone())), tokio::spawn(work(pair.b.clone())));
    assert_eq!(a.unwrap() + b.unwrap(), 50);
}

macro_rules! suite {
    ($run:ident) => {
        $run!(
            journal_is_read_back,
            a_lease_has_one_holder_and_its_token_grows,
            a_new_head_makes_due_what_it_moves,
            what_becomes_due_during_a_run_stays_due,
            who_dies_is_followed,
            an_intent_is_refused_once_git_moved_on_or_the_tenant_is_paused,
            a_hold_ends_when_git_says_something_else,
            a_head_that_changes_too_much_is_held_and_a_replica_behind_claims_nothing,
            what_was_written_in_part_changes_when_git_goes_back,
            claims_are_fair_and_keep_the_caps,
            a_change_waits_for_lower_waves_and_is_watched,
            only_what_may_be_written_and_is_not_holds_higher_waves_back,
            what_cannot_be_reached_is_waited_for_once,
            what_cannot_be_read_keeps_its_place,
            an_invalid_tenant_counts_as_git_says_now,
            another_commit_than_the_head_is_begun_for_itself,
            the_gate_of_queries_is_the_pure_one,
            what_runs_left_behind_is_shown,
            the_fleet_is_counted_by_status,
            appends_of_one_group_fail_alone,
            ends_that_come_together_are_all_written_down,
            claims_never_overlap,
            no_two_tenants_go_off_within_an_hour,
            what_was_said_of_guards_is_kept_with_a_run_in_sync,
            a_head_is_written_once_something_came_of_it,
            an_opening_lasts_until_a_run_wrote,
            what_another_tenant_applied_goes_with_the_object,
            what_a_person_accepts_is_kept_whole_or_not_at_all
        )
    };
}

async fn pair(place: &StorePlace) -> Pair {
    // At once: replicas start together, and both find no tables.
    let (a, b) = tokio::join!(Store::open(place, "a"), Store::open(place, "b"));
    Pair { a: a.unwrap(), b: b.unwrap() }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(work)
}

#[test]
fn the_suite_holds_on_sqlite() {
    macro_rules! run {
        ($($case:ident),*) => {$(
            let folder = tempfile::tempdir().unwrap();
            // A folder name with characters that have a meaning in a URL.
            let place = StorePlace::Folder(folder.path().join("a state?mode=ro#%20"));
            println!("sqlite: {}", stringify!($case));
            block_on(async { $case(&pair(&place).await).await });
        )*};
    }
    suite!(run);
}

#[test]
fn the_suite_holds_on_postgresql() {
    let cluster = Postgres::start();
    macro_rules! run {
        ($($case:ident),*) => {$(
            let url = cluster.database(stringify!($case));
            println!("postgresql: {}", stringify!($case));
            block_on(async { $case(&pair(&StorePlace::Postgres(Secret::new(url))).await).await });
        )*};
    }
    suite!(run);
}

#[test]
fn a_transaction_that_loses_a_deadlock_is_tried_again() {
    let cluster = Postgres::start();
    let place = StorePlace::Postgres(Secret::new(cluster.database("deadlock")));
    let until = async |what: &str, query: &str| {
        for _ in 0..600 {
            if cluster.sql("deadlock", query) == "t" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("timed out waiting for {what}");
    };
    block_on(async {
        let store = Store::open(&place, "a").await.unwrap();
        advance(&store, None, "c1", &[wanted("a", "1"), wanted("b", "1")]).await;
        // The database chooses the order of the locks: one of the two orders is the opposite of ours.
        for (ours, theirs) in [("a", "b"), ("b", "a")] {
            store.poke(None, ClaimCause::Operator).await.unwrap();
            let claimed = claim(&store, 2).await;
            assert_eq!(named(&claimed), ["a", "b"]);
            let mut other = cluster.session("deadlock");
            other.say(&format!("BEGIN; UPDATE leases SET holder = holder WHERE name = '{theirs}';"));
            until("their lock", &format!("SELECT count(*) = 0 FROM (SELECT FROM leases WHERE name = '{theirs}' FOR UPDATE SKIP LOCKED) AS free")).await;
            let finished: Vec<Finished> = claimed.iter().map(|one| done(one, true)).collect();
            let ours_ended = {
                let store = store.clone();
                tokio::spawn(async move { store.finish(&finished).await })
            };
            until("our wait", "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted").await;
            other.say(&format!("UPDATE leases SET holder = holder WHERE name = '{ours}'; COMMIT;"));
            ours_ended.await.unwrap().unwrap();
        }
        // The server updates its counters a moment later.
        until("a deadlock", "SELECT deadlocks > 0 FROM pg_stat_database WHERE datname = 'deadlock'").await;
        store.close().await;
    });
}

#[test]
fn the_suite_holds_behind_a_pooler_in_transaction_mode() {
    let cluster = Postgres::start();
    // Fewer connections than handles: a transaction finds what another one left in its connection.
    let bouncer = Bouncer::before(&cluster, 3);
    macro_rules! run {
        ($($case:ident),*) => {$(
            // The pooler does not find names that PostgreSQL shortens.
            let name: String = stringify!($case).chars().take(60).collect();
            cluster.database(&name);
            let url = bouncer.url(&name);
            println!("pgbouncer: {}", stringify!($case));
            block_on(async { $case(&pair(&StorePlace::Postgres(Secret::new(url))).await).await });
        )*};
    }
    suite!(run);
}

#[test]
fn a_store_of_a_later_genesync_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let place = StorePlace::Folder(folder.path().to_owned());
    block_on(async {
        assert!(Store::look(&place).await.unwrap().is_none(), "reading creates nothing");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        Store::open(&place, "a").await.unwrap().close().await;
        assert!(Store::look(&place).await.unwrap().is_some());
        sqlx::any::install_default_drivers();
        let url = format!("sqlite://{}", genesync::store::database_file(folder.path()).display());
        let pool = sqlx::AnyPool::connect(&url).await.unwrap();
        sqlx::query("UPDATE _sqlx_migrations SET version = 999 WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)").execute(&pool).await.unwrap();
        for opened in [Store::open(&place, "a").await.err(), Store::look(&place).await.err()] {
            assert!(matches!(opened, Some(StoreError::Newer { found: 999, .. })), "{opened:?}");
        }
    });
}

/// The first build with standings stored rows of watched and invalid tenants that held all other tenants for
/// ever.
#[test]
fn a_store_of_an_earlier_genesync_is_migrated() {
    let folder = tempfile::tempdir().unwrap();
    let place = StorePlace::Folder(folder.path().to_owned());
    block_on(async {
        let store = Store::open(&place, "a").await.unwrap();
        let mut watched = wanted("watched", "");
        watched.settings.as_mut().unwrap().enforced = false;
        let mut rest = wanted("rest", "1");
        rest.settings.as_mut().unwrap().wave = 1;
        advance(&store, None, "c1", &[watched, rest]).await;
        store.close().await;
        let url = format!("sqlite://{}", genesync::store::database_file(folder.path()).display());
        let pool = sqlx::AnyPool::connect(&url).await.unwrap();
        for back in [
            "ALTER TABLE bases DROP COLUMN drafted_at",
            "ALTER TABLE bases DROP COLUMN ignored",
            "DROP TABLE baselines",
            "DROP INDEX bases_object",
            "ALTER TABLE tenants DROP COLUMN unmanaged",
            "DROP TABLE precedents",
            "DROP TABLE latches",
            "DROP TABLE openings",
            "DROP TABLE identity",
            "DROP INDEX intents_off",
            "ALTER TABLE intents DROP COLUMN off",
            "ALTER TABLE heads DROP COLUMN limits",
            "ALTER TABLE heads DROP COLUMN written",
            "ALTER TABLE tenants RENAME COLUMN unavailable_since TO standing_at",
            "UPDATE tenants SET standing = CASE WHEN wanted = '' THEN 'failed' ELSE standing END, standing_at = 9",
            "DELETE FROM _sqlx_migrations WHERE version > 3",
        ] {
            sqlx::query(back).execute(&pool).await.unwrap();
        }
        pool.close().await;
        let store = Store::open(&place, "a").await.unwrap();
        let claimed = claim(&store, 9).await;
        let seen: Vec<_> = claimed.iter().map(|one| (one.waits_for, one.unavailable_since)).collect();
        assert_eq!((named(&claimed), seen), (vec!["rest"], vec![(None, None)]));
    });
}
