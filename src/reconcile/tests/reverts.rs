//! Tests of reverts: counted when they are written, and held if another user keeps changing the field.

use super::*;
use crate::model::record::Revert;

fn seen_by_them(version: u64, delay: u64) -> Event {
    Event::Observed(Seen::from(Observed::Present(stored(version, delay, "them"))))
}

/// A journal with a base and this many reverts since.
fn applied_and_set_back(times: usize) -> Journal {
    let mut journal = Journal::default();
    for number in 0..2 {
        journal.absorb(applied(number, 2));
    }
    let revert = Revert {
        object: target(0).object_ref(),
        path: "greetings.delayMs".into(),
        by: Some(Actor { id: "them".into(), name: String::new(), kind: ActorKind::Client }),
        theirs: Some(json!(1)),
        ours: Some(json!(5)),
        at: now(),
    };
    journal.reverts = vec![revert; times];
    journal
}

#[test]
fn a_field_that_changes_too_often_is_held_before_any_intent() {
    let drifted = vec![Event::Begin, seen_by_them(3, 1), Event::Entries(Entries::default()), Event::Proceed];
    let with = |times: usize, mode: Mode| run_with(0, mode, applied_and_set_back(times));
    let (held, asked) = after(with(3, Mode::Enforce), drifted.clone());
    assert_eq!(asked, "Held");
    let Some(End::Held(Hold { cause: HoldCause::Flapping, reason })) = held.end() else {
        panic!("{:?}", held.end())
    };
    assert!(reason.starts_with("fought over: greetings.delayMs of org-0 was set back 3 times"), "{reason}");
    assert!(reason.contains("and OAuth client them changed it again"), "{reason}");
    assert_eq!(after(with(3, Mode::Watch), drifted.clone()).1, "Drifted");

    // One revert fewer: it is set back, and counts once the write is accepted, within the run as well.
    let (intended, asked) = after(with(2, Mode::Enforce), drifted.clone());
    assert_eq!(asked, "intent");
    assert_eq!(intended.journal.0.unresolved[0].reverts, applied_and_set_back(1).reverts);
    let refused = [drifted.clone(), vec![Event::Saved, answered(Outcome::Conflict)]].concat();
    assert_eq!(after(with(2, Mode::Enforce), refused).0.journal.0.reverts.len(), 2);
    let again = [
        drifted.clone(),
        vec![Event::Saved, answered(Outcome::Accepted(stored(4, 5, "us"))), Event::Saved],
        vec![seen_by_them(5, 1), Event::Entries(Entries::default())],
    ]
    .concat();
    assert_eq!(after(with(2, Mode::Enforce), again).1, "Held");
    // A write without an answer counts as well, once it is read back.
    let lost =
        [drifted, vec![Event::Saved, answered(Outcome::Unknown(fault())), Event::Woke, seen(4, 5)]].concat();
    assert_eq!(after(with(2, Mode::Enforce), lost).0.journal.0.reverts.len(), 3);
}

#[test]
fn a_job_counts_the_reverts_of_its_copies_once() {
    let job = |status: JobTargetStatus| Job {
        id: "job".into(),
        ended: true,
        targets: vec![JobTarget {
            organization: target(1).organization,
            status,
            version: Some(4),
            error: None,
        }],
    };
    let started = |status: JobTargetStatus| {
        let drifted = vec![Event::Begin, seen(3, 5), seen_by_them(3, 1), Event::Entries(Entries::default())];
        let answered = vec![Event::Proceed, Event::Saved, Event::JobAnswered(Outcome::Accepted(job(status)))];
        [drifted, answered].concat()
    };
    let replicated = || run_with(1, Mode::Enforce, applied_and_set_back(0));
    let (copied, asked) = after(replicated(), started(JobTargetStatus::Completed));
    assert_eq!((asked.as_str(), copied.journal.0.reverts.len()), ("resolved", 1));
    assert_eq!(copied.journal.0.reverts[0].object, target(1).object_ref());
    let failed = started(JobTargetStatus::Failed);
    assert_eq!(after(replicated(), failed.clone()).0.journal.0.reverts, []);
    let written_plainly = vec![
        Event::Saved,
        seen(3, 5),
        seen_by_them(3, 1),
        Event::Entries(Entries::default()),
        Event::Saved,
        answered(Outcome::Accepted(stored(4, 5, "us"))),
    ];
    let (written, asked) = after(replicated(), [failed, written_plainly].concat());
    assert_eq!((asked.as_str(), written.journal.0.reverts.len()), ("resolved", 1));
}
