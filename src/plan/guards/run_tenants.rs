//! `run-tenants`: a run that changes more tenants than its limit.

use super::{GuardInfo, SHARE_FLOOR, Scope, scenes};
use crate::model::plan::Limits;
use crate::model::text::counted;
use crate::model::{Guard, Plan, Refusal};

/// The guard.
pub const GUARD: GuardInfo = GuardInfo {
    guard: Guard::RunTenants,
    scope: Scope::Run,
    summary: "More tenants change in one run than the limit",
    scene: scenes::run_tenants,
    waiting: None,
};

/// Whether applying a plan takes something from visitors: a first creation takes nothing.
pub fn takes_something(plan: &Plan) -> bool {
    plan.targets.iter().any(|target| target.version.is_some() && !target.changes.is_empty())
}

/// Refuses a run that changes `changing` of `total` tenants. Only tenants that already have a configuration count as
/// changing: a first creation takes nothing from its visitors.
pub fn check(changing: usize, total: usize, limits: &Limits) -> Option<Refusal> {
    if limits.allowed.contains(&Guard::RunTenants) {
        return None;
    }
    let message = if changing > limits.run_tenants_max {
        let changing = counted(changing, "tenant");
        format!("one run changes {changing}, and the limit is {}", limits.run_tenants_max)
    } else if total >= SHARE_FLOOR && changing * 100 > total * usize::from(limits.run_tenants_max_percent) {
        format!(
            "one run changes {changing} of {total} tenants, and the limit is {} %",
            limits.run_tenants_max_percent
        )
    } else {
        return None;
    };
    Some(Refusal { guard: Guard::RunTenants, message })
}
