//! Checks that the judge notices a missing guard: each guard is removed from outside, in the store or on the
//! wire.

use genesync::emulator::Request;
use genesync::model::Dialect;
use jiff::Timestamp;
use serde_json::Value;

use crate::proxy::Trap;
use crate::replicas::{Replica, state};
use crate::rig::{Kind, Rig, eventually};
use crate::support::{CLIENT_ID, SECRET, organization};

/// A guard, and how it is removed. Each call returns what the judge found.
pub struct Mutant {
    pub guard: &'static str,
    pub how: &'static str,
    pub run: fn() -> Vec<String>,
}

pub const MUTANTS: &[Mutant] = &[
    Mutant {
        guard: "an intent is saved before its write leaves",
        how: "killed when the write was executed; its intent is deleted before the next process starts",
        run: || crashed_without_its_intent("DELETE FROM intents WHERE resolved_at IS NULL"),
    },
    Mutant {
        guard: "the outcome of an intent is read back",
        how: "the same; its intent is marked as ended without a receipt",
        run: || crashed_without_its_intent("UPDATE intents SET resolved_at = 1 WHERE resolved_at IS NULL"),
    },
    Mutant {
        guard: "nothing is read before a write that may be under way can no longer land",
        how: "killed while its write was delayed on the wire; the intent's deadline is set to the past, and the write lands after the next process has read",
        run: late_write_that_is_not_waited_for,
    },
    Mutant {
        guard: "no effect is repeated",
        how: "one more write by our client, with the live values",
        run: repeated_write,
    },
    Mutant {
        guard: "an intent is saved before its write leaves, in the `cloud` dialect",
        how: "killed when a version was published (C12); its intent is deleted before the next process starts",
        run: published_without_its_intent,
    },
];

/// Killed at C08: the write is executed, and no process has read the answer.
fn crashed_without_its_intent(how: &'static str) -> Vec<String> {
    let rig = Rig::new(Kind::Sqlite);
    rig.commit(&[("acme", &[1], 100)]);
    rig.start(Some("C08")).wait();
    rig.query(how).unwrap();
    let _process = rig.start(None);
    rig.settle().unwrap();
    rig.violations()
}

/// Killed at C12: published, but neither recorded nor pinned.
fn published_without_its_intent() -> Vec<String> {
    let rig = Rig::of(Dialect::Cloud, Kind::Sqlite);
    rig.commit_pairs(&[(1, 100)]);
    rig.start(Some("C12")).wait();
    rig.query("DELETE FROM intents WHERE resolved_at IS NULL").unwrap();
    let _process = rig.start(None);
    rig.settle().unwrap();
    rig.violations()
}

/// A write that is on its way when its process dies, and lands later.
struct LateWrite {
    rig: Rig,
    holding: Replica,
}

impl LateWrite {
    /// Returns the late write of a process that is already dead. `lease_ms` is the length of a lease,
    /// `write_ms` the wait for a write, both in milliseconds.
    fn new(lease_ms: &str, write_ms: &str) -> Self {
        let rig = Rig::new(Kind::Sqlite);
        rig.set("lease-ms", lease_ms);
        rig.set("write-ms", write_ms);
        rig.commit(&[("acme", &[1], 100)]);
        let mut process = rig.start(None);
        rig.settle().unwrap();
        process.terminate();
        rig.commit(&[("acme", &[1], 101)]);
        let mut holding = Replica::start_holding(&rig, Trap::Hold { nth: 1 });
        eventually("its write is delayed", || holding.proxy.sprung() == 1);
        holding.process.kill();
        Self { rig, holding }
    }

    fn land(&self) {
        self.holding.proxy.let_go();
        eventually("it lands", || self.rig.stage.live(1).0 == 2);
    }
}

/// The next process reads without waiting for the late write, and its own write is refused.
fn late_write_that_is_not_waited_for() -> Vec<String> {
    // Longer than any pause of a busy machine. Otherwise a process that lost its lease while it was paused,
    // or was too late for its own write, would read back its own write and find the effect of this one.
    let late = LateWrite::new("80000", "80000");
    let rig = &late.rig;
    rig.query("UPDATE leases SET expires_at = 0").unwrap();
    rig.query("UPDATE tenants SET due_at = 0").unwrap();
    rig.query(
        "UPDATE intents SET intent = json_set(intent, '$.deadline', '2020-01-01T00:00:00Z')
         WHERE resolved_at IS NULL",
    )
    .unwrap();
    let next = rig.start(Some("C06:1:stop"));
    eventually("it has read, and is about to write", || state(next.id()) == 'T');
    late.land();
    next.signal("CONT");
    rig.settle().unwrap();
    rig.violations()
}

fn repeated_write() -> Vec<String> {
    let rig = Rig::new(Kind::Sqlite);
    rig.commit(&[("acme", &[1], 100)]);
    let _process = rig.start(None);
    rig.settle().unwrap();
    let (version, body) = rig.stage.live(1);
    let form = format!("grant_type=client_credentials&client_id={CLIENT_ID}&client_secret={SECRET}");
    let mut world = rig.stage.world.lock().unwrap();
    let mut ask = |request: Request| world.handle(&request, Timestamp::now()).response.unwrap();
    let token = Request::new("POST", "/oauth/token")
        .with_header("content-type", "application/x-www-form-urlencoded")
        .with_body(form);
    let token: Value = serde_json::from_slice(&ask(token).body).unwrap();
    let path = format!("/api/v2/webchat/organizations/{}/configurations", organization(1));
    let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
    let write = Request::new("PUT", &path)
        .with_header("authorization", &bearer)
        .with_header("content-type", "application/json")
        .with_header("if-match", &version.to_string())
        .with_body(body.to_string());
    assert_eq!(ask(write).status, 200);
    drop(world);
    rig.violations()
}

#[test]
fn the_judge_notices_a_missing_guard() {
    for mutant in MUTANTS {
        let found = (mutant.run)();
        println!("{}: {found:?}", mutant.guard);
        assert!(!found.is_empty(), "not seen: {}", mutant.guard);
    }
}

// Guarantee: after-a-crash
#[test]
fn a_write_that_lands_after_its_process_died_is_found_and_not_repeated() {
    // Long enough for all this to happen before genesync gives up the write.
    let late = LateWrite::new("600", "20000");
    let rig = &late.rig;
    let mark = rig.mark();
    let token = || rig.query("SELECT token FROM leases").unwrap();
    let before = token();
    let _next = rig.start(None);
    eventually("the next one has taken over", || token() != before);
    assert!(
        rig.requests(mark, |request| request["method"] == "GET").is_empty(),
        "nothing is read before the deadline"
    );
    late.land();
    rig.settle().unwrap();
    assert_eq!(rig.violations(), Vec::<String>::new());
}
