//! The steps of the `cloud` dialect, against a platform of three maps: what is asked for, in which order, and what
//! becomes of people who interfere at any point.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::*;
use crate::model::plan::Drafts;
use crate::model::reference::{Named, Names, Reference, ReferenceKind};
use crate::model::{
    Act, Cloud, Dialect, Draft, Look, Object, ObjectKind, Observed, Pinned, Readiness, Resource, Seen,
};
use crate::reconcile::{Effect, Entries};

/// What the platform holds of one configuration.
#[derive(Clone, Default)]
struct Configuration {
    draft: Map<String, Value>,
    versions: Vec<Map<String, Value>>,
    drafted_at: i64,
    drafted_by: Option<Actor>,
}

/// A platform with one organization, whose clock ticks with every write.
#[derive(Clone, Default)]
struct Platform {
    configuration: Option<Configuration>,
    deployment: Option<(Map<String, Value>, i64)>,
    clock: i64,
    /// Writes until now, in words.
    writes: Vec<String>,
    /// Reads of an object right after it was made that do not see it.
    unseen: u32,
    pending: u32,
    flows: Vec<&'static str>,
    /// What happens before the n-th write, counted from one.
    before_write: BTreeMap<usize, fn(&mut Platform)>,
    after_write: BTreeMap<usize, fn(&mut Platform)>,
    /// Answers to these writes are lost; the writes are executed.
    lost: BTreeSet<usize>,
    refused: BTreeSet<usize>,
}

fn map(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn mara() -> Actor {
    Actor { id: "u-mara".into(), name: "Mara".into(), kind: ActorKind::User }
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_790_000_000_000 + ms).unwrap()
}

fn configuration() -> Object {
    Object { kind: ObjectKind::MessengerConfiguration, name: "web".into() }
}

fn deployment() -> Object {
    Object { kind: ObjectKind::MessengerDeployment, name: "site".into() }
}

impl Platform {
    fn person_edits_the_draft(&mut self, field: &str, value: Value) {
        self.clock += 1;
        let clock = self.clock;
        if let Some(configuration) = &mut self.configuration {
            configuration.draft.insert(field.into(), value);
            (configuration.drafted_at, configuration.drafted_by) = (clock, Some(mara()));
        }
    }

    fn person_publishes(&mut self) {
        if let Some(configuration) = &mut self.configuration {
            configuration.versions.push(configuration.draft.clone());
        }
    }

    fn observe(&mut self, object: &Object) -> Observed {
        if object.kind == ObjectKind::MessengerConfiguration {
            let Some(known) = &self.configuration else { return Observed::Absent };
            if self.unseen > 0 {
                self.unseen -= 1;
                return Observed::Absent;
            }
            let readiness = match self.pending {
                0 => Readiness::Ready,
                _ => {
                    self.pending -= 1;
                    Readiness::Pending
                }
            };
            return Observed::Present(stored_configuration(known, readiness));
        }
        let Some((body, modified)) = &self.deployment else { return Observed::Absent };
        let version = body["configuration"]["version"].as_str().and_then(|text| text.parse::<u64>().ok());
        let pinned = version.and_then(|version| {
            self.configuration.as_ref()?.versions.get(version as usize - 1).cloned().map(Arc::new)
        });
        let cloud = Cloud {
            id: "d-1".into(),
            readiness: Readiness::Ready,
            draft: None,
            pinned: Some(Pinned { version, body: pinned }),
            by_person: false,
        };
        Observed::Present(Stored {
            version: at(*modified).as_millisecond().unsigned_abs(),
            body: Arc::new(body.clone()),
            modified_at: Some(at(*modified)),
            modified_by: None,
            cloud: Some(Arc::new(cloud)),
        })
    }

    fn look(&mut self, look: &Look) -> Seen {
        let objects = look.sought.iter().map(|sought| self.observe(&sought.object)).collect();
        let mut names = Names::new();
        for reference in look.references.iter() {
            let ids = self.flows.iter().filter(|_| reference.kind == ReferenceKind::Flow);
            let named = ids.map(|id| Named { id: (*id).into(), version: None }).collect();
            names.insert(reference.clone(), named);
        }
        Seen { objects, names }
    }

