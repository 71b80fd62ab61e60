//! Forms in which equal meanings are equal, so that "no changes" means no changes.
//!
//! Colours are compared in upper-case six digits, lists whose order means nothing are sorted, numbers are
//! compared by value, text that means the same in upper and lower case so, a mark of the
//! owner counts as nothing, and a field that is absent or `null` counts as the platform's default.

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

/// The form of a field's value in which equal meanings are equal.
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

/// Whether two values of a field mean the same.
pub fn equal(kind: ObjectKind, path: &str, a: Option<&Value>, b: Option<&Value>) -> bool {
    // What is the same to begin with has the same form; in a fleet at rest that is nearly every field.
    a == b || value(kind, path, a) == value(kind, path, b)
}

/// Whether two whole configurations mean the same.
pub fn same(kind: ObjectKind, a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    a == b || (covers(kind, a, b) && covers(kind, b, a))
}

/// Whether everything that one says stands in the other too.
pub fn covers(kind: ObjectKind, one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    let mut all = true;
    json::leaves(one, &mut |path, leaf| {
        all = all
            && (kind.fields().server.contains(&path)
                || equal(kind, path, Some(leaf), json::at_dotted(other, path)));
    });
    all
}

/// Numbers in the shortest spelling of the same value: `16.0` and `16` are one number, `1.10` and `1.1` too.
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
    // Only plain decimals are shortened; an exponent keeps its spelling, which at worst shows a change.
    if !text.contains('.') || text.contains(['e', 'E']) {
        return number.clone();
    }
    let trimmed = text.trim_end_matches('0').trim_end_matches('.');
    trimmed.parse().unwrap_or_else(|_| number.clone())
}
