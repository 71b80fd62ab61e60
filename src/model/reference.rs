//! References between objects: by name in git, by id in each organization.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What a reference points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ReferenceKind {
    /// A messenger configuration.
    Configuration,
    /// A published inbound message flow.
    Flow,
    /// A knowledge base.
    KnowledgeBase,
    /// A profile of supported content.
    SupportedContent,
    /// A messaging setting.
    MessagingSetting,
    /// An integration: of push notifications, or of an identity provider.
    Integration,
}

impl ReferenceKind {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            ReferenceKind::Configuration => "messenger configuration",
            ReferenceKind::Flow => "inbound message flow",
            ReferenceKind::KnowledgeBase => "knowledge base",
            ReferenceKind::SupportedContent => "supported content profile",
            ReferenceKind::MessagingSetting => "messaging setting",
            ReferenceKind::Integration => "integration",
        }
    }
}

/// Something that is named in git and looked up in each organization.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Reference {
    /// What it points to.
    pub kind: ReferenceKind,
    /// Its name there.
    pub name: Arc<str>,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.kind.name(), self.name)
    }
}

/// Something that goes by a name in one organization.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Named {
    /// Its id there.
    pub id: Arc<str>,
    /// Its newest published version, where it has such.
    pub version: Option<u64>,
}

/// What goes by each name that was asked for: nothing, one thing, or several.
pub type Names = BTreeMap<Reference, Vec<Named>>;
