//! The kinds of objects that a reference in git can name.

use serde::{Deserialize, Serialize};

/// The kind of object that a reference names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ReferenceKind {
    /// A messenger's configuration; the platform also needs one of its published versions.
    Configuration,
    /// A published inbound message flow.
    Flow,
    /// A supported content profile.
    SupportedContent,
    /// A messaging setting.
    MessagingSetting,
    /// A knowledge base.
    KnowledgeBase,
    /// A category of the support center's knowledge base.
    KnowledgeCategory,
    /// A label of the support center's knowledge base.
    KnowledgeLabel,
    /// The OpenID Connect integration for the sign-in of visitors; the platform's field is `integrationId`.
    AuthenticationIntegration,
    /// A mobile push integration of the provider that is named next to it.
    PushIntegration,
}

impl ReferenceKind {
    /// Returns the name for output.
    pub fn name(self) -> &'static str {
        match self {
            ReferenceKind::Configuration => "messenger configuration",
            ReferenceKind::Flow => "inbound message flow",
            ReferenceKind::SupportedContent => "supported content profile",
            ReferenceKind::MessagingSetting => "messaging setting",
            ReferenceKind::KnowledgeBase => "knowledge base",
            ReferenceKind::KnowledgeCategory => "knowledge category",
            ReferenceKind::KnowledgeLabel => "knowledge label",
            ReferenceKind::AuthenticationIntegration => "OpenID Connect integration",
            ReferenceKind::PushIntegration => "push integration",
        }
    }
}
