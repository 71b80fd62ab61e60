//! What a lease is, what is asked for with one, and what is known of a tenant that is leased.

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
    /// Grows with every holder.
    pub token: i64,
    /// The digest of what git says, that the run is planned from; with one, the journal takes no intent
    /// once git says otherwise.
    pub wanted: Option<Arc<str>>,
    /// Whether an operator opened the guard `pause`: then the journal takes intents of a paused tenant.
    pub over_pause: bool,
    /// Whether the operator opened the guard `run-off`.
    pub over_off: bool,
}

/// A leased tenant as a commit has it.
#[derive(Debug, Clone, Copy)]
pub struct Begin<'a> {
    /// Its lease.
    pub lease: &'a Lease,
    /// Digest of what the commit says.
    pub wanted: &'a str,
    /// Its wave there.
    pub wave: u32,
    /// Whether the commit becomes the repository's head: then it ends the holds that it answers.
    pub is_head: bool,
}

/// A question for tenants that are due.
#[derive(Debug, Clone)]
pub struct Claim<'a> {
    /// Most tenants.
    pub limit: usize,
    /// How long each is leased.
    pub lease: Duration,
    /// Credentials that have enough runs already.
    pub saturated: &'a BTreeSet<CredentialsName>,
    /// How long later waves wait for a tenant that cannot be reached.
    pub patience: Duration,
    /// The repository and the head that this replica has read: at any other than the one agreed on it claims
    /// nothing, because it does not know what git says.
    pub head: (&'a str, &'a Revision),
}

/// A tenant that is ours to work on.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The lease.
    pub lease: Lease,
    /// Digest of what git says.
    pub wanted: Arc<str>,
    /// Whether the store knows another one, of the head: then no head has brought this change yet.
    pub is_new: bool,
    /// Whether the last run that was in sync was at that digest.
    pub applied: bool,
    /// Whether there was such a run at all, or one that wrote something.
    pub was_applied: bool,
    /// Why it was due.
    pub cause: ClaimCause,
    /// Failures in a row.
    pub failures: u32,
    /// The status that the last run ended with.
    pub status: Status,
    /// Why it was so.
    pub reason: String,
    /// What was known of changes in fields that git does not name.
    pub unmanaged: Vec<Noticed>,
    /// How it stands towards later waves.
    pub standing: Standing,
    /// Since when it can't be reached; none where it was reached last.
    pub unavailable_since: Option<Timestamp>,
    /// Its wave.
    pub wave: u32,
    /// The wave that its change waits for.
    pub waits_for: Option<u32>,
    /// Whether a person ended a guard's hold on this very change.
    pub released: bool,
    /// Whether it is watched only, and why.
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
