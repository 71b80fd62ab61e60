//! Resolves references: replaces names in git by the ids of one organization.
//!
//! In: the desired state of a [`Resource`], and the observed objects of its organization. Out: the
//! desired state with ids, and the names that were not found. This module never picks one of two objects with
//! the same name, and never assumes that the newest version is the right one. Start reading at [`desired`].

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::diff;
use crate::model::reference::{
    Named, Names, Reference, ReferencePlace, bare_id, mentions, parent_mut, place_at, places,
};
use crate::model::{
    Base, Desired, Instance, Object, ObjectKind, Observed, Pinned, ReferenceKind, Resource, Stored, json,
};

/// The desired and observed state of one organization.
#[derive(Debug, Clone, Copy)]
pub struct Organization<'a> {
    /// The desired state of its objects.
    pub resources: &'a [Resource],
    /// The observed state of these objects, in the same order.
    pub observed: &'a [Observed],
    /// The objects that genesync found for each name.
    pub names: &'a Names,
}

fn name_of(value: &Value) -> Option<&str> {
    value.get("name").and_then(Value::as_str)
}

/// Returns the references that genesync has to look up by name before it can compare these resources.
pub fn references(resources: &[Resource]) -> BTreeSet<Reference> {
    let known = |reference: &Reference| managed(resources, reference.kind, &reference.name).is_some();
    let of_one = |resource: &Resource| mentions(resource.object.kind, &resource.desired.body);
    let mentioned = resources.iter().flat_map(of_one).map(|mention| mention.reference);
    mentioned.filter(|reference| !known(reference)).collect()
}

/// Returns the index of the managed object that a reference points to.
fn managed(resources: &[Resource], to: ReferenceKind, name: &str) -> Option<usize> {
    let kind = ObjectKind::referred_to(to)?;
    resources.iter().position(|known| known.object.kind == kind && &*known.object.name == name)
}

/// Returns whether the desired state of a resource refers to a managed object.
pub fn refers_to(resource: &Resource, object: &Object) -> bool {
    mentions(resource.object.kind, &resource.desired.body).iter().any(|mention| {
        let Reference { kind, name } = &mention.reference;
        ObjectKind::referred_to(*kind) == Some(object.kind) && *name == object.name
    })
}

/// Returns the reference whose published version a resource pins; none if git names none.
fn pin_of(resource: &Resource) -> Option<Pin<'_>> {
    let path = resource.object.kind.pins()?;
    let ReferencePlace { to, .. } = places(resource.object.kind).find(|place| place.path == path)?;
    Some(Pin { path, to, name: name_of(json::at_dotted(&resource.desired.body, path)?)? })
}

/// A reference whose published version is pinned.
#[derive(Clone, Copy)]
struct Pin<'a> {
    path: &'static str,
    to: ReferenceKind,
    name: &'a str,
}

/// Returns the desired state of the n-th object with ids instead of names, and the problems with names that
/// were not found. The result omits the fields of these names, so that they cause no change.
pub fn desired<'a>(at: usize, known: Organization<'a>) -> (Cow<'a, Desired>, Vec<String>) {
    let Some(resource) = known.resources.get(at) else { return (Cow::Owned(Desired::nothing()), Vec::new()) };
    let kind = resource.object.kind;
    if kind.references().is_empty() {
        return (Cow::Borrowed(&resource.desired), Vec::new());
    }
    let mut body = Map::clone(&resource.desired.body);
    let mut problems = Vec::new();
    let mut find = |to, name: &str| match id_of(known, to, name) {
        Ok(id) => Some(id),
        Err(problem) => {
            problems.push(problem);
            None
        }
    };
    let others = places(kind).filter(|place| kind.pins() != Some(place.path));
    for ReferencePlace { path, is_list, to } in others {
        let Some((section, field)) = parent_mut(&mut body, path) else { continue };
        let Some(value) = section.get_mut(field) else { continue };
        if let (true, Some(items)) = (is_list, value.as_array_mut()) {
            let mut all_found = true;
            for item in items {
                let id = name_of(item).and_then(|name| find(to, name));
                all_found &= id.is_some();
                if let (Some(id), Some(map)) = (id, item.as_object_mut()) {
                    map.shift_remove("name");
                    map.insert("id".into(), id.into());
                }
            }
            if !all_found {
                section.shift_remove(field);
            }
            continue;
        }
        let id = name_of(value).and_then(|name| find(to, name));
        let by_id = match (&id, bare_id(to)) {
            (Some(id), Some(_)) => Value::String(id.clone()),
            (Some(id), None) => serde_json::json!({ "id": id }),
            (None, _) if value.is_null() => Value::Null,
            (None, _) => {
                section.shift_remove(field);
                continue;
            }
        };
        section.shift_remove(field);
        section.insert(bare_id(to).unwrap_or(field).into(), by_id);
    }
    if let Some(pinned) = pin_of(resource) {
        match pin(at, pinned, known) {
            Ok(pin) => {
                body.insert(pinned.path.into(), pin);
            }
            Err(problem) => {
                body.shift_remove(pinned.path);
                problems.push(problem);
            }
        }
    }
    (Cow::Owned(Desired { body: Arc::new(body), ..resource.desired.clone() }), problems)
}

