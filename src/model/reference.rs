//! References between objects: by name in git, by id in each organization.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ObjectKind, ReferenceKind, json};

/// A reference to an object by name, which genesync resolves in each organization.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Reference {
    /// The kind of the referenced object.
    pub kind: ReferenceKind,
    /// Its name.
    pub name: Arc<str>,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.kind.name(), self.name)
    }
}

/// An object with a given name in one organization.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Named {
    /// Its id in that organization.
    pub id: Arc<str>,
    /// Its newest published version, for objects that have versions.
    pub version: Option<u64>,
    /// Whether the platform shows that it was never published, so that no object may refer to it yet. False
    /// if this is not known.
    pub is_unpublished: bool,
}

/// The objects found for each requested name: none, one, or several.
pub type Names = BTreeMap<Reference, Vec<Named>>;

/// One reference in a body to another object of the same organization.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mention {
    /// JSON pointer of the map with the `name`.
    pub pointer: String,
    /// The reference.
    pub reference: Reference,
}

/// The place of a reference in the body of an object.
#[derive(Debug, Clone, Copy)]
pub struct ReferencePlace {
    /// Dotted path of the map with the `name`, or of a list of such maps.
    pub path: &'static str,
    /// Whether it is such a list.
    pub is_list: bool,
    /// The kind of the referenced object.
    pub to: ReferenceKind,
}

/// Returns the places of all references in the body of a kind of object.
pub fn places(kind: ObjectKind) -> impl Iterator<Item = ReferencePlace> {
    kind.references().iter().map(|(path, to)| {
        let (path, is_list) = path.strip_suffix(".*").map_or((*path, false), |list| (list, true));
        ReferencePlace { path, is_list, to: *to }
    })
}

/// Returns the reference that a dotted path belongs to. The path may name it (as in manifests) or hold its
/// id (as on the platform).
pub fn place_at(kind: ObjectKind, path: &str) -> Option<ReferencePlace> {
    places(kind).find(|place| {
        let below =
            path.strip_prefix(place.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        let section = place.path.rsplit_once('.').map_or("", |(section, _)| section);
        let bare = || {
            let rest = path.strip_prefix(section)?;
            Some(rest.strip_prefix('.').unwrap_or(rest) == bare_id(place.to)?)
        };
        below || bare() == Some(true)
    })
}

/// Returns the references of a body in the form of manifests. A `null` reference names no object.
pub fn mentions(kind: ObjectKind, body: &Map<String, Value>) -> Vec<Mention> {
    let mut found = Vec::new();
    for ReferencePlace { path, is_list, to } in places(kind) {
        let Some(place) = json::at_dotted(body, path) else { continue };
        let at = format!("/{}", path.replace('.', "/"));
        let mut take = |value: &Value, pointer: String| {
            if let Some(name) = value.get("name").and_then(Value::as_str) {
                found.push(Mention { pointer, reference: Reference { kind: to, name: name.into() } });
            }
        };
        match place.as_array().filter(|_| is_list) {
            Some(items) => {
                items.iter().enumerate().for_each(|(index, item)| take(item, format!("{at}/{index}")));
            }
            None => take(place, at),
        }
    }
    found
}

/// Returns the kinds and ids that a live body refers to.
pub fn ids(kind: ObjectKind, body: &Map<String, Value>) -> Vec<(ReferenceKind, Arc<str>)> {
    let mut found = Vec::new();
    for ReferencePlace { path, is_list, to } in places(kind) {
        let id = |value: &Value| value.as_str().or_else(|| value.get("id")?.as_str()).map(Arc::from);
        let at = match bare_id(to) {
            None => path.to_owned(),
            Some(field) => {
                path.rsplit_once('.').map_or(field.to_owned(), |(above, _)| format!("{above}.{field}"))
            }
        };
        let Some(place) = json::at_dotted(body, &at) else { continue };
        let each: Vec<&Value> = match place.as_array().filter(|_| is_list) {
            Some(items) => items.iter().collect(),
            None => vec![place],
        };
        found.extend(each.into_iter().filter_map(id).map(|id| (to, id)));
    }
    found
}

/// Returns the platform's field for a reference that the platform stores as a bare id.
pub fn bare_id(to: ReferenceKind) -> Option<&'static str> {
    (to == ReferenceKind::AuthenticationIntegration).then_some("integrationId")
}

/// Returns the map that holds the last part of a dotted path, and that part.
pub fn parent_mut<'a, 'p>(
    body: &'a mut Map<String, Value>,
    path: &'p str,
) -> Option<(&'a mut Map<String, Value>, &'p str)> {
    let (parents, field) = path.rsplit_once('.').unwrap_or(("", path));
    let mut keys = parents.split('.').filter(|key| !key.is_empty());
    let parent = keys.try_fold(body, |map, key| map.get_mut(key)?.as_object_mut())?;
    Some((parent, field))
}

