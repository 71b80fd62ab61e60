//! The desired configuration (git), the observed one (API), and the base (applied last).

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Actor, Names, Object, Reference, Revision, SecretName, Target, json};

/// The desired configuration of an object, from git. Fields that it does not name are not managed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Desired {
    /// The named fields, in the API's shape; `null` means that the field must be absent.
    pub body: Arc<Map<String, Value>>,
    /// Whether genesync removes fields that `body` does not name.
    pub exclusive: bool,
    /// Fields and sections, as dotted paths, that genesync leaves unchanged in an existing configuration.
    pub ignored: BTreeSet<String>,
}

impl Desired {
    /// Returns a value that manages no field.
    pub fn nothing() -> Self {
        Self { body: Arc::default(), exclusive: false, ignored: BTreeSet::new() }
    }

    /// Returns the same with other ignored fields.
    #[must_use]
    pub fn ignoring(&self, ignored: BTreeSet<String>) -> Self {
        Self { ignored, ..self.clone() }
    }

    /// Whether a field is ignored, itself or as part of an ignored section.
    pub fn ignores(&self, path: &str) -> bool {
        self.ignored.iter().any(|field| json::lies_in(path, field))
    }
}

/// A configuration as the API returned it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stored {
    /// The API's version number, at least 1.
    pub version: u64,
    /// The configuration without the fields that the server adds (`version`, `dateModified`, `modifiedBy`).
    pub body: Arc<Map<String, Value>>,
    /// When it was last modified, by the server's clock.
    pub modified_at: Option<Timestamp>,
    /// Who modified it last.
    pub modified_by: Option<Actor>,
    /// More properties, for an API whose objects have ids.
    #[serde(default, skip)]
    pub instance: Option<Arc<Instance>>,
}

impl Stored {
    /// Creates a configuration without an id, a time or an author.
    pub fn new(version: u64, body: Arc<Map<String, Value>>) -> Self {
        Self { version, body, modified_at: None, modified_by: None, instance: None }
    }

    /// Returns its id on the platform, if it has one.
    pub fn id(&self) -> Option<&Arc<str>> {
        self.instance.as_ref().map(|instance| &instance.id)
    }

    /// Returns its draft, if that differs from the published version.
    pub fn draft(&self) -> Option<&Draft> {
        self.instance.as_ref()?.draft.as_ref()
    }
}

/// Properties of an object in addition to its body, for an API whose objects have ids.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Instance {
    /// Its id in this organization.
    pub id: Arc<str>,
    /// Whether the platform has finished the last write.
    pub readiness: Readiness,
    /// A configuration's draft, if it differs from the newest version.
    pub draft: Option<Draft>,
    /// When a configuration's draft was changed last, if it equals the newest version.
    pub drafted_at: Option<Timestamp>,
    /// Whether genesync did not read its newest version, because its draft did not change since the last
    /// read. The content is known; the version number may be larger.
    pub is_inferred: bool,
    /// The version that a deployment serves.
    pub pinned: Option<Pinned>,
    /// Who published the newest version; the platform records no name for a client.
    pub publisher: Option<String>,
}

/// Whether the platform has finished the last write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Readiness {
    /// It is in force.
    Ready,
    /// Not finished yet.
    Pending,
    /// It failed, with the platform's message.
    Failed(String),
}

/// A stored configuration that is not published.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Draft {
    /// Its content.
    pub body: Arc<Map<String, Value>>,
    /// When it was changed last, by the server's clock.
    pub modified_at: Option<Timestamp>,
    /// Who changed it; the platform records no name for a client.
    pub modified_by: Option<Actor>,
}

/// The version of a configuration that a deployment serves.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pinned {
    /// Its number; none for a draft.
    pub version: Option<u64>,
    /// Its content; none if that version no longer exists.
    pub body: Option<Arc<Map<String, Value>>>,
}

/// The desired state of one object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Resource {
    /// The object.
    pub object: Object,
    /// The desired configuration, with references by name.
    pub desired: Desired,
    /// The desired configuration of the revision that counts as applied, if the journal has no base.
    pub before: Option<Desired>,
    /// The name of the secret that genesync sends with a write.
    pub secret: Option<SecretName>,
}

