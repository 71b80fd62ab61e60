//! Finds the repository that owns an object, if that is known.
//!
//! In: a live object and the id of this repository. Out: the id in its mark, or a body with our mark. A
//! missing mark never causes a write. Start reading at [`of`].

use std::sync::Arc;

use serde_json::{Map, Value};

use super::Evidence;
use crate::model::{Actor, ActorKind, ObjectKind, Observed, json, mark};

/// Returns the id in the mark of a live object; none if it has no mark, or if its kind has no field for one.
pub fn of(kind: ObjectKind, live: &Map<String, Value>) -> Option<&str> {
    mark::split(json::at_dotted(live, kind.fields().mark?)?.as_str()?).1
}

/// Returns a value without a mark, for reports.
pub fn without_mark(kind: ObjectKind, path: &str, value: &Value) -> Value {
    match value.as_str().filter(|_| kind.fields().mark == Some(path)) {
        Some(text) => mark::split(text).0.into(),
        None => value.clone(),
    }
}

/// Returns a body to write with our mark, if its kind has a field for one, and without the mark of another
/// repository.
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

/// Returns the OAuth client that last wrote an object, if it is not genesync's own and the kind has no field
/// for a mark.
pub fn another_program(kind: ObjectKind, observed: &Observed, evidence: &Evidence<'_>) -> Option<Actor> {
    let Observed::Present(stored) = observed else { return None };
    let actor = stored.modified_by.as_ref().filter(|actor| actor.kind == ActorKind::Client)?;
    let own = evidence.own_clients.is_some_and(|own| own.contains(&actor.id));
    (!own && kind.fields().mark.is_none()).then(|| actor.clone())
}
