//! Writes the live configuration as a manifest that reads back as the same value.
//!
//! In: a kind, a name, a body in the form of manifests, comments. Out: YAML with the schema's line on top.
//! Never: writes a text that a parser would read as a truth value, a number or a time.

use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};
use serde_json::{Map, Value, json};

use super::kinds::Kind;

/// A document to write.
#[derive(Debug, Clone)]
pub struct Document<'a> {
    /// Its kind.
    pub kind: Kind,
    /// Its name in `metadata`.
    pub name: &'a str,
    /// Its spec, in the form of manifests.
    pub spec: &'a Map<String, Value>,
    /// The path from the file to the parent of the folder `schemas`, such as `../../`.
    pub up: &'a str,
    /// The comments above it, one for each line.
    pub comments: &'a [String],
}

/// Returns a document as YAML.
///
/// # Errors
/// The YAML library cannot write it; the error is its message.
pub fn text(document: &Document<'_>) -> Result<String, String> {
    let Document { kind, name, spec, up, comments } = document;
    let mut out = format!("# yaml-language-server: $schema={up}schemas/{}\n", kind.schema_file());
    for comment in *comments {
        // Comments contain names from other users: a line break in a name must not end the comment.
        let line: String = comment.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        out.push_str(&format!("# {}\n", line.trim_end()));
    }
    let document = json!({
        "apiVersion": "genesync/v1alpha1",
        "kind": kind.name(),
        "metadata": {"name": name},
        "spec": spec,
    });
    out.push_str(&serde_saphyr::to_string(&Plain(&document)).map_err(|error| error.to_string())?);
    if !out.ends_with('\n') {
        out.push('\n');
    }
    Ok(out)
}

/// A JSON value that serializes numbers as numbers: with arbitrary precision, `serde_json` serializes them as
/// maps.
struct Plain<'a>(&'a Value);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::String(text) => serializer.serialize_str(text),
            Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(number), _, _) => serializer.serialize_i64(number),
                (None, Some(number), _) => serializer.serialize_u64(number),
                (None, None, Some(number)) => serializer.serialize_f64(number),
                (None, None, None) => serializer.serialize_str(&number.to_string()),
            },
            Value::Array(items) => {
                let mut seq = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    seq.serialize_element(&Plain(item))?;
                }
                seq.end()
            }
            Value::Object(map) => {
                let mut entries = serializer.serialize_map(Some(map.len()))?;
                for (key, value) in map {
                    entries.serialize_entry(key, &Plain(value))?;
                }
                entries.end()
            }
        }
    }
}

/// Returns a name for `metadata` from a name of the platform: `Acme Web (DE)` becomes `acme-web-de`.
pub fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' => slug.push(c),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
        if slug.len() >= 50 {
            break;
        }
    }
    let slug = slug.trim_matches('-').to_owned();
    if slug.is_empty() { "unnamed".into() } else { slug }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::yaml::compose;
    use super::*;
    use crate::model::ObjectKind;

    fn read_back(spec: &Map<String, Value>, comments: &[String]) -> Value {
        let kind = Kind::Object(ObjectKind::MessengerConfiguration);
        let document = Document { kind, name: "web", spec, up: "../../", comments };
        let text = text(&document).unwrap();
        assert!(
            text.starts_with("# yaml-language-server: $schema=../../schemas/messenger-configuration.json\n")
        );
        let mut read = compose(&text, 0);
        assert_eq!(read.documents.len(), 1, "{text}");
        read.documents.remove(0).get("spec").unwrap().to_json()
    }

    #[test]
    fn text_that_looks_like_another_type_reads_back_as_text() {
        let spec = json!({
            "visibility": "Off", "country": "NO", "time": "12:30", "octal": "0755", "empty": "", "null": null,
            "colour": "#0B3D91", "lines": "a\nb\n", "number": 12, "half": 0.5, "text": "12", "big": 999_999_999_999_999_u64,
            "list": [], "map": {}, "deep": [{"key": "y", "value": ["~", "a: b", "- c", "\u{202e}x"]}],
            "quotes": "it's \"this\"", "emoji": "👋", "tilde": "~", "space": " a ",
        });
        let spec = spec.as_object().unwrap();
        let comments = ["a name with\na line break".to_owned()];
        assert_eq!(read_back(spec, &comments), Value::Object(spec.clone()));
    }

    proptest! {
        #[test]
        fn any_text_reads_back_as_itself(key in "[a-zA-Z][a-zA-Z0-9]{0,8}", value in "\\PC{0,40}") {
            let spec = Map::from_iter([(key, Value::String(value))]);
            prop_assert_eq!(read_back(&spec, &[]), Value::Object(spec));
        }
    }

    #[test]
    fn a_slug_is_a_name() {
        for (name, expected) in [
            ("Acme Web (DE)", "acme-web-de"),
            ("  ", "unnamed"),
            ("Ünï", "n"),
            ("---a--b---", "a-b"),
            ("日本", "unnamed"),
        ] {
            assert_eq!(slug(name), expected, "{name}");
        }
        assert!(slug(&"long ".repeat(40)).len() <= 50);
    }
}
