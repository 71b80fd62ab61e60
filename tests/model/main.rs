//! Explores the core exhaustively within small bounds, with stateright. Two processes share a tenant's
//! journal. Every interleaving with a person's edit, a new commit, lost and late requests, refusals, crashes
//! and expired leases is explored. Webchat's server refuses a stale version. The server of the cloud dialect
//! accepts each of the three writes of a change, whatever it was planned from.
//!
//! The model calls the real `step`. Around it are a server, a git, and a store that issues leases with
//! fencing tokens and refuses the records of an old token. Time is left out: a wait ends at once. The effect
//! of a wait is kept: after any process has waited for the deadline of an intent, its request no longer
//! arrives, and a paused process no longer sends it.
//!
//! Liveness is checked by healing, as bounded safety: from every reachable state, with faults off, the tenant
//! must be synced and proved within three runs, and silent after that. Each guard, switched off, must break a
//! property: otherwise the model shows nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::use_debug,
    missing_docs,
    reason = "a test ends with a panic, and sets the stage itself"
)]

mod bounds;
mod cloud;
mod moves;
mod shared;
mod webchat;
mod world;

use std::collections::BTreeSet;
use std::time::Instant;

use bounds::{Budget, Guards};
use genesync::model::{Dialect, Versions};
use stateright::{Checker, HasDiscoveries, Model};
use world::{BLIND, DOUBLE, HEALS, OWN, RECEIPT, TOKEN, TRAVEL, Toy, UNTOLD, WAITS};

/// The version checks of webchat as it ships, and those of a server that enforces no versions.
fn both() -> [Versions; 2] {
    [Dialect::Webchat.capabilities().versions, Versions::Unenforced]
}

const NOTHING: Budget = Budget {
    edits: 0,
    lost: 0,
    late: 0,
    throttles: 0,
    crashes: 0,
    commits: 0,
    leases: 0,
    behind: 0,
    queues: 0,
    lags: 0,
    words: 0,
};

/// Explores everything, and returns the violated properties.
fn explore(label: &str, toy: Toy) -> Vec<&'static str> {
    let (began, versions) = (Instant::now(), toy.versions);
    let checker = toy.checker().threads(2).spawn_bfs().join();
    let states = checker.unique_state_count();
    println!("{label}, versions {versions:?}: {states} unique states in {} ms", began.elapsed().as_millis());
    let found = checker.discoveries();
    found
        .into_iter()
        .map(|(property, path)| {
            println!(
                "{label}: not so: {property}: {:?}\n{:#?}",
                path.clone().into_actions(),
                path.last_state().trail()
            );
            property
        })
        .collect()
}

/// Checks that no property is violated, and that the named events really happened.
fn holds(label: &str, toy: Toy, happened: &[&str]) {
    let witnesses = std::sync::Arc::clone(&toy.witnesses);
    assert_eq!(explore(label, toy), Vec::<&str>::new(), "{label}");
    let saw = witnesses.all();
    for what in happened {
        assert!(saw.contains(what), "{label}: {what} never happened; {saw:?} did");
    }
}

/// Returns the result of another user's edit in between: a conflict if versions are enforced; otherwise
/// genesync overwrites the edit and reports it.
fn crossing(versions: Versions) -> &'static str {
    match versions {
        Versions::Enforced => "a conflict",
        Versions::Unenforced => "an edit is overwritten",
    }
}

#[test]
fn one_process_keeps_every_property_under_all_faults() {
    alone(Dialect::Webchat.capabilities().versions);
}

fn alone(versions: Versions) {
    let budget = Budget { edits: 1, lost: 1, late: 1, throttles: 1, crashes: 1, commits: 1, ..NOTHING };
    let happened = [crossing(versions), "a late write arrives", "a run is superseded"];
    holds("one process", Toy::new(1, 1, versions, budget), &happened);
}

#[test]
fn one_process_with_a_replica_and_a_job_holds() {
    with_a_job(Dialect::Webchat.capabilities().versions);
}

fn with_a_job(versions: Versions) {
    let budget = Budget { edits: 1, lost: 1, late: 1, throttles: 1, crashes: 1, lags: 1, ..NOTHING };
    // A job overwrites the replica, with or without version checks.
    let happened = ["an edit is overwritten", "a late write arrives", "a run ends unconfirmed"];
    holds("a replica and a job", Toy::new(2, 1, versions, budget), &happened);
    let budget = Budget { queues: 1, edits: 1, crashes: 1, ..NOTHING };
    holds("a replica, a job and a queue", Toy::new(2, 1, versions, budget), &["writes queue"]);
}

#[test]
#[ignore = "takes half a minute, and there is no such server: the cloud dialect, which has none either, has no jobs"]
fn one_process_serves_both_dialects() {
    alone(Versions::Unenforced);
    with_a_job(Versions::Unenforced);
}

/// The events of a takeover by another process.
const TAKEOVER: [&str; 4] = [
    "a takeover",
    "an old token is refused",
    "a run ends as its lease is lost",
    "a write is too late to leave",
];

