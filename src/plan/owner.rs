//! Whose an object is, as far as that can be told.
//!
//! In: an object as it is live, the id of this repository. Out: the id in its mark, a body with our mark. Never: marks what is
//! not written anyway. Start reading at [`of`].

use std::sync::Arc;

use serde_json::{Map, Value};

use super::Evidence;
use crate::model::{Actor, ActorKind, ObjectKind, Observed, json, mark};

/// The id of whoever marked what is live; none where nobody did, or where there is no place for a mark.
pub fn of(kind: ObjectKind, live: &Map<String, Value>) -> Option<&str> {
    mark::split(json::at_dotted(live, kind.fields().mark?)?.as_str()?).1
}

/// A value as it is told: without a mark.
pub fn without_mark(kind: ObjectKind, path: &str, value: &Value) -> Value {
    match value.as_str().filter(|_| kind.fields().mark == Some(path)) {
        Some(text) => mark::split(text).0.into(),
        None => value.clone(),
    }
}

/// A body that is to be written, with our mark where there is a place for one, and with nobody else's.
pub fn marked(kind: ObjectKind, body: Arc<Map<String, Value>>, id: Option<&str>) -> Arc<Map<String, Value>> {
    let Some(field) = kind.fields().mark else { return body };
    let text = match body.get(field) {
        None | Some(Value::Null) => "",
        Some(Value::String(text)) => text,
        Some(_) => return body,
    };
    let wanted = match (id, mark::split(text)) {
        (Some(id), _) => mark::join(text, id),
        (None, (_, None)) => return body,
        (None, (plain, Some(_))) => plain.to_owned(),
    };
    let mut marked = Map::clone(&body);
    marked.insert(field.to_owned(), wanted.into());
    Arc::new(marked)
}

/// The client that wrote an object last, where that is none of ours and the object has no place for a mark.
pub fn another_program(kind: ObjectKind, observed: &Observed, evidence: &Evidence<'_>) -> Option<Actor> {
    let Observed::Present(stored) = observed else { return None };
    let actor = stored.modified_by.as_ref().filter(|actor| actor.kind == ActorKind::Client)?;
    let own = evidence.own_clients.is_some_and(|own| own.contains(&actor.id));
    (!own && kind.fields().mark.is_none()).then(|| actor.clone())
}
