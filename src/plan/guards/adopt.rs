//! `adopt`: an object that is live, differs, and was never applied from here.
//!
//! What is equal becomes the base without a word. What differs may be somebody's work of years.

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

/// Refuses to write an object of which no record says that it was applied.
pub fn check(target: &TargetPlan, is_recorded: impl FnOnce() -> bool) -> Option<Refusal> {
    let is_written = matches!(target.next, Some(Next::Store | Next::Publish | Next::Wait));
    // What is always there was made by nobody, as long as nothing is set in it that would be lost.
    let is_unset = target.target.object.kind.counting() == Counting::Contents
        && target.changes.iter().all(|change| change.observed.is_none());
    let differs = target.version.is_some() && !target.changes.is_empty() && is_written && !is_unset;
    if !differs || is_recorded() {
        return None;
    }
    let named: Vec<&str> = target.changes.iter().map(|change| change.path.as_str()).collect();
    let message = format!(
        "{} is live and differs in {} ({}), and there is no record that genesync ever applied it. Take git's values with --allow adopt --reason …, or commit what is live",
        target.target.in_full(),
        counted(target.changes.len(), "field"),
        listed(&named)
    );
    Some(Refusal { guard: Guard::Adopt, message })
}
