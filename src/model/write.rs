//! A write, its outcome, and the receipt for an accepted write.

#![warn(clippy::wildcard_enum_match_arm, reason = "a new outcome or kind of fault needs a decision here")]

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ObjectRef, OrganizationId, SecretName, Stored, Target};

/// One write of one object, based on the version that its plan saw.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Write {
    /// The object.
    pub target: Target,
    /// The version that the plan saw; none creates the object.
    pub if_match: Option<u64>,
    /// The whole configuration to store.
    pub body: Arc<Map<String, Value>>,
    /// When this write can no longer take effect; the port stops before it.
    pub deadline: Timestamp,
    /// The kind of write.
    pub act: Act,
    /// The object's id on the platform; none creates the object if the dialect has ids.
    pub id: Option<Arc<str>>,
    /// The name of the secret that genesync sends with it.
    pub secret: Option<SecretName>,
}

/// The kind of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// Stores the whole object; for a configuration of the `cloud` dialect, its draft.
    #[default]
    Store,
    /// Publishes the draft as the next version.
    Publish,
}

/// The outcome of a write or of the start of a replication job. Only `api` decides it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome<T> {
    /// Executed, confirmed by the server.
    Accepted(T),
    /// Refused: the current version is another one.
    Conflict,
    /// Refused and not executed: too many requests.
    Throttled {
        /// How long the server asked to wait, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// Refused because of its content.
    Rejected(Fault),
    /// Refused: the object does not exist.
    NotFound(Fault),
    /// Refused: not allowed.
    Denied(Fault),
    /// The answer was lost: the write may have been executed, or may still be.
    Unknown(Fault),
    /// The server reported a failure: the write may have been executed, but no longer runs.
    Failed(Fault),
    /// It was not sent, so the server cannot have executed it.
    Unsent(Fault),
}

/// Why a request failed, grouped by what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Temporary: a broken connection, a 5xx, an answer that cannot be read.
    Transient,
    /// 429.
    Throttled,
    /// 401 with a fresh token, or 403.
    Denied,
    /// 404 of an object other than the configuration.
    NotFound,
    /// Any other error answer; the same request would fail again.
    Rejected,
    /// A cause on this side: missing credentials, an unknown endpoint, a journal that cannot be written, a bug.
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

    /// Returns the name in the store and in messages.
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

    /// Whether the fault is temporary, so that the same request may succeed later.
    pub fn passes(self) -> bool {
        match self {
            FaultKind::Transient | FaultKind::Throttled => true,
            FaultKind::Denied | FaultKind::NotFound | FaultKind::Rejected | FaultKind::Local => false,
        }
    }
}

/// A failed request, with a message for a reader who does not know genesync.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// The kind, which decides what to do next.
    pub kind: FaultKind,
    /// One sentence; never contains a secret or a body.
    pub message: String,
    /// The server's request id, for a support request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// How long the server asked to wait, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Whether so many other requests failed that this run should not ask again.
    #[serde(skip)]
    pub given_up: bool,
    /// Whether the answer was too large; a request for a smaller part may succeed.
    #[serde(skip)]
    pub too_large: bool,
}

impl Fault {
    /// Creates a fault with only a kind and a message.
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

/// How genesync knows of a new version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Receiver {
    /// genesync sent a PUT and the server accepted it.
    Put,
    /// genesync sent a PUT, its answer was lost, and reading back showed it in force.
    ReadBack,
    /// A replication job of genesync copied it.
    Job,
}

/// The receipt of an accepted write. The audit log has to have an entry for each.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The object that was written.
    pub target: Target,
    /// The version before the write; none if there was no configuration.
    pub from_version: Option<u64>,
    /// The version that the write made.
    pub version: u64,
    /// When genesync sent it, by its own clock.
    pub sent_at: Timestamp,
    /// How genesync knows of it.
    pub by: Receiver,
    /// When it took effect, by the server's clock, if the server reports that and audit entries name no
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_at: Option<Timestamp>,
}

impl Receipt {
    /// Whether it is the receipt for this version of this object. There is only one such version.
    pub fn speaks_of(&self, object: &ObjectRef, version: u64) -> bool {
        self.target.organization == object.organization
            && self.target.object == object.object
            && self.version == version
    }

    /// Returns the subject for messages: `version 4 of …` if versions are counted.
    pub fn subject(&self) -> String {
        let object = self.target.object_ref();
        match object.object.kind.counts_versions() {
            true => format!("version {} of {object}", self.version),
            false => object.to_string(),
        }
    }

    /// Returns the audit action that confirms it.
    pub fn action(&self) -> &'static str {
        match (self.by, self.from_version) {
            (Receiver::Job, _) => "webchat:configuration:replicate",
            // Only version 1 was created; a later version is an update, also if genesync saw no
            // configuration before.
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
    /// Whether it has ended, with or without success. An unknown status counts as running.
    pub ended: bool,
    /// The state of each target.
    pub targets: Vec<JobTarget>,
}

/// One target of a replication job.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JobTarget {
    /// The organization.
    pub organization: OrganizationId,
    /// Its state.
    pub status: JobTargetStatus,
    /// The version that the job made there.
    pub version: Option<u64>,
    /// Why it failed.
    pub error: Option<String>,
}

/// The state of one target of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobTargetStatus {
    /// Not copied yet.
    Pending,
    /// Copied according to the job; genesync reads back to verify.
    Completed,
    /// Left unchanged.
    Skipped,
    /// Not copied.
    Failed,
}

/// A request to copy the primary's configuration to other organizations.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StartJob {
    /// The organization to copy from.
    pub source: Target,
    /// The organizations to copy to.
    pub targets: Vec<Target>,
    /// Whether existing configurations are overwritten.
    pub overwrite_existing: bool,
    /// When the request can no longer take effect.
    pub deadline: Timestamp,
}

/// The stored configuration after an accepted PUT.
pub type Accepted = Stored;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CredentialsName, Object, OrganizationId, Region};

    #[test]
    fn the_audit_action_depends_on_the_version_that_was_made() {
        let table = [
            (Receiver::Put, None, 1, "create"),
            (Receiver::ReadBack, None, 1, "create"),
            (Receiver::Put, Some(4), 5, "update"),
            // The read saw no configuration, but there was one when the write arrived.
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
