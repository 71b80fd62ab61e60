//! The audit trail of the cloud API.
//!
//! In: [`Event`]s with their actor. Out: records, in the API's format.
//! Never: deletes a record, or shows it before its time or to another organization.

use crate::emulator::actor::{Actor, ActorKind, CallOrigin};
use crate::emulator::cloud::audit_query::Transaction;
use crate::emulator::cloud::ids::{Counters, Kind, person};
use crate::emulator::cloud::profile::DEFAULTS;
use crate::emulator::cloud::profile::kind::KINDS;
use crate::emulator::cloud::{Event, Object, Work};
use crate::emulator::cloud::{configuration, deployment, open};
use crate::emulator::time::later;
use crate::emulator::tree::{self, Change};
use jiff::{SignedDuration, Timestamp, Unit};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// An entity type with its actions.
type Entity = (&'static str, &'static [&'static str]);

/// The services with their entity types.
pub(crate) const SERVICES: &[(&str, &[Entity])] = &[
    (
        "WebDeployments",
        &[
            (configuration::ENTITY, WRITES),
            (configuration::VERSION, &["Publish"]),
            (deployment::ENTITY, WRITES),
        ],
    ),
    ("Messaging", &[(open::ENTITY, WRITES), (DEFAULTS, &["Update"])]),
    ("Knowledge", &[("KnowledgeBase", &["Create", "Delete"])]),
];

const WRITES: &[&str] = &["Create", "Update", "Delete"];

/// Returns the entity types of a service; the profile kinds define their own.
fn entities(service: &str, listed: &[Entity]) -> Vec<Entity> {
    let profiles = KINDS.iter().filter(|_| service == "Messaging");
    listed.iter().copied().chain(profiles.map(|kind| (kind.rules().entity_type, WRITES))).collect()
}

/// The maximum number of copies of a record.
const COPIES_MAX: u64 = 10;

/// The audit records, and the queries over them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trail {
    pub records: Vec<Record>,
    pub transactions: VecDeque<Transaction>,
}

/// One audit record.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub id: String,
    pub organization_id: String,
    pub origin: CallOrigin,
    pub visible_at: Timestamp,
    pub service: &'static str,
    pub entity_type: &'static str,
    pub action: &'static str,
    pub entity_id: String,
    pub entity_name: String,
    pub changes: Vec<Change>,
}

impl Record {
    /// Renders the record; it includes people's names only if the caller asks for them.
    pub fn render(&self, with_names: bool) -> Value {
        let mut shown = Object::new();
        shown.insert("id".to_owned(), json!(self.id));
        shown.insert("userHomeOrgId".to_owned(), json!(self.organization_id));
        match self.origin.actor.kind {
            ActorKind::User => shown.insert("user".to_owned(), user(&self.origin.actor, with_names)),
            ActorKind::Client => {
                let id = &self.origin.actor.id;
                let client = json!({"id": id, "selfUri": format!("/api/v2/oauth/clients/{id}")});
                shown.insert("client".to_owned(), client)
            }
        };
        let at = self.origin.at;
        let changes: Vec<Value> = self.changes.iter().map(change).collect();
        let message = format!("{} of {} {}", self.action, self.entity_type, self.entity_name);
        let rest = json!({
            "remoteIp": [self.origin.remote_ip],
            "serviceName": self.service,
            "level": "USER",
            "eventDate": at.round(Unit::Millisecond).unwrap_or(at),
            "message": {"message": message},
            "action": self.action,
            "entity": {"id": self.entity_id, "name": self.entity_name, "selfUri": self.self_uri()},
            "entityType": self.entity_type,
            "status": "SUCCESS",
            "application": "Emulator",
            "initiatingAction": {"transactionId": self.origin.request_id, "actionContext": self.action},
            "transactionInitiator": true,
            "propertyChanges": changes,
            "context": {},
        });
        if let Value::Object(rest) = rest {
            shown.extend(rest);
        }
        Value::Object(shown)
    }

    fn self_uri(&self) -> String {
        let id = &self.entity_id;
        match self.entity_type {
            deployment::ENTITY => format!("/api/v2/webdeployments/deployments/{id}"),
            open::ENTITY => format!("/api/v2/conversations/messaging/integrations/open/{id}"),
            DEFAULTS => "/api/v2/conversations/messaging/settings/default".to_owned(),
            "KnowledgeBase" => format!("/api/v2/knowledge/knowledgebases/{id}"),
            other if let Some(kind) = KINDS.iter().find(|kind| kind.rules().entity_type == other) => {
                format!("{}/{id}", kind.rules().path)
            }
            _ => format!("/api/v2/webdeployments/configurations/{id}"),
        }
    }
}

impl Trail {
    /// Renders a person by their id; the emulator knows only people with an audit record in the organization.
    pub fn read_user(&self, organization_id: &str, id: &str) -> Option<Value> {
        let actors = self.records.iter().filter(|record| record.organization_id == organization_id);
        let mut people =
            actors.map(|record| &record.origin.actor).filter(|actor| actor.kind == ActorKind::User);
        let found = people.find(|actor| person(actor) == id)?;
        let mut shown = user(found, true);
        if let Value::Object(fields) = &mut shown {
            fields.insert("version".to_owned(), json!(1));
        }
        Some(shown)
    }

    /// Adds the record of a change.
    pub fn record(&mut self, counters: &mut Counters, organization_id: &str, work: &Work, event: Event) {
        if work.settings.unaudited.iter().any(|kind| kind == event.entity_type) {
            return;
        }
        let skew = SignedDuration::from_millis(work.settings.audit_clock_skew_ms);
        let at = work.at().checked_add(skew).unwrap_or(work.at());
        let record = Record {
            id: String::new(),
            organization_id: organization_id.to_owned(),
            origin: CallOrigin { at, ..work.origin.clone() },
            visible_at: later(work.at(), work.settings.audit_delay_ms),
            service: event.service,
            entity_type: event.entity_type,
            action: event.action,
            entity_id: event.id,
            entity_name: event.name,
            changes: tree::changes(event.old.as_ref(), event.new.as_ref()),
        };
        for _ in 0..work.settings.audit_copies.min(COPIES_MAX) {
            self.records.push(Record { id: counters.next(Kind::Audit), ..record.clone() });
        }
    }
}

/// Lists the services, except the given one.
pub(crate) fn services(without: Option<&str>) -> Value {
    let offered = SERVICES.iter().filter(|(name, _)| Some(*name) != without);
    let rendered = offered.map(|(name, listed)| {
        let entities: Vec<Value> = entities(name, listed)
            .iter()
            .map(|(name, actions)| json!({"name": name, "actions": actions}))
            .collect();
        json!({"name": name, "entities": entities})
    });
    json!({ "services": rendered.collect::<Vec<Value>>() })
}

fn user(actor: &Actor, with_name: bool) -> Value {
    let id = person(actor);
    let mut shown = json!({"id": id, "selfUri": format!("/api/v2/users/{id}")});
    if with_name && let Value::Object(fields) = &mut shown {
        fields.insert("name".to_owned(), json!(actor.name));
    }
    shown
}

/// Renders a change as lists of texts, which is the API's format; an empty list means that the value is
/// absent.
fn change(change: &Change) -> Value {
    let texts = |value: &Value| -> Vec<String> {
        match value {
            Value::Null => Vec::new(),
            Value::String(text) => vec![text.clone()],
            Value::Array(items) => items.iter().map(as_text).collect(),
            other => vec![as_text(other)],
        }
    };
    json!({
        "property": change.property,
        "oldValues": texts(&change.old_value),
        "newValues": texts(&change.new_value),
    })
}

fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
