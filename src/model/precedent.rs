//! What an earlier commit said of how much may change, so that no commit lifts a guard and uses that.
//!
//! In: nothing. Out: [`Said`], and the stricter of two. Never: decides whether a plan passes; the guards do. Start reading at
//! [`Precedents`].

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::plan::Limits;
use super::{Object, OrganizationId, Protect, Resource, Tenant, Window};

/// What a commit says of the guards of one organization, whichever tenant names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Said {
    /// What is not to be lost.
    pub protected: BTreeSet<Protect>,
    /// The objects that git names.
    pub objects: BTreeSet<Object>,
    /// When it may be written; empty means always.
    pub windows: Vec<Window>,
    /// Most fields of an object that may change.
    pub tenant_changes_max: usize,
    /// The same in percent of those that git manages.
    pub tenant_changes_max_percent: u8,
}

/// What the last applied commit said, by organization. Where nothing is known, the commit that is applied decides alone.
pub type Precedents = BTreeMap<OrganizationId, Said>;

/// What a commit says of how many tenants a run may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunLimits {
    /// Most tenants with a configuration.
    pub tenants_max: usize,
    /// The same in percent of all of them.
    pub tenants_max_percent: u8,
}

impl RunLimits {
    /// What limits say of a run.
    pub fn of(limits: &Limits) -> Self {
        Self { tenants_max: limits.run_tenants_max, tenants_max_percent: limits.run_tenants_max_percent }
    }

    /// The stricter of two.
    #[must_use]
    pub fn and(self, other: Option<Self>) -> Self {
        other.map_or(self, |other| Self {
            tenants_max: self.tenants_max.min(other.tenants_max),
            tenants_max_percent: self.tenants_max_percent.min(other.tenants_max_percent),
        })
    }
}

impl Parent {
    /// What is known of a tenant's organizations: what the state keeps, and what the parent said of those that it does not
    /// know.
    pub fn judge_of(&self, kept: &Precedents, tenant: &Tenant) -> JudgedBy {
        let mut known = JudgedBy::default();
        for organization in tenant.targets().map(|target| &target.organization) {
            let stored = kept.get(organization);
            if stored.is_none() {
                known.unkept.insert(organization.clone());
            }
            if let Some(said) = stored.or_else(|| self.said.get(organization)) {
                known.said.insert(organization.clone(), said.clone());
            }
        }
        known
    }
}

/// What a tenant is judged by besides its commit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct JudgedBy {
    /// What was said of its organizations.
    pub said: Precedents,
    /// Those of which the state keeps nothing yet.
    pub unkept: BTreeSet<OrganizationId>,
}

/// What a commit said, where no state knows what was applied last: that of its first parent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parent {
    /// Of each organization.
    pub said: Precedents,
    /// Of a run; none where there is no parent.
    pub limits: Option<RunLimits>,
}

impl Said {
    /// The same with what another commit protects as well: one that was never found in sync protects from the first run on.
    #[must_use]
    pub fn protecting(&self, other: &Self) -> Self {
        let protected = self.protected.union(&other.protected).copied().collect();
        Self { protected, ..self.clone() }
    }

    /// What a commit says of the organizations of a tenant.
    pub fn of(tenant: &Tenant, resources: &[Resource], limits: &Limits) -> Self {
        Self {
            protected: tenant.protected.clone(),
            objects: resources.iter().map(|resource| resource.object.clone()).collect(),
            windows: tenant.windows.clone(),
            tenant_changes_max: limits.tenant_changes_max,
            tenant_changes_max_percent: limits.tenant_changes_max_percent,
        }
    }

    /// The same for each organization of the tenant.
    pub fn of_each(tenant: &Tenant, resources: &[Resource], limits: &Limits) -> Precedents {
        let said = Self::of(tenant, resources, limits);
        tenant.targets().map(|target| (target.organization.clone(), said.clone())).collect()
    }
}
