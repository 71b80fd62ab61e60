//! Waves in the store: which changes wait, for which tenants, and what opens the gate.

use std::time::Duration;

use genesync::model::standing::{Position, Standing, gate};
use genesync::model::{FaultKind, Revision, Status, TenantName, Wanted, WantedSettings};
use genesync::store::{
    Begin, ClaimCause, Claimed, Finished, Lease, Pause, PauseKind, Store, TenantRow, Which,
};
use jiff::Timestamp;

use super::{LONG, PATIENCE, Pair, advance, claim, done, now, tenant, wanted};

fn in_wave(name: &str, digest: &str, wave: u32) -> Wanted {
    let plain = wanted(name, digest);
    Wanted { settings: plain.settings.map(|settings| WantedSettings { wave, ..settings }), ..plain }
}

fn watched(wanted: Wanted) -> Wanted {
    Wanted {
        settings: wanted.settings.map(|settings| WantedSettings { enforced: false, ..settings }),
        ..wanted
    }
}

/// Returns which tenants are claimed, and the wave that each waits for.
async fn gated(store: &Store) -> (Vec<Claimed>, Vec<(String, Option<u32>)>) {
    let claimed = claim(store, 9).await;
    let seen = claimed.iter().map(|one| (one.lease.tenant.to_string(), one.waits_for)).collect();
    (claimed, seen)
}

/// Returns the end of a run that only read, because its change waits.
fn looked(claimed: &Claimed) -> Finished {
    Finished {
        status: Some(Status::Waiting),
        standing: Some(Standing::Pending),
        waits_for: claimed.waits_for,
        ..done(claimed, false)
    }
}

pub async fn a_change_waits_for_lower_waves_and_is_watched(pair: &Pair) {
    let Pair { a, .. } = pair;
    advance(a, None, "c1", &[in_wave("rest", "1", 1), in_wave("canary", "1", 0)]).await;
    let (first, seen) = gated(a).await;
    // The tenant that may be written comes first, independent of the names.
    assert_eq!(seen, [("canary".into(), None), ("rest".into(), Some(0))]);
    a.finish(&[done(&first[0], false), looked(&first[1])]).await.unwrap();
    assert_eq!(a.tenants(Which::All).await.unwrap()[1].status, Status::Waiting);
    assert_eq!(claim(a, 5).await.len(), 0, "the canary is not done");
    a.poke(Some(&[tenant("canary")]), ClaimCause::Operator).await.unwrap();
    let canary = claim(a, 5).await;
    a.finish(&[done(&canary[0], true)]).await.unwrap();
    // It is due at once, although its next resync is much later.
    let (rest, seen) = gated(a).await;
    assert_eq!(seen, [("rest".into(), None)]);
    a.finish(&[done(&rest[0], true)]).await.unwrap();
    assert_eq!(claim(a, 5).await.len(), 0);
}

async fn begin(store: &Store, leases: &[Lease], rows: &[Wanted], patience: Duration) -> Vec<Claimed> {
    let of = |lease: &Lease| rows.iter().find(|row| row.tenant == lease.tenant).unwrap();
    let begins = leases.iter().map(|lease| Begin {
        lease,
        wanted: of(lease).digest.as_deref().unwrap_or_default(),
        wave: of(lease).settings.as_ref().unwrap().wave,
        is_head: true,
    });
    store.begin(&begins.collect::<Vec<_>>(), LONG, patience).await.unwrap()
}

