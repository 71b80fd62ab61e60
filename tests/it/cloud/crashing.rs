//! Processes that die in the middle, and those that come after them.

use super::{Cloud, QUICK, each, served};

/// How often each point is reached: once for each of the three writes.
const HITS: [u32; 3] = [1, 2, 3];

/// What the next process tells of the write that was under way.
const LANDED: &str = "whose answer was lost is in force";
const NOT_LANDED: &str = "whose answer was lost was not executed";

/// Dies at a point of a first apply and at the same one of a change, and is followed by a process that ends it.
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
