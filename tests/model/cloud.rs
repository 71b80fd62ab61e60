//! A model of the platform behind the `cloud` dialect: pairs of a configuration with a draft and versions,
//! and a deployment that pins a version. It accepts every write, whatever the write was planned from.

use std::sync::Arc;

use genesync::model::{
    Act, Actor, Desired, Draft, Entry, Instance, Look, Names, Object, ObjectKind, ObjectRef, Observed,
    Pinned, Readiness, Resource, Seen, Sighting, Sought, Stored, Target, Write,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use crate::webchat::{Maker, target};
use crate::world::now;

type Body = Map<String, Value>;

/// A published version: its body, its publisher, and the author of its draft.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Version {
    body: Body,
    maker: Maker,
    drafted: Maker,
    tick: i64,
}

/// What the organization holds: independent pairs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Cloud {
    pairs: Vec<Pair>,
}

/// A configuration, and the deployment that pins its versions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Pair {
    number: usize,
    draft: Option<(Body, Maker, i64)>,
    versions: Vec<Version>,
    deployment: Option<Body>,
    /// Every change of the deployment, in order.
    pins: Vec<(Maker, i64)>,
    /// Increases with every write.
    clock: i64,
}

/// The damage that a write of ours did.
#[derive(Debug, Default)]
pub struct Damage {
    /// It overwrote or published another user's change that it was not planned from.
    pub over_theirs: bool,
    /// It overwrote a newer write of ours.
    pub over_ours: bool,
    /// It wrote the value of an older commit.
    pub travelled: bool,
    /// It created a second object of the same name.
    pub doubled: bool,
}

/// The number of edits that a person can make on the platform's screens.
pub const DEEDS: usize = 3;

fn web(pair: usize) -> Object {
    Object { kind: ObjectKind::MessengerConfiguration, name: format!("{pair}").into() }
}

fn site(pair: usize) -> Object {
    Object { kind: ObjectKind::MessengerDeployment, name: format!("{pair}").into() }
}

fn pair_of(object: &Object) -> usize {
    object.name.parse().unwrap_or_default()
}

/// Returns what git says of some pairs at a commit.
pub fn resources(commit: u64, pairs: usize) -> Vec<Resource> {
    let wanted = |object, body: Value| {
        let body = Arc::new(body.as_object().cloned().unwrap_or_default());
        let desired = Desired { body, exclusive: false, ignored: std::collections::BTreeSet::new() };
        Resource { object, desired, before: None, secret: None }
    };
    let styles = json!({"messenger": {"styles": {"primaryColor": format!("#{commit:06}")}}});
    let refers = |pair: usize| json!({"configuration": {"name": pair.to_string()}, "allowAllDomains": true});
    let configurations = (0..pairs).map(|pair| wanted(web(pair), styles.clone()));
    configurations.chain((0..pairs).map(|pair| wanted(site(pair), refers(pair)))).collect()
}

/// Returns the commit whose value a configuration holds.
fn content(body: &Body) -> u64 {
    let colour = body.get("messenger").and_then(|messenger| messenger["styles"]["primaryColor"].as_str());
    colour.and_then(|colour| colour.strip_prefix('#')?.parse().ok()).unwrap_or(0)
}

fn at(tick: i64) -> Timestamp {
    now() + SignedDuration::from_millis(tick)
}

fn moment(tick: i64) -> u64 {
    at(tick).as_millisecond().unsigned_abs()
}

impl Maker {
    /// Returns a person by name; an edit by a client has no name.
    fn named(self) -> Option<Actor> {
        (self == Maker::Person).then(|| self.actor())
    }
}

impl Cloud {
    pub fn of(pairs: usize) -> Self {
        Self { pairs: (0..pairs).map(|number| Pair { number, ..Pair::default() }).collect() }
    }

    /// Returns whether visitors get what git says at a commit.
    pub fn serves(&self, commit: u64) -> bool {
        self.pairs.iter().all(|pair| pair.served().is_some_and(|body| content(body) == commit))
    }

    pub fn look(&self, look: &Look) -> Seen {
        let observe = |sought: &Sought| self.pairs[pair_of(&sought.object)].observe(sought);
        let objects = look.sought.iter().map(observe).collect();
        let names: Names = look.references.iter().map(|known| (known.clone(), Vec::new())).collect();
        Seen { objects, names }
    }

