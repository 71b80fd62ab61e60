//! A message to a receiver. `docs/watching.md` documents its JSON form; fields are only added.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Cause;
use crate::model::FaultKind;
use crate::model::TenantName;

/// Whether the problem lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageState {
    /// The problem lasts.
    Firing,
    /// The problem is over.
    Resolved,
}

/// Why this message is sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Why {
    /// The problem is new.
    First,
    /// The problem concerns at least twice as many tenants as in the last message.
    Grown,
    /// The problem still lasts.
    Reminder,
    /// The problem is over.
    Resolved,
}

impl Why {
    /// Returns the name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Why::First => "first",
            Why::Grown => "grown",
            Why::Reminder => "reminder",
            Why::Resolved => "resolved",
        }
    }
}

/// A tenant with a problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Troubled {
    /// The tenant.
    pub tenant: TenantName,
    /// When the problem began.
    pub since: Timestamp,
    /// The reason.
    pub reason: String,
}

/// One message about one group of problems.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The version of this format: 1.
    pub version: u32,
    /// The id of the message; the same if it is sent again after a failed delivery.
    pub id: String,
    /// The group of problems; the same from the first message to the one that resolves it.
    pub group: String,
    /// The name of the genesync that sends the message.
    pub instance: String,
    /// Whether the problem lasts.
    pub state: MessageState,
    /// Why the message is sent now.
    pub why: Why,
    /// The cause: `cause`, and for `degraded`, the kind of failure in `failing`.
    #[serde(flatten)]
    pub cause: Cause,
    /// The reason, of the tenant with the oldest problem.
    pub reason: String,
    /// When the problem of that tenant began.
    pub since: Timestamp,
    /// When the problem ended, if it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The number of tenants, before the end for a problem that is over; 0 if it concerns all tenants.
    pub count: usize,
    /// Some of the tenants, oldest problem first.
    pub tenants: Vec<Troubled>,
    /// The number of tenants that are not named.
    pub more: usize,
    /// The number of messages about the group that were delivered before.
    pub repeat: u32,
}

impl Message {
    /// Returns the problem in one line for people.
    pub(super) fn title(&self) -> String {
        let tenants = if self.count == 1 { "1 tenant".into() } else { format!("{} tenants", self.count) };
        let said = match self.cause {
            Cause::Drift => format!("Another user changed {tenants}"),
            Cause::Held => format!("A person has to decide about {tenants}"),
            Cause::Refused => format!("A guard refused the plans of {tenants}"),
            Cause::Degraded(FaultKind::Denied) => format!("Access is denied for {tenants}"),
            Cause::Degraded(FaultKind::Throttled) => format!("Too many requests for {tenants}"),
            Cause::Degraded(FaultKind::Local) => {
                format!("A local problem of genesync stops {tenants}")
            }
            Cause::Degraded(_) => format!("An external service fails for {tenants}"),
            Cause::Unconfirmed => format!("Writes to {tenants} have no audit entry"),
            Cause::Invalid => format!("The manifests of {tenants} have errors"),
            Cause::Unmanaged => format!("Another user changed fields of {tenants} that git does not name"),
            Cause::SwitchedOff => {
                format!("Another user switched off settings of {tenants} that git does not name")
            }
            Cause::SourceStale => "The configuration repository cannot be read".into(),
        };
        match self.state {
            MessageState::Firing => said,
            MessageState::Resolved => format!("Resolved: {said}"),
        }
    }
}
