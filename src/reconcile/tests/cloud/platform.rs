//! A platform of three maps with its own clock.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::*;
use crate::model::plan::Drafts;
use crate::model::reference::{Named, Names};
use crate::model::timing::later;
use crate::model::{
    Act, Draft, Instance, Look, Object, ObjectKind, Observed, Pinned, Readiness, ReferenceKind, Resource,
    Seen,
};

/// The state of one configuration on the platform.
#[derive(Clone, Default)]
pub(super) struct Configuration {
    pub(super) draft: Map<String, Value>,
    pub(super) versions: Vec<Map<String, Value>>,
    pub(super) drafted_at: i64,
    pub(super) drafted_by: Option<Actor>,
}

/// A platform with one organization, whose clock ticks with every write.
#[derive(Clone, Default)]
pub(super) struct Platform {
    pub(super) configuration: Option<Configuration>,
    pub(super) deployment: Option<(Map<String, Value>, i64)>,
    pub(super) clock: i64,
    /// The writes until now, as words.
    pub(super) writes: Vec<String>,
    /// How long a new object is invisible, and until when.
    pub(super) unseen_ms: u64,
    pub(super) unseen_until: Option<Timestamp>,
    /// The time of the scene.
    pub(super) now: Option<Timestamp>,
    pub(super) pending: u32,
    pub(super) flows: Vec<&'static str>,
    /// The actions before the n-th write, counted from one.
    pub(super) before_write: BTreeMap<usize, fn(&mut Platform)>,
    pub(super) after_write: BTreeMap<usize, fn(&mut Platform)>,
    /// The answers to these writes are lost; the writes are executed.
    pub(super) lost: BTreeSet<usize>,
    pub(super) refused: BTreeSet<usize>,
    /// The operator's setting for drafts of other users.
    pub(super) drafts: Drafts,
    /// Whether a run was to adopt drafts: a later run publishes what it stored and could not publish.
    pub(super) adopted: bool,
    /// How often a listed object is not found by its id.
    pub(super) gone_by_id: u32,
    /// The forbidden writes that happened.
    pub(super) broken: Vec<String>,
}

/// An unmanaged field.
pub(super) const BANNER: &str = "banner";

pub(super) fn map(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

pub(super) fn mara() -> Actor {
    Actor { id: "u-mara".into(), name: "Mara".into(), kind: ActorKind::User }
}

pub(super) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_790_000_000_000 + ms).unwrap()
}

pub(super) fn configuration() -> Object {
    Object { kind: ObjectKind::MessengerConfiguration, name: "web".into() }
}

pub(super) fn deployment() -> Object {
    Object { kind: ObjectKind::MessengerDeployment, name: "site".into() }
}

impl Platform {
    pub(super) fn person_edits_the_draft(&mut self, field: &str, value: Value) {
        self.clock += 1;
        let clock = self.clock;
        if let Some(configuration) = &mut self.configuration {
            configuration.draft.insert(field.into(), value);
            (configuration.drafted_at, configuration.drafted_by) = (clock, Some(mara()));
        }
    }

    pub(super) fn person_publishes(&mut self) {
        if let Some(configuration) = &mut self.configuration {
            configuration.versions.push(configuration.draft.clone());
        }
    }

    /// She removes a field from the draft.
    pub(super) fn person_removes(&mut self, field: &str) {
        self.clock += 1;
        if let Some(configuration) = &mut self.configuration {
            configuration.draft.remove(field);
            (configuration.drafted_at, configuration.drafted_by) = (self.clock, Some(mara()));
        }
    }

    /// She discards the draft.
    pub(super) fn person_discards(&mut self) {
        self.clock += 1;
        let clock = self.clock;
        if let Some(configuration) = &mut self.configuration
            && let Some(newest) = configuration.versions.last()
        {
            configuration.draft = newest.clone();
            (configuration.drafted_at, configuration.drafted_by) = (clock, Some(mara()));
        }
    }

    /// She pins another version.
    pub(super) fn person_pins(&mut self, version: usize) {
        self.clock += 1;
        if let Some((body, modified)) = &mut self.deployment {
            body["configuration"]["version"] = version.to_string().into();
            *modified = self.clock;
        }
    }

    pub(super) fn newest(&self) -> usize {
        self.configuration.as_ref().map_or(0, |known| known.versions.len())
    }

    /// The unmanaged field as visitors get it.
    fn banner(&self, deployment: &Map<String, Value>) -> Option<Value> {
        let version: usize = deployment["configuration"]["version"].as_str()?.parse().ok()?;
        let seen = self.configuration.as_ref()?.versions.get(version.checked_sub(1)?)?;
        Some(seen.get(BANNER).cloned().unwrap_or_default())
    }

