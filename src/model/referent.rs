//! What a name in git stands for.

use serde::{Deserialize, Serialize};

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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

impl ReferenceKind {
    /// What people call it.
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
