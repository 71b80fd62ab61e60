//! `protected`: a plan that switches something off at a protected tenant.

use super::{GuardInfo, Scope, scenes};
use crate::model::plan::Limits;
use crate::model::{Class, Guard, Plan, Refusal, Tenant};

/// The guard.
pub const GUARD: GuardInfo = GuardInfo {
    guard: Guard::Protected,
    scope: Scope::Tenant,
    summary: "A protected tenant loses something that visitors had",
    scene: scenes::protected,
    waiting: None,
};

/// Refuses a plan that switches something off at a protected tenant.
pub fn check(plan: &Plan, tenant: &Tenant, limits: &Limits) -> Option<Refusal> {
    if !tenant.protected || limits.allowed.contains(&Guard::Protected) {
        return None;
    }
    let off: Vec<&str> = plan
        .changes()
        .filter(|change| change.class == Class::Off)
        .map(|change| change.path.as_str())
        .collect();
    let message = format!("{} is protected, and the plan switches off {}", tenant.name, off.join(", "));
    (!off.is_empty()).then_some(Refusal { guard: Guard::Protected, message })
}
