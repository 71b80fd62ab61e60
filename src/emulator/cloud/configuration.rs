//! Configurations: one draft each, and the versions that were published of it.
//!
//! In: drafts that are written and published. Out: revisions with their states over time. Never: changes a
//! published version, or guards a draft against the second of two writers; the platform doesn't either. Start
//! reading at [`Organization::write_draft`].

use crate::emulator::actor::{Actor, ActorKind};
use crate::emulator::cloud::error::{bad_request, conflict, invalid, not_found};
use crate::emulator::cloud::history::History;
use crate::emulator::cloud::ids::{Counters, Kind, person};
use crate::emulator::cloud::organization::Organization;
use crate::emulator::cloud::query::{Query, Sizes};
use crate::emulator::cloud::{Done, Event, Object, Work, member, shape, text};
use crate::emulator::cloud::{directory::Shelf, error::Detail};
use crate::emulator::error::ApiError;
use jiff::{Timestamp, Unit};
use serde_json::{Value, json};
use std::sync::Arc;

/// How pages of web deployments are sized: the contract names 300 as the usual size, and none above it.
pub(crate) fn sizes(cap: u64) -> Sizes {
    Sizes { usual: 300, max: 300, cap }
}

/// What the audit trail calls one, and a version of one.
pub(crate) const ENTITY: &str = "Configuration";
pub(crate) const VERSION: &str = "ConfigurationVersion";

/// Who did something, and when.
#[derive(Clone, Debug)]
pub(crate) struct Stamp {
    pub at: Timestamp,
    pub by: Actor,
}

impl Stamp {
    pub fn of(work: &Work) -> Stamp {
        Stamp { at: work.at(), by: work.origin.actor.clone() }
    }

    /// Renders the time, to the millisecond as the API does.
    pub fn date(&self) -> Value {
        json!(self.at.round(Unit::Millisecond).unwrap_or(self.at))
    }

    /// Renders the person; a client of the API is none.
    pub fn user(&self) -> Option<Value> {
        let id = (self.by.kind == ActorKind::User).then(|| person(&self.by))?;
        Some(json!({"id": id, "selfUri": format!("/api/v2/users/{id}")}))
    }
}

/// How far the platform is with what was written.
#[derive(Clone, Debug)]
pub(crate) struct Activation {
    pub active_at: Timestamp,
    /// Holds whatever the time is.
    pub forced: Option<String>,
}

impl Activation {
    pub fn of(work: &Work) -> Activation {
        Activation { active_at: work.active_at(), forced: None }
    }

    pub fn at(&self, now: Timestamp) -> &str {
        match &self.forced {
            Some(name) => name,
            None if now >= self.active_at => "Active",
            None => "Pending",
        }
    }
}

/// A draft as it was at some time, or a published version.
#[derive(Clone, Debug)]
pub(crate) struct Revision {
    /// What was written, without the fields that are the platform's own.
    pub body: Object,
    /// `None` is the draft.
    pub version: Option<u64>,
    pub created: Stamp,
    pub modified: Stamp,
    pub published: Option<Stamp>,
    pub status: Activation,
}

/// One configuration.
#[derive(Clone, Debug)]
pub(crate) struct Configuration {
    pub place: u64,
    pub id: String,
    pub draft: History<Arc<Revision>>,
    /// With the time each of them becomes visible.
    pub versions: Vec<(Timestamp, Arc<Revision>)>,
}

/// Fields that are the platform's own.
const OWN: &[&str] = &[
    "id",
    "version",
    "status",
    "dateCreated",
    "dateModified",
    "datePublished",
    "createdUser",
    "lastModifiedUser",
    "publishedUser",
    "selfUri",
];

impl Configuration {
    /// Returns the name of what is there, empty where nothing is.
    pub fn name(&self) -> &str {
        self.draft.current().map(|draft| text(&draft.body, "name")).unwrap_or_default()
    }

    /// Returns the newest published version.
    pub fn newest(&self) -> Option<&Arc<Revision>> {
        self.versions.last().map(|(_, version)| version)
    }

    /// Finds a published version by its number as a text.
    pub fn version(&self, number: &str) -> Option<&Arc<Revision>> {
        let found = self.versions.iter().find(|(_, version)| version.label() == number);
        found.map(|(_, version)| version)
    }

    /// Lists the versions a reader sees, each with its place, the draft last.
    fn seen(&self, now: Timestamp, stale: bool) -> Vec<(u64, &Arc<Revision>)> {
        let mut seen: Vec<(u64, &Arc<Revision>)> = self
            .versions
            .iter()
            .filter(|(visible_at, _)| *visible_at <= now)
            .map(|(_, version)| (version.version.unwrap_or_default(), version))
            .collect();
        if stale {
            seen.pop();
        }
        seen.extend(self.draft.seen(now, stale).map(|draft| (u64::MAX, draft)));
        seen
    }