/// Converts a live body to the form of manifests, with names instead of ids. A reference without a known
/// name is left out and returned as its path and id.
pub fn named(
    kind: ObjectKind,
    mut body: Map<String, Value>,
    name_of: impl Fn(ReferenceKind, &str) -> Option<Arc<str>>,
) -> (Map<String, Value>, Vec<String>) {
    let mut nameless = Vec::new();
    for ReferencePlace { path, is_list, to } in places(kind) {
        let Some((section, field)) = parent_mut(&mut body, path) else { continue };
        let live = bare_id(to).unwrap_or(field);
        let Some(value) = section.get(live).filter(|value| !value.is_null()) else { continue };
        let mut one = |value: &Value| {
            let id = value.as_str().or_else(|| value.get("id").and_then(Value::as_str)).unwrap_or_default();
            let Some(name) = name_of(to, id) else {
                nameless.push(format!("{path}: {} {id}", to.name()));
                return None;
            };
            let mut map = if is_list { value.as_object().cloned().unwrap_or_default() } else { Map::new() };
            map.shift_remove("id");
            map.insert("name".into(), name.to_string().into());
            Some(Value::Object(map))
        };
        let by_name = match value.as_array().filter(|_| is_list) {
            Some(items) => items.iter().map(&mut one).collect::<Option<Vec<Value>>>().map(Value::Array),
            None => one(value),
        };
        section.shift_remove(live);
        if let Some(by_name) = by_name {
            section.insert(field.into(), by_name);
        }
    }
    (body, nameless)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_live_body_refers_to_is_found_by_kind_and_id() {
        let of = |kind, body: Value| {
            let body = body.as_object().cloned().unwrap();
            ids(kind, &body).into_iter().map(|(to, id)| format!("{} {id}", to.name())).collect::<Vec<_>>()
        };
        let deployment = json!({"configuration": {"id": "c"}, "supportedContent": null, "pushIntegrations": [{"id": "p"}]});
        let found = of(ObjectKind::MessengerDeployment, deployment);
        assert_eq!(found, ["messenger configuration c", "push integration p"]);
        let defaults = json!({"supportedContent": {"id": "s"}, "messagingSetting": {"id": "m"}});
        let found = of(ObjectKind::MessagingDefaults, defaults);
        assert_eq!(found, ["supported content profile s", "messaging setting m"]);
        let bare = json!({"authenticationSettings": {"integrationId": "i"}});
        assert_eq!(of(ObjectKind::MessengerConfiguration, bare), ["OpenID Connect integration i"]);
    }

    #[test]
    fn references_are_found_at_their_place_and_null_names_nothing() {
        let body = json!({
            "configuration": {"name": "web"},
            "flow": null,
            "pushIntegrations": [{"provider": "FCM", "name": "android"}],
            "supportCenter": {"knowledgeBase": {"name": "not of this kind"}},
        });
        let found = mentions(ObjectKind::MessengerDeployment, body.as_object().unwrap());
        let seen: Vec<(&str, &str)> =
            found.iter().map(|at| (at.pointer.as_str(), &*at.reference.name)).collect();
        assert_eq!(seen, [("/configuration", "web"), ("/pushIntegrations/0", "android")]);
    }

    #[test]
    fn a_reference_is_found_by_any_path_that_belongs_to_it() {
        let of = |kind, path| place_at(kind, path).map(|place| place.path);
        let configuration = |path| of(ObjectKind::MessengerConfiguration, path);
        let knowledge = Some("messenger.apps.knowledge.knowledgeBase");
        assert_eq!(configuration("messenger.apps.knowledge.knowledgeBase"), knowledge);
        assert_eq!(configuration("messenger.apps.knowledge.knowledgeBase.id"), knowledge);
        assert_eq!(configuration("messenger.apps.knowledge.enabled"), None);
        let integration = Some("authenticationSettings.integration");
        assert_eq!(configuration("authenticationSettings.integrationId"), integration);
        assert_eq!(configuration("authenticationSettings.integration.name"), integration);
        assert_eq!(configuration("authenticationSettings.enabled"), None);
        assert_eq!(of(ObjectKind::MessengerDeployment, "flow.id"), Some("flow"));
        assert_eq!(of(ObjectKind::MessengerDeployment, "flowers"), None);
    }

    #[test]
    fn ids_become_names_and_what_has_none_is_left_out_and_reported() {
        let name_of =
            |kind, id: &str| (id != "x").then(|| Arc::from(format!("{} {id}", ReferenceKind::name(kind))));
        let live = json!({
            "configuration": {"id": "c", "version": "3"},
            "flow": {"id": "x"},
            "supportedContent": null,
            "pushIntegrations": [{"provider": "FCM", "id": "p"}],
        });
        let (body, nameless) =
            named(ObjectKind::MessengerDeployment, live.as_object().cloned().unwrap(), name_of);
        let expected = json!({
            "configuration": {"name": "messenger configuration c"},
            "supportedContent": null,
            "pushIntegrations": [{"provider": "FCM", "name": "push integration p"}],
        });
        assert_eq!(
            (Value::Object(body), nameless),
            (expected, vec!["flow: inbound message flow x".to_owned()])
        );
        let live = json!({"authenticationSettings": {"enabled": true, "integrationId": "i"}});
        let (body, _) =
            named(ObjectKind::MessengerConfiguration, live.as_object().cloned().unwrap(), name_of);
        let expected = json!({"authenticationSettings": {"enabled": true, "integration": {"name": "OpenID Connect integration i"}}});
        assert_eq!(Value::Object(body), expected);
    }
}
