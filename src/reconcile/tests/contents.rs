//! Tests of objects that count by content: when a different answer is another user's change, and when it may
//! be stale.

use super::*;
use crate::model::reference::{Named, Reference};
use crate::model::timing::{earlier, later};
use crate::model::{ObjectKind, ReferenceKind};

const CONTENT: &str = "supportedContent";

fn defaults() -> Target {
    Target { object: Object { kind: ObjectKind::MessagingDefaults, name: "".into() }, ..target(0) }
}

fn body(content: &str) -> Arc<serde_json::Map<String, serde_json::Value>> {
    Arc::new(json!({CONTENT: {"id": content}}).as_object().cloned().unwrap())
}

/// The answer of an organization in which the profile that git names has the id `ours`.
fn holds(content: &str) -> Event {
    let reference = Reference { kind: ReferenceKind::SupportedContent, name: "Ours".into() };
    let named = Named { id: "ours".into(), version: None, is_unpublished: false };
    let stored = Stored::new(content.len() as u64, body(content));
    Event::Observed(Seen {
        objects: vec![Observed::Present(stored)],
        names: [(reference, vec![named])].into_iter().collect(),
    })
}

/// Git has `ours`, applied at the age of the base; an earlier run died before it saved its write.
fn journal(kept_ms: Option<i64>, owed_ms: Option<u64>) -> Journal {
    let at = |ms: i64| (now().as_millisecond() - ms).unsigned_abs();
    let object = defaults().object_ref();
    let base = |ms| Base {
        version: 4,
        body: body("ours"),
        revision: Revision::new("r0"),
        id: None,
        onto: at(ms),
        drafted_at: 0,
        ignored: Default::default(),
    };
    let owed = |ms: u64| Receipt {
        target: defaults(),
        from_version: Some(1),
        version: 2,
        sent_at: earlier(now(), ms),
        by: crate::model::Receiver::Put,
        made_at: None,
    };
    Journal {
        bases: kept_ms.map(|ms| (object, base(ms))).into_iter().collect(),
        owed: owed_ms.map(owed).into_iter().collect(),
        ..Journal::default()
    }
}

fn run_after(journal: Journal) -> Run {
    let mut spec = Spec::clone(run_with(0, Mode::Enforce, Journal::default()).spec());
    spec.tenant.dialect = crate::model::Dialect::Cloud;
    spec.versions = Versions::Unenforced;
    let named = json!({CONTENT: {"name": "Ours"}}).as_object().cloned().unwrap();
    let desired = Desired { body: Arc::new(named), exclusive: false, ignored: BTreeSet::new() };
    let object = defaults().object;
    spec.resources = vec![Resource { object, desired, before: None, secret: None }];
    Run::new(Arc::new(spec), journal)
}

#[test]
fn a_difference_right_after_a_write_is_read_again_until_it_cannot_be_stale() {
    // A write may take 10 s, and 30 s until it is visible.
    let (ours, hers) = (|| vec![Event::Begin, holds("ours")], || vec![Event::Begin, holds("hers")]);
    type Row = (&'static str, Option<i64>, Option<u64>, Vec<Event>, &'static str);
    let table: [Row; 12] = [
        ("it shows the write", Some(1_000), None, ours(), "planned"),
        ("it does not, and the write is recent", Some(1_000), None, hers(), "wait 100 ms"),
        ("and is read again", Some(1_000), None, [hers(), vec![Event::Woke]].concat(), "observe org-0"),
        ("until it shows", Some(1_000), None, [hers(), vec![Event::Woke, holds("ours")]].concat(), "planned"),
        ("up to the maximum time", Some(39_999), None, hers(), "wait 100 ms"),
        ("then it is another user's", Some(40_000), None, hers(), "audit"),
        ("with a clock that was a little ahead", Some(-39_999), None, hers(), "wait 100 ms"),
        ("but not with one that is far ahead", Some(-86_400_000), None, hers(), "audit"),
        ("a write without a base is waited for", None, Some(5_000), vec![Event::Begin], "wait 35000 ms"),
        ("unless it has a base", Some(5_000), Some(5_000), vec![Event::Begin], "observe org-0"),
        ("or is older than the base", Some(1_000), Some(5_000), vec![Event::Begin], "observe org-0"),
        ("and then it is read", None, Some(5_000), vec![Event::Begin, Event::Woke], "observe org-0"),
    ];
    for (what, kept, owed, events, expected) in table {
        let (run, asked) = after(run_after(journal(kept, owed)), events);
        assert_eq!(asked, expected, "{what}");
        // No write is under way: a newer commit may supersede the run.
        assert!(!asked.starts_with("wait") || run.may_be_superseded(), "{what}");
    }
    // The wait is limited.
    let ahead = Receipt { sent_at: later(now(), 86_400_000), ..journal(None, Some(0)).owed[0].clone() };
    let ahead = Journal { owed: vec![ahead], ..Journal::default() };
    assert_eq!(after(run_after(ahead), vec![Event::Begin]).1, "wait 40000 ms");
}

/// The next query shows the log's entry, and a name is not looked up twice.
#[test]
fn a_revert_is_saved_with_its_moment() {
    let accepted = || answered(Outcome::Accepted(Stored::new(0, body("ours"))));
    let page = || Event::Entries(crate::reconcile::Entries::default());
    let events = vec![
        Event::Begin,
        holds("hers"),
        page(),
        Event::Proceed,
        holds("hers"),
        Event::Saved,
        accepted(),
        Event::Saved,
        holds("ours"),
    ];
    let (run, asked) = after(run_after(journal(Some(3_600_000), None)), events);
    assert_eq!(asked, "applied");
    let kept = &run.journal.0.bases[&defaults().object_ref()];
    assert_eq!((kept.onto, &kept.body), (now().as_millisecond().unsigned_abs(), &body("ours")));
    // A read alone saves nothing.
    let looked = vec![Event::Begin, holds("ours"), Event::Proceed];
    assert_eq!(after(run_after(journal(Some(3_600_000), None)), looked).1, "Synced");
}
