//! Merges a patch into a JSON document, and compares two documents property by property.
//!
//! In: documents. Out: a new document, or a list of [`Change`]s. Never: interprets a property.

use serde::Serialize;
use serde_json::{Map, Value};

/// One property that changed; `null` means that the property is absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The dotted path of the property.
    pub property: String,
    /// The old value.
    pub old_value: Value,
    /// The new value.
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

/// Lists the changes by dotted path: first the properties of the old document, in its order, then new
/// properties. A list is one property. An object is also one property if it has no members or replaces a
/// value that is not an object.
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