impl Resource {
    /// Creates the implied object.
    pub fn implied(desired: Desired) -> Self {
        Self { object: Object::implied(), desired, before: None, secret: None }
    }
}

/// A request for the state of an organization: of one object that is known by its id, or of several
/// objects.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Look {
    /// The organization.
    pub target: Target,
    /// The objects.
    pub sought: Vec<Sought>,
    /// The references to resolve by name.
    pub references: Arc<BTreeSet<Reference>>,
    /// Published versions that genesync has read before and does not need again.
    pub published: Vec<Published>,
}

/// A published version of a configuration. Its content never changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Published {
    /// The id of the configuration.
    pub id: Arc<str>,
    /// Its number.
    pub version: u64,
    /// Its content.
    pub body: Arc<Map<String, Value>>,
}

impl Look {
    /// Creates a request for one object.
    pub fn of_one(target: Target) -> Self {
        let sought = vec![Sought { object: target.object.clone(), id: None, sighting: None }];
        Self { target, sought, references: Arc::default(), published: Vec::new() }
    }
}

/// A requested object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sought {
    /// The object.
    pub object: Object,
    /// Its id, if known. Then genesync reads it by its id instead of its name.
    pub id: Option<Arc<str>>,
    /// An earlier read of a configuration. If the draft did not change since then, its versions are not
    /// read again.
    pub sighting: Option<Sighting>,
}

/// A read of a configuration whose draft equalled its newest version. While the draft does not change,
/// every later version has the same content.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sighting {
    /// Its id.
    pub id: Arc<str>,
    /// The newest version.
    pub version: u64,
    /// When its draft was changed last, by the server's clock, in milliseconds since 1970.
    pub drafted_at: u64,
}

/// The answer to a [`Look`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Seen {
    /// The objects, in the order in which they were asked for.
    pub objects: Vec<Observed>,
    /// The objects found for the requested names.
    pub names: Names,
}

impl From<Observed> for Seen {
    fn from(observed: Observed) -> Self {
        Self { objects: vec![observed], names: Names::new() }
    }
}

/// The API's answer to a request for a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Observed {
    /// The organization has no configuration.
    Absent,
    /// It has this configuration.
    Present(Stored),
}

impl Observed {
    /// Returns the version that a write has to name; none if there is no configuration.
    pub fn version(&self) -> Option<u64> {
        match self {
            Observed::Absent => None,
            Observed::Present(stored) => Some(stored.version),
        }
    }

    /// Returns the configuration's fields; empty if there is none.
    pub fn body(&self) -> Arc<Map<String, Value>> {
        match self {
            Observed::Absent => Arc::default(),
            Observed::Present(stored) => Arc::clone(&stored.body),
        }
    }
}

/// The base: the configuration that genesync last saw in force after one of its writes. The plan compares
/// it with the desired and the observed one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Base {
    /// The version that genesync's write made.
    pub version: u64,
    /// The whole configuration at that version. Ignored fields have git's value, so that another user's
    /// value does not count as applied when the field is managed again.
    pub body: Arc<Map<String, Value>>,
    /// The revision that it was made from.
    pub revision: Revision,
    /// The platform's id of the object, if it has one: another object may get the same name later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Arc<str>>,
    /// For a draft: the newest published version when the draft was stored; 0 if there was none. For an
    /// object without versions or times: when genesync last wrote it, in milliseconds since 1970.
    #[serde(default)]
    pub onto: u64,
    /// For a configuration: when its equal draft was changed last, by the server's clock, in milliseconds
    /// since 1970; 0 if not known.
    #[serde(default)]
    pub drafted_at: u64,
    /// Ignored fields that differed: their live value is older than this version.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub ignored: BTreeSet<String>,
}

/// The configuration that genesync last wrote or saw at adoption, or that a person accepted. Another user
/// changed every unmanaged field that differs from it. The store keeps it only if it differs from the
/// [`Base`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Baseline {
    /// The newest version up to which no other user is known to have changed the object.
    pub version: u64,
    /// The configuration.
    pub body: Arc<Map<String, Value>>,
    /// The platform's id of the object, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Arc<str>>,
}

impl Baseline {
    /// Returns the baseline that equals a base.
    pub fn of(base: &Base) -> Self {
        Self { version: base.version, body: Arc::clone(&base.body), id: base.id.clone() }
    }
}
