//! What is managed in an organization, and what one object needs of another.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::OrganizationId;

/// Which API an organization is managed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// One web messaging configuration with enforced versions.
    Webchat,
    /// Genesys Cloud's public API: named objects, drafts, no preconditions.
    Cloud,
}

impl Dialect {
    /// The word after `api:` in a manifest.
    pub fn name(self) -> &'static str {
        match self {
            Dialect::Webchat => "webchat",
            Dialect::Cloud => "cloud",
        }
    }
}

/// A kind of managed object, in the order in which objects depend on each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ObjectKind {
    /// The web messaging configuration of an organization; there is one, and it has no name.
    WebMessaging,
    /// The registration of a custom channel.
    OpenMessagingIntegration,
    /// A messenger's configuration: a draft, and numbered versions that were published from it.
    MessengerConfiguration,
    /// A deployment: it pins one published version of a configuration, which its visitors are served.
    MessengerDeployment,
}

impl ObjectKind {
    /// Every kind.
    pub const ALL: &'static [ObjectKind] = &[
        ObjectKind::WebMessaging,
        ObjectKind::OpenMessagingIntegration,
        ObjectKind::MessengerConfiguration,
        ObjectKind::MessengerDeployment,
    ];

    /// The word after `kind:` in a manifest.
    pub fn name(self) -> &'static str {
        match self {
            ObjectKind::WebMessaging => "WebMessaging",
            ObjectKind::OpenMessagingIntegration => "OpenMessagingIntegration",
            ObjectKind::MessengerConfiguration => "MessengerConfiguration",
            ObjectKind::MessengerDeployment => "MessengerDeployment",
        }
    }

    /// The API that objects of this kind are managed by.
    pub fn dialect(self) -> Dialect {
        match self {
            ObjectKind::WebMessaging => Dialect::Webchat,
            ObjectKind::OpenMessagingIntegration
            | ObjectKind::MessengerConfiguration
            | ObjectKind::MessengerDeployment => Dialect::Cloud,
        }
    }

    /// Finds a kind by its name.
    pub fn from_name(name: &str) -> Option<ObjectKind> {
        ObjectKind::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// An object, the same in every organization: ids differ from one to the next, names do not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Object {
    /// What it is.
    pub kind: ObjectKind,
    /// What the platform's screens call it; empty for the one that has no name.
    pub name: Arc<str>,
}

impl Object {
    /// The one configuration of an organization in the `webchat` dialect.
    pub fn web_messaging() -> Self {
        Self { kind: ObjectKind::WebMessaging, name: "".into() }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ObjectKind::WebMessaging => f.write_str("the configuration"),
            kind => write!(f, "{} `{}`", kind.name(), self.name),
        }
    }
}

/// One object of one organization: what has a version, a base and an audit trail of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    /// The organization.
    pub organization: OrganizationId,
    /// The object.
    pub object: Object,
}

impl ObjectRef {
    /// The text that stands for it in the store: the organization's id alone for the `webchat` dialect.
    pub fn key(&self) -> String {
        match self.object.kind {
            ObjectKind::WebMessaging => self.organization.to_string(),
            kind => format!("{}/{}/{}", self.organization, kind.name(), self.object.name),
        }
    }

    /// Reads what [`ObjectRef::key`] wrote. A text of another form is an organization's id.
    pub fn from_key(key: &str) -> Self {
        let mut parts = key.splitn(3, '/');
        let organization = OrganizationId::new(parts.next().unwrap_or_default());
        let object = match (parts.next().and_then(ObjectKind::from_name), parts.next()) {
            (Some(kind), Some(name)) => Object { kind, name: name.into() },
            _ => return Self { organization: OrganizationId::new(key), object: Object::web_messaging() },
        };
        Self { organization, object }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.object.kind {
            ObjectKind::WebMessaging => write!(f, "organization {}", self.organization),
            _ => write!(f, "{} of organization {}", self.object, self.organization),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_as_what_it_stands_for() {
        let object = |kind, name: &str| Object { kind, name: name.into() };
        for object in [
            Object::web_messaging(),
            object(ObjectKind::MessengerConfiguration, "Acme / web (DE)"),
            object(ObjectKind::MessengerDeployment, ""),
            object(ObjectKind::OpenMessagingIntegration, "a"),
        ] {
            let known = ObjectRef { organization: OrganizationId::new("5b0c8a2e"), object };
            assert_eq!(ObjectRef::from_key(&known.key()), known);
        }
        for odd in ["", "a/b", "a/b/c", "a/MessengerDeployment"] {
            assert_eq!(ObjectRef::from_key(odd).key(), odd);
        }
    }
}
