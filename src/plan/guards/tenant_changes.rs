//! `tenant-changes`: a plan changes more fields of one object than its limit.

use super::{GuardInfo, SHARE_FLOOR, Scope, scenes};
use crate::model::plan::{Limits, TargetPlan};
use crate::model::text::counted;
use crate::model::{Guard, Object, Plan, Precedents, Refusal, Resource, Said, json};

/// The guard.
pub const GUARD: GuardInfo = GuardInfo {
    guard: Guard::TenantChanges,
    scope: Scope::Tenant,
    summary: "More fields of one tenant change than its limit",
    scene: scenes::tenant_changes,
    waiting: None,
};

/// Refuses each object with more changed fields than the limits allow. An object that does not exist yet does
/// not count.
pub fn check(plan: &Plan, resources: &[Resource], precedents: &Precedents, limits: &Limits) -> Vec<Refusal> {
    if limits.allowed.contains(&Guard::TenantChanges) {
        return Vec::new();
    }
    let existing = plan.targets.iter().filter(|target| target.version.is_some());
    existing
        .filter_map(|target| {
            let before = precedents.get(&target.target.organization);
            message(target, resources, &stricter(limits, before))
        })
        .map(|message| Refusal { guard: Guard::TenantChanges, message })
        .collect()
}

/// The limits of an object.
struct Most {
    changes: usize,
    percent: u8,
}

/// Returns the stricter limits of this commit and the commit that was applied last.
fn stricter(limits: &Limits, before: Option<&Said>) -> Most {
    let (changes, percent) = (limits.tenant_changes_max, limits.tenant_changes_max_percent);
    before.map_or(Most { changes, percent }, |said| Most {
        changes: changes.min(said.tenant_changes_max),
        percent: percent.min(said.tenant_changes_max_percent),
    })
}

fn message(target: &TargetPlan, resources: &[Resource], most: &Most) -> Option<String> {
    let (object, changed) = (&target.target.object, target.changes.len());
    if changed > most.changes {
        return Some(format!(
            "the plan changes {} of {object}, and the limit is {}",
            counted(changed, "field"),
            most.changes
        ));
    }
    let managed = managed_of(object, resources);
    let percent = most.percent;
    (managed >= SHARE_FLOOR && changed * 100 > managed * usize::from(percent)).then(|| {
        format!(
            "the plan changes {changed} of {managed} managed fields of {object}, and the limit is {percent} %"
        )
    })
}

/// Returns how many fields of an object git manages.
fn managed_of(object: &Object, resources: &[Resource]) -> usize {
    let mut managed = 0;
    for desired in resources.iter().filter(|known| known.object == *object).map(|known| &known.desired) {
        json::leaves(&desired.body, &mut |path, _| managed += usize::from(!desired.ignores(path)));
    }
    managed
}