    fn write(&mut self, write: &Write) -> Outcome<Stored> {
        let number = self.writes.len() + 1;
        if let Some(interfere) = self.before_write.get(&number).copied() {
            interfere(self);
        }
        self.clock += 1;
        let clock = self.clock;
        let what = match (write.target.object.kind, write.act, &write.id) {
            (ObjectKind::MessengerConfiguration, Act::Publish, _) => "publish",
            (ObjectKind::MessengerConfiguration, _, None) => "create",
            (ObjectKind::MessengerConfiguration, _, Some(_)) => "draft",
            (_, _, None) => "deploy",
            (_, _, Some(_)) => "pin",
        };
        self.writes.push(what.to_owned());
        if self.refused.contains(&number) {
            return Outcome::Rejected(Fault::new(FaultKind::Rejected, "400"));
        }
        let body = Map::clone(&write.body);
        let stored = match what {
            "publish" => {
                let known = self.configuration.as_mut().unwrap();
                known.versions.push(known.draft.clone());
                stored_configuration(known, Readiness::Ready)
            }
            "create" | "draft" => {
                let known = self.configuration.get_or_insert_default();
                (known.draft, known.drafted_at, known.drafted_by) = (body, clock, None);
                let versionless = Configuration { versions: Vec::new(), ..known.clone() };
                stored_configuration(&versionless, Readiness::Ready)
            }
            _ => {
                self.deployment = Some((body, clock));
                match self.observe(&deployment()) {
                    Observed::Present(stored) => stored,
                    Observed::Absent => panic!("it was made a moment ago"),
                }
            }
        };
        if let Some(interfere) = self.after_write.get(&number).copied() {
            interfere(self);
        }
        if self.lost.contains(&number) {
            return Outcome::Unknown(Fault::new(FaultKind::Transient, "lost"));
        }
        Outcome::Accepted(stored)
    }
}

fn stored_configuration(known: &Configuration, readiness: Readiness) -> Stored {
    let newest = known.versions.last().cloned().map(Arc::new);
    let draft = Draft {
        body: Arc::new(known.draft.clone()),
        modified_at: Some(at(known.drafted_at)),
        modified_by: known.drafted_by.clone(),
    };
    let unpublished = newest.as_ref().is_none_or(|newest| **newest != known.draft);
    let cloud = Cloud {
        id: "c-1".into(),
        readiness,
        draft: unpublished.then_some(draft),
        pinned: None,
        by_person: false,
    };
    Stored {
        version: known.versions.len() as u64,
        body: newest.unwrap_or_default(),
        modified_at: Some(at(known.drafted_at)),
        modified_by: known.drafted_by.clone(),
        cloud: Some(Arc::new(cloud)),
    }
}

fn wanted(object: Object, body: Value) -> Resource {
    let desired = Desired { body: Arc::new(map(body)), exclusive: false, ignored: BTreeSet::new() };
    Resource { object, desired, before: None, secret: None }
}

struct Scene {
    platform: Platform,
    journal: Journal,
    drafts: Drafts,
    colour: &'static str,
    now: Timestamp,
    notes: Vec<String>,
}

impl Scene {
    fn new() -> Self {
        let platform = Platform { flows: vec!["f-1"], ..Platform::default() };
        let (journal, notes) = (Journal::default(), Vec::new());
        Self { platform, journal, drafts: Drafts::Refuse, colour: "#111111", now: at(0), notes }
    }

    /// Everything is as git says, and known to the journal.
    fn in_sync() -> Self {
        let mut scene = Self::new();
        assert_eq!(scene.run(), "Synced");
        assert_eq!(scene.writes(), ["create", "publish", "deploy"]);
        scene
    }

