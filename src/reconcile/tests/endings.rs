//! Tests of runs that end early, and of servers that do not enforce versions.

use super::*;

/// The events up to each phase of a run with one primary and one replica, by name.
fn phases() -> Vec<(&'static str, Vec<Event>)> {
    let pending = Job { id: "job".into(), ended: false, targets: Vec::new() };
    let begun = vec![Event::Begin, seen(3, 5), seen(1, 1), Event::Proceed];
    let sending = [begun.clone(), vec![Event::Saved]].concat();
    let answered = |outcome: Outcome<Job>| [sending.clone(), vec![Event::JobAnswered(outcome)]].concat();
    let lost = [answered(Outcome::Unknown(fault())), vec![Event::Woke, seen(3, 5), seen(2, 5)]].concat();
    let synced = vec![Event::Begin, seen(3, 5), seen(1, 5), Event::Proceed];
    let copied = JobTarget {
        organization: target(1).organization,
        status: JobTargetStatus::Completed,
        version: Some(2),
        error: None,
    };
    let theirs = Event::Observed(Seen::from(Observed::Present(stored(3, 1, "them"))));
    let confirming = [lost.clone(), vec![Event::Saved, Event::Saved]].concat();
    let proved = proof(&after(run_with(1, Mode::Enforce, Journal::default()), confirming.clone()).0);
    vec![
        ("fresh", vec![]),
        ("reading", begun[..2].to_vec()),
        ("waiting", vec![Event::Begin, Event::Failed(fault())]),
        ("attributing", vec![Event::Begin, theirs, seen(1, 1)]),
        ("planned", begun[..3].to_vec()),
        ("intending", begun),
        ("sending", sending.clone()),
        ("polling", answered(Outcome::Accepted(pending.clone()))),
        ("reading-copy", answered(Outcome::Accepted(Job { targets: vec![copied], ..pending }))),
        ("settling", answered(Outcome::Unknown(fault()))),
        ("closing", answered(Outcome::Conflict)),
        ("resolving", lost),
        ("keeping", synced),
        ("confirming", confirming.clone()),
        ("witnessing", [confirming, vec![proved]].concat()),
    ]
}

fn phase_name(run: &Run) -> String {
    let name = format!("{:?}", run.phase);
    name.split(['(', '{', ' ']).next().unwrap().to_owned()
}

#[test]
fn a_lost_lease_ends_a_run_in_any_phase_and_leaves_its_intent_open() {
    for (name, events) in phases() {
        let (before, _) = after(run_with(1, Mode::Enforce, Journal::default()), events);
        assert_eq!(phase_name(&before).to_lowercase(), name.replace('-', ""));
        let next = step(before.clone(), Event::LeaseLost, now());
        assert_eq!(next.run.end(), Some(&End::LeaseLost), "{name}");
        assert_eq!(next.run.journal, before.journal, "{name}");
        assert!(next.effects.is_empty(), "{name}: {:?}", next.effects);
        let settled = step(next.run.clone(), Event::Woke, now());
        assert_eq!(settled.run, next.run, "{name}: a settled run stays settled");
    }
}

#[test]
fn a_run_is_superseded_only_without_a_write_under_way() {
    for (name, events) in phases() {
        let (before, _) = after(run_with(1, Mode::Enforce, Journal::default()), events);
        let next = step(before.clone(), Event::Superseded, now());
        let ends = matches!(name, "waiting" | "planned" | "intending");
        assert_eq!(before.may_be_superseded(), ends, "{name}");
        if ends {
            assert_eq!(next.run.end(), Some(&End::Superseded), "{name}");
            assert!(next.effects.is_empty(), "{name}");
            // The intent was never durable: it does not count, and its number is free.
            assert!(next.run.journal.0.unresolved.is_empty(), "{name}");
            assert_eq!(next.run.journal.0.last_intent, 0, "{name}");
        } else {
            assert_eq!(next.run, before, "{name}");
            assert!(
                matches!(next.effects.as_slice(), [Effect::Report(Note::OutOfPlace { event: "superseded" })]),
                "{name}"
            );
        }
    }
}

fn unenforced() -> Run {
    let mut run = run();
    Arc::make_mut(&mut run.spec).versions = Versions::Unenforced;
    run
}

#[test]
fn without_enforced_versions_an_overwritten_change_is_reported_and_nothing_more_is_written() {
    let accepted = |version: u64| vec![answered(Outcome::Accepted(stored(version, 5, "us")))];
    let read = |event: Event| vec![Event::Saved, event];
    // Version 3 was read: 4 is genesync's, and 5 overwrote another user's 4.
    for (made, expected) in [(4, false), (5, true)] {
        let (run, _) = after(unenforced(), [sent(), accepted(made)].concat());
        assert_eq!(!run.overwrote.is_empty(), expected, "version {made}");
        let table = [
            // It matches git: the run continues with the audit log, and ends as held, because a person has to
            // know.
            (seen(made, 5), if expected { "Held" } else { "Synced" }),
            // Another user changed it once more.
            (seen(made + 1, 1), if expected { "Held" } else { "intent" }),
        ];
        for (next, ended) in table {
            let (mut run, mut asked) = after(unenforced(), [sent(), accepted(made), read(next)].concat());
            for _ in 0..4 {
                let answer = match asked.as_str() {
                    "audit" => proof(&run),
                    "applied" | "confirmed" => Event::Saved,
                    _ => break,
                };
                (run, asked) = after(run, vec![answer]);
            }
            assert_eq!(asked, ended, "version {made}");
            if ended == "Held" {
                assert!(
                    matches!(run.end(), Some(End::Held(Hold { reason, .. })) if reason.contains("org-0")),
                    "{:?}",
                    run.end()
                );
            }
        }
    }
}

/// A page of the audit log that confirms all writes of a run.
fn proof(run: &Run) -> Event {
    let entry = |receipt: &Receipt| Entry {
        id: format!("{}-{}", receipt.target.organization, receipt.version),
        at: now(),
        action: receipt.action().into(),
        object: receipt.target.object_ref(),
        actor: Actor { id: "us".into(), name: String::new(), kind: ActorKind::Client },
        remote_ip: None,
        version: Some(receipt.version),
        changes: Vec::new(),
    };
    let entries = run.receipts.iter().map(entry).collect();
    Event::Entries(Entries { entries, ..Entries::default() })
}

#[test]
fn where_versions_are_not_enforced_a_lost_write_may_have_landed_later_than_the_next_version() {
    let lost = |outcome: Outcome<Stored>| [sent(), vec![answered(outcome)]].concat();
    // Without enforced versions no error is trusted: the run waits until the deadline.
    for outcome in [Outcome::Unknown(fault()), Outcome::Failed(fault())] {
        assert_eq!(after(unenforced(), lost(outcome)).1, "wait 12000 ms");
    }
    let read = |run: Run, version: u64, by: &str| {
        let observed = Event::Observed(Seen::from(Observed::Present(stored(version, 5, by))));
        let (run, _) = after(run, [lost(Outcome::Unknown(fault())), vec![Event::Woke, observed]].concat());
        let versions: Vec<u64> = run.receipts.iter().map(|receipt| receipt.version).collect();
        (versions, !run.overwrote.is_empty())
    };
    assert_eq!(read(unenforced(), 4, "us"), (vec![4], false));
    assert_eq!(read(unenforced(), 5, "us"), (vec![5], true));
    assert_eq!(read(unenforced(), 5, "them"), (vec![], false));
    // A server that enforces versions cannot have accepted it as version 5.
    assert_eq!(read(run(), 5, "us"), (vec![], false));
}
