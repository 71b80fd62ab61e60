//! What an object names in its organization by a name, because ids differ from one organization to the next.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{ObjectKind, json};

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReferenceKind {
    /// A messenger's configuration; the platform wants one of its published versions, too.
    Configuration,
    /// A published inbound message flow.
    Flow,
    /// A supported content profile.
    SupportedContent,
    /// A messaging setting.
    MessagingSetting,
    /// A knowledge base.
    KnowledgeBase,
    /// A category of the knowledge base that the same support center names.
    KnowledgeCategory,
    /// A label of the knowledge base that the same support center names.
    KnowledgeLabel,
    /// The OpenID Connect integration that visitors sign in with; the platform's field is `integrationId`.
    AuthenticationIntegration,
    /// A mobile push integration of the provider that stands beside the name.
    PushIntegration,
}

/// One name in a body that stands for something else in the same organization.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// JSON pointer of the map that holds `name`.
    pub pointer: String,
    /// What it names.
    pub to: ReferenceKind,
    /// The name.
    pub name: Arc<str>,
}

/// Where references stand; `*` is every item of a list.
const PLACES: &[(ObjectKind, &str, ReferenceKind)] = &[
    (ObjectKind::OpenMessagingIntegration, "supportedContent", ReferenceKind::SupportedContent),
    (ObjectKind::OpenMessagingIntegration, "messagingSetting", ReferenceKind::MessagingSetting),
    (
        ObjectKind::MessengerConfiguration,
        "messenger.apps.knowledge.knowledgeBase",
        ReferenceKind::KnowledgeBase,
    ),
    (ObjectKind::MessengerConfiguration, "supportCenter.knowledgeBase", ReferenceKind::KnowledgeBase),
    (
        ObjectKind::MessengerConfiguration,
        "supportCenter.enabledCategories.*",
        ReferenceKind::KnowledgeCategory,
    ),
    (ObjectKind::MessengerConfiguration, "supportCenter.labelFilter.labels.*", ReferenceKind::KnowledgeLabel),
    (
        ObjectKind::MessengerConfiguration,
        "authenticationSettings.integration",
        ReferenceKind::AuthenticationIntegration,
    ),
    (ObjectKind::MessengerDeployment, "configuration", ReferenceKind::Configuration),
    (ObjectKind::MessengerDeployment, "flow", ReferenceKind::Flow),
    (ObjectKind::MessengerDeployment, "supportedContent", ReferenceKind::SupportedContent),
    (ObjectKind::MessengerDeployment, "pushIntegrations.*", ReferenceKind::PushIntegration),
];

/// The references of a body in the form of manifests. A reference that is `null` names nothing.
pub fn references(kind: ObjectKind, body: &Map<String, Value>) -> Vec<Reference> {
    let mut found = Vec::new();
    for (_, path, to) in PLACES.iter().filter(|(of, ..)| *of == kind) {
        let (path, is_list) = path.strip_suffix(".*").map_or((*path, false), |list| (list, true));
        let Some(place) = json::at_dotted(body, path) else { continue };
        let at = format!("/{}", path.replace('.', "/"));
        let mut take = |value: &Value, pointer: String| {
            if let Some(name) = value.get("name").and_then(Value::as_str) {
                found.push(Reference { pointer, to: *to, name: name.into() });
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_are_found_where_they_stand_and_null_names_nothing() {
        let body = json!({
            "configuration": {"name": "web"},
            "flow": null,
            "pushIntegrations": [{"provider": "FCM", "name": "android"}],
            "supportCenter": {"knowledgeBase": {"name": "not of this kind"}},
        });
        let found = references(ObjectKind::MessengerDeployment, body.as_object().unwrap());
        let seen: Vec<(&str, &str)> = found.iter().map(|at| (at.pointer.as_str(), &*at.name)).collect();
        assert_eq!(seen, [("/configuration", "web"), ("/pushIntegrations/0", "android")]);
    }
}
