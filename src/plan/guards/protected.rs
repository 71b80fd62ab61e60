//! `protected`: a plan takes something from visitors that the tenant protects.

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

/// Refuses a plan that takes something protected from an organization. This commit or the commit that was
/// applied last there protects it, even if another tenant named the organization then.
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
    // The same loss in several regions is reported once.
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
    // genesync does not write a tenant in watch mode, so nothing is removed from it.
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
    let reported: Vec<String> = lost.into_keys().collect();
    let message = format!("{} is protected, and {}", tenant.name, reported.join(", "));
    vec![Refusal { guard: Guard::Protected, message }]
}

/// Returns what this commit and the commit that was applied last protect of an organization.
fn protects(tenant: &Tenant, precedents: &Precedents, organization: &OrganizationId) -> BTreeSet<Protect> {
    let before = precedents.get(organization).map(|said| &said.protected);
    tenant.protected.iter().chain(before.into_iter().flatten()).copied().collect()
}

/// Returns the objects that the commit that was applied last named and that this commit does not name.
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
        Protect::Domains => format!("the plan allows fewer sites with {path}"),
        Protect::Removal => format!("the plan removes {path}"),
        Protect::Reach => format!("the plan reaches fewer visitors with {path}"),
    }
}
