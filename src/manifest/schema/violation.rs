//! Turns the errors of the schema validator into messages for the author of a document.

use std::collections::BTreeSet;

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value;

use super::meant::{fixed, is_surely, nearest, plain};
use super::{schema, validator};
use crate::manifest::kinds::Kind;
use crate::manifest::yaml::{Node, shown};
use crate::model::secret::is_telling;

/// Limit of the violations reported for one document.
const VIOLATIONS_MAX: usize = 50;
/// The platform's field that a manifest cannot have, because its value is a secret.
const SECRET_TOKEN: &str = "outboundNotificationWebhookSignatureSecretToken";

/// One violation of a schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// JSON pointer of the value, or of the map that lacks a field or has an unknown one.
    pub pointer: String,
    /// The unknown or invalid key, if there is one.
    pub key: Option<String>,
    /// One sentence without a full stop.
    pub message: String,
    /// What the author has to do.
    pub help: Option<String>,
    /// The value or key that was probably meant, if there is one.
    pub suggestion: Option<String>,
}

/// Returns all violations of a kind's schema in a document.
pub fn check(kind: Kind, document: &Node) -> Vec<Violation> {
    let Some(validator) = validator(kind) else { return Vec::new() };
    let errors: Vec<_> = validator.iter_errors(document).take(VIOLATIONS_MAX).collect();
    let is_pattern =
        |error: &ValidationError<'_>| matches!(error.kind(), ValidationErrorKind::Pattern { .. });
    let is_length =
        |error: &ValidationError<'_>| matches!(error.kind(), ValidationErrorKind::MaxLength { .. });
    // A text that breaks its pattern often also breaks its length; only the pattern is reported.
    let malformed: BTreeSet<String> = errors
        .iter()
        .filter(|error| is_pattern(error))
        .map(|error| error.instance_path().to_string())
        .collect();
    let reported = errors
        .iter()
        .filter(|error| !is_length(error) || !malformed.contains(error.instance_path().as_str()));
    reported.flat_map(|error| explain(kind, document, error)).take(VIOLATIONS_MAX).collect()
}

fn explain(kind: Kind, document: &Node, error: &ValidationError<'_>) -> Vec<Violation> {
    let pointer = error.instance_path().to_string();
    let one = |message: String, help: Option<String>| {
        vec![Violation { pointer: pointer.clone(), key: None, message, help, suggestion: None }]
    };
    let malformed = |message: String, otherwise: Option<String>| {
        let suggestion = document.pointer(&pointer).and_then(|node| fixed(kind, error, node));
        let help = otherwise.filter(|_| suggestion.is_none());
        vec![Violation { pointer: pointer.clone(), key: None, message, help, suggestion }]
    };
    let value = error.instance();
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let known = siblings(kind, error);
            let elsewhere = |key: &str| elsewhere(kind, &pointer, key);
            let unknown = |key: &String| unknown(&pointer, key, &known, elsewhere(key));
            unexpected.iter().take(VIOLATIONS_MAX).map(unknown).collect()
        }
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            one(format!("`{name}` is missing"), Some(format!("add `{name}:` here")))
        }
        ValidationErrorKind::Type { kind } => {
            let expected = expected(kind);
            let help = (expected == "text" && value.is_object())
                .then(|| "put text with a colon in quotes".to_owned());
            malformed(format!("this must be {expected}, not {}", found(value)), help)
        }
        ValidationErrorKind::Enum { options } => {
            let words: Vec<&str> =
                options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            choose(&pointer, value, &words)
        }
        ValidationErrorKind::Constant { expected_value } => {
            let word = expected_value.as_str().unwrap_or_default();
            one(format!("this must be `{word}`"), None)
        }
        ValidationErrorKind::Pattern { .. } => {
            let section = parent(kind, error).unwrap_or_default();
            malformed(formless(&pointer, value, &section), described(&section))
        }
        ValidationErrorKind::PropertyNames { error: inner } => {
            let key = inner.instance().as_str().unwrap_or_default().to_owned();
            vec![Violation {
                pointer,
                message: format!("`{}` is not a valid name here", shown(&key)),
                key: Some(key),
                help: Some(
                    "use letters, digits, dashes, dots and underscores, starting with a letter".into(),
                ),
                suggestion: None,
            }]
        }
        other => {
            let otherwise = || format!("this breaks the schema's `{}`", other.keyword());
            one(out_of_bounds(other, value).unwrap_or_else(otherwise), None)
        }
    }
}

/// Returns the message for a text that does not match the pattern of its section.
fn formless(pointer: &str, value: &Value, section: &Value) -> String {
    let form = section.get("title").and_then(Value::as_str).unwrap_or("in the required format");
    let is_secret = is_telling(pointer.rsplit('/').next().unwrap_or_default());
    match value.as_str().unwrap_or_default() {
        // People paste the secret itself where its name belongs, so the value is not shown.
        _ if is_secret => format!("this is not {form}"),
        "" => format!("this is empty instead of {form}"),
        text => format!("`{}` is not {form}", shown(text)),
    }
}

/// Returns the message for a value that is too long, too many, too small or too large. Returns none for other
/// errors.
fn out_of_bounds(broken: &ValidationErrorKind, value: &Value) -> Option<String> {
    let characters = || value.as_str().map_or(0, |text| text.chars().count());
    let items = || value.as_array().map_or(0, Vec::len);
    let number = || shown(&value.to_string());
    match broken {
        ValidationErrorKind::MaxLength { limit } => {
            Some(format!("this has {} characters, but {limit} are allowed", characters()))
        }
        ValidationErrorKind::MinItems { limit } => Some(format!("this list needs at least {limit} item(s)")),
        ValidationErrorKind::MaxItems { limit } => {
            Some(format!("this list has {} items, but {limit} are allowed", items()))
        }
        ValidationErrorKind::MaxProperties { limit } => Some(format!("this has more than {limit} entries")),
        ValidationErrorKind::Minimum { limit } => Some(format!("{} is less than {limit}", number())),
        ValidationErrorKind::Maximum { limit } => Some(format!("{} is more than {limit}", number())),
        _ => None,
    }
}

