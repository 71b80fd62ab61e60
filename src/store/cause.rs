//! Why tenants are due.

use serde::Serialize;

/// Why a tenant is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClaimCause {
    /// A commit changed its desired configuration.
    Commit,
    /// The resync interval has passed since its last run.
    Resync,
    /// Its last run failed.
    Retry,
    /// An operator asked for a run.
    Operator,
    /// The process that worked on it is gone.
    Takeover,
}

impl ClaimCause {
    /// Every cause.
    pub const ALL: &'static [ClaimCause] = &[
        ClaimCause::Commit,
        ClaimCause::Resync,
        ClaimCause::Retry,
        ClaimCause::Operator,
        ClaimCause::Takeover,
    ];

    /// Returns the name in store, output and metrics.
    pub fn name(self) -> &'static str {
        match self {
            ClaimCause::Commit => "commit",
            ClaimCause::Resync => "resync",
            ClaimCause::Retry => "retry",
            ClaimCause::Operator => "operator",
            ClaimCause::Takeover => "takeover",
        }
    }

    /// Returns the cause of this name. Any other name, such as `running`, is a takeover.
    pub fn from_name(name: &str) -> Self {
        ClaimCause::ALL.iter().copied().find(|cause| cause.name() == name).unwrap_or(ClaimCause::Takeover)
    }
}
