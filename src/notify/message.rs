//! A message as receivers get it. Its JSON form is documented in `docs/watching.md` and only ever grows.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Cause;
use crate::model::FaultKind;
use crate::model::TenantName;

/// Whether it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageState {
    /// It does.
    Firing,
    /// It is over.
    Resolved,
}

/// Why this message is sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Why {
    /// It is new.
    First,
    /// It concerns at least twice as many tenants as the last message said.
    Grown,
    /// It still lasts.
    Reminder,
    /// It is over.
    Resolved,
}

impl Why {
    /// The word used in messages.
    pub fn name(self) -> &'static str {
        match self {
            Why::First => "first",
            Why::Grown => "grown",
            Why::Reminder => "reminder",
            Why::Resolved => "resolved",
        }
    }
}

/// One tenant in trouble.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Troubled {
    /// Who.
    pub tenant: TenantName,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: String,
}

/// One message, about all that is wrong for one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Of this form: 1.
    pub version: u32,
    /// Its own id, the same when it is sent again after a failed delivery.
    pub id: String,
    /// What it is about: the same in every message from the first to the one that resolves it.
    pub group: String,
    /// Which genesync speaks.
    pub instance: String,
    /// Whether it lasts.
    pub state: MessageState,
    /// Why it is sent now.
    pub why: Why,
    /// What is wrong: `cause`, and where that is `degraded`, `failing` says in which way.
    #[serde(flatten)]
    pub cause: Cause,
    /// Why, for the tenant that has it the longest.
    pub reason: String,
    /// Since when, for that tenant.
    pub since: Timestamp,
    /// When it ended, where it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How many tenants it concerns; of one that is over, how many at last. 0: everybody.
    pub count: usize,
    /// Some of them, longest first.
    pub tenants: Vec<Troubled>,
    /// How many are not named.
    pub more: usize,
    /// How many messages about it were delivered before.
    pub repeat: u32,
}

impl Message {
    /// One line that says what is wrong, for people.
    pub(super) fn title(&self) -> String {
        let tenants = if self.count == 1 { "1 tenant".into() } else { format!("{} tenants", self.count) };
        let said = match self.cause {
            Cause::Drift => format!("Somebody else changed {tenants}"),
            Cause::Held => format!("A person has to decide about {tenants}"),
            Cause::Refused => format!("A guard refused the plans of {tenants}"),
            Cause::Degraded(FaultKind::Denied) => format!("Access is denied for {tenants}"),
            Cause::Degraded(FaultKind::Throttled) => format!("Too many requests for {tenants}"),
            Cause::Degraded(FaultKind::Local) => format!("Settings do not fit for {tenants}"),
            Cause::Degraded(_) => format!("Something outside fails for {tenants}"),
            Cause::Unconfirmed => format!("Writes to {tenants} have no audit entry"),
            Cause::Invalid => format!("The manifests of {tenants} have errors"),
            Cause::Unmanaged => format!("Another user changed fields of {tenants} that git does not name"),
            Cause::SwitchedOff => {
                format!("Another user switched off what git does not name at {tenants}")
            }
            Cause::SourceStale => "The configuration repository can't be read".into(),
        };
        match self.state {
            MessageState::Firing => said,
            MessageState::Resolved => format!("Over: {said}"),
        }
    }
}
