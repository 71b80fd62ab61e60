//! Leases, the parameters of a claim, and what the store knows of a claimed tenant.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::notes::Pause;
use super::tenants::ClaimCause;
use crate::model::standing::Standing;
use crate::model::unmanaged::Noticed;
use crate::model::{CredentialsName, Revision, Status, TenantName};

/// The right to work on a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The tenant.
    pub tenant: TenantName,
    /// The fencing token: it grows with every holder.
    pub token: i64,
    /// The digest of the desired configuration that the run is planned from. If it is set, the journal
    /// refuses intents once git has another one.
    pub wanted: Option<Arc<str>>,
    /// Whether an operator opened the guard `pause`: then the journal accepts intents of a paused tenant.
    pub over_pause: bool,
    /// Whether the operator opened the guard `run-off`.
    pub over_off: bool,
}

/// A leased tenant at one commit.
#[derive(Debug, Clone, Copy)]
pub struct Begin<'a> {
    /// Its lease.
    pub lease: &'a Lease,
    /// Digest of its desired configuration in the commit.
    pub wanted: &'a str,
    /// Its wave in the commit.
    pub wave: u32,
    /// Whether the commit becomes the repository's head: then it ends the holds that waited for a change of
    /// git.
    pub is_head: bool,
}

/// The parameters of a claim of due tenants.
#[derive(Debug, Clone)]
pub struct Claim<'a> {
    /// Largest number of tenants.
    pub limit: usize,
    /// Duration of each lease.
    pub lease: Duration,
    /// Credentials that have their largest number of runs already.
    pub saturated: &'a BTreeSet<CredentialsName>,
    /// How long later waves wait for an unreachable tenant.
    pub patience: Duration,
    /// The repository and the head that this replica has read. If the replicas agreed on another head, the
    /// claim returns nothing.
    pub head: (&'a str, &'a Revision),
}

/// A tenant that this process has leased.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The lease.
    pub lease: Lease,
    /// Digest of its desired configuration.
    pub wanted: Arc<str>,
    /// Whether the store has another digest: then no head has brought this change yet.
    pub is_new: bool,
    /// Whether the last run that was in sync was at that digest.
    pub applied: bool,
    /// Whether any earlier run was in sync or wrote something.
    pub was_applied: bool,
    /// Why the tenant was due.
    pub cause: ClaimCause,
    /// Failures in a row.
    pub failures: u32,
    /// The status that the last run ended with.
    pub status: Status,
    /// The reason for that status.
    pub reason: String,
    /// Known changes in fields that git does not name.
    pub unmanaged: Vec<Noticed>,
    /// What it means for later waves.
    pub standing: Standing,
    /// Since when it is unreachable; none if the last run reached it.
    pub unavailable_since: Option<Timestamp>,
    /// Its wave.
    pub wave: u32,
    /// The wave that its change waits for.
    pub waits_for: Option<u32>,
    /// Whether a person ended a guard's hold on this very change.
    pub released: bool,
    /// Why genesync only watches it; none if it is managed.
    pub pause: Option<Pause>,
}

impl Begin<'_> {
    pub(super) fn row(&self) -> serde_json::Value {
        serde_json::json!({
            "name": self.lease.tenant.as_str(),
            "wanted": self.wanted,
            "wave": i64::from(self.wave),
            "head": i64::from(self.is_head),
        })
    }
}
