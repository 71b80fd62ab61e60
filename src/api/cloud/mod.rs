//! The `cloud` dialect: Genesys Cloud's public API. Builds requests and interprets answers.
//!
//! In: what a run asks for; responses. Out: an [`Operation`]; observations, an outcome, entries. Never: names
//! a kind outside `kinds.rs`. [`write()`] and [`answer`] are pure; `survey`, `inventory` and `audit` combine
//! several answers and use a [`Caller`], and `permissions` and `edge` use the port itself. Start reading at
//! `kinds.rs`, the table; then [`write()`] and `survey.rs`.
//!
//! The source is the public API's own models, *Web deployments*, *Open messaging*, *Messaging settings*,
//! *Flows*, *Knowledge* and *Audits*.

mod audit;
mod caller;
pub mod edge;
pub mod inventory;
mod kinds;
mod need;
pub mod permissions;
mod survey;
mod wire;

use serde_json::{Map, Value, json};

use crate::model::write::Accepted;
use crate::model::{Act, Dialect, Fault, FaultKind, Outcome, Target, Write};
use crate::platform::operation::{Operation, Response, Verb, shown};
use kinds::{Call, Storage};

pub use audit::Ids;
pub use caller::Caller;
pub use survey::Reader;

/// Encodes an external value as one segment of a path.
fn segment(text: &str) -> String {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    let one = |byte: u8| match safe(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

fn get(path: String, subject: String) -> Operation {
    Operation { verb: Verb::Get, path, if_match: None, body: None, subject, dialect: Dialect::Cloud }
}

fn post(verb: Verb, path: String, body: Option<&Value>, subject: String) -> Operation {
    let body = body.map(|body| body.to_string().into_bytes());
    Operation { verb, path, if_match: None, body, subject, dialect: Dialect::Cloud }
}

/// Returns the request of a write. `secret` signs the requests of an integration's webhook; every write has
/// it, because it cannot be read back and compared. None for a write that this API has no request for.
pub fn write(write: &Write, secret: Option<&str>) -> Option<Operation> {
    let subject = write.target.to_string();
    let kind = write.target.object.kind;
    let shape = kinds::shape(kind)?;
    let (listing, change) = match &shape.place {
        Storage::Listed(listing, change) => (listing, *change),
        Storage::Called(calls) => return set_field(calls, &write.body, subject),
    };
    let mut body = Map::clone(&write.body);
    body.insert("name".into(), Value::String(write.target.object.name.to_string()));
    if let (Some(field), Some(secret)) = (shape.secret, secret) {
        body.insert(field.into(), secret.into());
    }
    let folder = listing.path;
    let (verb, path) = match write.id.as_deref().map(segment) {
        None => (Verb::Start, folder.to_owned()),
        Some(id) if kind.has_drafts() => {
            let draft = format!("{folder}/{id}/versions/draft");
            match write.act {
                Act::Publish => return Some(post(Verb::Start, format!("{draft}/publish"), None, subject)),
                Act::Store => (change, draft),
            }
        }
        Some(id) => (change, format!("{folder}/{id}")),
    };
    Some(post(verb, path, Some(&Value::Object(body)), subject))
}

/// Returns the request that sets the only field of a body, which is a reference.
fn set_field(calls: &[Call], body: &Map<String, Value>, subject: String) -> Option<Operation> {
    let set = calls.iter().find_map(|call| Some((call, body.get(call.field)?.get("id")?)));
    let (Call { path, key, .. }, id) = set?;
    Some(post(Verb::Put, (*path).to_owned(), Some(&json!({ *key: id })), subject))
}

/// Interprets the answer to a [`write()`].
pub fn answer(write: &Write, response: &Response) -> Outcome<Accepted> {
    let refused = || refusal(response);
    match response.status {
        // An unreadable acceptance counts as a lost answer: it is read back.
        200..=299 => wire::accepted(write, response).map_or_else(Outcome::Unknown, Outcome::Accepted),
        409 | 412 => Outcome::Conflict,
        408 => Outcome::Unknown(refused()),
        429 => Outcome::Throttled { retry_after_ms: response.retry_after_ms },
        404 | 410 => Outcome::NotFound(refused()),
        401 | 403 => Outcome::Denied(refused()),
        400 if wire::error(response).lacks_feature() => Outcome::Denied(refused()),
        // The answer is from a gateway: the server behind it may still process the request.
        502 | 504 => Outcome::Unknown(refused()),
        _ if response.is_detour() => Outcome::Unknown(refused()),
        500..=599 => Outcome::Failed(refused()),
        _ => Outcome::Rejected(refused()),
    }
}

/// Returns a refusal as a fault.
fn refusal(response: &Response) -> Fault {
    let error = wire::error(response);
    let kind = match response.status {
        // Whatever the status, the fault is in the object's fields and not in the client.
        _ if error.lacks_feature() => FaultKind::Rejected,
        429 => FaultKind::Throttled,
        401 | 403 => FaultKind::Denied,
        404 | 410 => FaultKind::NotFound,
        // Neither accepted nor refused: from an intermediary, or without content.
        200..=399 | 407 | 408 | 500..=599 => FaultKind::Transient,
        _ => FaultKind::Rejected,
    };
    let mut message = response.reported();
    if error.lacks_feature() {
        let fields: Vec<String> =
            error.lacking().iter().map(|field| format!("`{}`", shown(field, 100))).collect();
        message.push_str(&format!(
            ": the organization does not have this feature: {}; remove the field from the manifest, or have the feature enabled",
            fields.join(", ")
        ));
        return response.fault(kind, message);
    }
    if !error.message.is_empty() {
        message.push_str(": ");
        message.push_str(&shown(&error.message, 300));
    }
    for detail in error.details.iter().take(10) {
        let (field, code) = (shown(&detail.field_name, 100), shown(&detail.error_code, 200));
        message.push_str(&format!("; `{field}`: {code}"));
    }
    Fault { too_large: response.status == 413, ..response.fault(kind, message) }
}

/// Reads the organization of the token.
fn organization(target: &Target) -> Operation {
    get("api/v2/organizations/me".into(), format!("the organization of credentials `{}`", target.credentials))
}

/// Reads a person.
pub fn user(id: &str) -> Operation {
    get(format!("api/v2/users/{}", segment(id)), format!("user {}", shown(id, 100)))
}

/// The name of a person, if the answer to [`user`] has it.
pub fn name_of(response: &Response) -> Option<String> {
    let user: Map<String, Value> = wire::parse(response).ok()?;
    let name = wire::text(&user, "name").filter(|name| !name.is_empty())?;
    Some(shown(name, 100).into_owned())
}

/// The body of a query of the audit log.
fn audit_question(from: jiff::Timestamp, to: jiff::Timestamp, service: &str, page: Option<u32>) -> Value {
    let sort = json!([{"name": "Timestamp", "sortOrder": "descending"}]);
    let mut body = json!({"interval": format!("{from}/{to}"), "serviceName": service, "sort": sort});
    if let (Some(page), Some(map)) = (page, body.as_object_mut()) {
        map.insert("pageNumber".into(), page.into());
        map.insert("pageSize".into(), audit::PAGE_SIZE.into());
    }
    body
}

#[cfg(test)]
mod tests;
