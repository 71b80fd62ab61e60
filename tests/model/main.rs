//! The core explored exhaustively on small bounds: every interleaving of one person's edits, lost and late
//! requests, refusals and crashes with one run after another, by stateright.
//!
//! The model calls the real `step`. What it leaves out is time: a wait ends at once, and only then can a
//! request that is late no longer arrive. Liveness is checked by healing, as bounded safety: from every
//! reachable state, with faults off, the tenant must be synced within a bounded number of steps, and silent
//! after that.

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

mod world;

use stateright::{Checker, Model};
use world::{Guards, Toy};

fn check(toy: Toy) -> (usize, Vec<&'static str>) {
    let checker = toy.checker().threads(2).spawn_bfs().join();
    let mut violated: Vec<&'static str> = checker.discoveries().into_keys().collect();
    violated.sort_unstable();
    (checker.unique_state_count(), violated)
}

#[test]
fn with_its_guards_the_core_holds_in_every_reachable_state() {
    let toy = Toy {
        replicas: 0,
        edits: 1,
        lost: 1,
        late: 1,
        throttles: 1,
        crashes: 1,
        commits: 1,
        guards: Guards::all(),
    };
    let (states, violated) = check(toy);
    println!("one organization: {states} unique states");
    // The two names are witnesses that a conflict and a late arrival do happen: without them nothing is shown.
    assert_eq!(violated, ["a late write lands", "somebody else is faster"]);
}

#[test]
fn with_a_replica_and_a_job_the_core_holds_in_every_reachable_state() {
    let toy = Toy {
        replicas: 1,
        edits: 0,
        lost: 1,
        late: 0,
        throttles: 1,
        crashes: 1,
        commits: 0,
        guards: Guards::all(),
    };
    let (states, violated) = check(toy);
    println!("a replica: {states} unique states");
    assert_eq!(violated, Vec::<&str>::new());
}

#[test]
fn each_guard_is_load_bearing() {
    let toy = |guards: Guards| Toy {
        replicas: 0,
        edits: 1,
        lost: 1,
        late: 1,
        throttles: 0,
        crashes: 1,
        commits: 0,
        guards,
    };
    let table = [
        (Guards { if_match: false, ..Guards::all() }, "no write goes over an edit that it has not seen"),
        (Guards { read_back: false, ..Guards::all() }, "every version of ours has a receipt"),
        (Guards { intent: false, ..Guards::all() }, "every version of ours has a receipt"),
    ];
    for (guards, property) in table {
        let (_, violated) = check(toy(guards));
        assert!(violated.contains(&property), "{guards:?} violates only {violated:?}");
    }
}