// Guarantee: one-process-a-tenant
#[test]
fn two_processes_hold_through_a_takeover_at_any_moment() {
    for versions in both() {
        let also = [crossing(versions), "a late write arrives", "a run is superseded"];
        let happened = [&TAKEOVER[..], &also].concat();
        let budget = Budget { edits: 1, late: 1, leases: 1, commits: 1, behind: 1, ..NOTHING };
        holds("two processes, a commit, an edit", Toy::new(1, 2, versions, budget), &happened);
        let happened = [&TAKEOVER[..], &also[1..]].concat();
        let budget = Budget { late: 1, crashes: 1, leases: 1, commits: 1, behind: 1, ..NOTHING };
        holds("two processes, a commit, a crash", Toy::new(1, 2, versions, budget), &happened);
        let happened = [&TAKEOVER[..], &also[..2]].concat();
        let budget = Budget { edits: 2, lost: 1, late: 1, leases: 1, ..NOTHING };
        holds("two processes, two edits", Toy::new(1, 2, versions, budget), &happened);
        let budget = Budget { edits: 1, late: 1, leases: 1, ..NOTHING };
        holds("two processes, a replica and a job", Toy::new(2, 2, versions, budget), &happened);
    }
}

#[test]
fn the_three_writes_of_the_cloud_dialect_hold() {
    let budget = Budget { edits: 1, lost: 1, late: 1, crashes: 1, ..NOTHING };
    let happened = ["an edit is overwritten", "a late write arrives"];
    holds("cloud, an edit", Toy::cloud(1, budget), &happened);
    let budget = Budget { late: 1, crashes: 1, commits: 1, ..NOTHING };
    let happened = ["a late write arrives", "a run is superseded"];
    holds("cloud, a commit", Toy::cloud(1, budget), &happened);
    let budget = Budget { queues: 1, leases: 1, commits: 1, ..NOTHING };
    holds("cloud, two processes, a queue", Toy::cloud(2, budget), &["writes queue", "a takeover"]);
    let budget = Budget { late: 1, leases: 1, commits: 1, behind: 1, ..NOTHING };
    holds("cloud, two processes, a commit", Toy::cloud(2, budget), &TAKEOVER);
    let budget = Budget { edits: 1, late: 1, leases: 1, ..NOTHING };
    holds("cloud, two processes, an edit", Toy::cloud(2, budget), &TAKEOVER);
}

#[test]
fn batches_of_two_and_of_three_writes_hold() {
    let happened = ["a batch", "an edit is overwritten", "a late write arrives"];
    let budget = Budget { edits: 1, late: 1, ..NOTHING };
    holds("cloud, two pairs, an edit", Toy::of_pairs(2, 1, budget), &happened);
    let budget = Budget { lost: 1, crashes: 1, throttles: 1, ..NOTHING };
    holds("cloud, two pairs, a crash", Toy::of_pairs(2, 1, budget), &happened[..1]);
    let budget = Budget { late: 1, crashes: 1, commits: 1, ..NOTHING };
    let happened = ["a batch", "a late write arrives", "a run is superseded"];
    holds("cloud, two pairs, a commit", Toy::of_pairs(2, 1, budget), &happened);
    let budget = Budget { late: 1, leases: 1, ..NOTHING };
    holds("cloud, two pairs, two processes", Toy::of_pairs(2, 2, budget), &TAKEOVER);
    let budget = Budget { late: 1, crashes: 1, ..NOTHING };
    holds("cloud, three pairs", Toy::of_pairs(3, 1, budget), &["a batch", "a late write arrives"]);
    let budget = Budget { queues: 1, edits: 1, ..NOTHING };
    holds("cloud, two pairs, a queue", Toy::of_pairs(2, 1, budget), &["a batch", "writes queue"]);
}

/// A run still resolves what earlier runs left open, and begins nothing new, whatever happens in between.
#[test]
fn a_run_that_has_to_wait_or_is_refused_writes_nothing_and_leaves_nothing_behind() {
    let happened = ["a run waits for a lower wave", "a run is refused", "a late write arrives", "a takeover"];
    let budget = Budget { edits: 1, lost: 1, late: 1, leases: 1, words: 1, ..NOTHING };
    let toys = [
        Toy::new(1, 2, Dialect::Webchat.capabilities().versions, budget),
        Toy::new(2, 2, Dialect::Webchat.capabilities().versions, Budget { edits: 0, lost: 0, ..budget }),
        Toy::cloud(2, Budget { edits: 0, lost: 0, ..budget }),
    ];
    for toy in toys {
        holds("waiting and refused", toy, &happened);
    }
}

#[test]
#[ignore = "takes minutes: what the others explore part by part, all at once"]
fn two_processes_hold_through_everything_at_once() {
    for versions in both() {
        let budget = Budget {
            edits: 1,
            lost: 1,
            late: 1,
            throttles: 0,
            crashes: 1,
            commits: 1,
            leases: 1,
            behind: 1,
            queues: 0,
            lags: 0,
            words: 0,
        };
        holds("two processes, everything at once", Toy::new(1, 2, versions, budget), &TAKEOVER);
    }
    let budget = Budget { edits: 1, lost: 1, late: 1, throttles: 1, crashes: 1, commits: 1, ..NOTHING };
    let happened = ["an edit is overwritten", "a late write arrives", "a run is superseded"];
    holds("cloud, everything at once", Toy::cloud(1, budget), &happened);
}

