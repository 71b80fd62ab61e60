//! What a run is about: the only place where one is put together, for `plan`, `apply`, `import` and the controller.

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

/// What the runs of one commit share.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The commit.
    pub revision: Revision,
    /// How much may change.
    pub limits: Limits,
    /// Deadlines and patience.
    pub timing: Timing,
    /// Where it is known from what was applied before.
    pub memory: Memory,
    /// The day by which ignored fields are judged.
    pub today: Date,
}

/// What is a tenant's own.
#[derive(Debug)]
pub struct Subject<'a> {
    /// Its settings.
    pub tenant: &'a Tenant,
    /// What git says of each object, ignored fields included.
    pub resources: Vec<Resource>,
    /// What git said before, for a plan between two commits.
    pub before: &'a [Resource],
    /// What the commit that was applied last said of its organizations.
    pub precedents: JudgedBy,
    /// What was known of changes in fields that git does not name.
    pub noticed: Vec<Noticed>,
    /// Ids of our own OAuth clients.
    pub own_clients: BTreeSet<String>,
    /// What a person reviewed, where only that may be written.
    pub reviewed: Option<Arc<Reviewed>>,
    /// Whether somebody reviews what is planned; where somebody did, it is so anyway.
    pub is_exact: bool,
    /// Whether a person paused it, or something holds it: then it is only looked at.
    pub is_paused: bool,
    /// What tells this run's jitter from that of the one before.
    pub salt: u64,
}

/// Puts a run's subject together.
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
    // For every run: a rule ends on its day whenever the fleet was loaded.
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

/// A tenant's journal as it was read, with what other tenants applied of its objects: a folder may have been renamed.
///
/// # Errors
/// It could not be read, or the store failed.
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
    fn a_run_is_about_what_git_says_on_its_day() {
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
