//! Canonical forms of values, so that values with the same meaning cause no change.
//!
//! Colours become six upper-case digits. Lists whose order means nothing are sorted. Numbers are compared by
//! value. Case-insensitive text is compared in lower case. The mark of an owner is removed. A field that is
//! absent or `null` has the platform's default.

use serde_json::{Map, Number, Value};

use crate::model::colour::Colour;
use crate::model::{ObjectKind, json, mark};

fn is_colour(kind: ObjectKind, path: &str) -> bool {
    let last = path.rsplit('.').next().unwrap_or_default();
    kind.fields().colours.iter().any(|colour| match colour.strip_prefix('*') {
        Some(part) => last.contains(part),
        None => *colour == path,
    })
}

/// Returns the canonical form of a field's value.
pub fn value(kind: ObjectKind, path: &str, value: Option<&Value>) -> Value {
    let value = match value {
        None | Some(Value::Null) => return default(kind, path),
        Some(value) => value,
    };
    if let Some(colour) = value.as_str().filter(|_| is_colour(kind, path)).and_then(Colour::parse) {
        return Value::String(colour.hex());
    }
    if let Some(text) = value.as_str().filter(|_| kind.fields().mark == Some(path)) {
        return match mark::split(text).0 {
            "" => default(kind, path),
            plain => plain.into(),
        };
    }
    let mut value = numbers(value);
    if kind.fields().caseless.contains(&path) {
        to_lower_case(&mut value);
    }
    if let Value::Array(items) = &mut value
        && kind.fields().sets.contains(&path)
    {
        items.sort_by_key(json::canonical_bytes);
        items.dedup();
    }
    value
}

fn to_lower_case(value: &mut Value) {
    match value {
        Value::String(text) => *text = text.to_lowercase(),
        Value::Array(items) => items.iter_mut().for_each(to_lower_case),
        Value::Object(map) => map.values_mut().for_each(to_lower_case),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn default(kind: ObjectKind, path: &str) -> Value {
    let text = kind.fields().defaults.iter().find(|(field, _)| *field == path).map(|(_, text)| *text);
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null)
}

/// Returns whether two values of a field mean the same.
pub fn equal(kind: ObjectKind, path: &str, a: Option<&Value>, b: Option<&Value>) -> bool {
    // Identical values need no canonical form; this is the common case.
    a == b || value(kind, path, a) == value(kind, path, b)
}

/// Returns whether two bodies mean the same.
pub fn same(kind: ObjectKind, a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    a == b || (covers(kind, a, b) && covers(kind, b, a))
}

/// Returns whether every field of `one` has the same meaning in `other`.
pub fn covers(kind: ObjectKind, one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    let mut all = true;
    json::leaves(one, &mut |path, leaf| {
        all = all
            && (kind.fields().server.contains(&path)
                || equal(kind, path, Some(leaf), json::at_dotted(other, path)));
    });
    all
}

/// Returns a value with all numbers in their shortest spelling: `16.0` becomes `16`, and `1.10` becomes
/// `1.1`.
fn numbers(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(shortest(number)),
        Value::Array(items) => Value::Array(items.iter().map(numbers).collect()),
        Value::Object(map) => {
            let mut entries: Vec<(String, Value)> = map
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key.clone(), numbers(value)))
                .collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().collect())
        }
        other => other.clone(),
    }
}

fn shortest(number: &Number) -> Number {
    let text = number.to_string();
    // A number with an exponent keeps its spelling. In the worst case, this shows a change that is none.
    if !text.contains('.') || text.contains(['e', 'E']) {
        return number.clone();
    }
    let trimmed = text.trim_end_matches('0').trim_end_matches('.');
    trimmed.parse().unwrap_or_else(|_| number.clone())
}
