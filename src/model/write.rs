//! A write, what its answer meant, and the proof that it was accepted.

#![warn(clippy::wildcard_enum_match_arm, reason = "a new outcome or kind of fault is decided about here")]

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ObjectRef, OrganizationId, SecretName, Stored, Target};

/// One write of one object, bound to the version that its plan saw.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Write {
    /// Where to.
    pub target: Target,
    /// The version that the plan saw; none creates.
    pub if_match: Option<u64>,
    /// The whole configuration to store.
    pub body: Arc<Map<String, Value>>,
    /// When this write can no longer take effect; the port gives up before it.
    pub deadline: Timestamp,
    /// What it does.
    pub act: Act,
    /// The object's id on the platform; none creates it where the dialect gives ids.
    pub id: Option<Arc<str>>,
    /// The name of the secret that goes along with it.
    pub secret: Option<SecretName>,
}

/// What a write does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// Stores the whole object; of a configuration of the `cloud` dialect, its draft.
    #[default]
    Store,
    /// Publishes the draft as the next version.
    Publish,
}

/// What the answer to a write (or to the start of a replication job) means. Decided once, in `api`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome<T> {
    /// Done; the server said so.
    Accepted(T),
    /// Refused: the version is another one.
    Conflict,
    /// Refused: too many requests. Not executed.
    Throttled {
        /// How long the server asked to wait, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// Refused for what it says.
    Rejected(Fault),
    /// Refused: there is nothing to update.
    NotFound(Fault),
    /// Refused: not allowed.
    Denied(Fault),
    /// The answer was lost: it may have been executed, or may still be.
    Unknown(Fault),
    /// The server failed and said so: it may have been executed, but no longer runs.
    Failed(Fault),
    /// It never left: the server can't have seen it.
    Unsent(Fault),
}

/// Why a request failed, sorted by what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Passing: a broken connection, a 5xx, an answer that can't be read.
    Transient,
    /// 429.
    Throttled,
    /// 401 after a fresh token, or 403.
    Denied,
    /// 404 of something other than the configuration.
    NotFound,
    /// Any other answer that says no; the same request would fail again.
    Rejected,
    /// Our own doing: no credentials, no such endpoint.
    Local,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: &'static [FaultKind] = &[
        FaultKind::Transient,
        FaultKind::Throttled,
        FaultKind::Denied,
        FaultKind::NotFound,
        FaultKind::Rejected,
        FaultKind::Local,
    ];

    /// The word in store and messages.
    pub fn name(self) -> &'static str {
        match self {
            FaultKind::Transient => "transient",
            FaultKind::Throttled => "throttled",
            FaultKind::Denied => "denied",
            FaultKind::NotFound => "not-found",
            FaultKind::Rejected => "rejected",
            FaultKind::Local => "local",
        }
    }

    /// Whether it passes by itself, so that the same request may succeed later.
    pub fn passes(self) -> bool {
        match self {
            FaultKind::Transient | FaultKind::Throttled => true,
            FaultKind::Denied | FaultKind::NotFound | FaultKind::Rejected | FaultKind::Local => false,
        }
    }
}

/// A failed request, told so that a stranger knows what happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// What to do next.
    pub kind: FaultKind,
    /// One sentence; never holds a secret or a body.
    pub message: String,
    /// The server's request id, to quote to its support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// How long the server asked to wait, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Whether so much else failed that asking again within this run would only add to it.
    #[serde(skip)]
    pub given_up: bool,
    /// Whether there is an answer, of more bytes than are taken: asking for less of it may do.
    #[serde(skip)]
    pub too_large: bool,
}

impl Fault {
    /// A fault with nothing but its kind and message.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { kind, message, request_id: None, retry_after_ms: None, given_up: false, too_large: false }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.request_id {
            Some(id) => write!(f, " (request id {id})"),
            None => Ok(()),
        }
    }
}

/// How a new version came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Receiver {
    /// We sent a PUT and the server accepted it.
    Put,
    /// We sent a PUT, its answer was lost, and reading back showed it in force.
    ReadBack,
    /// A replication job of ours copied it.
    Job,
}

/// Proof that one of our writes was accepted. The audit log has to hold an entry for each.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The organization written to.
    pub target: Target,
    /// The version before, or none where there was no configuration.
    pub from_version: Option<u64>,
    /// The version that it made.
    pub version: u64,
    /// When we sent it, by our clock.
    pub sent_at: Timestamp,
    /// How we know.
    pub by: Receiver,
    /// When it took effect, by the server's clock, where that is told and the audit log names no versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_at: Option<Timestamp>,
}

impl Receipt {
    /// Whether it is about this version of this object. There is one such version.
    pub fn speaks_of(&self, object: &ObjectRef, version: u64) -> bool {
        self.target.organization == object.organization
            && self.target.object == object.object
            && self.version == version
    }

    /// What it speaks of: `version 4 of …` where versions are counted.
    pub fn subject(&self) -> String {
        let object = self.target.object_ref();
        match object.object.kind.counts_versions() {
            true => format!("version {} of {object}", self.version),
            false => object.to_string(),
        }
    }

    /// The audit action that proves it.
    pub fn action(&self) -> &'static str {
        match (self.by, self.from_version) {
            (Receiver::Job, _) => "webchat:configuration:replicate",
            // A later version than the first was not made from nothing, although nothing had been seen.
            (_, None) if self.version == 1 => "webchat:configuration:create",
            (_, _) => "webchat:configuration:update",
        }
    }
}

/// A replication job, as the API last described it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Job {
    /// The job's id.
    pub id: String,
    /// Whether it has ended, well or badly. An unknown status counts as running.
    pub ended: bool,
    /// What became of each target so far.
    pub targets: Vec<JobTarget>,
}

/// One target of a replication job.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JobTarget {
    /// The organization.
    pub organization: OrganizationId,
    /// Where it stands.
    pub status: JobTargetStatus,
    /// The version that the job made there.
    pub version: Option<u64>,
    /// Why it failed.
    pub error: Option<String>,
}

/// Where one target of a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobTargetStatus {
    /// Not yet.
    Pending,
    /// Copied, says the job; reading back decides.
    Completed,
    /// Left as it was.
    Skipped,
    /// Not copied.
    Failed,
}

/// A request to copy the primary's configuration to other organizations.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StartJob {
    /// Copied from.
    pub source: Target,
    /// Copied to.
    pub targets: Vec<Target>,
    /// Whether targets that hold a configuration are overwritten.
    pub overwrite_existing: bool,
    /// When the request can no longer take effect.
    pub deadline: Timestamp,
}

/// What a PUT that was accepted left behind.
pub type Accepted = Stored;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CredentialsName, Object, OrganizationId, Region};

    #[test]
    fn the_action_follows_from_what_was_made_and_not_from_what_was_meant() {
        let table = [
            (Receiver::Put, None, 1, "create"),
            (Receiver::ReadBack, None, 1, "create"),
            (Receiver::Put, Some(4), 5, "update"),
            // Nothing was there when it was read, and something when it was written over.
            (Receiver::Put, None, 2, "update"),
            (Receiver::Job, None, 1, "replicate"),
            (Receiver::Job, Some(1), 2, "replicate"),
        ];
        for (by, from_version, version, action) in table {
            let target = Target {
                organization: OrganizationId::new("o"),
                region: Region::EuWest1,
                credentials: CredentialsName::new("c"),
                object: Object::implied(),
            };
            let receipt =
                Receipt { target, from_version, version, sent_at: Timestamp::UNIX_EPOCH, by, made_at: None };
            assert_eq!(receipt.action(), format!("webchat:configuration:{action}"));
        }
    }
}
