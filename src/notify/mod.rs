//! A port: tells people that something is wrong, once, and that it is right again.
//!
//! In: what is wrong now, what was sent before, and a clock's reading. Out: few messages, as JSON or for
//! Slack, and what to remember. Never: prints the receiver's URL, loses the end of what it told the beginning of,
//! or speaks of a blip. Start reading at [`due()`], which is pure; `sender.rs` is the only part that sends.

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

/// What is wrong, sorted by what a person would do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "cause", content = "failing", rename_all = "kebab-case")]
pub enum Cause {
    /// Somebody moved a live configuration, and it is not set back.
    Drift,
    /// A person has to decide.
    Held,
    /// A guard refused the plan.
    Refused,
    /// Something outside fails, in this way.
    Degraded(FaultKind),
    /// A write has no audit entry.
    Unconfirmed,
    /// The manifests have errors.
    Invalid,
    /// Somebody changed what git does not name.
    Unmanaged,
    /// Somebody switched off something that git does not name.
    SwitchedOff,
    /// The source can't be read: nothing new is learned from git.
    SourceStale,
}

impl Cause {
    /// The word used in messages.
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

/// One thing that is wrong now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What.
    pub cause: Cause,
    /// With whom; none where it concerns everybody.
    pub tenant: Option<TenantName>,
    /// Since when.
    pub since: Timestamp,
    /// Why, in a sentence without secrets.
    pub reason: String,
}

/// When something is said.
#[derive(Debug, Clone)]
pub struct NotifyPolicy {
    /// How long a trouble must last before it is told, and be gone before its end is told.
    pub settle: Duration,
    /// The waits before the reminders; the last one is repeated.
    pub repeat: Vec<Duration>,
    /// The shortest wait before a message says that a group has grown.
    pub growth_pause: Duration,
    /// The wait after a failed delivery; it doubles up to [`NotifyPolicy::retry_max`].
    pub retry: Duration,
    /// The longest wait after a failed delivery.
    pub retry_max: Duration,
    /// Tenants that a message names.
    pub listed: usize,
    /// Which genesync speaks, for receivers that hear several.
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
