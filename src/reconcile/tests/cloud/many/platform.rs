//! A platform of many objects with its own clock: each request takes time, and a published or pinned version
//! becomes active later.

use serde_json::{Map, Value};

use super::super::platform::wanted;
use super::super::scene::all_proven;
use super::super::*;
use crate::model::record::IntentAction;
use crate::model::reference::{Named, Names};
use crate::model::timing::elapsed_ms;
use crate::model::{
    Act, Dialect, Draft, Guard, Instance, Look, Object, ObjectKind, Pinned, Readiness, Seen, Sought, Stored,
};
use crate::reconcile::Effect;

pub(super) const ACTIVE_MS: u64 = 300;

/// The state of one object on the platform, with the versions of a configuration.
#[derive(Default)]
pub(super) struct Held {
    pub(super) id: String,
    pub(super) draft: Option<Arc<Map<String, Value>>>,
    pub(super) versions: Vec<Arc<Map<String, Value>>>,
    pub(super) modified_at: Timestamp,
    pub(super) active_at: Timestamp,
}

/// A platform of one organization, and its tenant.
pub(super) struct Many {
    pub(super) pairs: usize,
    pub(super) colour: &'static str,
    pub(super) now: Timestamp,
    pub(super) held: BTreeMap<Object, Held>,
    /// The duration of a request, in ms.
    pub(super) latency_ms: u64,
    /// The objects that become active later than others, and after how long, in ms.
    pub(super) slow: Option<(Object, u64)>,
    pub(super) journal: Journal,
    /// The reads of one object, listings, and writes, as words.
    pub(super) requests: Vec<String>,
    pub(super) waited_ms: u64,
    /// The answer to the n-th write is lost, counted from one.
    pub(super) lost: Option<usize>,
    /// The process dies before the n-th write, although others of its batch have left.
    pub(super) dies_before: Option<usize>,
    /// The refusals that writes of these objects get.
    pub(super) refused: BTreeMap<Object, Outcome<Stored>>,
    /// The answers to writes of these objects before they are accepted, in reverse order.
    pub(super) before_accepted: BTreeMap<Object, Vec<Outcome<Stored>>>,
    /// The configuration with a draft of another user.
    pub(super) drafted: Option<Object>,
    /// The allowed guards.
    pub(super) allowed: BTreeSet<Guard>,
    /// Whether the plan was reviewed and must be exact.
    pub(super) is_exact: bool,
    /// How long writes queue for the rate limit before their intents are saved, in ms; zero for no queue.
    pub(super) queue_ms: u64,
    has_queued: bool,
    looked_at: BTreeMap<Object, Timestamp>,
    /// The maximum number of objects that were written and not active at once.
    pub(super) begun_max: usize,
}

pub(super) fn object(kind: ObjectKind, n: usize) -> Object {
    Object { kind, name: format!("{n:03}").into() }
}

pub(super) fn configuration(n: usize) -> Object {
    object(ObjectKind::MessengerConfiguration, n)
}

pub(super) fn deployment(n: usize) -> Object {
    object(ObjectKind::MessengerDeployment, n)
}

/// A draft of another user.
pub(super) fn theirs(body: &Arc<Map<String, Value>>, at: Timestamp) -> Draft {
    let mut body = Map::clone(body);
    body.insert("banner".into(), json!("hers"));
    let mara = Actor { id: "mara".into(), name: "Mara".into(), kind: ActorKind::User };
    Draft { body: Arc::new(body), modified_at: Some(at), modified_by: Some(mara) }
}

pub(super) fn refusal(object: &Object, status: &str) -> Outcome<Stored> {
    let message = format!("the request about {object} of organization org-0 was answered with {status}");
    Outcome::Rejected(Fault::new(FaultKind::Rejected, message))
}

impl Many {
    pub(super) fn new(pairs: usize) -> Self {
        Self {
            pairs,
            colour: "#111111",
            now: super::super::platform::at(0),
            held: BTreeMap::new(),
            latency_ms: 20,
            slow: None,
            journal: Journal::default(),
            requests: Vec::new(),
            waited_ms: 0,
            lost: None,
            dies_before: None,
            refused: BTreeMap::new(),
            before_accepted: BTreeMap::new(),
            drafted: None,
            allowed: BTreeSet::new(),
            is_exact: false,
            queue_ms: 0,
            has_queued: false,
            looked_at: BTreeMap::new(),
            begun_max: 0,
        }
    }

