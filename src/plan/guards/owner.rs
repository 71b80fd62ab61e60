//! `owner`: an object that carries the mark of another repository.

use super::{GuardInfo, Scope, scenes};
use crate::model::plan::TargetPlan;
use crate::model::{Guard, Refusal};
use crate::plan::owner;

/// The guard.
pub const GUARD: GuardInfo = GuardInfo {
    guard: Guard::Owner,
    scope: Scope::Object,
    summary: "An object carries the mark of another repository",
    scene: scenes::owner,
    waiting: None,
};

/// Refuses to write an object with the mark of another repository.
pub fn check(target: &TargetPlan, own: Option<&str>) -> Option<Refusal> {
    let theirs = owner::of(target.target.object.kind, &target.observed)?;
    if own == Some(theirs) || target.changes.is_empty() {
        return None;
    }
    let ours =
        own.map_or_else(|| "this one has no `spec.id`".to_owned(), |own| format!("this one has `{own}`"));
    let message = format!(
        "{} carries the mark of the repository with the id `{theirs}`, and {ours}. Leave the object to one of them, or take it over with --allow owner --reason …",
        target.target.in_full()
    );
    Some(Refusal { guard: Guard::Owner, message })
}
