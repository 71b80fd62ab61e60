//! `recreate`: an object that genesync applied is gone, or another object has its name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{GuardInfo, Scope};
use crate::model::plan::{Limits, TargetPlan};
use crate::model::{Base, Guard, ObjectKind, ObjectRef, Plan, Refusal, Target};

/// The guard.
pub const GUARD: GuardInfo = GuardInfo {
    guard: Guard::Recreate,
    scope: Scope::Tenant,
    summary: "A configuration that genesync applied is gone, or another one has its name",
};

/// Refuses each object whose name belongs to another object now.
pub fn replaced(
    plan: &Plan,
    bases: &BTreeMap<ObjectRef, Base>,
    id_of: impl Fn(&Target) -> Option<Arc<str>>,
    limits: &Limits,
) -> Vec<Refusal> {
    if limits.allowed.contains(&Guard::Recreate) {
        return Vec::new();
    }
    let message = |TargetPlan { target, .. }: &TargetPlan| {
        let known = bases.get(&target.object_ref())?.id.as_ref()?;
        let id = id_of(target)?;
        (*known != id).then(|| {
            format!(
                "{target} was {known}, and {id} goes by its name now: somebody deleted or renamed ours and made or copied another; give ours its name back, or take the other from here on"
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
    format!(
        "{target} was ours{}, and somebody deleted or renamed it: {}--allow recreate --reason … makes a new one{}",
        match target.object.kind.counts_versions() {
            true => format!(" at version {}", base.version),
            false => String::new(),
        },
        match target.object.is_web_messaging() {
            true => "",
            false => "give it its name back, or change its name in git; ",
        },
        match target.object.kind {
            ObjectKind::MessengerDeployment => ", whose snippet is another one",
            _ => "",
        }
    )
}

fn refusal(message: String) -> Refusal {
    Refusal { guard: Guard::Recreate, message }
}
