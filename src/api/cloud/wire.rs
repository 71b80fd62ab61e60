//! The wire types. Fields that genesync may not set are removed from a body; new fields stay in it.

use std::sync::Arc;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::kinds;
use crate::model::reference::places;
use crate::model::write::Accepted;
use crate::model::{
    Actor, ActorKind, Draft, Fault, FaultKind, Instance, ObjectKind, OrganizationId, Pinned, Readiness,
    Stored, Write, json,
};
use crate::platform::operation::{Response, shown};

/// Reads `null` as the default: the platform sends it for an empty list or text.
fn lenient<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// An error's body.
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct ErrorBody {
    #[serde(deserialize_with = "lenient")]
    pub message: String,
    #[serde(deserialize_with = "lenient")]
    pub details: Vec<Detail>,
    #[serde(deserialize_with = "lenient")]
    pub errors: Vec<ErrorBody>,
}

/// The fault of one field.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub struct Detail {
    #[serde(deserialize_with = "lenient")]
    pub error_code: String,
    #[serde(deserialize_with = "lenient")]
    pub field_name: String,
}

impl ErrorBody {
    /// Whether the organization lacks a requested feature: waiting does not fix that.
    pub fn lacks_feature(&self) -> bool {
        !self.lacking().is_empty()
    }

    /// The fields that need a missing feature.
    pub fn lacking(&self) -> Vec<&str> {
        let lacks = |detail: &&Detail| detail.error_code.contains("feature is not yet implemented");
        let own = self.details.iter().filter(lacks).map(|detail| detail.field_name.as_str());
        own.chain(self.errors.iter().flat_map(ErrorBody::lacking)).collect()
    }
}

/// The error body of an answer; empty if it has none.
pub fn error(response: &Response) -> ErrorBody {
    serde_json::from_slice(&response.body).unwrap_or_default()
}

/// An answer's body as a value.
///
/// # Errors
/// The answer is a refusal, or cannot be read. The message has the position, never the content.
pub fn parse<T: DeserializeOwned>(response: &Response) -> Result<T, Fault> {
    if !(200..300).contains(&response.status) {
        return Err(super::refusal(response));
    }
    let unreadable = |why: String| {
        let message = format!("{} and {why}", response.reported());
        response.fault(FaultKind::Transient, message)
    };
    if !response.is_json {
        return Err(unreadable("a body that is not JSON".into()));
    }
    serde_json::from_slice(&response.body).map_err(|error| {
        unreadable(format!("a body that cannot be read (line {}, column {})", error.line(), error.column()))
    })
}

/// One page of a listing, in each of the platform's styles.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListingPage {
    pub entities: Vec<Map<String, Value>>,
    #[serde(default)]
    pub next_uri: Option<String>,
    #[serde(default)]
    pub page_count: Option<u64>,
}

/// Fields that the platform sets, and fields that identify the object.
const NOT_OURS: [&str; 16] = [
    "id",
    "name",
    "version",
    "dateCreated",
    "dateModified",
    "datePublished",
    "createdUser",
    "lastModifiedUser",
    "publishedUser",
    "createdBy",
    "modifiedBy",
    "updatedBy",
    "snippet",
    "createStatus",
    "createError",
    "recipient",
];

pub fn text<'a>(entity: &'a Map<String, Value>, field: &str) -> Option<&'a str> {
    entity.get(field).and_then(Value::as_str)
}

fn moment(entity: &Map<String, Value>, field: &str) -> Option<Timestamp> {
    text(entity, field)?.parse().ok()
}

/// Returns the person of a field; none for a write of a client.
fn person(entity: &Map<String, Value>, field: &str) -> Option<Actor> {
    let user = entity.get(field)?.as_object()?;
    let id = text(user, "id").filter(|id| !id.is_empty())?;
    let name = text(user, "name").unwrap_or_default();
    Some(Actor { id: id.into(), name: shown(name, 100).into_owned(), kind: ActorKind::User })
}

