//! What is done to JSON documents: merging a patch in, and telling two apart property by property.
//!
//! In: documents. Out: a new document, or a list of [`Change`]s. Never: knows what a property means.

use serde::Serialize;
use serde_json::{Map, Value};

/// One property that changed; `null` stands for absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Dotted path.
    pub property: String,
    /// What it was.
    pub old_value: Value,
    /// What it became.
    pub new_value: Value,
}

/// Merges a patch into an object (RFC 7396): `null` removes, objects merge, anything else replaces.
pub(super) fn merge(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, change) in patch {
        match change {
            Value::Null => {
                target.shift_remove(name);
            }
            Value::Object(inner) => {
                let place = target.entry(name.as_str()).or_insert(Value::Null);
                let mut fields = match place.take() {
                    Value::Object(fields) => fields,
                    _ => Map::new(),
                };
                merge(&mut fields, inner);
                *place = Value::Object(fields);
            }
            other => {
                target.insert(name.clone(), other.clone());
            }
        }
    }
}

/// Lists what differs, by dotted path: properties of the old document first, in its order, then new ones. A
/// list is one property; so is an object that replaces something else, or has no members.
pub(super) fn changes(old: Option<&Map<String, Value>>, new: Option<&Map<String, Value>>) -> Vec<Change> {
    let mut found = Vec::new();
    compare_members("", old, new, &mut found);
    found
}

fn compare_members(
    path: &str,
    old: Option<&Map<String, Value>>,
    new: Option<&Map<String, Value>>,
    found: &mut Vec<Change>,
) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    for (name, value) in old.into_iter().flatten() {
        compare(&below(name), Some(value), new.and_then(|members| members.get(name)), found);
    }
    for (name, value) in new.into_iter().flatten() {
        if !old.is_some_and(|members| members.contains_key(name)) {
            compare(&below(name), None, Some(value), found);
        }
    }
}

fn compare(path: &str, old: Option<&Value>, new: Option<&Value>, found: &mut Vec<Change>) {
    let members = |value: Option<&Value>| value.is_some_and(|v| v.as_object().is_some_and(|m| !m.is_empty()));
    match (old, new) {
        _ if old == new => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) if !(old.is_empty() && new.is_empty()) => {
            compare_members(path, Some(old), Some(new), found);
        }
        (Some(Value::Object(fields)), None) if members(old) => {
            compare_members(path, Some(fields), None, found);
        }
        (None, Some(Value::Object(fields))) if members(new) => {
            compare_members(path, None, Some(fields), found);
        }
        _ => found.push(Change {
            property: path.to_owned(),
            old_value: old.cloned().unwrap_or(Value::Null),
            new_value: new.cloned().unwrap_or(Value::Null),
        }),
    }
}

#[cfg(test)]
mod tests {
    use crate::emulator::tree::{changes, merge};
    use serde_json::{Value, json};

    #[test]
    fn merges_as_the_rfc_does() {
        for (target, patch, expected) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let mut merged = target.as_object().cloned().unwrap();
            merge(&mut merged, patch.as_object().unwrap());
            assert_eq!(Value::Object(merged), expected, "{target} + {patch}");
        }
    }

    #[test]
    fn names_each_changed_property() {
        for (old, new, expected) in [
            (json!({"a": 1}), json!({"a": 1}), vec![]),
            (json!({"a": {"b": {"c": 1}}}), json!({"a": {"b": {"c": 2}}}), vec!["a.b.c"]),
            (json!({"a": {"b": 1, "c": 2}}), json!({}), vec!["a.b", "a.c"]),
            (json!({}), json!({"a": {"b": 1}, "c": {}}), vec!["a.b", "c"]),
            (json!({"a": [1, 2]}), json!({"a": [2, 1]}), vec!["a"]),
            (json!({"a": {"b": 1}}), json!({"a": 5}), vec!["a"]),
            (json!({"a": {}}), json!({"a": {"b": 1}}), vec!["a.b"]),
        ] {
            let found = changes(old.as_object(), new.as_object());
            let paths: Vec<&str> = found.iter().map(|change| change.property.as_str()).collect();
            assert_eq!(paths, expected, "{old} {new}");
        }
    }
}
