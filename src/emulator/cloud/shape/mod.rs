//! Checks the structure of request bodies.
//!
//! In: a body. Out: the missing and the invalid fields. Never: refuses an unknown field, because the
//! platform's models grow; the emulator stores unknown fields unchanged. Start reading at [`violations`];
//! `bodies` has the shapes.

pub(in crate::emulator) mod bodies;

use crate::emulator::cloud::error::Detail;
use serde_json::{Map, Value};

use Shape::{Bool, Choice, Color, Fields, List, Media, Text, Whole};

/// The shape of a value; `null` means that the value is absent.
pub(crate) enum Shape {
    Text,
    /// `#` and six hexadecimal digits.
    Color,
    /// A media type such as `image/png`, all subtypes as in `image/*`, or `*/*` for all types.
    Media,
    Bool,
    /// A whole number from the first to the second value.
    Whole(i64, i64),
    Choice(&'static [&'static str]),
    List(&'static Shape),
    Fields(&'static [(&'static str, Shape)]),
    /// A required value of the other shape.
    Needed(&'static Shape),
}

use Shape::Needed;

/// Lists the fields of a body that break its shape.
pub(crate) fn violations(body: &Map<String, Value>, shape: &Shape) -> Vec<Detail> {
    let mut found = Vec::new();
    if let Fields(fields) = shape {
        check_fields("", body, fields, &mut found);
    }
    found
}

fn check_fields(path: &str, body: &Map<String, Value>, fields: &[(&str, Shape)], found: &mut Vec<Detail>) {
    for (name, shape) in fields {
        let path = if path.is_empty() { (*name).to_owned() } else { format!("{path}.{name}") };
        match body.get(*name) {
            None | Some(Value::Null) => {
                if matches!(shape, Needed(_)) {
                    found.push(Detail::new(path, "is required"));
                }
            }
            Some(value) => check(&path, value, shape, found),
        }
    }
}

fn check(path: &str, value: &Value, shape: &Shape, found: &mut Vec<Detail>) {
    let expected = match (shape, value) {
        (Needed(inner), _) => return check(path, value, inner, found),
        (Text, Value::String(_)) | (Bool, Value::Bool(_)) => return,
        (Color, Value::String(text)) if is_color(text) => return,
        (Media, Value::String(text)) if is_media(text) => return,
        (Whole(min, max), Value::Number(number)) => match number.as_i64() {
            Some(number) if (*min..=*max).contains(&number) => return,
            _ => format!("must be a whole number from {min} to {max}"),
        },
        (Choice(choices), Value::String(text)) if choices.contains(&text.as_str()) => return,
        (List(inner), Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                check(&format!("{path}[{index}]"), item, inner, found);
            }
            return;
        }
        (Fields(fields), Value::Object(body)) => return check_fields(path, body, fields, found),
        (Text, _) => "must be a string".to_owned(),
        (Color, _) => "must be a color such as #0165A7".to_owned(),
        (Media, _) => "must be a media type such as image/png, image/* or */*".to_owned(),
        (Bool, _) => "must be a boolean".to_owned(),
        (Whole(..), _) => "must be a whole number".to_owned(),
        (Choice(choices), _) => format!("must be one of {}", choices.join(", ")),
        (List(_), _) => "must be an array".to_owned(),
        (Fields(_), _) => "must be an object".to_owned(),
    };
    found.push(Detail::new(path, expected));
}

fn is_color(text: &str) -> bool {
    let digits = text.strip_prefix('#');
    digits.is_some_and(|digits| digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Returns whether a text is a media type. Names follow RFC 6838, section 4.2; parameters are not allowed.
fn is_media(text: &str) -> bool {
    let is_name = |name: &str| {
        let rest = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        name.len() <= 127
            && name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
            && name.bytes().all(rest)
    };
    match text.split_once('/') {
        Some(("*", "*")) => true,
        Some((kind, "*")) => is_name(kind),
        Some((kind, inner)) => is_name(kind) && is_name(inner),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::emulator::cloud::shape::bodies::{DEPLOYMENT, DRAFT};
    use crate::emulator::cloud::shape::{is_media, violations};
    use serde_json::json;

    #[test]
    fn names_the_fields_that_are_missing_or_wrong() {
        for (body, shape, expected) in [
            (
                json!({"name": "n", "future": {"a": 1}, "messenger": {"enabled": true, "new": []}}),
                DRAFT,
                vec![],
            ),
            (json!({"messenger": []}), DRAFT, vec!["name", "messenger"]),
            (json!({"name": null, "languages": ["en-us", 5]}), DRAFT, vec!["name", "languages[1]"]),
            (
                json!({"name": "n", "position": {"alignment": "Top", "sideSpace": -1}}),
                DRAFT,
                vec!["position.alignment", "position.sideSpace"],
            ),
            (
                json!({"name": "n", "messenger": {"styles": {"primaryColor": "#0165A"}}}),
                DRAFT,
                vec!["messenger.styles.primaryColor"],
            ),
            (
                json!({"name": "n", "journeyEvents": {"scrollDepthEvents": [{"percentage": 101}]}}),
                DRAFT,
                vec![
                    "journeyEvents.scrollDepthEvents[0].percentage",
                    "journeyEvents.scrollDepthEvents[0].eventName",
                ],
            ),
            (
                json!({"name": "n", "authenticationSettings": {"enabled": 1}}),
                DRAFT,
                vec!["authenticationSettings.enabled", "authenticationSettings.integrationId"],
            ),
            (
                json!({"name": "n", "configuration": {"id": "c", "version": 1}}),
                DEPLOYMENT,
                vec!["configuration.version"],
            ),
        ] {
            let found = violations(body.as_object().unwrap(), &shape);
            let fields: Vec<&str> = found.iter().map(|detail| detail.field_name.as_str()).collect();
            assert_eq!(fields, expected, "{body}");
        }
    }

    #[test]
    fn media_types_are_distinguished_from_other_texts() {
        for text in ["*/*", "image/*", "image/png", "image/svg+xml", "audio/vnd.a-b"] {
            assert!(is_media(text), "{text}");
        }
        for text in
            ["", "*", "/", "image", "image/", "/png", "*/png", "a/b/c", "image/png; q=1", "a/+b", "é/a"]
        {
            assert!(!is_media(text), "{text}");
        }
        assert!(!is_media(&format!("a/{}", "b".repeat(128))));
    }
}
