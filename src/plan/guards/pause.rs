//! `pause`: a tenant that a person paused.

use std::collections::BTreeSet;

use super::{GuardInfo, Scope, scenes};
use crate::model::Guard;

/// The guard.
pub const GUARD: GuardInfo = GuardInfo {
    guard: Guard::Pause,
    scope: Scope::Tenant,
    summary: "A person paused the tenant: it is looked at, and nothing is written",
    scene: Vec::new,
    waiting: Some(scenes::pause),
};

/// Whether a pause keeps a command from writing. The store asks again with each intent: a pause holds from the moment
/// at which it is made.
pub fn holds(is_paused: bool, allowed: &BTreeSet<Guard>) -> bool {
    is_paused && !allowed.contains(&Guard::Pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_holds_until_its_guard_is_opened() {
        let (closed, opened) = (BTreeSet::from([Guard::Window]), BTreeSet::from([Guard::Pause]));
        for (is_paused, allowed, expected) in
            [(false, &closed, false), (true, &closed, true), (true, &opened, false), (false, &opened, false)]
        {
            assert_eq!(holds(is_paused, allowed), expected, "{is_paused} {allowed:?}");
        }
    }
}
