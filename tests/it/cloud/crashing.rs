//! Processes that die in the middle of a write, and the processes that follow them.

use std::process::{Command, Stdio};

use serde_json::json;

use super::{Cloud, QUICK, each, served};
use crate::support::{Running, ran, signal, wait_until};

/// The hits of each point: once for each of the three writes.
const HITS: [u32; 3] = [1, 2, 3];

/// What the next process reports of the write that was under way.
const LANDED: &str = "whose answer was lost is in force";
const NOT_LANDED: &str = "whose answer was lost was not executed";

/// Kills an apply at a point of a first apply and at the same point of a change. Each time a second process
/// finishes it.
fn dies_at(point: &str, found: &str) {
    each(&HITS, |hit| {
        let at = format!("{point}:{hit}");
        let cloud = Cloud::new(1);
        cloud.configure(&QUICK);
        cloud.crash(&at);
        cloud.apply(&[]).expect(0);
        assert_eq!((cloud.served(1), cloud.counts(1)), (served(1, "#111111"), (1, 1, 1)), "{at}");
        assert_eq!(cloud.writes(1, 0), ["create", "publish", "deploy"], "{at}");
        cloud.is_at_rest();

        cloud.commit("#222222");
        let mark = cloud.mark();
        cloud.crash(&at);
        let ran = cloud.apply(&["-v"]).expect(0);
        assert!(ran.stderr.contains(found), "{at}: {}", ran.stderr);
        assert_eq!((cloud.served(1), cloud.counts(1)), (served(2, "#222222"), (1, 2, 1)), "{at}");
        assert_eq!(cloud.writes(1, mark), ["draft", "publish", "pin"], "{at}");
        cloud.is_at_rest();
    });
}

#[test]
fn a_process_that_dies_before_it_sends_is_followed_by_one_that_ends_it() {
    dies_at("C06", NOT_LANDED);
}

#[test]
fn a_process_that_dies_before_it_reads_the_answer_is_followed_by_one_that_writes_nothing_twice() {
    dies_at("C08", LANDED);
}

#[test]
fn a_process_that_dies_before_it_writes_down_the_answer_is_followed_by_one_that_writes_nothing_twice() {
    dies_at("C09", LANDED);
}

#[test]
fn a_process_that_dies_before_its_journal_is_committed_is_followed_by_one_that_writes_nothing_twice() {
    dies_at("C09b", LANDED);
}

/// Returns a command whose first write is answered late.
fn slow_apply(cloud: &Cloud) -> Command {
    let at = json!({"method": "POST", "path": "/api/v2/webdeployments/configurations"});
    cloud.fault(json!({"match": at, "do": {"delayMs": 2_000}}));
    cloud.command(&["apply"])
}

fn wait_for_the_write(cloud: &Cloud) {
    wait_until("the write is under way", || !cloud.writes(1, 0).is_empty());
}

#[test]
fn a_signal_ends_an_apply_after_the_write_that_is_under_way_and_it_says_what_is_left() {
    let cloud = Cloud::new(1);
    let mut command = slow_apply(&cloud);
    let process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_the_write(&cloud);
    signal(process.id(), "-INT");
    // It wrote a part.
    let ended = ran(process.wait_with_output().unwrap()).expect(6);
    assert!(ended.stderr.contains("interrupt again"), "{}", ended.stderr);
    let reported = "stopped by an operator before the end of the run: 0 of 2 objects match git";
    assert!(ended.stdout.contains(reported), "{}", ended.stdout);
    assert_eq!((cloud.writes(1, 0), cloud.open()), (vec!["create".to_owned()], (0, 0)));
    cloud.apply(&[]).expect(0);
    assert_eq!(cloud.writes(1, 0), ["create", "publish", "deploy"]);
    cloud.is_at_rest();
}

#[test]
fn a_second_signal_leaves_what_is_under_way_to_the_journal() {
    let cloud = Cloud::new(1);
    let mut process = Running::start(slow_apply(&cloud));
    wait_for_the_write(&cloud);
    process.signal("-INT");
    process.wait_for_log("interrupt again");
    process.signal("-INT");
    wait_until("it has stopped", || process.ended().is_some());
    assert_eq!(process.ended().unwrap().code(), Some(6));
    process.wait_for_log("the journal keeps the writes in flight");
    assert_eq!((cloud.writes(1, 0), cloud.open()), (vec!["create".to_owned()], (1, 0)));
}
