//! What a change does to visitors.

use serde_json::Value;

use super::canonical;
use crate::model::{Class, Fields, ObjectKind};

/// The class of one field's change.
pub fn class_of(kind: ObjectKind, path: &str, observed: Option<&Value>, desired: Option<&Value>) -> Class {
    let Fields { classes, switches, emptied, .. } = kind.fields();
    let switch = switches.iter().any(|prefix| path.starts_with(prefix)) || path.ends_with(".enabled");
    // An absent switch stands as the platform's default.
    let on = |value: Option<&Value>| match canonical::value(kind, path, value) {
        Value::Bool(on) => on,
        Value::String(word) => matches!(word.as_str(), "Active" | "Enabled"),
        _ => false,
    };
    if switch && on(observed) && !on(desired) {
        return Class::Off;
    }
    let is_empty = |value: Option<&Value>| {
        matches!(value, None | Some(Value::Null))
            || value.and_then(Value::as_array).is_some_and(Vec::is_empty)
    };
    if emptied.contains(&path) && !is_empty(observed) && is_empty(desired) {
        return Class::Off;
    }
    classes.iter().find(|(prefix, _)| path.starts_with(prefix)).map_or(Class::Behaviour, |(_, class)| *class)
}
