//! Edits by people who use the platform's own screens instead of the API.
//!
//! In: JSON of the control surface, of a fault or of a test. Out: a [`CloudEdit`].
//! Never: performs an edit; `screen` does. Start reading at [`CloudEdit`].

use crate::emulator::cloud::Object;
use crate::emulator::cloud::profile::kind::ProfileKind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A person's edit of the objects of an organization: all given parts, in the order of the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CloudEdit {
    /// Creates an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create: Option<CreateEdit>,
    /// Changes a draft.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draft: Option<DraftEdit>,
    /// Publishes a draft unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publish: Option<PublishEdit>,
    /// Changes a deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<DeploymentEdit>,
    /// Changes an open messaging integration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_integration: Option<OpenEdit>,
    /// Changes a supported content profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supported_content: Option<ContentEdit>,
    /// Changes a messaging setting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messaging_setting: Option<SettingEdit>,
    /// Sets the defaults: the kind, and the name or id of the profile; `None` removes the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<BTreeMap<ProfileKind, Option<String>>>,
    /// Deletes an object: its kind, and its name or id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete: Option<BTreeMap<EditKind, String>>,
}

/// Creates objects; each field is a body.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateEdit {
    /// A configuration with a draft and no version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Object>,
    /// A deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<Object>,
    /// A flow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<Object>,
    /// A knowledge base.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub knowledge_base: Option<Object>,
    /// A supported content profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supported_content: Option<Object>,
    /// A messaging setting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messaging_setting: Option<Object>,
}

impl CreateEdit {
    /// Lists the profiles with their kinds.
    pub(super) fn profiles(&self) -> impl Iterator<Item = (ProfileKind, &Object)> {
        let content = self.supported_content.iter().map(|body| (ProfileKind::Content, body));
        content.chain(self.messaging_setting.iter().map(|body| (ProfileKind::Setting, body)))
    }
}

/// Changes a draft.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DraftEdit {
    /// The name or id of the configuration.
    pub configuration: String,
    /// A JSON merge patch (RFC 7396); its `status` is valid until the next write.
    pub patch: Object,
}

/// Publishes a draft.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PublishEdit {
    /// The name or id of the configuration.
    pub configuration: String,
}

/// Changes a deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeploymentEdit {
    /// The name or id of the deployment.
    pub deployment: String,
    /// The new version of its configuration; `newest` for the newest version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// A JSON merge patch (RFC 7396).
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub patch: Object,
}

/// Changes an open messaging integration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OpenEdit {
    /// Its name or id.
    pub open_integration: String,
    /// A JSON merge patch (RFC 7396).
    pub patch: Object,
}

/// Changes a supported content profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContentEdit {
    /// Its name or id.
    pub supported_content: String,
    /// A JSON merge patch (RFC 7396).
    pub patch: Object,
}

/// Changes a messaging setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SettingEdit {
    /// Its name or id.
    pub messaging_setting: String,
    /// A JSON merge patch (RFC 7396).
    pub patch: Object,
}

/// The kinds of objects that a person can delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EditKind {
    /// A configuration with all its versions, except if a deployment uses one of them.
    Configuration,
    /// A deployment.
    Deployment,
    /// An open messaging integration.
    OpenIntegration,
    /// A flow.
    Flow,
    /// A knowledge base.
    KnowledgeBase,
    /// A supported content profile.
    SupportedContent,
    /// A messaging setting.
    MessagingSetting,
    /// An integration of another kind.
    Integration,
}

impl EditKind {
    /// Returns the profile kind, if it is a profile.
    pub(super) fn profile(self) -> Option<ProfileKind> {
        match self {
            EditKind::SupportedContent => Some(ProfileKind::Content),
            EditKind::MessagingSetting => Some(ProfileKind::Setting),
            _ => None,
        }
    }
}

impl CloudEdit {
    /// Lists the changes of profiles: the kind, the name or id, and the patch.
    pub(super) fn profiles(&self) -> impl Iterator<Item = (ProfileKind, &str, &Object)> {
        let content = self.supported_content.iter();
        let content =
            content.map(|edit| (ProfileKind::Content, edit.supported_content.as_str(), &edit.patch));
        let setting = self.messaging_setting.iter();
        content
            .chain(setting.map(|edit| (ProfileKind::Setting, edit.messaging_setting.as_str(), &edit.patch)))
    }

    /// Returns whether the edit has no parts.
    pub fn is_empty(&self) -> bool {
        *self == CloudEdit::default()
    }
}
