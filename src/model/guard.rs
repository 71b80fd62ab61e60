//! The guards and their refusals.
//!
//! In: nothing. Out: the types. Never: decides; that is `plan/guards/`. Start reading at [`Guard`].

#![warn(clippy::wildcard_enum_match_arm, reason = "a new guard needs a decision here")]

use serde::{Deserialize, Serialize};

/// A limit that a plan may cross only if the operator allows it for one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guard {
    /// One tenant has more changed fields than its limit.
    TenantChanges,
    /// One run changes more tenants than the limit.
    RunTenants,
    /// A protected tenant loses a feature that visitors had.
    Protected,
    /// Another user deleted a configuration that genesync applied.
    Recreate,
    /// The time is outside the tenant's change windows.
    Window,
    /// The branch no longer holds the revision that was applied last.
    Rewind,
    /// A person paused the tenant.
    Pause,
    /// Git and another user moved a field, and the manifest says that a person decides.
    Conflict,
    /// A feature is switched off at more than one tenant within an hour.
    RunOff,
    /// An object differs from git, and genesync has no record of having applied it.
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

    /// Returns the name that `--allow` takes.
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
    /// The guard that refuses it.
    pub guard: Guard,
    /// One sentence with the measured value and the limit.
    pub message: String,
}