    fn writes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.platform.writes)
    }

    fn spec(&self) -> Spec {
        let Run { spec, .. } = run_with(0, Mode::Enforce, Journal::default());
        let mut spec = Spec::clone(&spec);
        spec.tenant.dialect = Dialect::Cloud;
        spec.versions = Versions::Unenforced;
        spec.limits.drafts = self.drafts;
        let reference = serde_json::json!({"name": "web"});
        spec.resources = vec![
            wanted(
                configuration(),
                serde_json::json!({"messenger": {"styles": {"primaryColor": self.colour}}}),
            ),
            wanted(
                deployment(),
                serde_json::json!({"configuration": reference, "flow": {"name": "Inbound"}, "allowAllDomains": true}),
            ),
        ];
        spec
    }

    /// One whole run.
    fn run(&mut self) -> String {
        self.run_until(usize::MAX)
    }

    /// A run whose process dies when it has done so many effects.
    fn run_until(&mut self, effects: usize) -> String {
        let mut run = Run::new(Arc::new(self.spec()), self.journal.clone());
        let mut event = Event::Begin;
        for number in 0.. {
            let next = step(run, event, self.now);
            run = next.run;
            let mut asked = None;
            for effect in next.effects {
                match effect {
                    Effect::Report(note) => self.notes.push(note.to_string()),
                    effect => asked = Some(effect),
                }
            }
            assert!(number < 500, "it goes round in circles: {:?}", self.platform.writes);
            if number >= effects {
                return "killed".into();
            }
            event = match (asked, run.status()) {
                (_, Some(Status::Held(reason))) => return format!("Held: {reason}"),
                (_, Some(Status::Degraded(fault))) => return format!("Degraded: {fault}"),
                (_, Some(status)) => return status.name().into(),
                (None, None) => Event::Proceed,
                (Some(effect), None) => self.perform(effect, &run),
            };
        }
        String::new()
    }

    fn perform(&mut self, effect: Effect, run: &Run) -> Event {
        match effect {
            Effect::Observe(look) => Event::Observed(self.platform.look(&look)),
            Effect::Save(records) => {
                records.into_iter().for_each(|record| self.journal.absorb(record));
                Event::Saved
            }
            Effect::Write(write) => Event::Answered(self.platform.write(&write)),
            Effect::WakeAt(until) => {
                self.now = self.now.max(until);
                Event::Woke
            }
            Effect::ReadAudit(_) => {
                let entry = |receipt: &Receipt| Entry {
                    id: format!("{}-{}", receipt.target, receipt.version),
                    at: receipt.made_at.unwrap_or(receipt.sent_at),
                    action: "Update".into(),
                    object: receipt.target.object_ref(),
                    actor: Actor { id: "us".into(), name: String::new(), kind: ActorKind::Client },
                    remote_ip: None,
                    version: None,
                    changes: Vec::new(),
                };
                let entries = run.receipts.iter().chain(&run.journal.0.owed).map(entry).collect();
                Event::Entries(Entries { entries, truncated: false })
            }
            other => panic!("not of this dialect: {other:?}"),
        }
    }

    fn served(&self) -> Option<(u64, Value)> {
        let (body, _) = self.platform.deployment.as_ref()?;
        let version: u64 = body["configuration"]["version"].as_str()?.parse().ok()?;
        let pinned = self.platform.configuration.as_ref()?.versions.get(version as usize - 1)?;
        Some((version, pinned["messenger"]["styles"]["primaryColor"].clone()))
    }
}

#[test]
fn it_is_stored_published_and_pinned_and_then_there_is_silence() {
    let mut scene = Scene::in_sync();
    assert_eq!(scene.served(), Some((1, json!("#111111"))));
    assert_eq!((scene.run().as_str(), scene.writes().len()), ("Synced", 0));
    scene.colour = "#222222";
    assert_eq!(scene.run(), "Synced");
    assert_eq!(scene.writes(), ["draft", "publish", "pin"]);
    assert_eq!(scene.served(), Some((2, json!("#222222"))));
    assert_eq!((scene.run().as_str(), scene.writes().len()), ("Synced", 0));
    // Names in git, ids there.
    let (body, _) = scene.platform.deployment.unwrap();
    assert_eq!((&body["flow"], &body["configuration"]["id"]), (&json!({"id": "f-1"}), &json!("c-1")));
}

#[test]
fn a_process_that_dies_anywhere_is_followed_by_one_that_ends_it_and_repeats_nothing() {
    let mut longest = 0;
    for effects in 0..60 {
        let mut scene = Scene::in_sync();
        scene.colour = "#222222";
        let ended = scene.run_until(effects);
        longest = longest.max(if ended == "killed" { effects } else { 0 });
        let before = scene.platform.writes.clone();
        assert_eq!(scene.run(), "Synced", "killed after {effects} effects and {before:?}");
        assert_eq!(scene.writes(), ["draft", "publish", "pin"], "killed after {effects} effects");
        assert_eq!(scene.served(), Some((2, json!("#222222"))), "{effects}");
        let versions = scene.platform.configuration.as_ref().map(|known| known.versions.len());
        assert_eq!(versions, Some(2), "killed after {effects} effects");
    }
    assert!((12..59).contains(&longest), "{longest}");
}

#[test]
fn an_answer_that_is_lost_is_read_back_at_each_of_the_three_steps_and_at_creation() {
    for number in 1..=3 {
        let mut scene = Scene::in_sync();
        scene.colour = "#222222";
        scene.platform.lost.insert(number);
        assert_eq!(scene.run(), "Synced", "{number}: {:?}", scene.notes);
        assert_eq!(scene.writes(), ["draft", "publish", "pin"], "{number}");
        let mut scene = Scene::new();
        scene.platform.lost.insert(number);
        assert_eq!(scene.run(), "Synced", "{number}: {:?}", scene.notes);
        assert_eq!(scene.writes(), ["create", "publish", "deploy"], "{number}");
    }
}

