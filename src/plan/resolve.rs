//! References: what a name in git means in one organization.
//!
//! In: what git says of a [`Resource`], and what its organization holds. Out: the same with ids, and what could not
//! be found. Never: guesses between two things of one name, or takes the newest version for the right one.
//! Start reading at [`desired`].

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::diff;
use crate::model::reference::{Named, Names, Reference, ReferenceKind};
use crate::model::{Cloud, Desired, Object, ObjectKind, Observed, Pinned, Resource, Stored};

/// What is known of one organization.
#[derive(Debug, Clone, Copy)]
pub struct Organization<'a> {
    /// What git says of its objects.
    pub resources: &'a [Resource],
    /// What they were seen to be, in the same order.
    pub observed: &'a [Observed],
    /// What goes by the names that were looked up.
    pub names: &'a Names,
}

/// How a reference stands in a body.
#[derive(Clone, Copy)]
enum Form {
    /// `{name}`, which becomes `{id}`.
    One,
    /// `[{name, …}]`, of which each becomes `{id, …}`.
    Many,
    /// `{name}`, which becomes the id alone under another name.
    IdAs(&'static str),
}

/// Where references stand: the public API's models of these three kinds.
const SPOTS: &[(ObjectKind, &[&str], &str, ReferenceKind, Form)] = &[
    (
        ObjectKind::MessengerConfiguration,
        &["messenger", "apps", "knowledge"],
        "knowledgeBase",
        ReferenceKind::KnowledgeBase,
        Form::One,
    ),
    (
        ObjectKind::MessengerConfiguration,
        &["supportCenter"],
        "knowledgeBase",
        ReferenceKind::KnowledgeBase,
        Form::One,
    ),
    (
        ObjectKind::MessengerConfiguration,
        &["authenticationSettings"],
        "integration",
        ReferenceKind::Integration,
        Form::IdAs("integrationId"),
    ),
    (ObjectKind::MessengerDeployment, &[], "flow", ReferenceKind::Flow, Form::One),
    (ObjectKind::MessengerDeployment, &[], "supportedContent", ReferenceKind::SupportedContent, Form::One),
    (ObjectKind::MessengerDeployment, &[], "pushIntegrations", ReferenceKind::Integration, Form::Many),
    (
        ObjectKind::OpenMessagingIntegration,
        &[],
        "supportedContent",
        ReferenceKind::SupportedContent,
        Form::One,
    ),
    (
        ObjectKind::OpenMessagingIntegration,
        &[],
        "messagingSetting",
        ReferenceKind::MessagingSetting,
        Form::One,
    ),
];

fn name_of(value: &Value) -> Option<&str> {
    value.get("name").and_then(Value::as_str)
}

/// Everything that has to be looked up by name in an organization before these can be compared.
pub fn references(resources: &[Resource]) -> BTreeSet<Reference> {
    let mut found = BTreeSet::new();
    let reference = |kind, value: &Value| name_of(value).map(|name| Reference { kind, name: name.into() });
    for resource in resources {
        for (_, path, field, kind, form) in SPOTS.iter().filter(|spot| spot.0 == resource.object.kind) {
            let Some(value) = section(&resource.desired.body, path).and_then(|map| map.get(*field)) else {
                continue;
            };
            match form {
                Form::Many => {
                    found.extend(
                        value.as_array().into_iter().flatten().filter_map(|item| reference(*kind, item)),
                    );
                }
                Form::One | Form::IdAs(_) => found.extend(reference(*kind, value)),
            }
        }
        if let Some(name) = configuration_of(resource)
            && !resources.iter().any(|known| is_configuration(&known.object, name))
        {
            found.insert(Reference { kind: ReferenceKind::Configuration, name: name.into() });
        }
    }
    found
}

fn section<'a>(body: &'a Map<String, Value>, path: &[&str]) -> Option<&'a Map<String, Value>> {
    path.iter().try_fold(body, |map, key| map.get(*key)?.as_object())
}

fn section_mut<'a>(body: &'a mut Map<String, Value>, path: &[&str]) -> Option<&'a mut Map<String, Value>> {
    path.iter().try_fold(body, |map, key| map.get_mut(*key)?.as_object_mut())
}

/// The name of the configuration that a deployment serves.
fn configuration_of(resource: &Resource) -> Option<&str> {
    let deployment = resource.object.kind == ObjectKind::MessengerDeployment;
    name_of(resource.desired.body.get("configuration").filter(|_| deployment)?)
}

fn is_configuration(object: &Object, name: &str) -> bool {
    object.kind == ObjectKind::MessengerConfiguration && &*object.name == name
}

