//! Why tenants are due.

use serde::Serialize;

/// Why a tenant is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClaimCause {
    /// Git says something new for it.
    Commit,
    /// It was not looked at for the length of the resync interval.
    Resync,
    /// A run of it did not end well.
    Retry,
    /// Somebody asked.
    Operator,
    /// Whoever worked on it is gone.
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

    /// The word in store, output and metrics.
    pub fn name(self) -> &'static str {
        match self {
            ClaimCause::Commit => "commit",
            ClaimCause::Resync => "resync",
            ClaimCause::Retry => "retry",
            ClaimCause::Operator => "operator",
            ClaimCause::Takeover => "takeover",
        }
    }

    /// The cause with this word; a run that was under way was taken over.
    pub fn from_name(name: &str) -> Self {
        ClaimCause::ALL.iter().copied().find(|cause| cause.name() == name).unwrap_or(ClaimCause::Takeover)
    }
}
