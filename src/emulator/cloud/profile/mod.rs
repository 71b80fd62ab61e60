//! Profiles that deployments and open messaging integrations refer to, and the default of each kind.
//!
//! In: creations, changes and deletions of profiles, and new defaults. Out: their states over time. Never:
//! changes a profile when it becomes the default or stops being the default. Start reading at [`Profiles`].
//! Only `kind` has the differences between the kinds.

pub(in crate::emulator) mod kind;
pub(in crate::emulator) mod reference;

use crate::emulator::cloud::configuration::{Sight, Stamp};
use crate::emulator::cloud::error::{Detail, conflict, invalid, not_found};
use crate::emulator::cloud::history::History;
use crate::emulator::cloud::ids::Counters;
use crate::emulator::cloud::organization::Organization;
use crate::emulator::cloud::profile::kind::{KINDS, ProfileKind};
use crate::emulator::cloud::query::{Query, Sizes};
use crate::emulator::cloud::{Done, Event, Object, Work, text};
use crate::emulator::error::ApiError;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The operations on profiles of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    List,
    Create,
    Read,
    Change,
    Delete,
    ReadDefault,
    WriteDefault,
    DeleteDefault,
}

/// One profile.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub id: String,
    states: History<Arc<ProfileState>>,
}

/// The state of a profile at some time.
#[derive(Clone, Debug)]
struct ProfileState {
    version: u64,
    body: Object,
    created: Stamp,
    modified: Stamp,
}

impl Profile {
    /// Returns the body, if the profile is not deleted.
    pub fn body(&self) -> Option<&Object> {
        self.states.current().map(|state| &state.body)
    }

    /// Returns the name, or an empty text if the profile is deleted.
    pub fn name(&self) -> &str {
        self.body().map(|body| text(body, "name")).unwrap_or_default()
    }
}

/// The profiles of one organization.
#[derive(Clone, Debug, Default)]
pub(crate) struct Profiles {
    shelves: BTreeMap<ProfileKind, Shelf>,
}

#[derive(Clone, Debug, Default)]
struct Shelf {
    profiles: Vec<Profile>,
    /// The id of the default.
    default: History<String>,
}

impl Profiles {
    fn all(&self, kind: ProfileKind) -> &[Profile] {
        self.shelves.get(&kind).map(|shelf| shelf.profiles.as_slice()).unwrap_or_default()
    }

    /// Returns an existing profile.
    pub fn find(&self, kind: ProfileKind, id: &str) -> Option<&Profile> {
        self.all(kind).iter().find(|known| known.id == id && known.body().is_some())
    }

    /// Returns a profile by its id or its name.
    pub fn named(&self, kind: ProfileKind, name: &str) -> Option<&Profile> {
        let by_name = || self.all(kind).iter().find(|known| known.body().is_some() && known.name() == name);
        self.find(kind, name).or_else(by_name)
    }

    /// Returns the id of the default.
    pub fn default_id(&self, kind: ProfileKind) -> Option<&str> {
        self.shelves.get(&kind)?.default.current().map(String::as_str)
    }

    fn seen(&self, kind: ProfileKind, id: &str, look: &Sight) -> Result<Value, ApiError> {
        let known = self.all(kind).iter().find(|known| known.id == id).ok_or_else(|| not_found(id))?;
        let state = known.states.seen(look.now, look.stale).ok_or_else(|| not_found(id))?;
        Ok(render(kind, id, state))
    }

    /// Answers a GET of one profile, of the default, or of the listing.
    pub fn read(
        &self,
        (kind, act): (ProfileKind, Act),
        id: &str,
        path: &str,
        query: &Query,
        look: &Sight,
    ) -> Result<Value, ApiError> {
        if act == Act::ReadDefault {
            let shelf = self.shelves.get(&kind);
            let id = shelf.and_then(|shelf| shelf.default.seen(look.now, look.stale));
            return self.seen(kind, id.ok_or_else(|| not_found("default"))?, look);
        }
        if act == Act::Read {
            return self.seen(kind, id, look);
        }
        let seen: Vec<(&Profile, &Arc<ProfileState>)> = self
            .all(kind)
            .iter()
            .filter_map(|known| Some((known, known.states.seen(look.now, look.stale)?)))
            .collect();
        let sizes = Sizes { usual: 25, max: 100, cap: look.cap };
        let page = query.numbered(path, sizes, &seen, |(known, state)| render(kind, &known.id, state))?;
        Ok(Value::Object(page))
    }