pub async fn only_what_may_be_written_and_is_not_holds_higher_waves_back(pair: &Pair) {
    let Pair { a, .. } = pair;
    let rows = [
        watched(in_wave("a-watched", "1", 0)),
        in_wave("b-zero", "1", 0),
        in_wave("c-one", "1", 1),
        in_wave("d-two", "1", 2),
    ];
    advance(a, None, "c1", &rows).await;
    let (first, seen) = gated(a).await;
    let waits = |name: &str, wave| (name.to_owned(), wave);
    let all =
        [waits("a-watched", None), waits("b-zero", None), waits("c-one", Some(0)), waits("d-two", Some(0))];
    assert_eq!(seen, all);
    let pause = Pause {
        kind: PauseKind::Pause,
        by: "ops".into(),
        reason: "broken".into(),
        since: now(),
        until: None,
    };
    a.pause(&tenant("b-zero"), &pause).await.unwrap();
    let aside = Finished { standing: Some(Standing::Aside), ..done(&first[0], false) };
    a.finish(&[aside, done(&first[1], false), looked(&first[2]), looked(&first[3])]).await.unwrap();
    // No tenant waits for the paused or the watched one. They wait for the first one that fails.
    let (one, seen) = gated(a).await;
    assert_eq!(seen, [waits("c-one", None)]);
    a.finish(&[done(&one[0], false)]).await.unwrap();
    assert_eq!(gated(a).await.1, []);
    a.pause(&tenant("c-one"), &pause).await.unwrap();
    let (two, seen) = gated(a).await;
    assert_eq!(seen, [waits("d-two", None)], "the rest is paused, so no tenant waits");
    a.finish(&[done(&two[0], true)]).await.unwrap();
    a.resume(&tenant("c-one")).await.unwrap();
    a.poke(None, ClaimCause::Resync).await.unwrap();
    // An applied tenant waits for no other tenant.
    assert!(gated(a).await.1.iter().all(|(_, wave)| wave.is_none()));
}

/// The wait for an unreachable tenant starts with its first failure; another commit does not restart the
/// wait.
pub async fn what_cannot_be_reached_is_waited_for_once(pair: &Pair) {
    let Pair { a, .. } = pair;
    advance(a, None, "c1", &[in_wave("canary", "1", 0), in_wave("rest", "1", 1)]).await;
    let (first, _) = gated(a).await;
    let out = |one: &Claimed| Finished {
        status: Some(Status::Degraded(FaultKind::Denied)),
        standing: Some(Standing::Unavailable),
        ..done(one, false)
    };
    a.finish(&[out(&first[0]), looked(&first[1])]).await.unwrap();
    assert!(begin(a, &[], &[], PATIENCE).await.is_empty());
    let of = |digest: &'static str, patience: Duration| async move {
        let leases = a.take(&[tenant("canary"), tenant("rest")], LONG).await.unwrap();
        let seen =
            begin(a, &leases, &[in_wave("canary", digest, 0), in_wave("rest", digest, 1)], patience).await;
        a.release(&leases).await.unwrap();
        let rest = seen.iter().find(|one| one.lease.tenant == tenant("rest")).unwrap().waits_for;
        let canary = seen.iter().find(|one| one.lease.tenant == tenant("canary")).unwrap();
        (canary.standing, canary.unavailable_since, rest)
    };
    let (standing, since, rest) = of("1", PATIENCE).await;
    assert_eq!((standing, since.is_some(), rest), (Standing::Unavailable, true, Some(0)));
    assert_eq!(of("1", Duration::ZERO).await.2, None, "without patience a tenant does not wait");
    advance(a, Some("c1"), "c2", &[in_wave("canary", "2", 0), in_wave("rest", "2", 1)]).await;
    assert_eq!(of("2", PATIENCE).await, (standing, since, Some(0)), "a commit does not reset it");
    // An invalid tenant does not either. It fails for its own reason, and no process could apply it.
    advance(a, Some("c2"), "c3", &[in_wave("canary", "", 0), in_wave("rest", "2", 1)]).await;
    advance(a, Some("c3"), "c4", &[in_wave("canary", "4", 0), in_wave("rest", "2", 1)]).await;
    let again = claim(a, 9).await;
    let canary = again.iter().find(|one| one.lease.tenant == tenant("canary")).unwrap();
    assert_eq!((canary.standing, canary.unavailable_since), (Standing::Pending, since));
    a.finish(&[out(canary)]).await.unwrap();
    let rest = again.iter().find(|one| one.lease.tenant == tenant("rest"));
    a.finish(&rest.map(looked).into_iter().collect::<Vec<_>>()).await.unwrap();
    assert_eq!(of("4", PATIENCE).await.1, since);
    // After a successful contact, the full patience applies again.
    a.poke(None, ClaimCause::Resync).await.unwrap();
    let reached = claim(a, 9).await;
    a.finish(&reached.iter().map(|one| done(one, false)).collect::<Vec<_>>()).await.unwrap();
    assert_eq!(of("4", PATIENCE).await.1, None);
}

