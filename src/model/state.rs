//! What git says, what the API last said, and what we last applied.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Actor, Revision};

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
    /// The same with other fields ignored.
    #[must_use]
    pub fn ignoring(&self, ignored: BTreeSet<String>) -> Self {
        Self { ignored, ..self.clone() }
    }

    /// Whether a field is ignored: it is named, or lies below what is named.
    pub fn ignores(&self, path: &str) -> bool {
        let covers = |rest: &str| rest.is_empty() || rest.starts_with('.');
        self.ignored.iter().any(|field| path.strip_prefix(field.as_str()).is_some_and(covers))
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
}