    /// Creates a profile.
    pub fn create(
        &mut self,
        kind: ProfileKind,
        counters: &mut Counters,
        work: &Work,
        id: Option<String>,
        body: Object,
    ) -> Done {
        let id = id.unwrap_or_else(|| counters.next(kind.rules().ids));
        counters.take(&id);
        let mut named = Object::from_iter([("name".to_owned(), json!(id))]);
        named.extend(kind.complete(body));
        let stamp = Stamp::of(work);
        let state = ProfileState { version: 1, body: named, created: stamp.clone(), modified: stamp };
        let shown = render(kind, &id, &state);
        let event = event(kind, "Create", &id, (None, Some(state.body.clone())));
        let states = History::new(work.appears_at(), Arc::new(state));
        self.shelves.entry(kind).or_default().profiles.push(Profile { id, states });
        Done { shown, event }
    }

    /// Applies the body of a PATCH.
    pub fn change(
        &mut self,
        kind: ProfileKind,
        id: &str,
        work: &Work,
        patch: Object,
    ) -> Result<Done, ApiError> {
        let old = self.find(kind, id).and_then(Profile::body).cloned().ok_or_else(|| not_found(id))?;
        kind.check(&patch, true)?;
        self.replace(kind, id, work, kind.merged(old, patch))
    }

    /// Replaces the body of a profile.
    pub fn replace(
        &mut self,
        kind: ProfileKind,
        id: &str,
        work: &Work,
        body: Object,
    ) -> Result<Done, ApiError> {
        let known = self.known_mut(kind, id)?;
        let old = known.states.current().cloned().ok_or_else(|| not_found(id))?;
        let state = ProfileState {
            version: old.version.saturating_add(1),
            body: kind.complete(body),
            created: old.created.clone(),
            modified: Stamp::of(work),
        };
        let shown = render(kind, id, &state);
        let event = event(kind, "Update", id, (Some(old.body.clone()), Some(state.body.clone())));
        known.states.push(work.at(), work.shows_at(), Some(Arc::new(state)));
        Ok(Done { shown, event })
    }

    /// Deletes a profile. If it is the default, there is no default any more.
    pub fn delete(&mut self, kind: ProfileKind, id: &str, work: &Work) -> Result<Done, ApiError> {
        let known = self.known_mut(kind, id)?;
        let event = event(kind, "Delete", id, (known.body().cloned(), None));
        known.states.push(work.at(), work.shows_at(), None);
        if self.default_id(kind) == Some(id) {
            self.put_default(kind, None, work);
        }
        Ok(Done { shown: Value::Null, event })
    }

    /// Makes a profile the default; the profile itself does not change.
    pub fn set_default(
        &mut self,
        kind: ProfileKind,
        home: &str,
        id: &str,
        work: &Work,
    ) -> Result<Done, ApiError> {
        let unknown = || invalid(&[Detail::new(kind.rules().default_id, "does not exist")]);
        let known = self.find(kind, id).ok_or_else(unknown)?;
        let state = known.states.current().ok_or_else(unknown)?;
        let event = default_event(kind, home, self.default_id(kind), Some(id));
        let done = Done { shown: render(kind, id, state), event };
        self.put_default(kind, Some(id.to_owned()), work);
        Ok(done)
    }

    /// Removes the default.
    pub fn drop_default(&mut self, kind: ProfileKind, home: &str, work: &Work) -> Result<Done, ApiError> {
        let id = self.default_id(kind).ok_or_else(|| not_found("default"))?;
        let event = default_event(kind, home, Some(id), None);
        self.put_default(kind, None, work);
        Ok(Done { shown: Value::Null, event })
    }

    fn put_default(&mut self, kind: ProfileKind, id: Option<String>, work: &Work) {
        self.shelves.entry(kind).or_default().default.push(work.at(), work.shows_at(), id);
    }

    fn known_mut(&mut self, kind: ProfileKind, id: &str) -> Result<&mut Profile, ApiError> {
        let mut known = self.shelves.entry(kind).or_default().profiles.iter_mut();
        known.find(|known| known.id == id && known.body().is_some()).ok_or_else(|| not_found(id))
    }

