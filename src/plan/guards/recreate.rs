//! `recreate`: an object that genesync applied is gone, or another object has its name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{GuardInfo, Scope, scenes};
use crate::model::plan::{Limits, TargetPlan};
use crate::model::{Base, Guard, ObjectRef, Plan, Refusal, Target};

/// The guard.
pub const GUARD: GuardInfo = GuardInfo {
    guard: Guard::Recreate,
    scope: Scope::Tenant,
    summary: "A configuration that genesync applied is gone, or another one has its name",
    scene: scenes::recreate,
    waiting: None,
};

/// Refuses each object whose name now belongs to another object.
pub fn replaced(
    plan: &Plan,
    bases: &BTreeMap<ObjectRef, Base>,
    id_of: impl Fn(&Target) -> Option<Arc<str>>,
    limits: &Limits,
) -> Vec<Refusal> {
    if limits.allowed.contains(&Guard::Recreate) {
        return Vec::new();
    }
    let message = |target: &Arc<TargetPlan>| {
        let target = &target.target;
        let known = bases.get(&target.object_ref())?.id.as_ref()?;
        let id = id_of(target)?;
        (*known != id).then(|| {
            format!(
                "{} has the id {id}, and genesync applied the id {known}. Restore the name of the applied object, or manage this one with --allow recreate --reason …",
                target.in_full()
            )
        })
    };
    plan.targets.iter().filter_map(message).map(refusal).collect()
}

/// Refuses each object that was applied and no longer exists.
pub fn gone(plan: &Plan, bases: &BTreeMap<ObjectRef, Base>, limits: &Limits) -> Vec<Refusal> {
    if limits.allowed.contains(&Guard::Recreate) {
        return Vec::new();
    }
    let absent = plan.targets.iter().filter(|target| target.version.is_none());
    let applied = absent.filter_map(|absent| {
        bases.get(&absent.target.object_ref()).map(|base| gone_message(&absent.target, base))
    });
    applied.map(refusal).collect()
}

fn gone_message(target: &Target, base: &Base) -> String {
    let (lost, fix) = match (target.object.kind.is_named(), target.object.kind.is_embedded()) {
        (false, _) => ("deleted", "Create it again"),
        (true, false) => {
            ("deleted or renamed", "Restore its name, change its name in git, or create another one")
        }
        (true, true) => (
            "deleted or renamed",
            "Restore its name, change its name in git, or create another one, which has another snippet,",
        ),
    };
    let version = match target.object.kind.counts_versions() {
        true => format!(" at version {}", base.version),
        false => String::new(),
    };
    format!(
        "another user {lost} {}, which genesync applied{version}. {fix} with --allow recreate --reason …",
        target.in_full()
    )
}

fn refusal(message: String) -> Refusal {
    Refusal { guard: Guard::Recreate, message }
}