/// Returns the id of the object with a name. A managed object that does not exist yet has no id: genesync
/// creates it before it writes the objects that refer to it.
fn id_of(known: Organization<'_>, to: ReferenceKind, name: &str) -> Result<String, String> {
    match managed(known.resources, to, name).map(|index| known.observed.get(index)) {
        Some(Some(Observed::Present(stored))) => Ok(stored.id().map(ToString::to_string).unwrap_or_default()),
        Some(_) => Ok(NOT_MADE_YET.into()),
        None => one(known.names, to, name).map(|named| named.id.to_string()),
    }
}

/// The placeholder for the id of an object that the same run creates.
const NOT_MADE_YET: &str = "made with it";

/// Returns whether a value is the placeholder for the id of an object that the same run creates.
pub fn is_made_in_run(value: &Value) -> bool {
    value.as_str() == Some(NOT_MADE_YET)
}

/// Returns a planned body with the ids of objects that were created since. It takes only these ids from
/// `wanted`.
pub fn made_since(planned: &Map<String, Value>, wanted: &Map<String, Value>) -> Map<String, Value> {
    let with_ids = |(field, value): (&String, &Value)| {
        let now = wanted.get(field);
        let value = match (value, now) {
            (value, Some(now)) if is_made_in_run(value) => now.clone(),
            (Value::Object(value), Some(Value::Object(now))) => Value::Object(made_since(value, now)),
            _ => value.clone(),
        };
        (field.clone(), value)
    };
    planned.iter().map(with_ids).collect()
}

fn one<'a>(names: &'a Names, kind: ReferenceKind, name: &str) -> Result<&'a Named, String> {
    let reference = Reference { kind, name: name.into() };
    if matches!(kind, ReferenceKind::KnowledgeCategory | ReferenceKind::KnowledgeLabel) {
        return Err(format!(
            "this build cannot look up {reference}: remove it from git to keep its live value"
        ));
    }
    match names.get(&reference).map(Vec::as_slice) {
        Some([named]) if named.is_unpublished => {
            Err(format!("{reference} is not published: publish it in the admin UI first"))
        }
        Some([named]) => Ok(named),
        None | Some([]) => Err(format!("there is no {reference}")),
        Some(several) => {
            let ids: Vec<&str> = several.iter().map(|named| &*named.id).collect();
            Err(format!("found {} objects named {reference}: {}", several.len(), ids.join(", ")))
        }
    }
}

/// Returns the version of a configuration that a deployment has to pin.
///
/// The pinned version stays if it equals git, because another user may have published a newer version, or
/// pinned an older one, with changes in fields that git does not manage. Otherwise it is the newest version
/// if that equals git, or else the next version, which genesync publishes.
fn pin(at: usize, to: Pin<'_>, known: Organization<'_>) -> Result<Value, String> {
    let Pin { to, name, .. } = to;
    let Some(index) = managed(known.resources, to, name) else {
        let named = one(known.names, to, name)?;
        let pinned = pinned_of(at, known, &named.id).and_then(|pinned| pinned.version);
        let version = pinned.or(named.version).ok_or_else(|| {
            format!("{} `{name}` was never published, and git does not manage it", to.name())
        })?;
        return Ok(serde_json::json!({"id": &*named.id, "version": version.to_string()}));
    };
    let observed = known.observed.get(index).unwrap_or(&Observed::Absent);
    let Observed::Present(stored) = observed else {
        return Ok(serde_json::json!({"id": NOT_MADE_YET, "version": "1"}));
    };
    let id = stored.id().map(ToString::to_string).unwrap_or_default();
    let wanted_kind = known.resources.get(index).map_or(ObjectKind::IMPLIED, |known| known.object.kind);
    let (wanted, _) = desired(index, known);
    let says_it = |body: Arc<Map<String, Value>>| {
        let there = Observed::Present(Stored::new(stored.version, body));
        diff::changes(wanted_kind, &wanted, &there, &super::Evidence::default()).0.is_empty()
    };
    if let Some(Pinned { version: Some(version), body: Some(body) }) = pinned_of(at, known, &id)
        && says_it(Arc::clone(body))
    {
        return Ok(serde_json::json!({"id": id, "version": version.to_string()}));
    }
    let newest_says_it = stored.version > 0 && says_it(Arc::clone(&stored.body));
    let version = if newest_says_it { stored.version } else { stored.version.saturating_add(1) };
    Ok(serde_json::json!({"id": id, "version": version.to_string()}))
}

