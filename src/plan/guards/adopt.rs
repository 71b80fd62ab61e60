//! `adopt`: an object is live and differs from git, and genesync never applied it.
//!
//! An object that equals git becomes the base silently. A difference may be the deliberate work of another
//! user.

use super::{GuardInfo, Scope, scenes};
use crate::model::plan::{Next, TargetPlan};
use crate::model::text::{counted, listed};
use crate::model::{Counting, Guard, Refusal};

/// The guard.
pub const GUARD: GuardInfo = GuardInfo {
    guard: Guard::Adopt,
    scope: Scope::Object,
    summary: "An object is live and differs from git, and genesync has no record that it was ever applied",
    scene: scenes::adopt,
    waiting: None,
};

/// Refuses to write an object if genesync has no record that it applied it.
pub fn check(target: &TargetPlan, is_recorded: impl FnOnce() -> bool) -> Option<Refusal> {
    let is_written = matches!(target.next, Some(Next::Store | Next::Publish | Next::Wait));
    // An object that always exists has no creator. It is safe to write if no value in it would be lost.
    let is_unset = target.target.object.kind.counting() == Counting::Contents
        && target.changes.iter().all(|change| change.observed.is_none());
    let differs = target.version.is_some() && !target.changes.is_empty() && is_written && !is_unset;
    if !differs || is_recorded() {
        return None;
    }
    let named: Vec<&str> = target.changes.iter().map(|change| change.path.as_str()).collect();
    let message = format!(
        "{} is live and differs in {} ({}), and there is no record that genesync ever applied it. Apply git's values with --allow adopt --reason …, or commit the live values",
        target.target.in_full(),
        counted(target.changes.len(), "field"),
        listed(&named)
    );
    Some(Refusal { guard: Guard::Adopt, message })
}
