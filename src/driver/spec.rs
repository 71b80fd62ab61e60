//! Builds the input of a run, for `plan`, `apply`, `import` and the controller. No other module does.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::civil::Date;

use super::spread::seed_of;
use crate::model::plan::{Limits, Reviewed};
use crate::model::precedent::JudgedBy;
use crate::model::record::Journal;
use crate::model::unmanaged::Noticed;
use crate::model::{Memory, Mode, ObjectRef, Resource, Revision, Target, Tenant, Timing};
use crate::reconcile::Spec;
use crate::store::{Store, StoreError};

/// The part of the input that all runs of one commit share.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The commit.
    pub revision: Revision,
    /// The limits of the guards.
    pub limits: Limits,
    /// Deadlines and waits.
    pub timing: Timing,
    /// Whether the store knows what was applied before.
    pub memory: Memory,
    /// The day for which rules of ignored fields are evaluated.
    pub today: Date,
}

/// The part of the input that belongs to one tenant.
#[derive(Debug)]
pub struct Subject<'a> {
    /// Its settings.
    pub tenant: &'a Tenant,
    /// The desired state of each object, including ignored fields.
    pub resources: Vec<Resource>,
    /// The desired state of the earlier commit, for a plan between two commits.
    pub before: &'a [Resource],
    /// The guard settings of the last applied commit for its organizations.
    pub precedents: JudgedBy,
    /// Known changes in fields that git does not name.
    pub noticed: Vec<Noticed>,
    /// Ids of genesync's OAuth clients.
    pub own_clients: BTreeSet<String>,
    /// The reviewed plan, if only reviewed changes may be written.
    pub reviewed: Option<Arc<Reviewed>>,
    /// Whether the plan is for a review; true in any case if `reviewed` is set.
    pub is_exact: bool,
    /// Whether the tenant is paused or held: then genesync only reads it.
    pub is_paused: bool,
    /// The part of the jitter's seed that differs between runs of a tenant.
    pub salt: u64,
}

/// Returns the input of a run.
pub fn spec(terms: &Terms, subject: Subject<'_>) -> Spec {
    let Subject {
        tenant,
        resources,
        before,
        precedents,
        noticed,
        own_clients,
        reviewed,
        is_exact,
        is_paused,
        salt,
    } = subject;
    // Evaluated for every run: a rule ends on its day, even if the fleet was loaded earlier.
    let ignored = tenant.ignored_on(terms.today);
    let resource = |resource: Resource| Resource {
        before: before
            .iter()
            .find(|known| known.object == resource.object)
            .map(|known| known.desired.clone()),
        desired: resource.desired.ignoring(ignored.clone()),
        ..resource
    };
    let resources = resources.into_iter().map(resource).collect();
    let mode = if is_paused { Mode::Watch } else { tenant.mode };
    Spec {
        revision: terms.revision.clone(),
        resources,
        limits: terms.limits.clone(),
        precedents,
        timing: terms.timing,
        memory: terms.memory,
        noticed,
        versions: tenant.dialect.capabilities().versions,
        own_clients,
        is_exact: is_exact || reviewed.is_some(),
        reviewed,
        seed: seed_of(&tenant.name) ^ salt,
        tenant: Tenant { mode, ..tenant.clone() },
    }
}

/// Returns a tenant's journal, with the bases that other tenants applied of its objects, because a folder may
/// have been renamed.
///
/// # Errors
/// The journal is unreadable, or the store failed.
pub async fn journal_of(
    store: Option<&Store>,
    kept: Option<Result<Journal, StoreError>>,
    tenant: &Tenant,
    resources: &[Resource],
) -> Result<Journal, StoreError> {
    let mut journal = kept.transpose()?.unwrap_or_default();
    let of = |target: &Target| {
        let target = target.clone();
        resources.iter().map(move |resource| target.of(resource.object.clone()).object_ref())
    };
    if let Some(store) = store {
        let objects: Vec<ObjectRef> = tenant.targets().flat_map(of).collect();
        store.inherit(&tenant.name, &mut journal, &objects, tenant.mode == Mode::Enforce).await?;
    }
    Ok(journal)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::model::{
        CredentialsName, Desired, Dialect, IgnoreRule, Object, OrganizationId, Region, Target, TenantName,
        Versions,
    };

    fn tenant() -> Tenant {
        let primary = Target {
            organization: OrganizationId::new("o"),
            region: Region::EuWest1,
            credentials: CredentialsName::new("c"),
            object: Object::implied(),
        };
        Tenant {
            name: TenantName::new("acme"),
            dialect: Dialect::Webchat,
            primary,
            replicas: Vec::new(),
            mode: Mode::Enforce,
            wave: 0,
            windows: Vec::new(),
            ignore: vec![IgnoreRule { field: "banner".into(), until: "2026-12-24".parse().unwrap() }],
            protected: Default::default(),
            policy: Default::default(),
            owners: Vec::new(),
        }
    }

    fn resource(text: &str) -> Resource {
        let body = json!({"banner": text}).as_object().cloned().unwrap();
        let desired = Desired { body: Arc::new(body), exclusive: false, ignored: BTreeSet::new() };
        Resource::implied(desired)
    }

    fn made(today: &str, is_paused: bool) -> Spec {
        let terms = Terms {
            revision: Revision::new("r1"),
            limits: Limits::default(),
            timing: Timing::default(),
            memory: Memory::Kept,
            today: today.parse().unwrap(),
        };
        let tenant = tenant();
        let before = [resource("old")];
        let subject = Subject {
            tenant: &tenant,
            resources: vec![resource("new")],
            before: &before,
            precedents: JudgedBy::default(),
            noticed: Vec::new(),
            own_clients: BTreeSet::new(),
            reviewed: None,
            is_exact: false,
            is_paused,
            salt: 0,
        };
        spec(&terms, subject)
    }

    #[test]
    fn a_run_evaluates_ignore_rules_on_its_day() {
        let table = [("2026-12-24", false, true), ("2026-12-25", false, false), ("2026-12-25", true, false)];
        for (today, is_paused, ignores) in table {
            let spec = made(today, is_paused);
            assert_eq!(spec.resources[0].desired.ignores("banner"), ignores, "{today}");
            assert_eq!(spec.resources[0].before, Some(resource("old").desired), "{today}");
            let mode = if is_paused { Mode::Watch } else { Mode::Enforce };
            assert_eq!((spec.tenant.mode, spec.versions), (mode, Versions::Enforced));
        }
    }
}