    /// Judges a write that is forbidden unless another user acted between the read and the write.
    fn judge(&mut self, what: &str, write: &Write) {
        let known = self.configuration.as_ref();
        let wrong = match what {
            "create" => known.is_some().then_some("a second configuration"),
            "deploy" => self.deployment.is_some().then_some("a second deployment"),
            "draft" => known.and_then(|known| {
                let hers = known.drafted_by.is_some() && known.versions.last() != Some(&known.draft);
                let kept = write.body.get(BANNER) == known.draft.get(BANNER);
                let allowed = match self.drafts {
                    Drafts::Refuse => !hers,
                    Drafts::Adopt => !hers || kept,
                    Drafts::Discard => true,
                };
                (!allowed).then_some("her draft was overwritten without a decision")
            }),
            "publish" if !self.adopted => known.and_then(|known| {
                let newest = known.versions.last()?;
                let same = newest.get(BANNER) == known.draft.get(BANNER);
                (!same).then_some("it reverts or publishes a change of another user")
            }),
            "pin" if self.drafts != Drafts::Adopt => {
                let before = self.deployment.as_ref().and_then(|(body, _)| self.banner(body));
                let after = self.banner(&write.body);
                (before.is_some() && before != after).then_some("visitors get a change without a decision")
            }
            _ => None,
        };
        self.broken.extend(wrong.map(|wrong| format!("write {}: {wrong}", self.writes.len() + 1)));
    }

    pub(super) fn observe(&mut self, object: &Object) -> Observed {
        if object.kind == ObjectKind::MessengerConfiguration {
            let Some(known) = &self.configuration else { return Observed::Absent };
            if self.unseen_until > self.now {
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
        let instance = Instance {
            id: "d-1".into(),
            readiness: Readiness::Ready,
            draft: None,
            pinned: Some(Pinned { version, body: pinned }),
            drafted_at: None,
            publisher: None,
            is_inferred: false,
        };
        Observed::Present(Stored {
            version: at(*modified).as_millisecond().unsigned_abs(),
            body: Arc::new(body.clone()),
            modified_at: Some(at(*modified)),
            modified_by: None,
            instance: Some(Arc::new(instance)),
        })
    }

    pub(super) fn look(&mut self, look: &Look) -> Seen {
        let mut objects = Vec::new();
        for sought in &look.sought {
            let gone = self.gone_by_id > 0 && sought.id.is_some();
            self.gone_by_id -= u32::from(gone);
            objects.push(if gone { Observed::Absent } else { self.observe(&sought.object) });
        }
        let mut names = Names::new();
        for reference in look.references.iter() {
            let ids = self.flows.iter().filter(|_| reference.kind == ReferenceKind::Flow);
            let named =
                ids.map(|id| Named { id: (*id).into(), version: None, is_unpublished: false }).collect();
            names.insert(reference.clone(), named);
        }
        Seen { objects, names }
    }

    pub(super) fn write(&mut self, write: &Write) -> Outcome<Stored> {
        let number = self.writes.len() + 1;
        let faster = self.before_write.get(&number).copied();
        if let Some(interfere) = faster {
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
        if faster.is_none() {
            self.judge(what, write);
        }
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
                if self.configuration.is_none() {
                    self.unseen_until = self.now.map(|now| later(now, self.unseen_ms));
                }
                let known = self.configuration.get_or_insert_default();
                (known.draft, known.drafted_at, known.drafted_by) = (body, clock, None);
                let versionless = Configuration { versions: Vec::new(), ..known.clone() };
                stored_configuration(&versionless, Readiness::Ready)
            }
            _ => {
                self.deployment = Some((body, clock));
                match self.observe(&deployment()) {
                    Observed::Present(stored) => stored,
                    Observed::Absent => panic!("it was just created"),
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

pub(super) fn stored_configuration(known: &Configuration, readiness: Readiness) -> Stored {
    let newest = known.versions.last().cloned().map(Arc::new);
    let draft = Draft {
        body: Arc::new(known.draft.clone()),
        modified_at: Some(at(known.drafted_at)),
        modified_by: known.drafted_by.clone(),
    };
    let unpublished = newest.as_ref().is_none_or(|newest| **newest != known.draft);
    let instance = Instance {
        id: "c-1".into(),
        readiness,
        draft: unpublished.then_some(draft),
        pinned: None,
        drafted_at: None,
        publisher: None,
        is_inferred: false,
    };
    Stored {
        version: known.versions.len() as u64,
        body: newest.unwrap_or_default(),
        modified_at: Some(at(known.drafted_at)),
        modified_by: known.drafted_by.clone(),
        instance: Some(Arc::new(instance)),
    }
}

pub(super) fn wanted(object: Object, body: Value) -> Resource {
    let desired = Desired { body: Arc::new(map(body)), exclusive: false, ignored: BTreeSet::new() };
    Resource { object, desired, before: None, secret: None }
}