/// The number of a published version; none for a draft.
pub fn number(entity: &Map<String, Value>) -> Option<u64> {
    text(entity, "version")?.parse().ok().filter(|number| *number >= 1)
}

/// Returns the part of an entity that git may manage.
pub fn body(kind: ObjectKind, entity: &Map<String, Value>) -> Arc<Map<String, Value>> {
    let mut body = entity.clone();
    for field in NOT_OURS {
        body.shift_remove(field);
    }
    body.values_mut().for_each(without_uris);
    body.shift_remove("selfUri");
    // A reference keeps only its ids; its other fields belong to the referenced object.
    for place in places(kind).filter(|place| !place.is_list && !place.path.contains('.')) {
        let kept: &[&str] = if kind.pins() == Some(place.path) { &["id", "version"] } else { &["id"] };
        reduce(&mut body, place.path, kept);
    }
    let shape = kinds::shape(kind);
    if let Some(secret) = shape.and_then(|shape| shape.secret) {
        body.shift_remove(secret);
    }
    if !shape.is_some_and(|shape| shape.has_status) {
        body.shift_remove("status");
    }
    // A pending status counts as the requested one; another part of the run waits for it.
    if body.get("status").and_then(Value::as_str) == Some("Pending") {
        body.insert("status".into(), "Active".into());
    }
    body.retain(|key, value| key != "status" || matches!(value.as_str(), Some("Active" | "Inactive")));
    Arc::new(body)
}

fn reduce(body: &mut Map<String, Value>, field: &str, kept: &[&str]) {
    if let Some(Value::Object(map)) = body.get_mut(field) {
        map.retain(|key, _| kept.contains(&key.as_str()));
    }
}

/// Removes links from references: they are read only and differ between regions.
fn without_uris(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.shift_remove("selfUri");
            map.values_mut().for_each(without_uris);
        }
        Value::Array(items) => items.iter_mut().for_each(without_uris),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn readiness(entity: &Map<String, Value>) -> Readiness {
    let status = text(entity, "status").or_else(|| text(entity, "createStatus")).unwrap_or_default();
    match status {
        "Pending" | "Initiated" => Readiness::Pending,
        "Error" | "Deleting" => {
            let reported =
                entity.get("createError").and_then(|error| error.get("message")).and_then(Value::as_str);
            Readiness::Failed(
                reported.map_or_else(|| status.to_owned(), |reported| shown(reported, 200).into_owned()),
            )
        }
        _ => match text(entity, "createStatus") {
            Some("Initiated") => Readiness::Pending,
            _ => Readiness::Ready,
        },
    }
}

/// Returns an object with drafts: its newest published version, if there is one, and its draft.
pub fn drafted(
    kind: ObjectKind,
    newest: Option<&Map<String, Value>>,
    draft: &Map<String, Value>,
) -> Option<Stored> {
    let id = text(draft, "id").or_else(|| text(newest?, "id"))?;
    let held = Draft {
        body: body(kind, draft),
        modified_at: moment(draft, "dateModified"),
        modified_by: person(draft, "lastModifiedUser"),
    };
    let published = newest.map(|entity| body(kind, entity)).unwrap_or_default();
    let unpublished = newest.is_none() || *published != *held.body;
    let drafted_at = held.modified_at.filter(|_| !unpublished);
    let instance = Instance {
        id: id.into(),
        // A version that was published just now cannot be pinned yet.
        readiness: match newest.map(readiness) {
            Some(Readiness::Pending) => Readiness::Pending,
            _ => readiness(draft),
        },
        draft: unpublished.then_some(held),
        drafted_at,
        pinned: None,
        publisher: newest.and_then(|entity| person(entity, "publishedUser")).map(|actor| actor.id),
        is_inferred: false,
    };
    Some(Stored {
        version: newest.and_then(number).unwrap_or(0),
        body: published,
        modified_at: newest
            .and_then(|entity| moment(entity, "datePublished").or_else(|| moment(entity, "dateModified"))),
        // The last author of the draft may not be the publisher.
        modified_by: newest.and_then(|entity| person(entity, "publishedUser")),
        instance: Some(Arc::new(instance)),
    })
}

