//! Many objects of one organization, in a time of their own: each request takes a while, and what is published or pinned
//! becomes active a while later.

use serde_json::{Map, Value};

use super::platform::wanted;
use super::scene::all_proven;
use super::*;
use crate::model::reference::{Named, Names};
use crate::model::timing::elapsed_ms;
use crate::model::{
    Act, Dialect, Draft, Instance, Look, Object, ObjectKind, Pinned, Readiness, Seen, Sought, Stored,
};
use crate::reconcile::Effect;

const ACTIVE_MS: u64 = 300;

/// What the platform holds of one object: of a configuration its versions too.
#[derive(Default)]
struct Held {
    id: String,
    draft: Option<Arc<Map<String, Value>>>,
    versions: Vec<Arc<Map<String, Value>>>,
    modified_at: Timestamp,
    active_at: Timestamp,
}

/// A platform of one organization, and the tenant that is kept there.
struct Many {
    pairs: usize,
    colour: &'static str,
    now: Timestamp,
    held: BTreeMap<Object, Held>,
    /// How long a request takes.
    latency_ms: u64,
    /// What becomes active later than others, and after how long.
    slow: Option<(Object, u64)>,
    journal: Journal,
    /// Looks at one object, listings, and writes, in words.
    requests: Vec<String>,
    waited_ms: u64,
    /// The answer to the n-th write is lost, counted from one.
    lost: Option<usize>,
    /// At most so many objects were written and not active, of those that git is not served with yet.
    begun_max: usize,
}

fn object(kind: ObjectKind, n: usize) -> Object {
    Object { kind, name: format!("{n:03}").into() }
}

fn configuration(n: usize) -> Object {
    object(ObjectKind::MessengerConfiguration, n)
}

fn deployment(n: usize) -> Object {
    object(ObjectKind::MessengerDeployment, n)
}

impl Many {
    fn new(pairs: usize) -> Self {
        Self {
            pairs,
            colour: "#111111",
            now: super::platform::at(0),
            held: BTreeMap::new(),
            latency_ms: 20,
            slow: None,
            journal: Journal::default(),
            requests: Vec::new(),
            waited_ms: 0,
            lost: None,
            begun_max: 0,
        }
    }

    fn spec(&self) -> Spec {
        let Run { spec, .. } = run_with(0, Mode::Enforce, Journal::default());
        let mut spec = Spec::clone(&spec);
        spec.tenant.dialect = Dialect::Cloud;
        spec.versions = Versions::Unenforced;
        let styles = json!({"messenger": {"styles": {"primaryColor": self.colour}}});
        let refers =
            |n| json!({"configuration": {"name": *configuration(n).name}, "flow": {"name": "Inbound"}});
        let configurations = (0..self.pairs).map(|n| wanted(configuration(n), styles.clone()));
        let deployments = (0..self.pairs).map(|n| wanted(deployment(n), refers(n)));
        spec.resources = configurations.chain(deployments).collect();
        spec
    }

    /// One whole run: how it ended, and how long it took.
    fn run(&mut self) -> (String, u64) {
        self.run_until(usize::MAX)
    }

    /// A run whose process dies when it has done so many effects.
    fn run_until(&mut self, effects: usize) -> (String, u64) {
        let started_at = self.now;
        self.requests.clear();
        (self.waited_ms, self.begun_max) = (0, 0);
        let mut run = Run::new(Arc::new(self.spec()), self.journal.clone());
        let mut event = Event::Begin;
        for number in 0.. {
            if number >= effects {
                return ("killed".into(), elapsed_ms(started_at, self.now));
            }
            let next = step(run, event, self.now);
            run = next.run;
            let asked = next.effects.into_iter().find(|effect| !matches!(effect, Effect::Report(_)));
            event = match (asked, run.end()) {
                (_, Some(end)) => {
                    let reason = run.reason().unwrap_or_default();
                    return (format!("{end:?}: {reason}"), elapsed_ms(started_at, self.now));
                }
                (None, None) => Event::Proceed,
                (Some(effect), None) => self.perform(effect, &run),
            };
        }
        panic!("it goes on for ever")
    }

    fn perform(&mut self, effect: Effect, run: &Run) -> Event {
        match effect {
            Effect::Observe(look) => Event::Observed(self.look(&look)),
            Effect::Save(records) => {
                records.into_iter().for_each(|record| self.journal.absorb(record));
                Event::Saved
            }
            Effect::Write(write) => {
                let stored = self.write(&write);
                Event::Answered(match self.lost == Some(self.count("store") + self.count("publish")) {
                    true => Outcome::Unknown(Fault::new(FaultKind::Transient, "lost")),
                    false => Outcome::Accepted(stored),
                })
            }
            Effect::WakeAt(until) => {
                self.waited_ms += elapsed_ms(self.now, until);
                self.now = self.now.max(until);
                Event::Woke
            }
            Effect::ReadAudit(_) => all_proven(run),
            other => panic!("not of this dialect: {other:?}"),
        }
    }

