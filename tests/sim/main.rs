//! The simulator: the real core in the product's own driver, and the real wire format, against the emulator's
//! world. It runs in one thread; the clock, the faults, the people and the crashes all come from one seed.
//!
//! Each seed switches on a random subset of faults, runs with them for a while, and then heals the world.
//! After that the tenant must converge and fall silent, and every write of ours must be accounted for.
//! `GENESYNC_SEEDS=20000 cargo test --test sim` runs more; a failing seed is printed with its trace.

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

mod script;
mod universe;

use genesync::model::Dialect;
use universe::{Counts, Mutant, Simulation, Universe};

/// The number of seeds of a normal run.
const SEEDS: u64 = 2_000;
/// One in this many seeds is played in the cloud dialect: each takes that much longer, because one read there
/// is many requests.
const CLOUD_SHARE: u64 = 5;

/// One in this many seeds is played with fifty more objects: most of a run's time is spent reading them.
const CROWD_SHARE: u64 = 200;

fn seeds() -> u64 {
    std::env::var("GENESYNC_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SEEDS)
}

fn on_all_cores(seeds: u64, check: impl Fn(u64) -> Result<Counts, String> + Sync) -> (Counts, Vec<String>) {
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    std::thread::scope(|scope| {
        let check = &check;
        let handles: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    let (mut counts, mut failures) = (Counts::default(), Vec::new());
                    for seed in (thread..seeds).step_by(threads as usize) {
                        match check(seed) {
                            Ok(more) => counts.add(&more),
                            Err(trace) => failures.push(trace),
                        }
                    }
                    (counts, failures)
                })
            })
            .collect();
        let (mut counts, mut failures) = (Counts::default(), Vec::new());
        for handle in handles {
            let (more, failed) = handle.join().unwrap();
            counts.add(&more);
            failures.extend(failed);
        }
        (counts, failures)
    })
}

#[test]
fn every_seed_converges_and_falls_silent_once_faults_stop() {
    converges(Dialect::Webchat, seeds());
}

#[test]
fn every_seed_of_the_cloud_dialect_converges_and_falls_silent_once_faults_stop() {
    converges(Dialect::Cloud, seeds().div_ceil(CLOUD_SHARE));
}

/// The platform shows a new version at any time up to the limit after which genesync takes it for missing.
#[test]
fn a_version_that_appears_late_is_published_once() {
    let late =
        |seed| Simulation::of(Universe::new(seed, Dialect::Cloud, Mutant::None).showing_after(1_500)).play();
    let (_, failures) = on_all_cores(200, late);
    assert!(failures.is_empty(), "{} of 200 seeds failed; the first:\n{}", failures.len(), failures[0]);
}

/// Fifty objects of an organization, eight of them under way at a time.
#[test]
fn many_objects_converge_and_fall_silent_once_faults_stop() {
    let seeds = seeds().div_ceil(CROWD_SHARE);
    let crowd = |seed| Simulation::of(Universe::new(seed, Dialect::Cloud, Mutant::None).among(24)).play();
    let (counts, failures) = on_all_cores(seeds, crowd);
    assert!(failures.is_empty(), "{} of {seeds} seeds failed; the first:\n{}", failures.len(), failures[0]);
    println!("{seeds} seeds of fifty objects: {counts}");
    // Faults that a batch has to survive, and that do not apply to a single object.
    let silent = counts.never(Dialect::Cloud);
    for fault in ["crash after", "crash before", "drop after", "edit", "landed late", "takeover"] {
        assert!(!silent.contains(&fault), "{fault} never happened in {seeds} seeds");
    }
}

fn converges(dialect: Dialect, seeds: u64) {
    let (counts, failures) = on_all_cores(seeds, |seed| Simulation::new(seed, dialect, Mutant::None).play());
    let why = || failures.iter().filter_map(|failure| failure.lines().next()).collect::<Vec<_>>().join("\n");
    assert!(
        failures.is_empty(),
        "{} of {seeds} seeds failed:\n{}\nthe first:\n{}",
        failures.len(),
        why(),
        failures[0]
    );
    println!("{seeds} seeds of the {} dialect: {counts}", dialect.name());
    // A fault that never fired was never survived.
    let silent = counts.never(dialect);
    assert!(silent.is_empty(), "never happened in {seeds} seeds: {silent:?}");
}

#[test]
fn the_same_seed_plays_the_same_way() {
    for dialect in [Dialect::Webchat, Dialect::Cloud] {
        for seed in [1, 77, 4_242] {
            let trace = |seed| {
                let mut simulation = Simulation::new(seed, dialect, Mutant::None);
                let result = simulation.play().map(|counts| counts.to_string());
                (result, simulation.universe().trace())
            };
            assert_eq!(trace(seed), trace(seed));
        }
    }
}

/// Checks that the core without its guard is caught: otherwise the simulator proves nothing.
fn is_caught(dialect: Dialect, mutant: Mutant, complaint: &str) {
    let seeds = match dialect {
        Dialect::Webchat => 300,
        Dialect::Cloud => 100,
    };
    let (_, failures) = on_all_cores(seeds, |seed| Simulation::new(seed, dialect, mutant).play());
    let caught = failures.iter().filter(|failure| failure.contains(complaint)).count();
    assert!(
        caught > 0,
        "{dialect:?}, {mutant:?} was not caught in {seeds} seeds; other complaints: {:?}",
        failures.first()
    );
}

// Guarantee: no-blind-write
#[test]
fn writing_without_if_match_is_caught() {
    is_caught(Dialect::Webchat, Mutant::NoIfMatch, "overwrote a change that it had not seen");
}

#[test]
fn not_reading_back_a_lost_answer_is_caught() {
    for dialect in [Dialect::Webchat, Dialect::Cloud] {
        is_caught(dialect, Mutant::NoReadBack, "no receipt");
    }
}

// Guarantee: intent-before-write
#[test]
fn writing_without_an_intent_is_caught() {
    for dialect in [Dialect::Webchat, Dialect::Cloud] {
        is_caught(dialect, Mutant::NoIntent, "no receipt");
    }
}

// Guarantee: fenced
#[test]
fn taking_the_records_of_an_old_token_is_caught() {
    is_caught(Dialect::Webchat, Mutant::NoFence, "overwrote a newer one of ours");
    is_caught(Dialect::Cloud, Mutant::NoFence, "has the value of r");
}
