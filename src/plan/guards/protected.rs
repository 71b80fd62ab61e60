//! `protected`: a plan that takes from visitors what their tenant protects.

use std::collections::{BTreeMap, BTreeSet};

use super::{GuardInfo, Scope, scenes};
use crate::model::plan::Limits;
use crate::model::{
    Guard, Mode, Object, OrganizationId, Plan, Precedents, Protect, Refusal, Resource, Tenant,
};

/// The guard.
pub const GUARD: GuardInfo = GuardInfo {
    guard: Guard::Protected,
    scope: Scope::Tenant,
    summary: "Visitors lose something that is protected",
    scene: scenes::protected,
    waiting: None,
};

/// Refuses a plan that takes something from an organization that is protected, by this commit or by the one that was
/// applied last there, whichever tenant named it then.
pub fn check(
    plan: &Plan,
    tenant: &Tenant,
    resources: &[Resource],
    precedents: &Precedents,
    limits: &Limits,
) -> Vec<Refusal> {
    if limits.allowed.contains(&Guard::Protected) {
        return Vec::new();
    }
    // The same in several regions is told once.
    let mut lost: BTreeMap<String, BTreeSet<&OrganizationId>> = BTreeMap::new();
    for target in &plan.targets {
        let organization = &target.target.organization;
        for change in &target.changes {
            let Some(loss) =
                change.loss.filter(|loss| protects(tenant, precedents, organization).contains(loss))
            else {
                continue;
            };
            lost.entry(sentence(loss, &change.path)).or_default().insert(organization);
        }
    }
    // Of a tenant that is only watched nothing would be written, whatever git names.
    for target in tenant.targets().filter(|_| tenant.mode == Mode::Enforce) {
        if protects(tenant, precedents, &target.organization).contains(&Protect::Removal) {
            for object in no_longer_named(resources, precedents, &target.organization) {
                lost.entry(format!("git no longer names {object}")).or_default().insert(&target.organization);
            }
        }
    }
    if lost.is_empty() {
        return Vec::new();
    }
    let told: Vec<String> = lost.into_keys().collect();
    let message = format!("{} is protected, and {}", tenant.name, told.join(", "));
    vec![Refusal { guard: Guard::Protected, message }]
}

/// What is protected of an organization.
fn protects(tenant: &Tenant, precedents: &Precedents, organization: &OrganizationId) -> BTreeSet<Protect> {
    let before = precedents.get(organization).map(|said| &said.protected);
    tenant.protected.iter().chain(before.into_iter().flatten()).copied().collect()
}

/// The objects that the commit that was applied last named, and this one does not.
fn no_longer_named<'a>(
    resources: &'a [Resource],
    precedents: &'a Precedents,
    organization: &OrganizationId,
) -> impl Iterator<Item = &'a Object> {
    let before = precedents.get(organization).into_iter().flat_map(|said| &said.objects);
    before.filter(|object| !resources.iter().any(|resource| resource.object == **object))
}

fn sentence(loss: Protect, path: &str) -> String {
    match loss {
        Protect::Off => format!("the plan switches off {path}"),
        Protect::Domains => format!("the plan takes sites away by {path}"),
        Protect::Removal => format!("the plan removes {path}"),
        Protect::Reach => format!("the plan lets fewer visitors in by {path}"),
    }
}
