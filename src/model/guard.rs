//! Guards by name, and what they refuse.
//!
//! In: nothing. Out: the types. Never: judges; that is `plan/guards/`. Start reading at [`Guard`].

#![warn(clippy::wildcard_enum_match_arm, reason = "a new guard is decided about here")]

use serde::{Deserialize, Serialize};

/// A limit that a plan may not cross unless the operator opens it for one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guard {
    /// More fields of one tenant change than its limit.
    TenantChanges,
    /// More tenants change in one run than the limit.
    RunTenants,
    /// A protected tenant loses something that visitors had.
    Protected,
    /// A configuration that we applied is gone; somebody deleted it.
    Recreate,
    /// It is outside the tenant's windows.
    Window,
    /// The branch no longer holds the revision that was applied last.
    Rewind,
    /// A person paused the tenant.
    Pause,
    /// Git and somebody else moved a field, and git says that a person decides.
    Conflict,
    /// Something is switched off at more than one tenant within an hour.
    RunOff,
    /// An object differs, and nothing is known of genesync having applied it.
    Adopt,
    /// An object carries the mark of another repository.
    Owner,
}

impl Guard {
    /// Every guard.
    pub const ALL: &'static [Guard] = &[
        Guard::TenantChanges,
        Guard::RunTenants,
        Guard::Protected,
        Guard::Recreate,
        Guard::Window,
        Guard::Rewind,
        Guard::Pause,
        Guard::Conflict,
        Guard::RunOff,
        Guard::Adopt,
        Guard::Owner,
    ];

    /// The name that `--allow` takes.
    pub fn name(self) -> &'static str {
        match self {
            Guard::TenantChanges => "tenant-changes",
            Guard::RunTenants => "run-tenants",
            Guard::Protected => "protected",
            Guard::Recreate => "recreate",
            Guard::Window => "window",
            Guard::Rewind => "rewind",
            Guard::Pause => "pause",
            Guard::Conflict => "conflict",
            Guard::RunOff => "run-off",
            Guard::Adopt => "adopt",
            Guard::Owner => "owner",
        }
    }

    /// Finds a guard by its name.
    pub fn from_name(name: &str) -> Option<Guard> {
        Guard::ALL.iter().copied().find(|guard| guard.name() == name)
    }
}

/// A plan that may not be applied, and why.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Refusal {
    /// The limit that it crosses.
    pub guard: Guard,
    /// One sentence that says by how much.
    pub message: String,
}