    /// Renders one of its revisions.
    pub fn render(&self, revision: &Revision, now: Timestamp) -> Object {
        let mut shown = Object::new();
        shown.insert("id".to_owned(), json!(self.id));
        shown.insert("name".to_owned(), Value::Null);
        shown.insert("version".to_owned(), json!(revision.label()));
        shown.extend(revision.body.clone());
        shown.insert("status".to_owned(), json!(revision.status.at(now)));
        shown.insert("dateCreated".to_owned(), revision.created.date());
        shown.insert("dateModified".to_owned(), revision.modified.date());
        if let Some(published) = &revision.published {
            shown.insert("datePublished".to_owned(), published.date());
        }
        let people = [
            ("createdUser", Some(&revision.created)),
            ("lastModifiedUser", Some(&revision.modified)),
            ("publishedUser", revision.published.as_ref()),
        ];
        for (name, stamp) in people {
            if let Some(user) = stamp.and_then(Stamp::user) {
                shown.insert(name.to_owned(), user);
            }
        }
        let label = revision.label().to_lowercase();
        let uri = format!("/api/v2/webdeployments/configurations/{}/versions/{label}", self.id);
        shown.insert("selfUri".to_owned(), json!(uri));
        shown
    }
}

impl Revision {
    /// Names the version as the API does.
    pub fn label(&self) -> String {
        self.version.map_or_else(|| "DRAFT".to_owned(), |number| number.to_string())
    }
}

/// Takes out of a body what is the platform's own, and what is null.
pub(crate) fn without_own(mut body: Object) -> Object {
    body.retain(|name, value| !OWN.contains(&name.as_str()) && !value.is_null());
    body
}

impl Organization {
    /// Finds a configuration that is there.
    pub fn configuration(&self, id: &str) -> Result<&Configuration, ApiError> {
        let found =
            self.configurations.iter().find(|known| known.id == id && known.draft.current().is_some());
        found.ok_or_else(|| not_found(id))
    }

    fn configuration_mut(&mut self, id: &str) -> Result<&mut Configuration, ApiError> {
        let mut known = self.configurations.iter_mut();
        known.find(|known| known.id == id && known.draft.current().is_some()).ok_or_else(|| not_found(id))
    }