/// Returns the body that a managed configuration has after it was applied; none if the id is not managed.
pub fn wanted_by_id(id: &str, known: Organization<'_>) -> Option<(ObjectKind, Map<String, Value>)> {
    let has_id = |observed: &Observed| match observed {
        Observed::Present(stored) => stored.id().is_some_and(|known| **known == *id),
        Observed::Absent => false,
    };
    let index = known.observed.iter().position(has_id)?;
    let kind = known.resources.get(index)?.object.kind;
    let (wanted, _) = desired(index, known);
    Some((kind, diff::target_body(kind, &wanted, known.observed.get(index)?)))
}

/// Returns the newest version and its fields that visitors would newly see if a deployment moves to that
/// version: the fields that git does not manage and that differ from the pinned version. Another user
/// published them.
///
/// If no version is pinned, these are the fields that were published together with a draft of genesync, and
/// `draft_of` returns that draft.
pub fn goes_along<'a>(
    at: usize,
    known: Organization<'_>,
    draft_of: impl Fn(usize) -> Option<&'a Base>,
) -> Option<(u64, Vec<String>)> {
    let resource = known.resources.get(at)?;
    let pinned = pin_of(resource)?;
    let index = managed(known.resources, pinned.to, pinned.name)?;
    let Observed::Present(newest) = known.observed.get(index)? else { return None };
    let seen = match pinned_of(at, known, newest.id()?) {
        Some(Pinned { version, .. }) if *version == Some(newest.version) => return None,
        Some(Pinned { body, .. }) => body.as_ref()?,
        None => draft_of(index).filter(|draft| draft.onto + 1 == newest.version).map(|draft| &draft.body)?,
    };
    if newest.version == 0 {
        return None;
    }
    let (wanted, _) = desired(index, known);
    let kind = known.resources.get(index)?.object.kind;
    let mut fields = diff::differing(kind, seen, &newest.body);
    fields.retain(|path| !manages(&wanted, path));
    (!fields.is_empty()).then_some((newest.version, fields))
}

/// Returns whether git manages a field: it names the field, and no rule ignores it.
pub fn manages(desired: &Desired, path: &str) -> bool {
    !desired.ignores(path) && names(desired, path)
}

/// Returns whether git names a field, even if a rule ignores it.
pub fn names(desired: &Desired, path: &str) -> bool {
    desired.exclusive || json::at_dotted(&desired.body, path).is_some() || covered(&desired.body, path)
}

/// Returns whether git sets a list or value above a path as a whole.
fn covered(body: &Map<String, Value>, path: &str) -> bool {
    path.match_indices('.').any(|(dot, _)| {
        let above = path.get(..dot).and_then(|above| json::at_dotted(body, above));
        above.is_some_and(|value| !value.is_object())
    })
}

/// The field with the version that a deployment pins. Git does not name it; it follows from the published
/// versions.
pub const PINNED: &str = "configuration.version";

/// Returns whether a field belongs to a reference in git. If that reference was not found, its live value
/// stays.
pub fn is_unfound(resource: &Resource, path: &str) -> bool {
    place_at(resource.object.kind, path)
        .is_some_and(|place| json::at_dotted(&resource.desired.body, place.path).is_some())
}