/// The rest waits for an invalid tenant until git only watches it. It counts for the wave that git currently
/// gives it.
pub async fn an_invalid_tenant_counts_as_git_says_now(pair: &Pair) {
    let Pair { a, .. } = pair;
    let rest = || in_wave("rest", "1", 2);
    advance(a, None, "c1", &[in_wave("canary", "", 0), rest()]).await;
    let waits = |wave: Option<u32>| [("rest".to_owned(), wave)];
    let (first, seen) = gated(a).await;
    assert_eq!(seen, waits(Some(0)));
    a.finish(&[looked(&first[0])]).await.unwrap();
    advance(a, Some("c1"), "c2", &[in_wave("canary", "", 1), rest()]).await;
    a.poke(None, ClaimCause::Resync).await.unwrap();
    let (second, seen) = gated(a).await;
    assert_eq!(seen, waits(Some(1)));
    a.finish(&[looked(&second[0])]).await.unwrap();
    advance(a, Some("c2"), "c3", &[watched(in_wave("canary", "", 1)), rest()]).await;
    assert_eq!(gated(a).await.1, waits(None), "due at once, because it no longer waits");
}

/// A commit that is not the head is tracked separately. What it says of new tenants counts for no other
/// tenant until a head says the same.
pub async fn another_commit_than_the_head_is_begun_for_itself(pair: &Pair) {
    let Pair { a, .. } = pair;
    advance(a, None, "c1", &[in_wave("canary", "1", 0)]).await;
    let first = claim(a, 9).await;
    a.finish(&first.iter().map(|one| done(one, true)).collect::<Vec<_>>()).await.unwrap();
    let rows = [in_wave("canary", "2", 3), in_wave("new", "2", 0)];
    a.know(&Revision::new("c2"), &rows).await.unwrap();
    let leases = a.take(&[tenant("canary"), tenant("new")], LONG).await.unwrap();
    let mut begun = begin(a, &leases, &rows, PATIENCE).await;
    begun.sort_by(|one, other| one.lease.tenant.cmp(&other.lease.tenant));
    let seen: Vec<_> =
        begun.iter().map(|one| (one.lease.tenant.as_str(), &*one.wanted, one.applied, one.wave)).collect();
    assert_eq!(seen, [("canary", "2", false, 3), ("new", "2", false, 0)]);
    a.finish(&begun.iter().map(|one| done(one, true)).collect::<Vec<_>>()).await.unwrap();
    // The head decides: the canary differs from it, and the new tenant is not in it.
    a.poke(None, ClaimCause::Resync).await.unwrap();
    let next = claim(a, 9).await;
    let seen: Vec<_> =
        next.iter().map(|one| (one.lease.tenant.as_str(), &*one.wanted, one.applied, one.wave)).collect();
    assert_eq!(seen, [("canary", "1", false, 0)]);
    a.finish(&next.iter().map(looked).collect::<Vec<_>>()).await.unwrap();
    // Once a head has both tenants, both count as part of it.
    advance(a, Some("c1"), "c2", &rows).await;
    let rows = a.tenants(Which::All).await.unwrap();
    let seen: Vec<_> = rows.iter().map(|row| (row.tenant.as_str(), row.applied)).collect();
    assert_eq!(seen, [("canary", true), ("new", true)]);
}

