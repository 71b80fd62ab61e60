//! Configurations: each has one draft and its published versions.
//!
//! In: writes and publications of drafts. Out: revisions with their states over time. Never: changes a
//! published version, or protects a draft against the second of two writers, because the platform does not
//! either. Start reading at [`Organization::write_draft`].

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

/// Returns the page sizes of web deployments: the contract names 300 as the default size, and no larger size.
pub(crate) fn sizes(cap: u64) -> Sizes {
    Sizes { usual: 300, max: 300, cap }
}

/// The audit trail's names of a configuration and of a version.
pub(crate) const ENTITY: &str = "Configuration";
pub(crate) const VERSION: &str = "ConfigurationVersion";

/// The actor and the time of a change.
#[derive(Clone, Debug)]
pub(crate) struct Stamp {
    pub at: Timestamp,
    pub by: Actor,
}

impl Stamp {
    pub fn of(work: &Work) -> Stamp {
        Stamp { at: work.at(), by: work.origin.actor.clone() }
    }

    /// Renders the time with milliseconds, which is the API's format.
    pub fn date(&self) -> Value {
        json!(self.at.round(Unit::Millisecond).unwrap_or(self.at))
    }

    /// Renders the person; returns none for a client of the API.
    pub fn user(&self) -> Option<Value> {
        let id = (self.by.kind == ActorKind::User).then(|| person(&self.by))?;
        Some(json!({"id": id, "selfUri": format!("/api/v2/users/{id}")}))
    }
}

/// The progress of the platform with a write.
#[derive(Clone, Debug)]
pub(crate) struct Activation {
    pub active_at: Timestamp,
    /// A status that does not depend on the time.
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

/// The state of a draft at some time, or a published version.
#[derive(Clone, Debug)]
pub(crate) struct Revision {
    /// The written body, without the fields that the platform sets.
    pub body: Object,
    /// The version number; `None` for a draft.
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
    /// The published versions, each with the time at which it becomes visible.
    pub versions: Vec<(Timestamp, Arc<Revision>)>,
}

/// The fields that the platform sets.
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
    /// Returns the name, or an empty text if the configuration is deleted.
    pub fn name(&self) -> &str {
        self.draft.current().map(|draft| text(&draft.body, "name")).unwrap_or_default()
    }

    /// Returns the newest published version.
    pub fn newest(&self) -> Option<&Arc<Revision>> {
        self.versions.last().map(|(_, version)| version)
    }

    /// Returns a published version by its number as a text.
    pub fn version(&self, number: &str) -> Option<&Arc<Revision>> {
        let found = self.versions.iter().find(|(_, version)| version.label() == number);
        found.map(|(_, version)| version)
    }

    /// Lists the versions that a reader sees, each with its place; the draft is last.
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

    /// Renders a revision of this configuration.
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
    /// Returns the API's name of the version.
    pub fn label(&self) -> String {
        self.version.map_or_else(|| "DRAFT".to_owned(), |number| number.to_string())
    }
}

/// Removes the platform's own fields and null fields from a body.
pub(crate) fn without_own(mut body: Object) -> Object {
    body.retain(|name, value| !OWN.contains(&name.as_str()) && !value.is_null());
    body
}

impl Organization {
    /// Returns an existing configuration.
    pub fn configuration(&self, id: &str) -> Result<&Configuration, ApiError> {
        let found =
            self.configurations.iter().find(|known| known.id == id && known.draft.current().is_some());
        found.ok_or_else(|| not_found(id))
    }

    fn configuration_mut(&mut self, id: &str) -> Result<&mut Configuration, ApiError> {
        let mut known = self.configurations.iter_mut();
        known.find(|known| known.id == id && known.draft.current().is_some()).ok_or_else(|| not_found(id))
    }

    /// Refuses a draft that the platform does not accept.
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

    /// Creates a configuration, which has only a draft at first.
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

    /// Replaces a whole draft; the last write wins.
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

    /// Publishes the draft as the next version. Refuses a draft that is not Active, except if `forced`.
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

    /// Deletes a configuration with all its versions, except if a deployment uses one of them.
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

    /// Lists the versions of a configuration; the draft is last.
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

/// The view of a reader: the time, whether it is stale, and the maximum page size.
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
