//! The identity of a managed object.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{ObjectKind, OrganizationId};

/// An object. Its name is the same in every organization; its id differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Object {
    /// Its kind.
    pub kind: ObjectKind,
    /// Its name in the platform's admin UI; empty if the kind has only one object without a name.
    pub name: Arc<str>,
}

impl Object {
    /// Returns the implied object, which texts omit: the web messaging configuration.
    pub fn implied() -> Self {
        Self { kind: ObjectKind::IMPLIED, name: "".into() }
    }

    /// Whether this is the implied object.
    pub fn is_implied(&self) -> bool {
        self.kind == ObjectKind::IMPLIED
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind.only() {
            Some(only) => f.write_str(only),
            None => write!(f, "{} `{}`", self.kind.name(), self.name),
        }
    }
}

/// One object of one organization, with its own version, base and audit trail.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    /// The organization.
    pub organization: OrganizationId,
    /// The object; omitted in JSON if it is the implied one.
    #[serde(default = "Object::implied", skip_serializing_if = "Object::is_implied")]
    pub object: Object,
    /// Whether this means the draft of the object. Only the journal uses it, to separate genesync's drafts
    /// from others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub draft: bool,
}

/// The prefix of the kind in a draft's key.
const DRAFT_OF: &str = "draft of ";

impl ObjectRef {
    /// An object of an organization.
    pub fn new(organization: OrganizationId, object: Object) -> Self {
        Self { organization, object, draft: false }
    }

    /// Returns the reference to the draft of a configuration; none for other kinds.
    pub fn draft(&self) -> Option<Self> {
        self.object.kind.has_drafts().then(|| Self { draft: true, ..self.clone() })
    }

    /// Returns the reference to the object itself, also if this is its draft.
    #[must_use]
    pub fn published(&self) -> Self {
        Self { draft: false, ..self.clone() }
    }

    /// Returns the object's key in the store; for the implied object, the organization's id only.
    pub fn key(&self) -> String {
        let draft = if self.draft { DRAFT_OF } else { "" };
        let Object { kind, name } = &self.object;
        match self.object.is_implied() {
            true => self.organization.to_string(),
            false => format!("{}/{draft}{}/{name}", self.organization, kind.name()),
        }
    }

    /// Reads a key of [`ObjectRef::key`]. Any other text counts as an organization's id.
    pub fn from_key(key: &str) -> Self {
        let mut parts = key.splitn(3, '/');
        let organization = OrganizationId::new(parts.next().unwrap_or_default());
        let kind = parts.next().unwrap_or_default();
        let (draft, kind) = kind.strip_prefix(DRAFT_OF).map_or((false, kind), |kind| (true, kind));
        match (ObjectKind::from_name(kind), parts.next()) {
            (Some(kind), Some(name)) => {
                Self { organization, object: Object { kind, name: name.into() }, draft }
            }
            _ => Self::new(OrganizationId::new(key), Object::implied()),
        }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let draft = if self.draft { "the draft of " } else { "" };
        match self.object.is_implied() {
            // It is the only object there, so the organization is enough.
            true => self.organization.fmt(f),
            false => write!(f, "{draft}{} of organization {}", self.object, self.organization),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_as_what_it_means() {
        let object = |kind, name: &str| Object { kind, name: name.into() };
        for object in [
            Object::implied(),
            object(ObjectKind::MessengerConfiguration, "Acme / web (DE)"),
            object(ObjectKind::MessengerDeployment, ""),
            object(ObjectKind::OpenMessagingIntegration, "a"),
        ] {
            let known = ObjectRef::new(OrganizationId::new("5b0c8a2e"), object);
            for known in [known.draft(), Some(known)].into_iter().flatten() {
                assert_eq!(ObjectRef::from_key(&known.key()), known);
            }
        }
        for odd in ["", "a/b", "a/b/c", "a/MessengerDeployment"] {
            assert_eq!(ObjectRef::from_key(odd).key(), odd);
        }
    }

    /// Golden bytes. The store keeps bases, receipts and confirmations under these keys. With another key,
    /// genesync finds none of them: every field of every tenant then counts as never applied, drift becomes
    /// a change to apply, and receipts are never confirmed. If this test fails, change the code and not the
    /// test: docs/decisions/0014-what-a-golden-byte-protects.md.
    #[test]
    fn the_key_of_an_object_stays_what_stores_already_hold() {
        let of = |kind, name: &str| {
            let object = Object { kind, name: name.into() };
            ObjectRef::new(OrganizationId::new("00000000-0000-4000-8000-000000000001"), object)
        };
        let configuration = of(ObjectKind::MessengerConfiguration, "Acme / web (DE)");
        let draft = configuration.draft().unwrap();
        let golden = [
            (of(ObjectKind::WebMessaging, ""), ""),
            (of(ObjectKind::OpenMessagingIntegration, "Acme app"), "/OpenMessagingIntegration/Acme app"),
            (configuration, "/MessengerConfiguration/Acme / web (DE)"),
            (draft, "/draft of MessengerConfiguration/Acme / web (DE)"),
            (of(ObjectKind::MessengerDeployment, "Müller"), "/MessengerDeployment/Müller"),
        ];
        for (object, rest) in golden {
            assert_eq!(object.key(), format!("00000000-0000-4000-8000-000000000001{rest}"));
        }
    }
}
