//! Digests under another key than the one of today.

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

/// What is kept as of version 3, with a token that is not the one that is live.
fn kept(key: &str) -> Journal {
    let mut journal = Journal { seal: Some(seal("today")), ..Journal::default() };
    let Record::Applied { object, mut base } = applied(0, 3) else { panic!("not applied") };
    let mut body = serde_json::Map::clone(&base.body);
    body.insert("authToken".into(), "ours".into());
    base.body = Arc::new(seal(key).sealed(&body).into_owned());
    journal.absorb(Record::Applied { object, base });
    journal
}

/// What a run keeps whose live configuration has a delay, and how often it tells that the key was changed.
fn run_of(mode: Mode, key: &str, delay: u64) -> (Vec<Record>, usize) {
    let mut run = run_with(0, mode, kept(key));
    Arc::make_mut(&mut run.spec).memory = Memory::Kept;
    let (mut records, mut told) = (Vec::new(), 0);
    let mut event = Event::Begin;
    loop {
        let next = step(run, event, now());
        run = next.run;
        event = Event::Proceed;
        for effect in next.effects {
            match effect {
                Effect::Report(Note::OtherKey { object }) if object == target(0).object_ref() => told += 1,
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
            return (records, told);
        }
    }
}

#[test]
fn what_is_kept_under_another_key_is_told_once_and_kept_anew() {
    for (mode, delay) in [(Mode::Enforce, 5), (Mode::Watch, 5), (Mode::Watch, 9)] {
        let (records, told) = run_of(mode, "before", delay);
        assert_eq!(told, 1, "{mode:?} {delay}");
        let Some(Record::Applied { base, .. }) = records.first() else {
            panic!("{mode:?} {delay}: {records:?}")
        };
        assert_eq!(base.body["authToken"], "hers", "what is live counts as applied");
        assert!(!may_hold_digests(&format!("{records:?}")));
        // Under the key of today it is known to have changed.
        let (records, told) = run_of(mode, "today", delay);
        assert_eq!(told, 0, "{mode:?} {delay}");
        let kept = records.iter().find_map(|record| match record {
            Record::Baseline { baseline, .. } => baseline.as_ref(),
            _ => None,
        });
        assert!(kept.is_none_or(|known| known.body["authToken"] != "hers"), "{records:?}");
    }
}
