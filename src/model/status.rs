//! The status of a tenant, and everything that depends on it, in one table.
//!
//! A status determines the name in text and JSON, the cause of a notification, the label of a metric, an
//! exit code and the time of the next run. All of them come from [`Status::row`], so they cannot disagree.

use serde::{Serialize, Serializer};

use super::{Exit, FaultKind};

/// The status of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Live equals git in every region, and every write is confirmed.
    Synced,
    /// Git has changes that are not applied.
    OutOfSync,
    /// The live configuration moved, and the mode is `watch`.
    Drifted,
    /// Live equals git, but some writes have no audit entry.
    Unconfirmed,
    /// Its change waits for a lower wave, or for a change window to open.
    Waiting,
    /// A person has to decide.
    Held,
    /// A guard refused its plan.
    Refused,
    /// Its manifests have errors.
    Invalid,
    /// A person paused it.
    Paused,
    /// An external service failed.
    Degraded(FaultKind),
}

/// When the controller runs a tenant again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// At its time in the resync interval.
    Resync,
    /// At the resync, or after the longest back-off if that is earlier.
    Soon,
    /// After a back-off that doubles, at the latest at the resync.
    Backoff,
    /// After a back-off that doubles up to its own limit.
    Outage,
    /// After a back-off, but not before the resync, because the server refuses the same request again.
    Refusal,
    /// After the next commit that changes the tenant.
    Commit,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatusRow {
    /// The name in text, JSON and the store.
    pub word: &'static str,
    /// The cause of a notification, as the store keeps it; empty if there is none.
    pub trouble: &'static str,
    /// The value of the label `status` in the metrics.
    pub metric: &'static str,
    /// The exit code of a command that should apply this tenant but wrote nothing.
    pub exit: Exit,
    /// When the controller runs the tenant again.
    pub retry: Retry,
}

impl Status {
    /// Every status, and every cause of a degraded one.
    pub const ALL: [Status; 15] = [
        Status::Synced,
        Status::OutOfSync,
        Status::Drifted,
        Status::Unconfirmed,
        Status::Waiting,
        Status::Held,
        Status::Refused,
        Status::Invalid,
        Status::Paused,
        Status::Degraded(FaultKind::Denied),
        Status::Degraded(FaultKind::NotFound),
        Status::Degraded(FaultKind::Rejected),
        Status::Degraded(FaultKind::Throttled),
        Status::Degraded(FaultKind::Transient),
        Status::Degraded(FaultKind::Local),
    ];

    /// Returns the row of a status.
    pub fn row(self) -> StatusRow {
        let row = |word, trouble, metric, exit, retry| StatusRow { word, trouble, metric, exit, retry };
        match self {
            Status::Synced => row("Synced", "", "synced", Exit::Done, Retry::Resync),
            Status::OutOfSync => row("OutOfSync", "", "out_of_sync", Exit::Done, Retry::Resync),
            Status::Drifted => row("Drifted", "drift", "drifted", Exit::Done, Retry::Resync),
            Status::Unconfirmed => row("Unconfirmed", "unconfirmed", "unconfirmed", Exit::Done, Retry::Soon),
            Status::Waiting => row("Waiting", "", "waiting", Exit::Changes, Retry::Resync),
            Status::Held => row("Held", "held", "held", Exit::Held, Retry::Backoff),
            Status::Refused => row("Held", "refused", "refused", Exit::Refused, Retry::Backoff),
            Status::Invalid => row("Held", "invalid", "invalid", Exit::Findings, Retry::Commit),
            Status::Paused => row("Paused", "", "paused", Exit::Done, Retry::Resync),
            Status::Degraded(kind) => {
                let (exit, retry) = match kind {
                    FaultKind::Rejected => (Exit::Held, Retry::Refusal),
                    FaultKind::Denied
                    | FaultKind::NotFound
                    | FaultKind::Throttled
                    | FaultKind::Transient
                    | FaultKind::Local => (Exit::Outside, Retry::Outage),
                };
                row("Degraded", kind.name(), "degraded", exit, retry)
            }
        }
    }

    /// Returns the name in text and JSON.
    pub fn word(self) -> &'static str {
        self.row().word
    }

    /// Returns the status for two values in the store; none for values of another build.
    pub fn from_words(word: &str, trouble: &str) -> Option<Self> {
        let exact = |known: &Status| known.row().word == word && known.row().trouble == trouble;
        // Builds before 0.2 kept an empty cause for the drift of a paused tenant.
        let close = |known: &Status| known.row().word == word;
        Status::ALL.into_iter().find(exact).or_else(|| Status::ALL.into_iter().find(close))
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_store_values_lead_back_to_the_status() {
        for status in Status::ALL {
            let row = status.row();
            assert_eq!(Status::from_words(row.word, row.trouble), Some(status));
        }
        assert_eq!(Status::from_words("Gone", ""), None);
        // A row of an earlier build, with the drift of a paused tenant.
        assert_eq!(Status::from_words("Drifted", ""), Some(Status::Drifted));
    }

    #[test]
    fn every_fault_has_its_status() {
        let of_faults: BTreeSet<&str> = FaultKind::ALL.iter().map(|kind| kind.name()).collect();
        let degraded: BTreeSet<&str> = Status::ALL
            .into_iter()
            .filter(|status| matches!(status, Status::Degraded(_)))
            .map(|status| status.row().trouble)
            .collect();
        assert_eq!(of_faults, degraded);
    }

    #[test]
    fn waiting_and_paused_tenants_send_no_notification() {
        for status in [Status::Waiting, Status::Paused, Status::Synced, Status::OutOfSync] {
            assert_eq!(status.row().trouble, "", "{status:?}");
        }
    }
}
