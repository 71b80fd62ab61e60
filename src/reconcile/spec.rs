//! The specification of a run.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::plan::{Limits, Reviewed};
use crate::model::precedent::JudgedBy;
use crate::model::unmanaged::Noticed;
use crate::model::{Memory, Resource, Revision, Target, Tenant, Timing, Versions};

/// The inputs of a run: fixed when it starts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Spec {
    /// The tenant.
    pub tenant: Tenant,
    /// The commit that `resources` were read from.
    pub revision: Revision,
    /// The desired state of each object, in the order in which objects depend on each other.
    pub resources: Vec<Resource>,
    /// The limits of the guards.
    pub limits: Limits,
    /// The same limits as of the last applied commit.
    pub precedents: JudgedBy,
    /// Deadlines and waits.
    pub timing: Timing,
    /// The source of the knowledge of what was applied before.
    pub memory: Memory,
    /// The known changes in unmanaged fields.
    pub noticed: Vec<Noticed>,
    /// Whether the server refuses a write that names a stale version.
    pub versions: Versions,
    /// Ids of genesync's own OAuth clients.
    pub own_clients: BTreeSet<String>,
    /// The reviewed plan, if only that may be written.
    pub reviewed: Option<Arc<Reviewed>>,
    /// Whether a person reviews or reviewed the plan: then every version is read before it is reported.
    pub is_exact: bool,
    /// The seed for the jitter of this run's waits.
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