/// Checks that this property breaks without its guard.
fn breaks(mut toy: Toy, guards: Guards, property: &'static str) {
    toy.guards = guards;
    let (dialect, versions) = (toy.dialect, toy.versions);
    let enough = HasDiscoveries::AnyOf(BTreeSet::from([property]));
    let checker = toy.checker().threads(2).finish_when(enough).spawn_bfs().join();
    let violated: Vec<&str> = checker.discoveries().into_keys().collect();
    assert!(violated.contains(&property), "{dialect:?}, {versions:?}, {guards:?}: only {violated:?} broke");
}

#[test]
fn every_guard_is_needed_in_the_cloud_dialect() {
    let all = Guards::ALL;
    let usual = Budget { edits: 1, late: 1, leases: 1, commits: 1, ..NOTHING };
    let lost = Budget { late: 0, lost: 1, ..usual };
    let behind = Budget { behind: 1, ..usual };
    let table = [
        (Guards { read_back: false, ..all }, lost, RECEIPT),
        (Guards { intent: false, ..all }, usual, RECEIPT),
        (Guards { intent: false, ..all }, usual, DOUBLE),
        (Guards { quarantine: false, ..all }, usual, DOUBLE),
        (Guards { quarantine: false, ..all }, usual, TRAVEL),
        (Guards { deadline: false, ..all }, usual, DOUBLE),
        (Guards { fence: false, ..all }, usual, TOKEN),
        (Guards { fence: false, ..all }, usual, DOUBLE),
        (Guards { recheck: false, ..all }, behind, TRAVEL),
        (Guards { memory: false, ..all }, usual, HEALS),
    ];
    for (guards, budget, property) in table {
        breaks(Toy::cloud(2, budget), guards, property);
    }
}

#[test]
fn every_guard_is_needed() {
    use Versions::{Enforced, Unenforced};
    let all = Guards::ALL;
    let usual = Budget { edits: 1, late: 1, leases: 1, commits: 1, ..NOTHING };
    let lost = Budget { late: 0, lost: 1, ..usual };
    let behind = Budget { behind: 1, ..usual };
    let table = [
        // A server that does not enforce versions has no such guard.
        (Guards { if_match: false, ..all }, Enforced, usual, BLIND),
        (Guards { read_back: false, ..all }, Enforced, lost, RECEIPT),
        (Guards { read_back: false, ..all }, Unenforced, lost, UNTOLD),
        // If versions are enforced, they keep our own writes apart; without the other guards only the
        // receipts break. Otherwise every property breaks.
        (Guards { intent: false, ..all }, Enforced, usual, RECEIPT),
        (Guards { intent: false, ..all }, Unenforced, usual, OWN),
        (Guards { quarantine: false, ..all }, Enforced, usual, RECEIPT),
        (Guards { quarantine: false, ..all }, Unenforced, usual, OWN),
        (Guards { quarantine: false, ..all }, Unenforced, usual, TRAVEL),
        (Guards { deadline: false, ..all }, Enforced, usual, RECEIPT),
        (Guards { deadline: false, ..all }, Unenforced, usual, OWN),
        // Two runs give their intents the same numbers, and one closes the other's intent. Without the fence
        // there is no end of states; in the first million no enforced version was bypassed.
        (Guards { fence: false, ..all }, Enforced, usual, RECEIPT),
        (Guards { fence: false, ..all }, Enforced, usual, TOKEN),
        (Guards { fence: false, ..all }, Unenforced, usual, OWN),
        (Guards { fence: false, ..all }, Unenforced, usual, TRAVEL),
        // A version does not distinguish an old commit from a new one.
        (Guards { recheck: false, ..all }, Enforced, behind, TRAVEL),
        (Guards { recheck: false, ..all }, Unenforced, behind, TRAVEL),
        // A run that is not held back writes.
        (Guards { word: false, ..all }, Enforced, Budget { words: 1, ..NOTHING }, WAITS),
        // A server that loses writes is no guard: it shows that healing can fail.
        (Guards { memory: false, ..all }, Enforced, usual, HEALS),
    ];
    for (guards, versions, budget, property) in table {
        breaks(Toy::new(1, 2, versions, budget), guards, property);
    }
}

/// If every run starts from the newest commit, the lease alone keeps commits in order: a run of an older
/// commit cannot write any more once a newer one began. The question to git before each intent is for runs
/// that start from an outdated fetch.
#[test]
fn asking_git_again_is_not_needed_by_runs_that_start_from_the_newest_commit() {
    for versions in both() {
        let budget = Budget { edits: 1, late: 1, leases: 1, commits: 1, ..NOTHING };
        let mut toy = Toy::new(1, 2, versions, budget);
        toy.guards.recheck = false;
        assert_eq!(explore("without asking git again", toy), Vec::<&str>::new());
    }
}