    /// Executes a write of ours, whatever it was planned from.
    pub fn write(&mut self, write: &Write) -> (Option<Stored>, Damage) {
        self.pairs[pair_of(&write.target.object)].write(write)
    }

    /// Mara changes an unmanaged field: in a draft, published, or pinned as well.
    pub fn edit(&mut self, deed: usize) {
        self.pairs[deed / DEEDS].edit(deed % DEEDS);
    }

    /// Returns the audit log, complete at once: publications and changes of the deployments.
    pub fn entries(&self) -> Vec<Entry> {
        self.pairs.iter().flat_map(Pair::entries).collect()
    }

    /// Returns versions and changes of ours that no later edit hides, by object.
    pub fn ours(&self) -> Vec<(ObjectRef, u64)> {
        self.pairs.iter().flat_map(Pair::ours).collect()
    }
}

impl Pair {
    fn pinned(&self, body: &Body) -> Option<u64> {
        body.get("configuration")?["version"].as_str()?.parse().ok()
    }

    fn version(&self, number: u64) -> Option<&Body> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        self.versions.get(index).map(|version| &version.body)
    }

    fn served(&self) -> Option<&Body> {
        self.version(self.pinned(self.deployment.as_ref()?)?)
    }

    fn observe(&self, sought: &Sought) -> Observed {
        let stored = match sought.object.kind {
            ObjectKind::MessengerConfiguration => {
                let seen = sought.sighting.as_ref().and_then(|sighting| self.unmoved(sighting));
                seen.or_else(|| self.configuration())
            }
            _ => self.placement(),
        };
        stored.map_or(Observed::Absent, Observed::Present)
    }

    /// Returns what the listing alone shows if the draft has not changed since the sighting; the versions are
    /// not read then.
    fn unmoved(&self, sighting: &Sighting) -> Option<Stored> {
        let (draft, by, drafted) = self.draft.as_ref()?;
        let served = self.deployment.as_ref().and_then(|body| self.pinned(body)).unwrap_or(0);
        if moment(*drafted) != sighting.drafted_at || served > sighting.version {
            return None;
        }
        let instance = Instance {
            id: format!("c-{}", self.number).into(),
            readiness: Readiness::Ready,
            draft: None,
            drafted_at: Some(at(*drafted)),
            pinned: None,
            publisher: None,
            is_inferred: true,
        };
        Some(Stored {
            version: sighting.version,
            body: Arc::new(draft.clone()),
            modified_at: Some(at(*drafted)),
            modified_by: by.named(),
            instance: Some(Arc::new(instance)),
        })
    }

    fn configuration(&self) -> Option<Stored> {
        let (draft, by, drafted) = self.draft.as_ref()?;
        let newest = self.versions.last();
        let unpublished = newest.is_none_or(|newest| newest.body != *draft);
        let held =
            Draft { body: Arc::new(draft.clone()), modified_at: Some(at(*drafted)), modified_by: by.named() };
        let publisher = newest.and_then(|newest| newest.maker.named());
        let instance = Instance {
            id: format!("c-{}", self.number).into(),
            readiness: Readiness::Ready,
            draft: unpublished.then_some(held),
            drafted_at: (!unpublished).then(|| at(*drafted)),
            pinned: None,
            publisher: publisher.as_ref().map(|actor| actor.id.clone()),
            is_inferred: false,
        };
        Some(Stored {
            version: self.versions.len() as u64,
            body: Arc::new(newest.map(|newest| newest.body.clone()).unwrap_or_default()),
            modified_at: newest.map(|newest| at(newest.tick)),
            // As on the platform: the author of the draft if a client published it.
            modified_by: publisher.or_else(|| newest?.drafted.named()),
            instance: Some(Arc::new(instance)),
        })
    }

    fn placement(&self) -> Option<Stored> {
        let (body, (by, tick)) = (self.deployment.as_ref()?, self.pins.last()?);
        let version = self.pinned(body);
        let pinned = Pinned {
            version,
            body: version.and_then(|version| self.version(version)).map(|body| Arc::new(body.clone())),
        };
        let instance = Instance {
            id: format!("d-{}", self.number).into(),
            readiness: Readiness::Ready,
            draft: None,
            drafted_at: None,
            pinned: Some(pinned),
            publisher: None,
            is_inferred: false,
        };
        Some(Stored {
            version: moment(*tick),
            body: Arc::new(body.clone()),
            modified_at: Some(at(*tick)),
            modified_by: by.named(),
            instance: Some(Arc::new(instance)),
        })
    }

    fn write(&mut self, write: &Write) -> (Option<Stored>, Damage) {
        self.clock += 1;
        let mut damage = Damage::default();
        let is_web = write.target.object.kind == ObjectKind::MessengerConfiguration;
        match (is_web, write.act) {
            (true, Act::Publish) => {
                let Some((draft, by, _)) = self.draft.clone() else { return (None, damage) };
                let seen = write.if_match.unwrap_or(0) as usize;
                let unseen = self.versions.get(seen..).unwrap_or_default();
                damage.over_ours = unseen.iter().any(|version| version.maker == Maker::Put);
                damage.over_theirs = unseen.iter().any(|version| version.maker == Maker::Person)
                    || by == Maker::Person && draft != *write.body;
                damage.travelled =
                    self.versions.last().is_some_and(|newest| content(&newest.body) > content(&draft));
                let (maker, tick) = (Maker::Put, self.clock);
                self.versions.push(Version { body: draft, maker, drafted: by, tick });
                (self.configuration(), damage)
            }
            (true, Act::Store) => {
                damage.doubled = write.id.is_none() && self.draft.is_some();
                damage.travelled =
                    self.draft.as_ref().is_some_and(|(body, _, _)| content(body) > content(&write.body));
                self.draft = Some(((*write.body).clone(), Maker::Put, self.clock));
                // The answer contains only the draft.
                let alone = Pair { versions: Vec::new(), ..self.clone() };
                (alone.configuration(), damage)
            }
            (false, _) => {
                damage.doubled = write.id.is_none() && self.deployment.is_some();
                let before = self.served().map_or(0, content);
                self.deployment = Some((*write.body).clone());
                self.pins.push((Maker::Put, self.clock));
                damage.travelled = before > self.served().map_or(0, content);
                (self.placement(), damage)
            }
        }
    }

    fn edit(&mut self, deed: usize) {
        self.clock += 1;
        let Some((draft, by, tick)) = &mut self.draft else { return };
        draft.insert("description".into(), json!("sale"));
        (*by, *tick) = (Maker::Person, self.clock);
        if deed > 0 {
            let (maker, tick) = (Maker::Person, self.clock);
            self.versions.push(Version { body: draft.clone(), maker, drafted: maker, tick });
        }
        if let (2, Some(body)) = (deed, &mut self.deployment) {
            body["configuration"]["version"] = self.versions.len().to_string().into();
            self.pins.push((Maker::Person, self.clock));
        }
    }

    fn entries(&self) -> Vec<Entry> {
        let entry = |id: String, object: Object, maker: Maker, tick: i64| Entry {
            id,
            at: at(tick),
            action: "Update".into(),
            object: of(object),
            actor: maker.actor(),
            remote_ip: None,
            version: None,
            changes: Vec::new(),
        };
        let versions = self.versions.iter().enumerate();
        let versions = versions
            .map(|(index, known)| entry(self.id("v", index), web(self.number), known.maker, known.tick));
        let pins = self.pins.iter().enumerate();
        let pins =
            pins.map(|(index, (maker, tick))| entry(self.id("p", index), site(self.number), *maker, *tick));
        versions.chain(pins).collect()
    }

    fn id(&self, what: &str, index: usize) -> String {
        format!("{what}-{}-{index}", self.number)
    }

    fn ours(&self) -> Vec<(ObjectRef, u64)> {
        let last = |makers: &[Maker]| {
            makers.iter().rposition(|maker| *maker == Maker::Person).map_or(0, |at| at + 1)
        };
        let publishers: Vec<Maker> = self.versions.iter().map(|version| version.maker).collect();
        let pinners: Vec<Maker> = self.pins.iter().map(|(maker, _)| *maker).collect();
        let versions =
            (last(&publishers)..self.versions.len()).map(|index| (of(web(self.number)), index as u64 + 1));
        let pins =
            self.pins.iter().skip(last(&pinners)).map(|(_, tick)| (of(site(self.number)), moment(*tick)));
        versions.chain(pins).collect()
    }
}

fn of(object: Object) -> ObjectRef {
    Target::of(&target(0), object).object_ref()
}
