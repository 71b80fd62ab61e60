//! Entries of the API's audit log and what they prove.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::author::Untold;
use super::plan::HIDDEN;
use super::seal::is_confidential;
use super::{ObjectRef, Receipt};

/// Characters of a person's id that are shown where the name can't be read.
const ID_SHOWN: usize = 8;

/// Whether a person or an OAuth client acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActorKind {
    /// A person, in the admin UI.
    User,
    /// An OAuth client.
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
    /// The name to show. A program is told from a person; of a person without a name enough of the id is shown to
    /// find them by.
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
    /// The entry as it may be shown.
    pub fn shown(&self) -> Entry {
        let mut shown = self.clone();
        for change in shown.changes.iter_mut().filter(|change| is_confidential(&change.property)) {
            (change.old_value, change.new_value) = (HIDDEN.into(), HIDDEN.into());
        }
        shown
    }
}

/// How a receipt stands against the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "standing", rename_all = "lowercase")]
pub enum Standing {
    /// Its entry is there.
    Confirmed {
        /// The entry's id.
        entry: String,
        /// When the log says it happened.
        at: Timestamp,
    },
    /// No entry is known up to the deadline: applied, unconfirmed; never a reason to write again.
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
    /// Somebody else's entries in our window.
    pub foreign: Vec<Entry>,
}