/// What git says of the n-th object, with ids in place of names; besides, what could not be found.
pub fn desired<'a>(at: usize, known: Organization<'a>) -> (Cow<'a, Desired>, Vec<String>) {
    let Some(resource) = known.resources.get(at) else { return (Cow::Owned(Desired::nothing()), Vec::new()) };
    if resource.object.is_web_messaging() {
        return (Cow::Borrowed(&resource.desired), Vec::new());
    }
    let mut body = Map::clone(&resource.desired.body);
    let mut problems = Vec::new();
    let mut find = |kind, name: &str| match one(known.names, kind, name) {
        Ok(named) => Some(named.id.to_string()),
        Err(problem) => {
            problems.push(problem);
            None
        }
    };
    for (_, path, field, kind, form) in SPOTS.iter().filter(|spot| spot.0 == resource.object.kind) {
        let Some(section) = section_mut(&mut body, path) else { continue };
        let Some(value) = section.get_mut(*field) else { continue };
        match form {
            Form::One => {
                if let Some(id) = name_of(value).and_then(|name| find(*kind, name)) {
                    *value = json!({ "id": id });
                }
            }
            Form::Many => {
                for item in value.as_array_mut().into_iter().flatten() {
                    let id = name_of(item).and_then(|name| find(*kind, name));
                    if let (Some(id), Some(map)) = (id, item.as_object_mut()) {
                        map.shift_remove("name");
                        map.insert("id".into(), id.into());
                    }
                }
            }
            Form::IdAs(other) => {
                let id = name_of(value).map(|name| find(*kind, name));
                let null = value.is_null();
                if null || id.is_some() {
                    section.shift_remove(*field);
                    section.insert((*other).into(), id.flatten().map_or(Value::Null, Value::String));
                }
            }
        }
    }
    if let Some(name) = configuration_of(resource) {
        match pin(at, name, known) {
            Ok(pin) => {
                body.insert("configuration".into(), pin);
            }
            Err(problem) => problems.push(problem),
        }
    }
    (Cow::Owned(Desired { body: Arc::new(body), ..resource.desired.clone() }), problems)
}

fn one<'a>(names: &'a Names, kind: ReferenceKind, name: &str) -> Result<&'a Named, String> {
    let reference = Reference { kind, name: name.into() };
    match names.get(&reference).map(Vec::as_slice) {
        Some([named]) => Ok(named),
        None | Some([]) => Err(format!("there is no {reference}")),
        Some(several) => {
            let ids: Vec<&str> = several.iter().map(|named| &*named.id).collect();
            Err(format!("{} things go by the name of {reference}: {}", several.len(), ids.join(", ")))
        }
    }
}

/// Which version of a configuration a deployment is to pin.
///
/// The one that it pins already, as long as that says what git says: somebody may have published a newer one, or
/// gone back to an older one, in fields that git leaves alone. Else the newest, which says it, or will once it
/// is published: then its number is the next.
fn pin(at: usize, name: &str, known: Organization<'_>) -> Result<Value, String> {
    let index = known.resources.iter().position(|resource| is_configuration(&resource.object, name));
    let Some(index) = index else {
        let named = one(known.names, ReferenceKind::Configuration, name)?;
        let pinned = pinned_of(at, known, &named.id).and_then(|pinned| pinned.version);
        let version = pinned.or(named.version).ok_or_else(|| {
            format!("messenger configuration `{name}` was never published, and git says nothing of it")
        })?;
        return Ok(json!({"id": &*named.id, "version": version.to_string()}));
    };
    let observed = known.observed.get(index).unwrap_or(&Observed::Absent);
    let Observed::Present(stored) = observed else { return Ok(json!({"id": "", "version": "1"})) };
    let id = stored.id().map(ToString::to_string).unwrap_or_default();
    let (wanted, _) = desired(index, known);
    let says_it = |body: Arc<Map<String, Value>>| {
        let there = Observed::Present(Stored::new(stored.version, body));
        diff::changes(&wanted, &there, &super::Evidence::default()).0.is_empty()
    };
    if let Some(Pinned { version: Some(version), body: Some(body) }) = pinned_of(at, known, &id)
        && says_it(Arc::clone(body))
    {
        return Ok(json!({"id": id, "version": version.to_string()}));
    }
    let newest_says_it = stored.version > 0 && says_it(Arc::clone(&stored.body));
    let version = if newest_says_it { stored.version } else { stored.version + 1 };
    Ok(json!({"id": id, "version": version.to_string()}))
}

/// What a deployment pins, where that is a version of this configuration.
fn pinned_of<'a>(at: usize, known: Organization<'a>, id: &str) -> Option<&'a Pinned> {
    let Some(Observed::Present(Stored { body, cloud: Some(cloud), .. })) = known.observed.get(at) else {
        return None;
    };
    let Cloud { pinned, .. } = &**cloud;
    let same = body.get("configuration")?.get("id")?.as_str()? == id;
    pinned.as_ref().filter(|_| same)
}