    fn request(&mut self, what: String) {
        self.requests.push(what);
        self.now = later(self.now, self.latency_ms);
    }

    fn look(&mut self, look: &Look) -> Seen {
        match look.sought.as_slice() {
            [Sought { object, id: Some(_) }] => self.request(format!("look {object}")),
            sought => self.request(format!("list {}", sought.len())),
        }
        let objects = look.sought.iter().map(|sought| self.observe(&sought.object)).collect();
        let flow = || vec![Named { id: "f-1".into(), version: None }];
        let names: Names = look.references.iter().map(|reference| (reference.clone(), flow())).collect();
        Seen { objects, names }
    }

    fn is_active(&self, object: &Object) -> bool {
        self.held.get(object).is_some_and(|held| held.active_at <= self.now)
    }

    fn observe(&self, object: &Object) -> Observed {
        let Some(held) = self.held.get(object) else { return Observed::Absent };
        let body = held.versions.last().cloned().unwrap_or_default();
        let draft = held.draft.clone().filter(|draft| *draft != body);
        let version_of = |pinned: &Value| pinned["version"].as_str()?.parse::<usize>().ok();
        let pinned = body.get("configuration").and_then(version_of).map(|version| {
            let configuration =
                &self.held[&Object { kind: ObjectKind::MessengerConfiguration, ..object.clone() }];
            Pinned { version: Some(version as u64), body: configuration.versions.get(version - 1).cloned() }
        });
        let instance = Instance {
            id: held.id.as_str().into(),
            readiness: if self.is_active(object) { Readiness::Ready } else { Readiness::Pending },
            draft: draft.map(|body| Draft { body, modified_at: Some(held.modified_at), modified_by: None }),
            pinned,
            publisher: None,
        };
        Observed::Present(Stored {
            version: match object.kind {
                ObjectKind::MessengerConfiguration => held.versions.len() as u64,
                _ => held.modified_at.as_millisecond().unsigned_abs(),
            },
            body,
            modified_at: Some(held.modified_at),
            modified_by: None,
            instance: Some(Arc::new(instance)),
        })
    }

    fn write(&mut self, write: &Write) -> Stored {
        let object = &write.target.object;
        self.request(format!("{} {object}", if write.act == Act::Publish { "publish" } else { "store" }));
        let needed = Object { kind: ObjectKind::MessengerConfiguration, ..object.clone() };
        if object.kind == ObjectKind::MessengerDeployment {
            assert!(self.is_active(&needed), "{object} was written before what it refers to is active");
            assert_eq!(write.body["configuration"]["id"], self.held[&needed].id.as_str());
        }
        assert_eq!(write.id.is_some(), self.held.contains_key(object), "{object} is made once");
        let slow = self.slow.as_ref().filter(|(slow, _)| slow == object);
        let active_ms = slow.map_or(ACTIVE_MS, |(_, active_ms)| *active_ms);
        let id = object.to_string();
        let held = self.held.entry(object.clone()).or_insert_with(|| Held { id, ..Held::default() });
        held.modified_at = self.now;
        let stores_draft = object.kind == ObjectKind::MessengerConfiguration && write.act == Act::Store;
        if stores_draft {
            held.draft = Some(Arc::clone(&write.body));
        } else {
            held.versions.push(held.draft.take().unwrap_or_else(|| Arc::clone(&write.body)));
            held.active_at = later(self.now, active_ms);
        }
        let begun = self.held.keys().filter(|object| !self.is_served(object)).count();
        self.begun_max = self.begun_max.max(begun);
        match self.observe(object) {
            Observed::Present(mut stored) => {
                if stores_draft {
                    // The answer to a draft is the draft.
                    stored.version = 0;
                    let draft = Draft {
                        body: Arc::clone(&write.body),
                        modified_at: Some(self.now),
                        modified_by: None,
                    };
                    let instance = stored.instance.as_deref().cloned();
                    stored.instance = instance.map(|one| Arc::new(Instance { draft: Some(draft), ..one }));
                }
                stored
            }
            Observed::Absent => panic!("it was written a moment ago"),
        }
    }

    /// Whether an object is as git says, and active.
    fn is_served(&self, object: &Object) -> bool {
        let held = &self.held[object];
        self.is_active(object) && held.draft.is_none()
    }

