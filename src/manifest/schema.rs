//! The JSON Schemas of the kinds, and the check of a document against them.
//!
//! In: the Rust types; a document. Out: the committed schema files; findings without a place yet.
//! Schemas are draft 2020-12, compiled once for each kind.
//!
//! Never: fetches a schema, or knows the place of a finding. Start reading at [`schema()`] for the files and
//! [`check`] for the findings.

mod meant;
mod violation;

use std::sync::OnceLock;

use jsonschema::{Draft, PatternOptions, ValidationOptions, Validator};
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::in_place::Tree;
use super::kinds::Kind;
use super::kinds::documents;
use super::yaml::Node;
use crate::model::{Dialect, ObjectKind};
pub use meant::{is_spelling_of, nearest};
pub use violation::{Violation, check};

/// Returns the schema of a kind, as committed under `schemas/`.
pub fn schema(kind: Kind) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = documents::schema(kind, settings.into_generator());
    let id = format!("https://genesync.example/schemas/{}", kind.schema_file());
    schema.insert("$id".into(), Value::String(id));
    // A `const` instead of an `enum` with one value identifies the document's kind.
    if let Some(word) = schema.pointer_mut("/properties/kind").and_then(Value::as_object_mut) {
        word.remove("enum");
        word.insert("const".into(), kind.name().into());
    }
    schema.to_value()
}

pub(super) fn validator(kind: Kind) -> Option<&'static Validator<Tree>> {
    // Each is compiled on its first use, because a repository rarely has documents of every kind.
    static COMPILED: [OnceLock<Option<Validator<Tree>>>; Kind::ALL.len()] =
        [const { OnceLock::new() }; Kind::ALL.len()];
    let compile = || {
        ValidationOptions::<'_, _, Tree>::default()
            .with_draft(Draft::Draft202012)
            .with_pattern_options(PatternOptions::regex())
            .build(&schema(kind))
            .ok()
    };
    let index = Kind::ALL.iter().position(|candidate| *candidate == kind)?;
    COMPILED.get(index)?.get_or_init(compile).as_ref()
}

/// Whether the schema of a kind accepts a document: cheaper than [`check`].
pub fn accepts(kind: Kind, document: &Node) -> bool {
    validator(kind).is_some_and(|validator| validator.is_valid(document))
}

/// Whether the Rust type of a kind accepts a document. It accepts exactly the documents that the schema
/// accepts; a test mutates documents and compares the two.
pub fn reads(kind: Kind, document: &Node) -> bool {
    documents::reads(kind, document)
}

/// Returns the dotted paths of every section and field of a dialect's objects, as the platform stores them. A
/// path that ends in `.*` matches any name.
pub fn fields(dialect: Dialect) -> &'static [String] {
    /// Fields of genesync that no live object has.
    const NEVER_SENT: &[&str] = &["extends", "exclusive", "name", "signatureSecret", "availability.timeZone"];
    fn walk(section: &Value, path: &str, all: &mut Vec<String>) {
        for (key, below) in section.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            if NEVER_SENT.contains(&path.as_str()) {
                continue;
            }
            walk(below, &path, all);
            if below.get("additionalProperties").is_some_and(Value::is_object) {
                all.push(format!("{path}.*"));
            }
            all.push(path);
        }
    }
    let of = |dialect: Dialect| {
        let mut all = Vec::new();
        for kind in ObjectKind::ALL.iter().filter(|kind| kind.dialect() == dialect) {
            if let Some(spec) = schema(Kind::Object(*kind)).pointer("/properties/spec") {
                walk(spec, "", &mut all);
            }
        }
        all
    };
    static OF_EACH: [OnceLock<Vec<String>>; Dialect::ALL.len()] =
        [const { OnceLock::new() }; Dialect::ALL.len()];
    let index = Dialect::ALL.iter().position(|known| *known == dialect);
    index.and_then(|index| OF_EACH.get(index)).map_or(&[], |fields| fields.get_or_init(|| of(dialect)))
}

/// Returns the schema of a section or a field, by its keys from the root of the document. Items of lists and
/// entries of open maps have no key.
pub fn section<'a>(kind: Kind, keys: impl Iterator<Item = &'a str>) -> Option<Value> {
    fn inside(mut section: &Value) -> &Value {
        while let Some(items) = section.get("items") {
            section = items;
        }
        section
    }
    let whole = schema(kind);
    let mut found = &whole;
    for key in keys {
        let section = inside(found);
        let named = section.get("properties").and_then(|properties| properties.get(key));
        found = named.or_else(|| section.get("additionalProperties").filter(|open| open.is_object()))?;
    }
    Some(inside(found).clone())
}

/// Whether objects of a dialect have a section or a field at this dotted path.
pub fn has_field(dialect: Dialect, path: &str) -> bool {
    fields(dialect).iter().any(|field| match field.strip_suffix('*') {
        Some(section) => path.strip_prefix(section).is_some_and(|name| !name.is_empty()),
        None => field == path,
    })
}
