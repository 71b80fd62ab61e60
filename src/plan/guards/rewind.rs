//! `rewind`: the history of a commit does not contain the commit that genesync used last.

use std::collections::BTreeSet;

use super::{GuardInfo, Scope, scenes};
use crate::model::{Guard, Refusal, Revision};

/// The guard.
pub const GUARD: GuardInfo = GuardInfo {
    guard: Guard::Rewind,
    scope: Scope::History,
    summary: "The branch does not contain the revision that genesync used last",
    scene: scenes::rewind,
    waiting: None,
};

/// Refuses a revision that does not contain the last one. The last one comes from the recorded head of the
/// repository, or from the base of an object. `holds` is whether the history of `revision` contains `last`.
pub fn check(
    revision: &Revision,
    last: &Revision,
    holds: bool,
    allowed: &BTreeSet<Guard>,
) -> Option<Refusal> {
    if holds || allowed.contains(&Guard::Rewind) {
        return None;
    }
    Some(refusal(revision, last))
}

/// Returns the refusal of a revision that does not contain the last one.
pub fn refusal(revision: &Revision, last: &Revision) -> Refusal {
    let message = format!("revision {revision} does not contain revision {last}, which genesync used last");
    Refusal { guard: Guard::Rewind, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_without_the_last_one_is_refused_until_the_guard_is_opened() {
        let (old, new) = (Revision::new("8b77d01"), Revision::new("4f1c2a9"));
        let (closed, opened) = (BTreeSet::new(), BTreeSet::from([Guard::Rewind]));
        let other = BTreeSet::from([Guard::Window]);
        for (holds, allowed, refused) in [
            (true, &closed, false),
            (true, &opened, false),
            (false, &closed, true),
            (false, &other, true),
            (false, &opened, false),
        ] {
            let message = check(&new, &old, holds, allowed).map(|refusal| refusal.message);
            let expected = "revision 4f1c2a9 does not contain revision 8b77d01, which genesync used last";
            assert_eq!(message.as_deref(), refused.then_some(expected), "{holds} {allowed:?}");
        }
    }
}