#[test]
fn a_draft_that_somebody_left_is_kept_adopted_or_discarded_as_the_operator_says() {
    for (drafts, ended, writes, banner) in [
        (Drafts::Refuse, "Held", &[][..], None),
        (Drafts::Adopt, "Synced", &["draft", "publish", "pin"][..], Some(json!("sale"))),
        (Drafts::Discard, "Synced", &["draft", "publish", "pin"][..], None),
    ] {
        let mut scene = Scene::in_sync();
        scene.platform.person_edits_the_draft("banner", json!("sale"));
        scene.drafts = drafts;
        // Nothing has to be written: nobody's draft is in the way.
        assert_eq!((scene.run().as_str(), scene.writes().len()), ("Synced", 0));
        scene.colour = "#222222";
        let reason = scene.run();
        assert!(reason.starts_with(ended), "{drafts:?}: {reason}");
        assert_eq!(scene.writes(), writes, "{drafts:?}");
        if drafts == Drafts::Refuse {
            assert!(reason.contains("Mara") && reason.contains("banner"), "{reason}");
            assert!(reason.contains("--draft adopt"), "{reason}");
            continue;
        }
        let published = scene.platform.configuration.unwrap().versions.pop().unwrap();
        assert_eq!(published.get("banner"), banner.as_ref(), "{drafts:?}");
    }
}

#[test]
fn what_is_written_over_stays_in_the_journal_until_the_write_is_over() {
    let mut scene = Scene::in_sync();
    scene.platform.person_edits_the_draft("banner", json!("sale"));
    (scene.drafts, scene.colour) = (Drafts::Discard, "#222222");
    scene.platform.lost.insert(1);
    // The intent is saved, and the answer never comes.
    for effects in 1..20 {
        scene.run_until(effects);
        if let Some(open) = scene.journal.unresolved.first() {
            let IntentAction::Put { over: Some(over), .. } = &open.action else { panic!("{open:?}") };
            assert_eq!(over["banner"], json!("sale"));
            return;
        }
    }
    panic!("there was no intent");
}

#[test]
fn an_edit_between_the_look_and_the_publish_is_told_and_nothing_more_is_written() {
    let sneak: fn(&mut Platform) = |platform| platform.person_edits_the_draft("banner", json!("unfinished"));
    // After the draft was stored: seen when it is looked at again, before it is published.
    let mut scene = Scene::in_sync();
    scene.colour = "#222222";
    scene.platform.after_write.insert(1, sneak);
    let reason = scene.run();
    assert!(reason.starts_with("Held") && reason.contains("Mara"), "{reason}");
    assert_eq!(scene.writes(), ["draft"]);
    assert_eq!(scene.served(), Some((1, json!("#111111"))));
    // In the last moment: it is published along, and pinned, for it does say what git says; but it is told.
    let mut scene = Scene::in_sync();
    scene.colour = "#222222";
    scene.platform.before_write.insert(2, sneak);
    let reason = scene.run();
    assert!(reason.starts_with("Held") && reason.contains("banner") && reason.contains("Mara"), "{reason}");
    assert_eq!(scene.writes(), ["draft", "publish", "pin"]);
    // The same, and the answer is lost.
    let mut scene = Scene::in_sync();
    scene.colour = "#222222";
    scene.platform.before_write.insert(2, sneak);
    scene.platform.lost.insert(2);
    let reason = scene.run();
    assert!(reason.starts_with("Held") && reason.contains("banner") && reason.contains("Mara"), "{reason}");
    assert_eq!(scene.writes(), ["draft", "publish", "pin"]);
    // The same, in a field that git manages: visitors keep what they had.
    let mut scene = Scene::in_sync();
    scene.colour = "#222222";
    scene.platform.before_write.insert(2, |platform| {
        platform.person_edits_the_draft("messenger", json!({"styles": {"primaryColor": "#FF0000"}}));
    });
    let reason = scene.run();
    assert!(reason.starts_with("Held") && reason.contains("Mara"), "{reason}");
    assert_eq!(scene.writes(), ["draft", "publish"]);
    assert_eq!(scene.served(), Some((1, json!("#111111"))));
}

#[test]
fn a_version_that_somebody_published_in_between_is_told() {
    let mut scene = Scene::in_sync();
    scene.colour = "#222222";
    scene.platform.before_write.insert(2, Platform::person_publishes);
    let reason = scene.run();
    assert!(reason.starts_with("Held") && reason.contains("went over a change"), "{reason}");
    assert_eq!(scene.served(), Some((3, json!("#222222"))));
}

