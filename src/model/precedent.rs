//! What an earlier commit said of how much may change, so that no commit lifts a guard and uses that.
//!
//! In: nothing. Out: [`Said`], and the stricter of two. Never: decides whether a plan passes; the guards do. Start reading at
//! [`Precedents`].

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::plan::Limits;
use super::{Mode, Object, OrganizationId, Protect, Resource, Tenant, Window};

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
    /// What an earlier commit said, and this one after it: what either protects, as long as no run was judged by it.
    #[must_use]
    pub fn then(&self, later: Self) -> Self {
        let mut said = later.said;
        for (organization, earlier) in &self.said {
            let merged =
                said.get(organization).map_or_else(|| earlier.clone(), |later| earlier.protecting(later));
            said.insert(organization.clone(), merged);
        }
        let limits = match (self.limits, later.limits) {
            (Some(earlier), later) => Some(earlier.and(later)),
            (None, later) => later,
        };
        Self { said, limits }
    }

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

    /// What is kept of it after a run, besides what was known: all of it once its tenant is found in sync. Before that, what
    /// it protects is added and nothing is lifted.
    #[must_use]
    pub fn kept_after(self, known: Option<&Self>, in_sync: bool, mode: Mode) -> Self {
        match known {
            // While it is only watched, what git gives up is asked about once it is enforced again.
            Some(known) if in_sync && mode == Mode::Watch => {
                let objects = known.objects.union(&self.objects).cloned().collect();
                Self { objects, ..self }
            }
            _ if in_sync => self,
            Some(known) => known.protecting(&self),
            // What was never there is not removed.
            None => Self { objects: BTreeSet::new(), ..self },
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ObjectKind;

    fn said(protected: &[Protect], objects: &[&str]) -> Said {
        let object = |name: &&str| Object { kind: ObjectKind::MessengerDeployment, name: (*name).into() };
        Said {
            protected: protected.iter().copied().collect(),
            objects: objects.iter().map(object).collect(),
            windows: Vec::new(),
            tenant_changes_max: 100,
            tenant_changes_max_percent: 100,
        }
    }

    #[test]
    fn a_commit_lifts_once_it_is_in_sync_and_protects_at_once() {
        let off = &[Protect::Off][..];
        // Known before, this commit, whether it is in sync, the mode, what is kept.
        let table = [
            (Some(said(off, &["a", "b"])), said(&[], &["a"]), true, Mode::Enforce, said(&[], &["a"])),
            (Some(said(off, &["a", "b"])), said(&[], &["a"]), false, Mode::Enforce, said(off, &["a", "b"])),
            (Some(said(&[], &["a"])), said(off, &["a", "b"]), false, Mode::Enforce, said(off, &["a"])),
            (Some(said(off, &["a", "b"])), said(&[], &["a"]), true, Mode::Watch, said(&[], &["a", "b"])),
            (None, said(off, &["a"]), true, Mode::Enforce, said(off, &["a"])),
            (None, said(off, &["a"]), false, Mode::Enforce, said(off, &[])),
        ];
        for (known, now, in_sync, mode, expected) in table {
            assert_eq!(
                now.kept_after(known.as_ref(), in_sync, mode),
                expected,
                "{known:?} {in_sync} {mode:?}"
            );
        }
    }

    #[test]
    fn what_nobody_was_judged_by_yet_is_protected_by_either_commit() {
        let parent = |organization: &str, protected: &[Protect], tenants_max: usize| Parent {
            said: Precedents::from([(OrganizationId::new(organization), said(protected, &["a"]))]),
            limits: Some(RunLimits { tenants_max, tenants_max_percent: 50 }),
        };
        let merged = parent("o", &[Protect::Off], 3).then(parent("o", &[Protect::Reach], 9));
        assert_eq!(merged, parent("o", &[Protect::Off, Protect::Reach], 3));
        let both = parent("o", &[Protect::Off], 3).then(parent("p", &[], 2));
        assert_eq!((both.said.len(), both.limits.map(|limits| limits.tenants_max)), (2, Some(2)));
    }
}
