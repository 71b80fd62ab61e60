//! Entries of the API's audit log and what they prove.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::author::Untold;
use super::plan::HIDDEN;
use super::seal::is_confidential;
use super::{ObjectRef, Receipt};

/// Characters of a user's id that are shown if the name is not readable.
const ID_SHOWN: usize = 8;

/// Whether a person or an OAuth client acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActorKind {
    /// A person, in the admin UI.
    User,
    /// An OAuth client, such as genesync.
    Client,
}

/// Who made a change.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Actor {
    /// The user's or client's id.
    pub id: String,
    /// Its display name.
    #[serde(default)]
    pub name: String,
    /// A person or a client.
    #[serde(rename = "type")]
    pub kind: ActorKind,
}

impl Actor {
    /// Returns the name to show. An OAuth client is marked as such. A user without a name is shown by the
    /// first characters of the id.
    pub fn label(&self) -> Cow<'_, str> {
        match (self.kind, self.name.is_empty()) {
            (ActorKind::User, false) => Cow::Borrowed(&self.name),
            (ActorKind::User, true) => {
                let begin: String = self.id.chars().take(ID_SHOWN).collect();
                let more = if begin.len() < self.id.len() { "…" } else { "" };
                Cow::Owned(format!("user {begin}{more} (name not readable)"))
            }
            (ActorKind::Client, false) => Cow::Owned(format!("OAuth client {}", self.name)),
            (ActorKind::Client, true) => Cow::Owned(format!("OAuth client {}", self.id)),
        }
    }
}

/// One property that an entry says was changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PropertyChange {
    /// Dotted path, such as `widget.theme.colors.primary`.
    pub property: String,
    /// Value before.
    pub old_value: Value,
    /// Value after.
    pub new_value: Value,
}

/// One record of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The record's id; the log may return a record twice.
    pub id: String,
    /// When it happened, by the server's clock.
    pub at: Timestamp,
    /// Such as `webchat:configuration:update`.
    pub action: String,
    /// The organization that was changed.
    #[serde(flatten)]
    pub object: ObjectRef,
    /// Who changed it.
    pub actor: Actor,
    /// From where.
    pub remote_ip: Option<String>,
    /// The version that the change made.
    pub version: Option<u64>,
    /// What it changed.
    pub changes: Vec<PropertyChange>,
}

impl Entry {
    /// Returns the entry with confidential values hidden.
    pub fn shown(&self) -> Entry {
        let mut shown = self.clone();
        for change in shown.changes.iter_mut().filter(|change| is_confidential(&change.property)) {
            (change.old_value, change.new_value) = (HIDDEN.into(), HIDDEN.into());
        }
        shown
    }
}

/// Whether the audit log confirms a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "standing", rename_all = "lowercase")]
pub enum Standing {
    /// The audit log has an entry for it.
    Confirmed {
        /// The entry's id.
        entry: String,
        /// When the log says it happened.
        at: Timestamp,
    },
    /// No entry is known up to the deadline. The write is applied but unconfirmed; genesync never repeats
    /// it for this reason.
    Untold {
        /// Why.
        why: Untold,
    },
}

/// What the audit log says of one run's receipts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize)]
pub struct Confirmation {
    /// Every receipt with its standing, in the order of the writes.
    pub receipts: Vec<(Receipt, Standing)>,
    /// Entries of other users from the time of the run.
    pub foreign: Vec<Entry>,
}
