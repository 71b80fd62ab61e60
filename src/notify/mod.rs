//! A port: notifies people once when a problem begins and once when it ends.
//!
//! In: current problems, what was sent before, and the time. Out: few messages, as JSON or for Slack, and the
//! new state. Never: prints the receiver's URL, loses the end of a reported problem, or reports a problem
//! that lasts less than [`NotifyPolicy::settle`]. Start reading at [`due()`], which is pure; only `sender.rs`
//! sends.

mod due;
mod message;
mod sender;
mod slack;

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{FaultKind, TenantName};

pub use due::{Sent, due};
pub use message::{Message, MessageState, Troubled, Why};
pub use sender::{NotifyError, NotifyFormat, Sender, Undelivered};

/// The cause of a problem, grouped by what a person does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "cause", content = "failing", rename_all = "kebab-case")]
pub enum Cause {
    /// Another user changed a live configuration, and genesync does not set it back.
    Drift,
    /// A person has to decide.
    Held,
    /// A guard refused the plan.
    Refused,
    /// An external dependency fails in this way.
    Degraded(FaultKind),
    /// A write has no audit entry.
    Unconfirmed,
    /// The manifests have errors.
    Invalid,
    /// Another user changed a field that git does not name.
    Unmanaged,
    /// Another user switched off a setting that git does not name.
    SwitchedOff,
    /// genesync cannot read the source, so it does not see new commits.
    SourceStale,
}

impl Cause {
    /// Returns the name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Drift => "drift",
            Cause::Held => "held",
            Cause::Refused => "refused",
            Cause::Degraded(_) => "degraded",
            Cause::Unconfirmed => "unconfirmed",
            Cause::Invalid => "invalid",
            Cause::Unmanaged => "unmanaged",
            Cause::SwitchedOff => "switched-off",
            Cause::SourceStale => "source-stale",
        }
    }
}

/// A current problem of one tenant, or of all tenants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The cause.
    pub cause: Cause,
    /// The tenant; none if the problem concerns all tenants.
    pub tenant: Option<TenantName>,
    /// When the problem began.
    pub since: Timestamp,
    /// The reason, in one sentence without secrets.
    pub reason: String,
}

/// When messages are sent.
#[derive(Debug, Clone)]
pub struct NotifyPolicy {
    /// How long a problem must last before it is reported, and be gone before its end is reported.
    pub settle: Duration,
    /// The waits before reminders; the last wait repeats.
    pub repeat: Vec<Duration>,
    /// The shortest wait before a message that a group has grown.
    pub growth_pause: Duration,
    /// The wait after a failed delivery; it doubles up to [`NotifyPolicy::retry_max`].
    pub retry: Duration,
    /// The longest wait after a failed delivery.
    pub retry_max: Duration,
    /// Most tenants that a message names.
    pub listed: usize,
    /// The name of this genesync, for receivers of several.
    pub instance: String,
}

impl Default for NotifyPolicy {
    fn default() -> Self {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        Self {
            settle: Duration::from_secs(30),
            repeat: vec![hours(1), hours(4), hours(24)],
            growth_pause: Duration::from_secs(300),
            retry: Duration::from_secs(10),
            retry_max: Duration::from_secs(600),
            listed: 10,
            instance: "genesync".into(),
        }
    }
}
