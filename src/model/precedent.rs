//! The guard limits of an earlier commit, so that no commit can lift a guard and use that at once.
//!
//! In: nothing. Out: [`Said`], and the stricter of two. Never: decides whether a plan passes; the guards do
//! that. Start reading at [`Precedents`].

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::plan::Limits;
use super::{Mode, Object, OrganizationId, Protect, Resource, Tenant, Window};

/// The guard limits of one organization in a commit, for any tenant that names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Said {
    /// What the tenant protects.
    pub protected: BTreeSet<Protect>,
    /// The objects that git names.
    pub objects: BTreeSet<Object>,
    /// The change windows; empty means always.
    pub windows: Vec<Window>,
    /// Most changed fields of an object.
    pub tenant_changes_max: usize,
    /// The same in percent of the managed fields.
    pub tenant_changes_max_percent: u8,
}

/// The limits of the last applied commit, by organization. If there are none, only the applied commit
/// decides.
pub type Precedents = BTreeMap<OrganizationId, Said>;

/// How many tenants a run may change, from a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunLimits {
    /// Most changed tenants that already have a configuration.
    pub tenants_max: usize,
    /// The same in percent of all tenants.
    pub tenants_max_percent: u8,
}

impl RunLimits {
    /// Returns the run limits in `limits`.
    pub fn of(limits: &Limits) -> Self {
        Self { tenants_max: limits.run_tenants_max, tenants_max_percent: limits.run_tenants_max_percent }
    }

    /// Returns the stricter of two.
    #[must_use]
    pub fn and(self, other: Option<Self>) -> Self {
        other.map_or(self, |other| Self {
            tenants_max: self.tenants_max.min(other.tenants_max),
            tenants_max_percent: self.tenants_max_percent.min(other.tenants_max_percent),
        })
    }
}

impl Parent {
    /// Merges the limits of an earlier commit with those of this one: it protects what either of them
    /// protects, until a run has used them.
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

    /// Returns the limits for a tenant's organizations: from the state, or from the parent for
    /// organizations that the state does not know.
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

/// The limits that apply to a tenant in addition to its own commit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct JudgedBy {
    /// The limits of its organizations.
    pub said: Precedents,
    /// Organizations for which the state has no limits yet.
    pub unkept: BTreeSet<OrganizationId>,
}

/// The limits of a commit's first parent, for the case that no state knows what was applied last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parent {
    /// Of each organization.
    pub said: Precedents,
    /// The limits of a run; none if there is no parent.
    pub limits: Option<RunLimits>,
}

impl Said {
    /// Returns the same limits plus the protection of another commit. A commit that was never in sync
    /// protects from its first run on.
    #[must_use]
    pub fn protecting(&self, other: &Self) -> Self {
        let protected = self.protected.union(&other.protected).copied().collect();
        Self { protected, ..self.clone() }
    }

    /// Returns what the state keeps after a run: all of it if the tenant is in sync. Otherwise it adds the
    /// new protection and lifts nothing.
    #[must_use]
    pub fn kept_after(self, known: Option<&Self>, in_sync: bool, mode: Mode) -> Self {
        match known {
            // In mode `watch`, keep the objects that git gives up: the guard asks about them when the mode
            // is `enforce` again.
            Some(known) if in_sync && mode == Mode::Watch => {
                let objects = known.objects.union(&self.objects).cloned().collect();
                Self { objects, ..self }
            }
            _ if in_sync => self,
            Some(known) => known.protecting(&self),
            // An object that never existed cannot be removed.
            None => Self { objects: BTreeSet::new(), ..self },
        }
    }

    /// Returns a commit's limits for the organizations of a tenant.
    pub fn of(tenant: &Tenant, resources: &[Resource], limits: &Limits) -> Self {
        Self {
            protected: tenant.protected.clone(),
            objects: resources.iter().map(|resource| resource.object.clone()).collect(),
            windows: tenant.windows.clone(),
            tenant_changes_max: limits.tenant_changes_max,
            tenant_changes_max_percent: limits.tenant_changes_max_percent,
        }
    }

    /// Returns the same limits for each organization of the tenant.
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
    fn a_commit_lifts_protection_once_in_sync_and_adds_it_at_once() {
        let off = &[Protect::Off][..];
        // Known before, this commit, in sync, mode, what the state keeps.
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
    fn both_commits_protect_until_a_run_has_used_them() {
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