#[test]
fn a_pin_elsewhere_is_drift_where_it_serves_something_else_and_nobodys_business_where_it_does_not() {
    let repoint = |scene: &mut Scene, version: &str| {
        scene.platform.clock += 1;
        let clock = scene.platform.clock;
        let (body, modified) = scene.platform.deployment.as_mut().unwrap();
        body["configuration"]["version"] = json!(version);
        *modified = clock;
    };
    let mut scene = Scene::in_sync();
    scene.colour = "#222222";
    assert_eq!(scene.run(), "Synced");
    scene.writes();
    // Back to the first, which says something else.
    repoint(&mut scene, "1");
    assert_eq!(scene.run(), "Synced");
    assert_eq!((scene.writes(), scene.served()), (vec!["pin".to_owned()], Some((2, json!("#222222")))));
    // Somebody publishes what git leaves alone, and pins it: it says what git says.
    scene.platform.person_edits_the_draft("banner", json!("sale"));
    scene.platform.person_publishes();
    assert_eq!((scene.run().as_str(), scene.writes().len()), ("Synced", 0), "a newer version is not taken");
    assert_eq!(scene.served(), Some((2, json!("#222222"))));
    repoint(&mut scene, "3");
    assert_eq!((scene.run().as_str(), scene.writes().len()), ("Synced", 0));
    // A version that is not there any more.
    repoint(&mut scene, "9");
    assert_eq!((scene.run().as_str(), scene.writes()), ("Synced", vec!["pin".to_owned()]));
    assert_eq!(scene.served(), Some((3, json!("#222222"))));
}

#[test]
fn what_was_made_a_moment_ago_may_be_unseen_unready_or_refused_for_a_while() {
    let mut scene = Scene::new();
    scene.platform.unseen = 3;
    assert_eq!(scene.run(), "Synced", "{:?}", scene.notes);
    assert_eq!(scene.writes(), ["create", "publish", "deploy"]);
    let mut scene = Scene::new();
    scene.platform.pending = 4;
    assert_eq!(scene.run(), "Synced", "{:?}", scene.notes);
    assert_eq!(scene.writes(), ["create", "publish", "deploy"]);
    let mut scene = Scene::new();
    scene.platform.refused.insert(2);
    assert_eq!(scene.run(), "Synced", "{:?}", scene.notes);
    assert_eq!(scene.writes(), ["create", "publish", "publish", "deploy"]);
    // The first write of all has nothing to wait for: it is refused for what it says.
    let mut scene = Scene::new();
    scene.platform.refused.insert(1);
    assert!(scene.run().starts_with("Degraded"), "{:?}", scene.notes);
    // For ever: it ends in time, and nothing is published.
    let mut scene = Scene::new();
    scene.platform.pending = 1_000;
    let reason = scene.run();
    assert!(reason.starts_with("Degraded") && reason.contains("not active"), "{reason}");
    assert_eq!(scene.writes(), ["create"]);
}

#[test]
fn a_name_that_means_nothing_or_two_things_is_told_and_nothing_is_written() {
    for (flows, told) in
        [(vec![], "there is no inbound message flow `Inbound`"), (vec!["a", "b"], "2 things go by")]
    {
        let mut scene = Scene::new();
        scene.platform.flows = flows;
        let reason = scene.run();
        assert!(reason.starts_with("Held") && reason.contains(told), "{reason}");
        assert_eq!(scene.writes(), Vec::<String>::new());
    }
    let reference = Reference { kind: ReferenceKind::Flow, name: "Inbound".into() };
    assert_eq!(reference.to_string(), "inbound message flow `Inbound`");
}

#[test]
fn a_listing_without_what_we_made_makes_nothing_anew() {
    let mut scene = Scene::in_sync();
    scene.platform.configuration = None;
    scene.platform.deployment = None;
    assert_eq!(scene.run(), "Held");
    assert_eq!(scene.writes(), Vec::<String>::new());
}

#[test]
fn what_is_new_to_this_build_is_carried_through_every_write() {
    let mut scene = Scene::in_sync();
    scene.platform.person_edits_the_draft("invented", json!({"next": ["year"]}));
    scene.platform.person_publishes();
    scene.colour = "#222222";
    assert_eq!(scene.run(), "Synced");
    let newest = scene.platform.configuration.unwrap().versions.pop().unwrap();
    assert_eq!(newest["invented"], json!({"next": ["year"]}));
    assert_eq!(newest["messenger"]["styles"]["primaryColor"], json!("#222222"));
}