    fn count(&self, what: &str) -> usize {
        self.requests.iter().filter(|request| request.starts_with(what)).count()
    }
}

#[test]
fn others_go_on_while_one_becomes_active_and_a_listing_is_read_for_many_that_are_made() {
    let mut many = Many::new(50);
    let (ended, took_ms) = many.run();
    assert!(ended.starts_with("Synced"), "{ended}");
    assert_eq!((many.count("store"), many.count("publish")), (100, 50));
    // The first look, and before what is made as often as a look is too old for it.
    assert!(many.count("list") <= 10, "{:?}", many.requests);
    assert!(many.requests.len() <= 50 * 7 + 20, "{} requests", many.requests.len());
    assert!(many.waited_ms <= 3 * ACTIVE_MS, "{took_ms} ms, of which {} waited", many.waited_ms);

    many.colour = "#222222";
    let (ended, took_ms) = many.run();
    assert!(ended.starts_with("Synced"), "{ended}");
    assert_eq!((many.count("store"), many.count("publish"), many.count("list")), (100, 50, 1));
    assert!(many.requests.len() <= 50 * 9, "{} requests", many.requests.len());
    assert!(many.waited_ms <= 3 * ACTIVE_MS, "{took_ms} ms, of which {} waited", many.waited_ms);
    let (ended, _) = many.run();
    assert!(ended.starts_with("Synced") && many.requests.len() == 1, "{ended}, {:?}", many.requests);
}

#[test]
fn no_more_than_so_many_are_begun_at_once() {
    let mut many = Many::new(100);
    // The platform takes its time with everything.
    let (ended, _) = many.run();
    assert!(ended.starts_with("Synced"), "{ended}");
    assert!(many.begun_max <= crate::replicate::BEGUN_MAX, "{}", many.begun_max);
}

#[test]
fn what_never_becomes_active_keeps_no_other_from_being_in_force() {
    let mut many = Many::new(5);
    many.slow = Some((configuration(2), u64::MAX));
    let (ended, _) = many.run();
    assert!(
        ended.starts_with("Degraded") && ended.contains("002") && ended.contains("still not active"),
        "{ended}"
    );
    for n in [0, 1, 3, 4] {
        assert!(many.is_served(&deployment(n)), "{n}");
    }
    assert!(!many.held.contains_key(&deployment(2)));
}

/// Whether everything is served as git says, after so many versions of each.
fn assert_served(many: &mut Many, versions: usize, what: &str) {
    // What an earlier run wrote last is not waited for, if nothing else is to be written.
    many.now = later(many.now, ACTIVE_MS);
    for object in (0..many.pairs).flat_map(|n| [configuration(n), deployment(n)]) {
        assert!(many.is_served(&object), "{what}: {object}");
        assert_eq!(many.held[&object].versions.len(), versions, "{what}: {object}");
    }
}

#[test]
fn a_process_that_dies_anywhere_among_many_is_followed_by_one_that_repeats_nothing() {
    let mut longest = 0;
    for effects in 0..120 {
        let mut many = Many::new(3);
        longest = longest.max(if many.run_until(effects).0 == "killed" { effects } else { 0 });
        let ended = many.run().0;
        assert!(ended.starts_with("Synced"), "killed after {effects} effects: {ended}");
        assert_served(&mut many, 1, &format!("killed after {effects} effects"));
        many.colour = "#222222";
        many.run_until(effects);
        let ended = many.run().0;
        assert!(ended.starts_with("Synced"), "killed after {effects} effects: {ended}");
        assert_served(&mut many, 2, &format!("killed after {effects} effects of a change"));
    }
    assert!((40..119).contains(&longest), "{longest}");
}

#[test]
fn an_answer_that_is_lost_among_many_is_read_back() {
    for lost in 1..=9 {
        let mut many = Many::new(3);
        for (versions, colour) in [(1, "#111111"), (2, "#222222")] {
            (many.lost, many.colour) = (Some(lost), colour);
            let ended = many.run().0;
            assert!(ended.starts_with("Synced"), "{lost}: {ended}");
            assert_served(&mut many, versions, &format!("write {lost} to {colour}"));
        }
    }
}

#[test]
fn what_became_active_while_others_went_on_is_not_reported_as_inactive() {
    let mut many = Many::new(60);
    // The others take longer than an object is waited for.
    (many.latency_ms, many.slow) = (200, Some((configuration(0), 62_000)));
    let (ended, took_ms) = many.run();
    assert!(took_ms > 62_000 && ended.starts_with("Synced"), "{took_ms} ms: {ended}");
    assert_served(&mut many, 1, "a slow one");
}
