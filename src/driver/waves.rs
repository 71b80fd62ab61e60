//! Waves: which changes may be applied, and which wait for a lower wave.
//!
//! Only changes of git wait. A tenant that git did not change never waits for another one, and its failures
//! hold no other tenant.

use crate::model::standing::Standing;
use crate::model::{FaultKind, Mode};
use crate::reconcile::{End, Wait};

/// A tenant before its run.
#[derive(Debug, Clone, Copy)]
pub struct Before {
    /// Its mode in git.
    pub mode: Mode,
    /// Whether the run only reads because a person paused the tenant.
    pub is_paused: bool,
    /// Whether the run only reads because of a hold.
    pub is_held: bool,
    /// Whether this change has failed before.
    pub has_failed: bool,
}

/// Returns what a tenant means for later waves after a run; none if the run did not end, or the tenant is
/// paused, which the gate checks itself.
///
/// `in_force` says that the live configuration equals git.
pub fn standing(end: &End, in_force: bool, place: Before) -> Option<Standing> {
    let Before { mode, is_paused, is_held, has_failed } = place;
    if in_force {
        return Some(Standing::HasIt);
    }
    match end {
        End::Cancelled(_) | End::LeaseLost | End::Superseded => None,
        _ if is_paused => None,
        _ if mode == Mode::Watch => Some(Standing::Aside),
        End::Synced | End::Unconfirmed(_) => Some(Standing::HasIt),
        // An enforced tenant that genesync only read is held or waits for a run that writes.
        End::OutOfSync | End::Drifted => Some(if is_held { Standing::Failed } else { Standing::Pending }),
        End::Waiting(Wait::Wave(_) | Wait::Window(_)) => Some(Standing::Pending),
        End::Refused(_) | End::Held(_) => Some(Standing::Failed),
        End::Degraded(fault) => Some(match fault.kind {
            FaultKind::Rejected => Standing::Failed,
            FaultKind::Denied
            | FaultKind::NotFound
            | FaultKind::Throttled
            | FaultKind::Transient
            | FaultKind::Local => unreached(is_held || has_failed),
        }),
    }
}

/// Returns what a tenant whose run could not begin, or panicked, means for later waves.
pub fn of_lost(place: Before) -> Option<Standing> {
    match place {
        Before { is_paused: true, .. } => None,
        Before { mode: Mode::Watch, .. } => Some(Standing::Aside),
        Before { mode: Mode::Enforce, is_held, has_failed, .. } => Some(unreached(is_held || has_failed)),
    }
}

/// An unreachable tenant stays failed if it was refused or waits for a person.
fn unreached(has_failed: bool) -> Standing {
    if has_failed { Standing::Failed } else { Standing::Unavailable }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Fault, Guard, Refusal};
    use crate::reconcile::HoldCause;

    #[test]
    fn each_end_has_its_standing() {
        let degraded = |kind| End::Degraded(Fault::new(kind, "x"));
        let refused = End::Refused(vec![Refusal { guard: Guard::TenantChanges, message: "x".into() }]);
        // The end, in force, paused, held, the expected standing.
        let table = [
            (End::Synced, true, false, false, Some(Standing::HasIt)),
            (End::Unconfirmed(None), true, false, false, Some(Standing::HasIt)),
            (End::held(HoldCause::WentOver, "x"), true, false, false, Some(Standing::HasIt)),
            (End::held(HoldCause::WentOver, "x"), false, false, false, Some(Standing::Failed)),
            (End::held(HoldCause::Contended, "x"), false, false, false, Some(Standing::Failed)),
            (End::held(HoldCause::NotKept, "x"), false, false, false, Some(Standing::Failed)),
            (End::held(HoldCause::Undecided, "x"), false, false, false, Some(Standing::Failed)),
            (refused, false, false, false, Some(Standing::Failed)),
            (End::OutOfSync, false, true, false, None),
            (End::Drifted, false, false, true, Some(Standing::Failed)),
            (End::Waiting(Wait::Wave(1)), false, false, false, Some(Standing::Pending)),
            (degraded(FaultKind::Rejected), false, false, false, Some(Standing::Failed)),
            (degraded(FaultKind::Denied), false, false, false, Some(Standing::Unavailable)),
            (degraded(FaultKind::Transient), false, false, false, Some(Standing::Unavailable)),
            (degraded(FaultKind::Local), false, false, false, Some(Standing::Unavailable)),
            (End::Cancelled(None), false, false, false, None),
            (End::LeaseLost, false, false, false, None),
            (End::Superseded, false, false, false, None),
        ];
        let place = |mode, is_paused, is_held| Before { mode, is_paused, is_held, has_failed: false };
        for (end, in_force, is_paused, is_held, expected) in table {
            let place = place(Mode::Enforce, is_paused, is_held);
            assert_eq!(standing(&end, in_force, place), expected, "{end:?}");
        }
        // No tenant waits for a watched one, whatever the result of its run.
        let watched = place(Mode::Watch, false, false);
        for end in [End::OutOfSync, End::Drifted, degraded(FaultKind::Denied)] {
            assert_eq!(standing(&end, false, watched), Some(Standing::Aside), "{end:?}");
        }
        // A refused tenant, or one that waits for a person, stays so in an outage.
        let enforced = place(Mode::Enforce, false, false);
        let lost = [
            (enforced, Some(Standing::Unavailable)),
            (place(Mode::Enforce, false, true), Some(Standing::Failed)),
            (Before { has_failed: true, ..enforced }, Some(Standing::Failed)),
            (place(Mode::Enforce, true, false), None),
            (watched, Some(Standing::Aside)),
        ];
        for (place, expected) in lost {
            assert_eq!(of_lost(place), expected, "{place:?}");
            assert_eq!(standing(&degraded(FaultKind::Transient), false, place), expected, "{place:?}");
        }
    }
}