    /// Refuses a draft that the platform would not take.
    pub fn check_configuration(&self, body: &Object) -> Result<(), ApiError> {
        let mut wrong = shape::violations(body, &shape::bodies::DRAFT);
        if wrong.is_empty() {
            wrong = self.features_refused(body);
        }
        let name = text(body, "name").chars().count();
        if wrong.is_empty() && !(1..=100).contains(&name) {
            wrong.push(Detail::new("name", "must have 1 to 100 characters"));
        }
        if member(body, "messenger.enabled") == Some(&Value::Bool(true)) {
            let languages = member(body, "languages").and_then(Value::as_array);
            if languages.is_none_or(Vec::is_empty) {
                wrong.push(Detail::new("languages", "is required when the messenger is enabled"));
            } else if !languages.is_some_and(|known| known.contains(&json!(text(body, "defaultLanguage")))) {
                wrong.push(Detail::new("defaultLanguage", "must be one of the languages"));
            }
        }
        for (path, shelf) in [
            ("messenger.apps.knowledge.knowledgeBase.id", Shelf::KnowledgeBases),
            ("supportCenter.knowledgeBase.id", Shelf::KnowledgeBases),
            ("authenticationSettings.integrationId", Shelf::Integrations),
        ] {
            let id = member(body, path).and_then(Value::as_str);
            if id.is_some_and(|id| self.directory.find(shelf, id).is_none()) {
                wrong.push(Detail::new(path, "does not exist"));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(invalid(&wrong)) }
    }

    /// Makes a configuration, which is a draft at first.
    pub fn create_configuration(
        &mut self,
        counters: &mut Counters,
        work: &Work,
        id: Option<String>,
        body: Object,
    ) -> Done {
        let stamp = Stamp::of(work);
        let draft = Revision {
            body: without_own(body),
            version: None,
            created: stamp.clone(),
            modified: stamp,
            published: None,
            status: Activation::of(work),
        };
        let id = id.unwrap_or_else(|| counters.next(Kind::Configuration));
        counters.take(&id);
        let new = Configuration {
            place: counters.place(),
            id,
            draft: History::new(work.appears_at(), Arc::new(draft.clone())),
            versions: Vec::new(),
        };
        let shown = Value::Object(new.render(&draft, work.at()));
        let event = event("Create", ENTITY, &new, None, Some(draft.body));
        self.configurations.push(new);
        Done { shown, event }
    }

    /// Replaces a draft by another, whole; whoever writes last wins.
    pub fn write_draft(
        &mut self,
        id: &str,
        work: &Work,
        body: Object,
        status: Option<String>,
    ) -> Result<Done, ApiError> {
        let known = self.configuration_mut(id)?;
        let old = known.draft.current().cloned().ok_or_else(|| not_found(id))?;
        let draft = Revision {
            body: without_own(body),
            modified: Stamp::of(work),
            status: Activation { forced: status, ..Activation::of(work) },
            ..Revision::clone(&old)
        };
        known.draft.push(work.at(), work.shows_at(), Some(Arc::new(draft.clone())));
        let shown = Value::Object(known.render(&draft, work.at()));
        let event = event("Update", ENTITY, known, Some(old.body.clone()), Some(draft.body));
        Ok(Done { shown, event })
    }

    /// Makes the next version of what the draft holds; a draft that is not Active is refused unless forced.
    pub fn publish(&mut self, id: &str, work: &Work, forced: bool) -> Result<Done, ApiError> {
        let known = self.configuration_mut(id)?;
        let draft = known.draft.current().cloned().ok_or_else(|| not_found(id))?;
        let status = draft.status.at(work.at());
        if status != "Active" && !forced {
            return Err(bad_request(format!("The draft of configuration {id} is {status} and not Active.")));
        }
        let old = known.newest().map(|version| version.body.clone());
        let number = known.newest().and_then(|version| version.version).unwrap_or(0).saturating_add(1);
        let version = Revision {
            version: Some(number),
            published: Some(Stamp::of(work)),
            status: Activation::of(work),
            ..Revision::clone(&draft)
        };
        known.versions.push((work.appears_at(), Arc::new(version.clone())));
        let shown = Value::Object(known.render(&version, work.at()));
        let event = event("Publish", VERSION, known, old, Some(version.body));
        Ok(Done { shown, event })
    }

    /// Deletes a configuration with all its versions, unless a deployment has one of them.
    pub fn delete_configuration(&mut self, id: &str, work: &Work) -> Result<Done, ApiError> {
        self.configuration(id)?;
        if let Some(user) = self.deployments.iter().find(|known| known.pins(id)) {
            return Err(conflict(format!("The configuration is in use by deployment {}.", user.id)));
        }
        let known = self.configuration_mut(id)?;
        let old = known.draft.current().map(|draft| draft.body.clone());
        let event = event("Delete", ENTITY, known, old, None);
        known.draft.push(work.at(), work.shows_at(), None);
        Ok(Done { shown: Value::Null, event })
    }

    /// Lists the drafts.
    pub fn list_configurations(&self, path: &str, query: &Query, look: &Sight) -> Result<Object, ApiError> {
        let published_only = query.get("showOnlyPublished") == Some("true");
        let seen: Vec<(u64, (&Configuration, &Arc<Revision>))> = self
            .configurations
            .iter()
            .filter(|known| !published_only || known.versions.iter().any(|(time, _)| *time <= look.now))
            .filter_map(|known| Some((known.place, (known, known.draft.seen(look.now, look.stale)?))))
            .collect();
        listing(path, query, look, &seen)
    }

    /// Lists the versions of a configuration, the draft last.
    pub fn list_versions(
        &self,
        id: &str,
        path: &str,
        query: &Query,
        look: &Sight,
    ) -> Result<Object, ApiError> {
        let known = self.seen_configuration(id, look)?;
        let seen = known.seen(look.now, look.stale);
        let seen: Vec<_> = seen.into_iter().map(|(place, revision)| (place, (known, revision))).collect();
        listing(path, query, look, &seen)
    }

    /// Renders one version, or the draft.
    pub fn read_version(&self, id: &str, label: &str, look: &Sight) -> Result<Object, ApiError> {
        let known = self.seen_configuration(id, look)?;
        let seen = known.seen(look.now, look.stale);
        let found = seen.iter().find(|(_, revision)| revision.label().eq_ignore_ascii_case(label));
        found.map(|(_, revision)| known.render(revision, look.now)).ok_or_else(|| not_found(id))
    }

    fn seen_configuration(&self, id: &str, look: &Sight) -> Result<&Configuration, ApiError> {
        let mut known = self.configurations.iter();
        let is_there =
            |known: &&Configuration| known.id == id && known.draft.seen(look.now, look.stale).is_some();
        known.find(is_there).ok_or_else(|| not_found(id))
    }
}

/// How somebody looks: when, at which state, and how much at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight {
    pub now: Timestamp,
    pub stale: bool,
    pub cap: u64,
}

fn listing(
    path: &str,
    query: &Query,
    look: &Sight,
    seen: &[(u64, (&Configuration, &Arc<Revision>))],
) -> Result<Object, ApiError> {
    let render = |(known, revision): &(&Configuration, &Arc<Revision>)| {
        Value::Object(known.render(revision, look.now))
    };
    let mut body = query.by_cursor(path, sizes(look.cap), seen, render)?;
    body.insert("total".to_owned(), json!(seen.len()));
    Ok(body)
}

fn event(
    action: &'static str,
    entity_type: &'static str,
    known: &Configuration,
    old: Option<Object>,
    new: Option<Object>,
) -> Event {
    let (id, name) = (known.id.clone(), known.name().to_owned());
    Event { service: "WebDeployments", entity_type, action, id, name, old, new }
}
