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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_field_does_to_visitors_is_told_by_its_kind() {
        let typing = "event.typing.on.inbound";
        let of_other_kinds = [
            (
                ObjectKind::SupportedContent,
                "mediaTypes.allow.inbound",
                json!([1, 2]),
                json!([1]),
                Class::Reach,
            ),
            (
                ObjectKind::SupportedContent,
                "mediaTypes.allow.inbound",
                json!([1]),
                json!([1, 2]),
                Class::Reach,
            ),
            (ObjectKind::SupportedContent, "mediaTypes.allow.outbound", json!([1]), json!([]), Class::Off),
            (ObjectKind::MessagingSetting, typing, json!("Enabled"), json!("Disabled"), Class::Off),
            (ObjectKind::MessagingSetting, typing, json!("Disabled"), json!("Enabled"), Class::Behaviour),
            (ObjectKind::MessengerDeployment, "status", json!("Active"), json!("Inactive"), Class::Off),
            (ObjectKind::MessengerDeployment, "status", json!("Inactive"), json!("Active"), Class::Reach),
            // What a field does is told by its kind, whatever another kind calls so.
            (
                ObjectKind::MessengerDeployment,
                "greetings.messages",
                json!(["a"]),
                json!([]),
                Class::Behaviour,
            ),
        ];
        for (kind, path, from, to, expected) in of_other_kinds {
            assert_eq!(class_of(kind, path, Some(&from), Some(&to)), expected, "{path} {from} -> {to}");
        }
    }
}