    /// Renders everything for the control surface: the current profiles, and the ids of the defaults.
    pub fn state(&self) -> Object {
        let mut shown = Object::new();
        let mut defaults = Object::new();
        for kind in KINDS {
            let listed = kind.rules().listed.to_owned();
            let there = self.all(*kind).iter().filter_map(|known| Some((known, known.states.current()?)));
            let rendered: Value = there.map(|(known, state)| render(*kind, &known.id, state)).collect();
            defaults.insert(kind.rules().reference.to_owned(), json!(self.default_id(*kind)));
            shown.insert(listed, rendered);
        }
        shown.insert("defaults".to_owned(), Value::Object(defaults));
        shown
    }
}

impl Organization {
    /// Adds a profile of the world file.
    pub fn seed_profile(&mut self, kind: ProfileKind, given: &Object, counters: &mut Counters, work: &Work) {
        let mut body = kind.seeded(given.clone());
        let is_default = body.shift_remove("isDefault") == Some(Value::Bool(true));
        let own = Some(text(given, "id")).filter(|id| !id.is_empty()).map(str::to_owned);
        let made = self.profiles.create(kind, counters, work, own, body);
        if is_default {
            // The default has no earlier state, like the profile.
            let default = History::new(work.appears_at(), made.event.id);
            self.profiles.shelves.entry(kind).or_default().default = default;
        }
    }

    /// Performs a write of a client.
    pub fn write_profile(
        &mut self,
        (kind, act): (ProfileKind, Act),
        id: &str,
        counters: &mut Counters,
        work: &Work,
        body: Object,
    ) -> Result<Done, ApiError> {
        match act {
            Act::Create => {
                kind.check(&body, false)?;
                Ok(self.profiles.create(kind, counters, work, None, body))
            }
            Act::Change => self.profiles.change(kind, id, work, body),
            Act::Delete => {
                self.profiles.find(kind, id).ok_or_else(|| not_found(id))?;
                if let Some(name) = self.refers_to(kind, id) {
                    return Err(conflict(format!("The profile is in use by {name}.")));
                }
                self.profiles.delete(kind, id, work)
            }
            Act::WriteDefault => self.profiles.set_default(kind, &self.id, kind.default_of(&body)?, work),
            Act::DeleteDefault => self.profiles.drop_default(kind, &self.id, work),
            Act::List | Act::Read | Act::ReadDefault => Err(not_found(id)),
        }
    }
}

fn event(
    kind: ProfileKind,
    action: &'static str,
    id: &str,
    (old, new): (Option<Object>, Option<Object>),
) -> Event {
    let name = new.as_ref().or(old.as_ref()).map(|body| text(body, "name")).unwrap_or_default().to_owned();
    let entity_type = kind.rules().entity_type;
    Event { service: "Messaging", entity_type, action, id: id.to_owned(), name, old, new }
}

/// The audit trail's name of the defaults.
pub(crate) const DEFAULTS: &str = "MessagingDefaults";

/// Returns the event for a new default. The entity is the organization, because the profile does not change.
fn default_event(kind: ProfileKind, home: &str, old: Option<&str>, new: Option<&str>) -> Event {
    let reference = kind.rules().reference;
    let state = |id: Option<&str>| {
        let fields = id.map(|id| (reference.to_owned(), json!({ "id": id })));
        Some(Object::from_iter(fields))
    };
    Event { entity_type: DEFAULTS, ..event(kind, "Update", home, (state(old), state(new))) }
}

fn render(kind: ProfileKind, id: &str, state: &ProfileState) -> Value {
    let rules = kind.rules();
    let mut shown = Object::from_iter([("id".to_owned(), json!(id))]);
    shown.extend(state.body.clone());
    let version = if rules.version_is_text { json!(state.version.to_string()) } else { json!(state.version) };
    shown.insert("version".to_owned(), version);
    shown.insert("dateCreated".to_owned(), state.created.date());
    shown.insert("dateModified".to_owned(), state.modified.date());
    for (name, stamp) in [("createdBy", &state.created), (rules.changed_by, &state.modified)] {
        if let Some(user) = stamp.user() {
            shown.insert(name.to_owned(), user);
        }
    }
    shown.insert("selfUri".to_owned(), json!(format!("{}/{id}", rules.path)));
    Value::Object(shown)
}