/// Returns the pinned version of a deployment if it is a version of this configuration.
fn pinned_of<'a>(at: usize, known: Organization<'a>, id: &str) -> Option<&'a Pinned> {
    let Some(Observed::Present(Stored { body, instance: Some(instance), .. })) = known.observed.get(at)
    else {
        return None;
    };
    let Instance { pinned, .. } = &**instance;
    let path = known.resources.get(at)?.object.kind.pins()?;
    let same = json::at_dotted(body, path)?.get("id")?.as_str()? == id;
    pinned.as_ref().filter(|_| same)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Readiness;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    fn resource(kind: ObjectKind, name: &str, body: Value) -> Resource {
        let desired = Desired { body: Arc::new(map(body)), ..Desired::nothing() };
        Resource { object: Object { kind, name: name.into() }, desired, before: None, secret: None }
    }

    fn seen(id: &str, version: u64, body: Value, pinned: Option<Pinned>) -> Observed {
        let instance = Instance {
            id: id.into(),
            readiness: Readiness::Ready,
            draft: None,
            drafted_at: None,
            pinned,
            publisher: None,
            is_inferred: false,
        };
        let stored = Stored::new(version, Arc::new(map(body)));
        Observed::Present(Stored { instance: Some(Arc::new(instance)), ..stored })
    }

    #[test]
    fn a_pin_stays_if_it_equals_git_and_otherwise_moves_to_the_newest_or_next_version() {
        let resources = [
            resource(ObjectKind::MessengerConfiguration, "web", json!({"colour": "red"})),
            resource(ObjectKind::MessengerDeployment, "site", json!({"configuration": {"name": "web"}})),
        ];
        let red = || Some(Arc::new(map(json!({"colour": "red", "other": 1}))));
        let blue = || Some(Arc::new(map(json!({"colour": "blue"}))));
        let table = [
            // (newest version, its colour, pinned now, expected pin)
            (4, "red", Some((Some(4), red())), "4"),
            (5, "red", Some((Some(4), red())), "4"),
            (5, "blue", Some((Some(4), red())), "4"),
            (5, "red", Some((Some(4), blue())), "5"),
            (5, "blue", Some((Some(5), blue())), "6"),
            (5, "red", Some((Some(3), None)), "5"),
            (5, "red", Some((None, red())), "5"),
            (0, "red", None, "1"),
        ];
        for (newest, colour, pin, expected) in table {
            let body = if newest == 0 { json!({}) } else { json!({ "colour": colour }) };
            let pinned = pin.clone().map(|(version, body)| Pinned { version, body });
            let deployment = json!({"configuration": {"id": "c-1", "version": "9"}});
            let observed = [seen("c-1", newest, body, None), seen("d-1", 1, deployment, pinned)];
            let names = Names::new();
            let known = Organization { resources: &resources, observed: &observed, names: &names };
            let (wanted, problems) = desired(1, known);
            assert_eq!(problems, Vec::<String>::new());
            assert_eq!(
                wanted.body["configuration"],
                json!({"id": "c-1", "version": expected}),
                "newest {newest} {colour}, pinned {pin:?}"
            );
        }
    }

    /// The order of kinds creates the target first, so genesync never sends the placeholder.
    #[test]
    fn a_managed_target_that_does_not_exist_yet_has_a_placeholder_and_no_problem() {
        let resources = [
            resource(ObjectKind::SupportedContent, "Pictures", json!({})),
            resource(
                ObjectKind::OpenMessagingIntegration,
                "Kiosk",
                json!({"supportedContent": {"name": "Pictures"}}),
            ),
        ];
        assert!(references(&resources).is_empty() && refers_to(&resources[1], &resources[0].object));
        let names = Names::new();
        for (observed, expected) in
            [(Observed::Absent, NOT_MADE_YET), (seen("s-1", 1, json!({}), None), "s-1")]
        {
            let observed = [observed, Observed::Absent];
            let known = Organization { resources: &resources, observed: &observed, names: &names };
            let (wanted, problems) = desired(1, known);
            assert_eq!(problems, Vec::<String>::new());
            assert_eq!(wanted.body["supportedContent"], json!({ "id": expected }));
        }
    }

    #[test]
    fn names_become_ids_and_unknown_or_ambiguous_names_are_reported() {
        let body = json!({
            "flow": {"name": "In"}, "supportedContent": null,
            "pushIntegrations": [{"provider": "FCM", "name": "android"}],
        });
        let resources = [resource(ObjectKind::MessengerDeployment, "site", body)];
        let asked = references(&resources);
        assert_eq!(asked.len(), 2);
        let named = |ids: &[&str]| {
            ids.iter()
                .map(|id| Named { id: (*id).into(), version: None, is_unpublished: *id == "f-draft" })
                .collect::<Vec<_>>()
        };
        let of = |flows: &[&str], push: &[&str]| {
            let names: Names = asked
                .iter()
                .map(|reference| {
                    let ids = if reference.kind == ReferenceKind::Flow { flows } else { push };
                    (reference.clone(), named(ids))
                })
                .collect();
            let known = Organization { resources: &resources, observed: &[], names: &names };
            let (wanted, problems) = desired(0, known);
            (Value::Object(Map::clone(&wanted.body)), problems)
        };
        let (body, problems) = of(&["f-1"], &["p-1"]);
        let expected = json!({
            "flow": {"id": "f-1"}, "supportedContent": null,
            "pushIntegrations": [{"provider": "FCM", "id": "p-1"}],
        });
        assert_eq!((body, problems), (expected, Vec::new()));
        assert_eq!(of(&[], &["p-1"]).1, ["there is no inbound message flow `In`"]);
        let unpublished = of(&["f-draft"], &["p-1"]);
        let reported = "inbound message flow `In` is not published: publish it in the admin UI first";
        assert_eq!((unpublished.1, unpublished.0.get("flow")), (vec![reported.to_owned()], None));
        // The live value neither differs nor is removed.
        assert_eq!(of(&[], &["p-1"]).0.get("flow"), None);
        let [resource] = &resources;
        assert!(is_unfound(resource, "flow.id") && !is_unfound(resource, "status"));
        assert_eq!(
            of(&["f-1"], &["p-1", "p-2"]).1,
            ["found 2 objects named push integration `android`: p-1, p-2"]
        );
    }
}
