//! Open messaging integrations, whose creation takes time.
//!
//! In: creations, changes and deletions of integrations. Out: their states over time.
//! Never: returns a webhook's secret.

use crate::emulator::cloud::configuration::{Sight, Stamp, without_own};
use crate::emulator::cloud::error::{Detail, invalid, not_found};
use crate::emulator::cloud::history::History;
use crate::emulator::cloud::ids::{Counters, Kind};
use crate::emulator::cloud::organization::Organization;
use crate::emulator::cloud::profile::kind::KINDS;
use crate::emulator::cloud::query::{Query, Sizes};
use crate::emulator::cloud::{Done, Event, Object, Work, member, shape, text};
use crate::emulator::error::ApiError;
use crate::emulator::time::later;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

/// The audit trail's name of an open messaging integration.
pub(crate) const ENTITY: &str = "OpenIntegration";
const SECRET: &str = "outboundNotificationWebhookSignatureSecretToken";
const WEBHOOK: &str = "outboundNotificationWebhookUrl";

/// One integration.
#[derive(Clone, Debug)]
pub(crate) struct OpenIntegration {
    pub id: String,
    pub states: History<Arc<OpenState>>,
    pub completed_at: Timestamp,
}

/// The state of an integration at some time.
#[derive(Clone, Debug)]
pub(crate) struct OpenState {
    pub body: Object,
    pub created: Stamp,
    pub modified: Stamp,
}

impl OpenIntegration {
    /// Returns the name, or an empty text if the integration is deleted.
    pub fn name(&self) -> &str {
        self.states.current().map(|state| text(&state.body, "name")).unwrap_or_default()
    }

    fn event(&self, action: &'static str, old: Option<Object>, new: Option<Object>) -> Event {
        // No audit record contains a secret.
        let hide = |body: Option<Object>| {
            body.map(|mut body| {
                body.shift_remove(SECRET);
                body
            })
        };
        let (id, name) = (self.id.clone(), self.name().to_owned());
        Event { service: "Messaging", entity_type: ENTITY, action, id, name, old: hide(old), new: hide(new) }
    }
}

impl Organization {
    /// Refuses an integration that the platform does not accept.
    pub fn check_open(&self, body: &Object, is_change: bool) -> Result<(), ApiError> {
        let shape = if is_change {
            &shape::bodies::OPEN_INTEGRATION_CHANGE
        } else {
            &shape::bodies::OPEN_INTEGRATION
        };
        let mut wrong = shape::violations(body, shape);
        if wrong.is_empty() {
            if body.contains_key(WEBHOOK) && !is_webhook(text(body, WEBHOOK)) {
                wrong.push(Detail::new(WEBHOOK, "must be an https URL on port 443"));
            }
            if body.contains_key(SECRET) && text(body, SECRET).chars().count() <= 15 {
                wrong.push(Detail::new(SECRET, "must have more than 15 characters"));
            }
            wrong.extend(self.profiles.missing(body, KINDS.iter().copied()));
        }
        if wrong.is_empty() { Ok(()) } else { Err(invalid(&wrong)) }
    }

    /// Starts the creation of an integration.
    pub fn create_open(
        &mut self,
        counters: &mut Counters,
        work: &Work,
        id: Option<String>,
        body: Object,
    ) -> Done {
        let stamp = Stamp::of(work);
        let id = id.unwrap_or_else(|| counters.next(Kind::OpenIntegration));
        counters.take(&id);
        let state = OpenState { body: without_own(body), created: stamp.clone(), modified: stamp };
        let new = OpenIntegration {
            id,
            states: History::new(work.appears_at(), Arc::new(state.clone())),
            completed_at: later(work.at(), work.settings.integration_delay_ms),
        };
        let shown = self.render_open(&new, &state, work.at());
        let event = new.event("Create", None, Some(state.body));
        self.open.push(new);
        Done { shown, event }
    }

