//! What a run is about.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::plan::{Limits, Reviewed};
use crate::model::precedent::JudgedBy;
use crate::model::unmanaged::Noticed;
use crate::model::{Memory, Resource, Revision, Target, Tenant, Timing, Versions};

/// What a run is about: fixed when it starts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Spec {
    /// The tenant.
    pub tenant: Tenant,
    /// The commit that `desired` was read from.
    pub revision: Revision,
    /// What git says of each object, in the order in which objects depend on each other.
    pub resources: Vec<Resource>,
    /// How much may change.
    pub limits: Limits,
    /// What the commit that was applied last said of that.
    pub precedents: JudgedBy,
    /// Deadlines and patience.
    pub timing: Timing,
    /// Where it is known from what was applied before.
    pub memory: Memory,
    /// What was known of changes in fields that git does not name.
    pub noticed: Vec<Noticed>,
    /// Whether the server refuses a write that names a stale version.
    pub versions: Versions,
    /// Ids of our own OAuth clients.
    pub own_clients: BTreeSet<String>,
    /// What a person reviewed, where only that may be written.
    pub reviewed: Option<Arc<Reviewed>>,
    /// Whether somebody reviews what is planned, or did: then every version is read before it is told.
    pub is_exact: bool,
    /// Where the jitter of this run's waits comes from.
    pub seed: u64,
}

impl Spec {
    /// Every object of every organization, the primary's first.
    pub fn targets(&self) -> impl Iterator<Item = Target> {
        let of = |target: &Target| {
            let target = target.clone();
            self.resources.iter().map(move |resource| target.of(resource.object.clone()))
        };
        self.tenant.targets().flat_map(of)
    }
}
