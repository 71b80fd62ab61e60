//! What git says, what the API last said, and what we last applied.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Actor, Names, Object, Reference, Revision, SecretName, Target, json};

/// What git says a configuration should hold. Fields that it does not name are not managed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Desired {
    /// The named fields, in the API's shape; `null` means that the field should be absent.
    pub body: Arc<Map<String, Value>>,
    /// Whether fields that `body` does not name are to be removed.
    pub exclusive: bool,
    /// Fields and sections, as dotted paths, that stay as they are where there is a configuration already.
    pub ignored: BTreeSet<String>,
}

impl Desired {
    /// Nothing is managed.
    pub fn nothing() -> Self {
        Self { body: Arc::default(), exclusive: false, ignored: BTreeSet::new() }
    }

    /// The same with other fields ignored.
    #[must_use]
    pub fn ignoring(&self, ignored: BTreeSet<String>) -> Self {
        Self { ignored, ..self.clone() }
    }

    /// Whether a field is ignored: it is named, or lies below what is named.
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
    /// What is known of it besides, where objects have ids.
    #[serde(default, skip)]
    pub instance: Option<Arc<Instance>>,
}

impl Stored {
    /// A configuration without an id, by nobody in particular.
    pub fn new(version: u64, body: Arc<Map<String, Value>>) -> Self {
        Self { version, body, modified_at: None, modified_by: None, instance: None }
    }

    /// Its id on the platform, where it has one.
    pub fn id(&self) -> Option<&Arc<str>> {
        self.instance.as_ref().map(|instance| &instance.id)
    }

    /// What is stored and not published, where that is something else.
    pub fn draft(&self) -> Option<&Draft> {
        self.instance.as_ref()?.draft.as_ref()
    }
}

/// What an API whose objects have ids knows of one besides its body.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Instance {
    /// Its id in this organization.
    pub id: Arc<str>,
    /// Whether the platform is done with the last write.
    pub readiness: Readiness,
    /// What a configuration's draft holds, where that is not what its newest version holds.
    pub draft: Option<Draft>,
    /// When a configuration's draft was changed last, where it holds what its newest version holds.
    pub drafted_at: Option<Timestamp>,
    /// Whether its newest version was not read, because its draft did not move since it was seen: what that holds is
    /// known, and its number may be larger.
    pub is_inferred: bool,
    /// What a deployment serves.
    pub pinned: Option<Pinned>,
    /// Who published the newest version; a client leaves no name.
    pub publisher: Option<String>,
}

/// Whether the platform is done with what was last written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Readiness {
    /// It is in force.
    Ready,
    /// Not yet.
    Pending,
    /// It failed, in the platform's words.
    Failed(String),
}

/// What is stored and not published.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Draft {
    /// What it holds.
    pub body: Arc<Map<String, Value>>,
    /// When it was changed, by the server's clock.
    pub modified_at: Option<Timestamp>,
    /// Who changed it; a client leaves no name.
    pub modified_by: Option<Actor>,
}

/// The version of a configuration that a deployment serves.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pinned {
    /// Its number; none for a draft.
    pub version: Option<u64>,
    /// What it holds; none where there is no such version any more.
    pub body: Option<Arc<Map<String, Value>>>,
}

/// What git says of one object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Resource {
    /// The object.
    pub object: Object,
    /// What git says, with references by name.
    pub desired: Desired,
    /// What git said at the revision that counts as applied, where the journal knows no base.
    pub before: Option<Desired>,
    /// The name under which the operator keeps the secret that goes along with its writes.
    pub secret: Option<SecretName>,
}

impl Resource {
    /// The implied object.
    pub fn implied(desired: Desired) -> Self {
        Self { object: Object::implied(), desired, before: None, secret: None }
    }
}

/// A question for what an organization holds: of one object that is known by its id, or of several at once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Look {
    /// The organization.
    pub target: Target,
    /// The objects.
    pub sought: Vec<Sought>,
    /// What is to be looked up by name.
    pub references: Arc<BTreeSet<Reference>>,
    /// Published versions that were read before: they are not asked for again.
    pub published: Vec<Published>,
}

/// A published version of a configuration. It holds the same for ever.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Published {
    /// The id of the configuration.
    pub id: Arc<str>,
    /// Its number.
    pub version: u64,
    /// What it holds.
    pub body: Arc<Map<String, Value>>,
}

impl Look {
    /// A look at one object that is found by itself.
    pub fn of_one(target: Target) -> Self {
        let sought = vec![Sought { object: target.object.clone(), id: None, sighting: None }];
        Self { target, sought, references: Arc::default(), published: Vec::new() }
    }
}

/// An object that is looked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sought {
    /// The object.
    pub object: Object,
    /// Its id, where it is known: then it is read by it, and not found by its name.
    pub id: Option<Arc<str>>,
    /// What is known of a configuration from before: where its draft did not move since, its versions are not asked for.
    pub sighting: Option<Sighting>,
}

/// A configuration as it was seen when its draft held what its newest version held. As long as the draft did not move,
/// every version published since holds the same.
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
    /// What goes by the names that were asked for.
    pub names: Names,
}

impl From<Observed> for Seen {
    fn from(observed: Observed) -> Self {
        Self { objects: vec![observed], names: Names::new() }
    }
}

/// What the API said when asked for a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Observed {
    /// The organization has none.
    Absent,
    /// It has this one.
    Present(Stored),
}

impl Observed {
    /// The version that a write has to name, or none where there is no configuration.
    pub fn version(&self) -> Option<u64> {
        match self {
            Observed::Absent => None,
            Observed::Present(stored) => Some(stored.version),
        }
    }

    /// The configuration's fields; empty where there is none.
    pub fn body(&self) -> Arc<Map<String, Value>> {
        match self {
            Observed::Absent => Arc::default(),
            Observed::Present(stored) => Arc::clone(&stored.body),
        }
    }
}

/// What we last saw in force after a write of ours: the third side of the comparison.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Base {
    /// The version that our write made.
    pub version: u64,
    /// The whole configuration at that version. What was ignored then is what git said: somebody else's
    /// value must not count as applied on the day on which it is managed again.
    pub body: Arc<Map<String, Value>>,
    /// The revision that it was made from.
    pub revision: Revision,
    /// The platform's id of the object, where objects have one: a name may come to stand for another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Arc<str>>,
    /// Of a draft: the newest version that was published when it was stored; 0 where there was none. Of an object that only
    /// its content tells from an earlier state: when we last wrote it, in milliseconds since 1970.
    #[serde(default)]
    pub onto: u64,
    /// Of a configuration: when its draft, which held the same, was changed last, by the server's clock, in milliseconds
    /// since 1970; 0 where that is not known.
    #[serde(default)]
    pub drafted_at: u64,
    /// Fields that were ignored and differed then: their live value is older than this version.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub ignored: BTreeSet<String>,
}

/// What an object held when we last wrote it, saw it adopted, or a person accepted it: what differs from it in fields that
/// git does not name was somebody else's doing. Kept only where the [`Base`] does not say the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Baseline {
    /// The newest version up to which nobody else is known to have changed anything.
    pub version: u64,
    /// What it held.
    pub body: Arc<Map<String, Value>>,
    /// The platform's id of the object, where objects have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Arc<str>>,
}

impl Baseline {
    /// The baseline that a base stands for.
    pub fn of(base: &Base) -> Self {
        Self { version: base.version, body: Arc::clone(&base.body), id: base.id.clone() }
    }
}