    /// Changes the given fields of an integration.
    pub fn change_open(&mut self, id: &str, work: &Work, body: Object) -> Result<Done, ApiError> {
        let known = self.open_mut(id)?;
        let old = known.states.current().cloned().ok_or_else(|| not_found(id))?;
        let mut merged = old.body.clone();
        merged.extend(without_own(body));
        let state = OpenState { body: merged, modified: Stamp::of(work), ..OpenState::clone(&old) };
        known.states.push(work.at(), work.shows_at(), Some(Arc::new(state.clone())));
        let event = known.event("Update", Some(old.body.clone()), Some(state.body.clone()));
        let known = known.clone();
        Ok(Done { shown: self.render_open(&known, &state, work.at()), event })
    }

    /// Deletes an integration.
    pub fn delete_open(&mut self, id: &str, work: &Work) -> Result<Done, ApiError> {
        let known = self.open_mut(id)?;
        let old = known.states.current().map(|state| state.body.clone());
        let event = known.event("Delete", old, None);
        known.states.push(work.at(), work.shows_at(), None);
        Ok(Done { shown: Value::Null, event })
    }

    /// Renders an integration as a reader sees it.
    pub fn read_open(&self, id: &str, look: &Sight) -> Result<Value, ApiError> {
        let known = self.open.iter().find(|known| known.id == id).ok_or_else(|| not_found(id))?;
        let state = known.states.seen(look.now, look.stale).ok_or_else(|| not_found(id))?;
        Ok(self.render_open(known, state, look.now))
    }

    /// Lists the integrations.
    pub fn list_open(&self, path: &str, query: &Query, look: &Sight) -> Result<Object, ApiError> {
        let seen: Vec<(&OpenIntegration, &Arc<OpenState>)> = self
            .open
            .iter()
            .filter_map(|known| Some((known, known.states.seen(look.now, look.stale)?)))
            .filter(|(_, state)| {
                KINDS.iter().all(|kind| {
                    let reference = kind.rules().reference;
                    let id = member(&state.body, reference).and_then(|reference| reference.get("id"));
                    // The vendor uses the name with a dot, and its clients use the name without a dot.
                    [format!("{reference}Id"), format!("{reference}.id")]
                        .iter()
                        .all(|asked| query.get(asked).is_none_or(|asked| id == Some(&json!(asked))))
                })
            })
            .collect();
        let sizes = Sizes { usual: 25, max: 100, cap: look.cap };
        query.numbered(path, sizes, &seen, |(known, state)| self.render_open(known, state, look.now))
    }

    fn open_mut(&mut self, id: &str) -> Result<&mut OpenIntegration, ApiError> {
        let mut known = self.open.iter_mut();
        known.find(|known| known.id == id && known.states.current().is_some()).ok_or_else(|| not_found(id))
    }

    fn render_open(&self, known: &OpenIntegration, state: &OpenState, now: Timestamp) -> Value {
        let mut shown = Object::from_iter([("id".to_owned(), json!(known.id))]);
        shown.extend(state.body.clone());
        // The model requires the field, and no client can read the secret. The value is shorter than any
        // secret, so that the emulator refuses it if a client writes it back.
        shown.insert(SECRET.to_owned(), json!("********"));
        self.profiles.name_references(&mut shown, KINDS.iter().copied());
        let completed = now >= known.completed_at;
        shown.insert("createStatus".to_owned(), json!(if completed { "Completed" } else { "Initiated" }));
        shown.insert("status".to_owned(), json!(if completed { "Active" } else { "Inactive" }));
        shown.insert("dateCreated".to_owned(), state.created.date());
        shown.insert("dateModified".to_owned(), state.modified.date());
        for (name, stamp) in [("createdBy", &state.created), ("modifiedBy", &state.modified)] {
            if let Some(user) = stamp.user() {
                shown.insert(name.to_owned(), user);
            }
        }
        let uri = format!("/api/v2/conversations/messaging/integrations/open/{}", known.id);
        shown.insert("selfUri".to_owned(), json!(uri));
        Value::Object(shown)
    }
}

fn is_webhook(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| {
        url.scheme() == "https" && url.port_or_known_default() == Some(443) && url.has_host()
    })
}
