//! Tests of digests under another key than the current one.

use super::*;
use crate::model::Secret;
use crate::model::seal::{Seal, may_hold_digests};

fn seal(key: &str) -> Seal {
    Seal::of(&Secret::new(key.to_owned()))
}

fn live(delay: u64) -> Stored {
    let body = json!({"greetings": {"delayMs": delay}, "authToken": "hers"});
    Stored { body: Arc::new(body.as_object().cloned().unwrap()), ..stored(3, delay, "us") }
}

/// A base of version 3, with another token than the live one.
fn kept(key: &str) -> Journal {
    let mut journal = Journal { seal: Some(seal("today")), ..Journal::default() };
    let Record::Applied { object, mut base } = applied(0, 3) else { panic!("not applied") };
    let mut body = serde_json::Map::clone(&base.body);
    body.insert("authToken".into(), "ours".into());
    base.body = Arc::new(seal(key).sealed(&body).into_owned());
    journal.absorb(Record::Applied { object, base });
    journal
}

/// Runs with a live delay. Returns the saved records and how often the run reported the changed key.
fn run_of(mode: Mode, key: &str, delay: u64) -> (Vec<Record>, usize) {
    let mut run = run_with(0, mode, kept(key));
    Arc::make_mut(&mut run.spec).memory = Memory::Kept;
    let (mut records, mut reported) = (Vec::new(), 0);
    let mut event = Event::Begin;
    loop {
        let next = step(run, event, now());
        run = next.run;
        event = Event::Proceed;
        for effect in next.effects {
            match effect {
                Effect::Report(Note::OtherKey { object }) if object == target(0).object_ref() => {
                    reported += 1
                }
                Effect::Report(_) => {}
                Effect::Observe(_) => event = Event::Observed(Seen::from(Observed::Present(live(delay)))),
                Effect::ReadAudit(_) => event = Event::Entries(Entries::default()),
                Effect::Save(saved) => {
                    records.extend(saved);
                    event = Event::Saved;
                }
                other => panic!("{other:?}"),
            }
        }
        if run.end().is_some() {
            return (records, reported);
        }
    }
}

#[test]
fn a_base_under_another_key_is_reported_once_and_saved_again() {
    for (mode, delay) in [(Mode::Enforce, 5), (Mode::Watch, 5), (Mode::Watch, 9)] {
        let (records, reported) = run_of(mode, "before", delay);
        assert_eq!(reported, 1, "{mode:?} {delay}");
        let Some(Record::Applied { base, .. }) = records.first() else {
            panic!("{mode:?} {delay}: {records:?}")
        };
        assert_eq!(base.body["authToken"], "hers", "the live value counts as applied");
        assert!(!may_hold_digests(&format!("{records:?}")));
        // Under the current key the change is known.
        let (records, reported) = run_of(mode, "today", delay);
        assert_eq!(reported, 0, "{mode:?} {delay}");
        let kept = records.iter().find_map(|record| match record {
            Record::Baseline { baseline, .. } => baseline.as_ref(),
            _ => None,
        });
        assert!(kept.is_none_or(|known| known.body["authToken"] != "hers"), "{records:?}");
    }
}