/// A tenant that cannot be read keeps its last known mode and wave.
pub async fn what_cannot_be_read_keeps_its_place(pair: &Pair) {
    let Pair { a, .. } = pair;
    let unread = |name: &str| Wanted { settings: None, ..wanted(name, "") };
    let rows = [watched(in_wave("watched", "1", 1)), in_wave("enforced", "1", 3), in_wave("rest", "1", 5)];
    advance(a, None, "c1", &rows).await;
    let first = claim(a, 9).await;
    a.finish(&first.iter().map(|one| done(one, true)).collect::<Vec<_>>()).await.unwrap();
    let broken = [unread("watched"), unread("enforced"), unread("new"), in_wave("rest", "2", 5)];
    advance(a, Some("c1"), "c2", &broken).await;
    let row = |rows: &[TenantRow], name: &str| {
        let row = rows.iter().find(|row| row.tenant == tenant(name)).unwrap();
        (row.wave, row.enforced, row.status)
    };
    let rows = a.tenants(Which::All).await.unwrap();
    assert_eq!(row(&rows, "watched"), (1, false, Status::Invalid));
    assert_eq!(row(&rows, "enforced"), (3, true, Status::Invalid));
    // A tenant that was never read is not known to be only watched: it holds others, from the first wave on.
    assert_eq!(row(&rows, "new"), (0, true, Status::Invalid));
    assert_eq!(gated(a).await.1, [("rest".into(), Some(0))]);
}

async fn pause_or_resume(store: &Store, name: &TenantName, number: u64) {
    let (kind, since) = (PauseKind::Pause, now());
    let pause = Pause { kind, by: "ops".into(), reason: "x".into(), since, until: None };
    match number {
        0 => store.pause(name, &pause).await.unwrap(),
        1 => drop(store.resume(name).await.unwrap()),
        _ => {}
    }
}

/// The gate in SQL equals the gate that is computed in memory.
pub async fn the_gate_of_queries_is_the_pure_one(pair: &Pair) {
    let Pair { a, .. } = pair;
    let mut random = 0x9E37_79B9_u64;
    let mut below = move |end: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % end
    };
    let mut known: Option<String> = None;
    for round in 0..60 {
        let tenants: Vec<(String, u32, bool, bool)> = (0..6)
            .map(|number| (format!("t{number}"), below(4) as u32, below(4) == 0, below(5) == 0))
            .collect();
        let rows: Vec<Wanted> = tenants
            .iter()
            .map(|(name, wave, watches, invalid)| {
                let digest = if *invalid { String::new() } else { format!("{round}") };
                let row = in_wave(name, &digest, *wave);
                if *watches { watched(row) } else { row }
            })
            .collect();
        let revision = format!("c{round}");
        advance(a, known.as_deref(), &revision, &rows).await;
        known = Some(revision);
        // Some tenants are paused, and some runs end with various results.
        for number in 0..6 {
            pause_or_resume(a, &tenant(&format!("t{number}")), below(8)).await;
        }
        let ended: Vec<Finished> = claim(a, 9)
            .await
            .iter()
            .map(|one| match below(5) {
                0 => done(one, true),
                1 => Finished { standing: Some(Standing::Unavailable), ..done(one, false) },
                2 => Finished { standing: Some(Standing::Failed), ..done(one, false) },
                3 => Finished { standing: Some(Standing::Aside), ..done(one, false) },
                _ => Finished { standing: None, ..done(one, false) },
            })
            .collect();
        a.finish(&ended).await.unwrap();
        let leases =
            a.take(&(0..6).map(|n| tenant(&format!("t{n}"))).collect::<Vec<_>>(), LONG).await.unwrap();
        for patience in [Duration::ZERO, PATIENCE] {
            let claimed = begin(a, &leases, &rows, patience).await;
            let position = |one: &Claimed| Position {
                wave: one.wave,
                changed: !one.applied || one.wanted.is_empty(),
                paused: one.pause.is_some(),
                standing: one.standing,
                since: one.unavailable_since.unwrap_or_default(),
            };
            let pure = gate(claimed.iter().map(position), Timestamp::now(), patience);
            for one in &claimed {
                let (_, wave, watches, _) =
                    tenants.iter().find(|(name, ..)| tenant(name) == one.lease.tenant).unwrap();
                let expected =
                    pure.filter(|gate| !one.applied && !one.wanted.is_empty() && !watches && wave > gate);
                assert_eq!(one.waits_for, expected, "round {round}, {patience:?}: {one:?} in {claimed:?}");
            }
        }
        a.release(&leases).await.unwrap();
    }
}