/// Returns the place where a field of this name belongs: in the same document, or else in one of another
/// kind.
fn elsewhere(kind: Kind, pointer: &str, key: &str) -> Option<String> {
    let own = sections(&schema(kind), key);
    let place = |section: &str| match section {
        "" => "at the top of the document".to_owned(),
        section => format!("under `{section}`"),
    };
    if !own.is_empty() {
        let few = own.len() <= PLACES_MAX;
        return few.then(|| {
            let places: Vec<String> = own.iter().map(|section| place(section)).collect();
            format!("`{}` belongs {}", shown(key), places.join(" or "))
        });
    }
    // A field that all kinds have is not a hint to another kind.
    let is_top = |section: &&String| section.as_str() == "spec";
    let of = |other: &Kind| sections(&schema(*other), key).iter().any(|section| is_top(&section));
    let kinds: Vec<&str> = Kind::ALL.iter().filter(|other| of(other)).map(|other| other.name()).collect();
    let is_few = !kinds.is_empty() && kinds.len() <= PLACES_MAX && pointer == "/spec";
    is_few.then(|| format!("`{}` belongs under `spec` of a {}", shown(key), kinds.join(" or a ")))
}

/// Limit of the places that a help names for one field.
const PLACES_MAX: usize = 3;

/// Returns the sections of a document that have a field of this name, as dotted paths; `[]` means each item
/// of a list.
fn sections(schema: &Value, key: &str) -> Vec<String> {
    fn walk(section: &Value, path: &str, key: &str, found: &mut Vec<String>) {
        if let Some(items) = section.get("items") {
            return walk(items, &format!("{path}[]"), key, found);
        }
        for (name, below) in section.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if name == key {
                found.push(path.to_owned());
            }
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            walk(below, &path, key, found);
        }
    }
    let mut found = Vec::new();
    walk(schema, "", key, &mut found);
    found
}

fn unknown(pointer: &str, key: &str, known: &[String], elsewhere: Option<String>) -> Violation {
    let suggestion = nearest(key, known.iter().map(String::as_str)).filter(|_| elsewhere.is_none());
    let help = match &suggestion {
        _ if elsewhere.is_some() => elsewhere.unwrap_or_default(),
        Some(word) => format!("did you mean `{word}`?"),
        None if key == "id" && known.iter().any(|field| field == "name") => {
            "write `name` instead, because ids differ between organizations".into()
        }
        None if key == SECRET_TOKEN => {
            "write `signatureSecret` with the name under which the operator keeps the secret: a repository contains no secrets".into()
        }
        None => format!("use one of the fields: {}", known.join(", ")),
    };
    Violation {
        pointer: pointer.to_owned(),
        key: Some(key.to_owned()),
        message: format!("there is no field `{}` here", shown(key)),
        help: Some(help),
        suggestion,
    }
}

fn choose(pointer: &str, value: &Value, words: &[&str]) -> Vec<Violation> {
    let Some(text) = value.as_str() else { return Vec::new() };
    // Any other word is similar to a word of two or three letters.
    let suggestion =
        nearest(text, words.iter().copied()).filter(|word| text.len() > 3 || is_surely(text, word));
    let help = match &suggestion {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("use one of: {}", words.join(", ")),
    };
    vec![Violation {
        pointer: pointer.to_owned(),
        key: None,
        message: format!("`{}` is not one of the allowed values", shown(text)),
        help: Some(help),
        suggestion: suggestion.filter(|word| is_surely(text, word)).map(|word| plain(&word)),
    }]
}

/// Returns the names of the properties that the schema has at the place of the error.
fn siblings(kind: Kind, error: &ValidationError<'_>) -> Vec<String> {
    parent(kind, error)
        .and_then(|schema| schema.get("properties").and_then(Value::as_object).cloned())
        .map(|properties| properties.keys().cloned().collect())
        .unwrap_or_default()
}

/// Returns the schema's description of a value, with examples.
fn described(section: &Value) -> Option<String> {
    let description = section.get("description").and_then(Value::as_str).unwrap_or_default();
    let examples: Vec<String> = section
        .get("examples")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|example| format!("`{}`", example.as_str().unwrap_or_default()))
        .collect();
    let text = match examples.as_slice() {
        [] => description.to_owned(),
        examples => format!("{description} For example: {}", examples.join(", ")),
    };
    (!text.is_empty()).then_some(text)
}

/// Returns the schema object whose keyword failed.
pub(super) fn parent(kind: Kind, error: &ValidationError<'_>) -> Option<Value> {
    let path = error.schema_path().to_string();
    let (path, _) = path.rsplit_once('/')?;
    schema(kind).pointer(path).cloned()
}

fn expected(kind: &TypeKind) -> String {
    let word = |kind: &str| match kind {
        "string" => "text".to_owned(),
        "object" => "a map".to_owned(),
        "array" => "a list".to_owned(),
        "boolean" => "`true` or `false`".to_owned(),
        "integer" => "a whole number".to_owned(),
        "number" => "a number".to_owned(),
        other => format!("`{other}`"),
    };
    match kind {
        TypeKind::Single(single) => word(single.as_str()),
        TypeKind::Multiple(set) => set
            .iter()
            .map(|single| single.as_str())
            .filter(|single| *single != "null")
            .map(word)
            .collect::<Vec<_>>()
            .join(" or "),
    }
}

fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
