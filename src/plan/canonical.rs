//! Forms in which equal meanings are equal, so that "no changes" means no changes.
//!
//! Colours are compared in upper-case six digits, lists whose order means nothing are sorted, numbers are
//! compared by value, and a field that is absent or `null` counts as the platform's default.

use serde_json::{Map, Number, Value};

use crate::model::colour::Colour;
use crate::model::json;

/// The platform's defaults (`webchat` contract, payload table; of a deployment, no list is an empty one).
const DEFAULTS: &[(&str, &str)] = &[
    ("widget.theme.colors.background", "\"#FFFFFF\""),
    ("widget.theme.typography.fontFamily", "\"Inter, sans-serif\""),
    ("widget.accessibility.ariaLiveRegion", "\"polite\""),
    ("greetings.delayMs", "2000"),
    ("availability.schedule", "\"always\""),
    ("features.dynamicRouting", "true"),
    ("allowedDomains", "[]"),
];

/// Fields that hold a colour.
const COLOURS: &[&str] = &["widget.theme.colors.primary", "widget.theme.colors.background"];

/// Lists whose order means nothing.
const SETS: &[&str] = &["features.audiences", "availability.rules", "allowedDomains"];

/// Fields that the server adds to a configuration and ignores in a write.
pub const SERVER_FIELDS: &[&str] = &["version", "dateModified", "modifiedBy"];

/// Colours of the `cloud` dialect are named so: `messenger.styles.primaryColor`, `primaryColorDark`.
fn is_colour(path: &str) -> bool {
    COLOURS.contains(&path) || path.rsplit('.').next().is_some_and(|last| last.contains("Color"))
}

/// The form of a field's value in which equal meanings are equal.
pub fn value(path: &str, value: Option<&Value>) -> Value {
    let value = match value {
        None | Some(Value::Null) => return default(path),
        Some(value) => value,
    };
    if let Some(colour) = value.as_str().filter(|_| is_colour(path)).and_then(Colour::parse) {
        return Value::String(colour.hex());
    }
    let mut value = numbers(value);
    if let Value::Array(items) = &mut value
        && SETS.contains(&path)
    {
        items.sort_by_key(json::canonical_bytes);
        items.dedup();
    }
    value
}

fn default(path: &str) -> Value {
    let text = DEFAULTS.iter().find(|(field, _)| *field == path).map(|(_, text)| *text);
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null)
}

/// Whether two values of a field mean the same.
pub fn equal(path: &str, a: Option<&Value>, b: Option<&Value>) -> bool {
    // What is the same to begin with has the same form; in a fleet at rest that is nearly every field.
    a == b || value(path, a) == value(path, b)
}

/// Whether two whole configurations mean the same.
pub fn same(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    a == b || (covers(a, b) && covers(b, a))
}

/// Whether everything that one says stands in the other too.
pub fn covers(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    let mut all = true;
    json::leaves(one, &mut |path, leaf| {
        all = all && (SERVER_FIELDS.contains(&path) || equal(path, Some(leaf), json::at_dotted(other, path)));
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
