//! Makes the spec of a live object, and the fields that several specs share.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::api::cloud::inventory::{Directory, Live};
use crate::manifest::schema;
use crate::model::{ObjectKind, json, mark, reference};

/// Returns the fields that two specs share.
pub(super) fn shared(one: &Map<String, Value>, other: &Map<String, Value>) -> Map<String, Value> {
    let both = |(key, value): (&String, &Value)| {
        let value = match (value, other.get(key)?) {
            (Value::Object(one), Value::Object(other)) => {
                Value::Object(Some(shared(one, other)).filter(|map| !map.is_empty())?)
            }
            (one, other) => Some(one).filter(|one| *one == other)?.clone(),
        };
        Some((key.clone(), value))
    };
    one.iter().filter_map(both).collect()
}

/// Returns a spec without the fields that its layer already has.
pub(super) fn without(spec: &Map<String, Value>, layer: &Map<String, Value>) -> Map<String, Value> {
    let rest = |(key, value): (&String, &Value)| {
        let value = match (value, layer.get(key)) {
            (value, None) => value.clone(),
            (Value::Object(own), Some(Value::Object(below))) => {
                Value::Object(Some(without(own, below)).filter(|map| !map.is_empty())?)
            }
            (own, Some(below)) => Some(own).filter(|own| *own != below)?.clone(),
        };
        Some((key.clone(), value))
    };
    spec.iter().filter_map(rest).collect()
}

/// Removes the owner's mark from a body: manifests do not name it, and it stays live.
fn without_mark(kind: ObjectKind, body: &mut Map<String, Value>) {
    let Some(field) = kind.fields().mark else { return };
    let plain = body.get(field).and_then(Value::as_str).map(|text| mark::split(text).0.to_owned());
    match plain.as_deref() {
        None => {}
        Some("") => drop(body.shift_remove(field)),
        Some(plain) => drop(body.insert(field.to_owned(), plain.into())),
    }
}

/// Returns the spec of a live object, and comments for the fields that it leaves out.
pub(super) fn spec_of(live: &Live, directory: &Directory) -> (Map<String, Value>, Vec<String>) {
    let kind = live.object.kind;
    let name_of =
        |to, id: &str| directory.names.get(&(to, id.to_owned())).filter(|name| !name.is_empty()).cloned();
    let (body, nameless) = reference::named(kind, Map::clone(&live.stored.body), name_of);
    let mut comments: Vec<String> = nameless
        .into_iter()
        .map(|what| format!("Left out, because genesync found no name for it: {what}"))
        .collect();
    // Manifests have names in place of the platform's ids.
    let whole =
        |path: &str| reference::place_at(kind, path).map_or_else(|| path.to_owned(), |at| at.path.to_owned());
    let otherwise: BTreeSet<String> = live.served_otherwise.iter().map(|path| whole(path)).collect();
    let (mut dropped, mut unknown) = (BTreeSet::new(), Vec::new());
    json::leaves(&body, &mut |path, value| {
        let field = whole(path);
        let served_otherwise = otherwise.contains(&field);
        if served_otherwise {
            comments.push(format!(
                "Left out, because version {} differs from what visitors are served: {field}",
                live.stored.version
            ));
        }
        let is_unknown = !names(kind, path);
        // A header may be a password, whatever its name.
        let header = path.starts_with("webhookHeaders");
        if header {
            comments
                .push(format!("Left out, because it may be a secret; genesync keeps the live value: {path}"));
        }
        if is_unknown && !value.is_null() {
            unknown.push(path.to_owned());
        }
        if value.is_null() || served_otherwise || is_unknown || header {
            dropped.insert(path.to_owned());
        }
    });
    let mut kept = json::pick(&body, &|path| !dropped.contains(path));
    without_mark(kind, &mut kept);
    across_midnight(&mut kept);
    both_directions(&mut kept);
    if !unknown.is_empty() {
        comments.push(format!(
            "Left out, because this build does not know it; genesync keeps the live value: {}",
            unknown.join(", ")
        ));
    }
    (kept, comments)
}

/// Sets `crossesMidnight` on hours that end before they start: manifests need it, and the platform does not
/// have it.
fn across_midnight(spec: &mut Map<String, Value>) {
    let rules = spec.get_mut("availability").and_then(|section| section.get_mut("rules"));
    for rule in rules.and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut) {
        let time = |name: &str| rule.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        if time("endTime") < time("startTime") {
            rule.insert("crossesMidnight".into(), true.into());
        }
    }
}

/// Adds an empty list for a missing media direction, which the platform blocks: manifests name both
/// directions.
fn both_directions(spec: &mut Map<String, Value>) {
    let allow = spec.get_mut("mediaTypes").and_then(|media| media.get_mut("allow")?.as_object_mut());
    let Some(allow) = allow else { return };
    for direction in ["inbound", "outbound"] {
        allow.entry(direction).or_insert_with(|| Value::Array(Vec::new()));
    }
}

/// Returns whether the manifests of a kind have a field. A reference is known by its own path.
fn names(kind: ObjectKind, path: &str) -> bool {
    let reference = || {
        reference::places(kind).any(|place| path.strip_prefix(place.path).is_some_and(|rest| rest == ".name"))
    };
    schema::has_field(kind.dialect(), path) || reference()
}