/// Returns an object without versions: the moment of its last change is its version.
pub fn unversioned(kind: ObjectKind, entity: &Map<String, Value>, pinned: Option<Pinned>) -> Option<Stored> {
    let modified_at = moment(entity, "dateModified").or_else(|| moment(entity, "dateCreated"));
    let instance = Instance {
        id: text(entity, "id")?.into(),
        readiness: readiness(entity),
        draft: None,
        drafted_at: None,
        pinned,
        publisher: None,
        is_inferred: false,
    };
    Some(Stored {
        version: modified_at.map_or(1, |at| at.as_millisecond().unsigned_abs()),
        body: body(kind, entity),
        modified_at,
        modified_by: person(entity, "lastModifiedUser")
            .or_else(|| person(entity, "modifiedBy"))
            .or_else(|| person(entity, "updatedBy")),
        instance: Some(Arc::new(instance)),
    })
}

/// Returns an object that counts by content. There is one in an organization, and it has the id of the
/// organization.
pub fn contents(organization: &OrganizationId, body: Map<String, Value>) -> Stored {
    let digest = json::digest(&body);
    let version = digest.rsplit(':').next().and_then(|hex| hex.get(..12));
    let version = version.and_then(|hex| u64::from_str_radix(hex, 16).ok()).unwrap_or(0).max(1);
    let instance = Instance {
        id: organization.as_str().into(),
        readiness: Readiness::Ready,
        draft: None,
        drafted_at: None,
        pinned: None,
        publisher: None,
        is_inferred: false,
    };
    Stored { instance: Some(Arc::new(instance)), ..Stored::new(version, Arc::new(body)) }
}

/// Returns the result of an accepted write.
///
/// # Errors
/// The answer cannot be read.
pub fn accepted(write: &Write, response: &Response) -> Result<Accepted, Fault> {
    let kind = write.target.object.kind;
    // An answer without a body means that the object equals the request.
    if kind.is_written_by_field() {
        return Ok(contents(&write.target.organization, Map::clone(&write.body)));
    }
    let entity: Map<String, Value> = parse(response)?;
    let stored = match number(&entity) {
        Some(_) if kind.has_drafts() => drafted(kind, Some(&entity), &entity),
        None if kind.has_drafts() => drafted(kind, None, &entity),
        _ => unversioned(kind, &entity, None),
    };
    stored.ok_or_else(|| {
        response.fault(FaultKind::Transient, format!("the answer about {} has no id", response.subject))
    })
}

/// One record of the audit log.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditRecord {
    pub id: String,
    pub event_date: Timestamp,
    #[serde(default, deserialize_with = "lenient")]
    pub action: String,
    #[serde(default)]
    pub user: Option<Party>,
    #[serde(default)]
    pub client: Option<Party>,
    #[serde(default, deserialize_with = "lenient")]
    pub remote_ip: Vec<String>,
    #[serde(default)]
    pub entity: Option<Party>,
    #[serde(default, deserialize_with = "lenient")]
    pub property_changes: Vec<PropertyChange>,
}

/// The user or client of a record.
#[derive(Deserialize)]
pub struct Party {
    #[serde(default, deserialize_with = "lenient")]
    pub id: String,
    #[serde(default)]
    pub name: Option<String>,
}

/// A changed field of a record.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PropertyChange {
    #[serde(default, deserialize_with = "lenient")]
    pub property: String,
    #[serde(default, deserialize_with = "lenient")]
    pub old_values: Vec<Value>,
    #[serde(default, deserialize_with = "lenient")]
    pub new_values: Vec<Value>,
}

/// Returns the value of a list of one value, null for an empty list, and otherwise the list.
pub fn single(mut values: Vec<Value>) -> Value {
    match values.len() {
        0 => Value::Null,
        1 => values.swap_remove(0),
        _ => Value::Array(values),
    }
}