    pub(super) fn spec(&self) -> Spec {
        let Run { spec, .. } = run_with(0, Mode::Enforce, Journal::default());
        let mut spec = Spec::clone(&spec);
        spec.tenant.dialect = Dialect::Cloud;
        spec.versions = Versions::Unenforced;
        spec.is_exact = self.is_exact;
        spec.memory = crate::model::Memory::Kept;
        spec.limits.allowed.clone_from(&self.allowed);
        let styles = json!({"messenger": {"styles": {"primaryColor": self.colour}}});
        let refers =
            |n| json!({"configuration": {"name": *configuration(n).name}, "flow": {"name": "Inbound"}});
        let configurations = (0..self.pairs).map(|n| wanted(configuration(n), styles.clone()));
        let deployments = (0..self.pairs).map(|n| wanted(deployment(n), refers(n)));
        spec.resources = configurations.chain(deployments).collect();
        spec
    }

    /// Performs one whole run: its end and its duration in ms.
    pub(super) fn run(&mut self) -> (String, u64) {
        self.run_until(usize::MAX)
    }

    /// Performs a run whose process dies after this many effects.
    pub(super) fn run_until(&mut self, effects: usize) -> (String, u64) {
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
            if let (Some(Effect::Write(writes)), Some(dies_before)) = (&asked, self.dies_before) {
                let left = dies_before.saturating_sub(self.count("store") + self.count("publish") + 1);
                if left < writes.len() {
                    writes.iter().take(left).for_each(|write| drop(self.answer(write)));
                    return ("killed".into(), elapsed_ms(started_at, self.now));
                }
            }
            event = match (asked, run.end()) {
                (_, Some(end)) => {
                    let reason = run.reason().unwrap_or_default();
                    return (format!("{end:?}: {reason}"), elapsed_ms(started_at, self.now));
                }
                (None, None) => {
                    assert!(run.fresh.is_empty(), "a planned object is read again before it is written");
                    Event::Proceed
                }
                (Some(effect), None) => self.perform(effect, &run),
            };
        }
        panic!("the run does not end")
    }

    pub(super) fn perform(&mut self, effect: Effect, run: &Run) -> Event {
        match effect {
            Effect::Observe(look) => Event::Observed(self.look(&look)),
            Effect::Save(_) if self.queues(run) => Event::Woke,
            Effect::Save(records) => {
                records.iter().for_each(|record| self.check_intent(record));
                records.into_iter().for_each(|record| self.journal.absorb(record));
                Event::Saved
            }
            Effect::Write(writes) => {
                let sent_at = self.now;
                let answers = writes.iter().map(|write| {
                    // In parallel.
                    self.now = sent_at;
                    self.answer(write)
                });
                Event::Answered(answers.collect())
            }
            Effect::WakeAt(until) => {
                self.waited_ms += elapsed_ms(self.now, until);
                self.now = self.now.max(until);
                Event::Woke
            }
            Effect::ReadAudit(_) => all_proven(run),
            other => panic!("no effect of this dialect: {other:?}"),
        }
    }

    /// The live state; inferred if it did not move since the sighting.
    fn seen(&self, sought: &Sought) -> Observed {
        let mut seen = self.observe(&sought.object);
        if let (Observed::Present(stored), Some(sighting)) = (&mut seen, &sought.sighting) {
            let moved_at = self.held[&sought.object].modified_at.as_millisecond().unsigned_abs();
            let instance = stored.instance.as_mut().map(Arc::make_mut);
            instance.into_iter().for_each(|known| known.is_inferred = moved_at == sighting.drafted_at);
        }
        seen
    }

    /// Checks that an intent is made when its write may leave, and from a recent read.
    fn check_intent(&self, record: &Record) {
        let Record::Intent(intent) = record else { return };
        assert_eq!(intent.sent_at, self.now, "an intent that is older than its turn");
        let IntentAction::Put { target, .. } = &intent.action else { return };
        let age_ms = elapsed_ms(self.looked_at[&target.object], self.now);
        let plan_ms = u64::from(Timing::default().plan_ms);
        assert!(age_ms <= plan_ms, "{} was read {age_ms} ms ago", target.object);
    }

    /// Whether the next write has to queue: once for each batch.
    fn queues(&mut self, run: &Run) -> bool {
        if run.about_to_send().is_empty() {
            return false;
        }
        self.has_queued = self.queue_ms > 0 && !self.has_queued;
        if self.has_queued {
            self.now = later(self.now, self.queue_ms);
        }
        self.has_queued
    }

    pub(super) fn answer(&mut self, write: &Write) -> Outcome<Stored> {
        let object = &write.target.object;
        let next = self.before_accepted.get_mut(object).and_then(Vec::pop);
        if let Some(refused) = next.or_else(|| self.refused.get(object).cloned()) {
            self.request(format!("refuse {}", write.target.object));
            return refused;
        }
        let stored = self.write(write);
        match self.lost == Some(self.count("store") + self.count("publish")) {
            true => Outcome::Unknown(Fault::new(FaultKind::Transient, "lost")),
            false => Outcome::Accepted(stored),
        }
    }

    pub(super) fn request(&mut self, what: String) {
        self.requests.push(what);
        self.now = later(self.now, self.latency_ms);
    }

    pub(super) fn look(&mut self, look: &Look) -> Seen {
        let asked_at = self.now;
        self.looked_at.extend(look.sought.iter().map(|sought| (sought.object.clone(), asked_at)));
        let (known, listed): (Vec<&Sought>, Vec<&Sought>) =
            look.sought.iter().partition(|sought| sought.id.is_some());
        for sought in known {
            self.now = asked_at;
            self.request(format!("look {}", sought.object));
        }
        if !listed.is_empty() {
            self.now = asked_at;
            self.request(format!("list {}", listed.len()));
        }
        let objects = look.sought.iter().map(|sought| self.seen(sought)).collect();
        let flow = || vec![Named { id: "f-1".into(), version: None, is_unpublished: false }];
        let names: Names = look.references.iter().map(|reference| (reference.clone(), flow())).collect();
        Seen { objects, names }
    }

    pub(super) fn is_active(&self, object: &Object) -> bool {
        self.held.get(object).is_some_and(|held| held.active_at <= self.now)
    }

    pub(super) fn observe(&self, object: &Object) -> Observed {
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
            draft: match self.drafted.as_ref() == Some(object) {
                true => Some(theirs(&body, held.modified_at)),
                false => {
                    draft.map(|body| Draft { body, modified_at: Some(held.modified_at), modified_by: None })
                }
            },
            pinned,
            drafted_at: Some(held.modified_at),
            publisher: None,
            is_inferred: false,
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

    pub(super) fn write(&mut self, write: &Write) -> Stored {
        let object = &write.target.object;
        self.request(format!("{} {object}", if write.act == Act::Publish { "publish" } else { "store" }));
        let needed = Object { kind: ObjectKind::MessengerConfiguration, ..object.clone() };
        if object.kind == ObjectKind::MessengerDeployment {
            assert!(self.is_active(&needed), "{object} was written before what it refers to is active");
            assert_eq!(write.body["configuration"]["id"], self.held[&needed].id.as_str());
        }
        assert_eq!(write.id.is_some(), self.held.contains_key(object), "{object} is created once");
        let slow = self.slow.as_ref().filter(|(slow, _)| slow == object);
        let active_ms = slow.map_or(ACTIVE_MS, |(_, active_ms)| *active_ms);
        let id = object.to_string();
        let held = self.held.entry(object.clone()).or_insert_with(|| Held { id, ..Held::default() });
        held.modified_at = self.now;
        let stores_draft = object.kind == ObjectKind::MessengerConfiguration && write.act == Act::Store;
        if held.versions.is_empty() && write.id.is_none() {
            // A new object is not active at once either.
            held.active_at = later(self.now, active_ms);
        }
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
            Observed::Absent => panic!("it was just written"),
        }
    }

    /// Whether an object matches git and is active.
    pub(super) fn is_served(&self, object: &Object) -> bool {
        self.is_active(object) && self.held.get(object).is_some_and(|held| held.draft.is_none())
    }

    pub(super) fn count(&self, what: &str) -> usize {
        self.requests.iter().filter(|request| request.starts_with(what)).count()
    }
}
