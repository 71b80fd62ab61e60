//! `run-tenants`: a run changes more tenants than its limit.

use std::collections::BTreeSet;

use super::{GuardInfo, SHARE_FLOOR, Scope, scenes};
use crate::model::precedent::RunLimits;
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

/// The minimum number of tenants for the limit in percent on changes that take something from visitors.
const FEW_TENANTS: usize = 3;

/// What a run changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changing {
    /// Tenants with an existing object that changes. A first creation takes nothing from visitors and does
    /// not count.
    pub tenants: usize,
    /// The tenants among them whose visitors lose something.
    pub weighty: usize,
}

impl Changing {
    /// Counts what the plans of several tenants change.
    pub fn of<'a>(plans: impl IntoIterator<Item = &'a Plan>) -> Self {
        let mut changing = Self::default();
        for plan in plans {
            changing.tenants += usize::from(takes_something(plan));
            changing.weighty += usize::from(is_weighty(plan));
        }
        changing
    }
}

/// Returns whether a plan changes an existing object.
pub fn takes_something(plan: &Plan) -> bool {
    plan.targets.iter().any(|target| target.version.is_some() && !target.changes.is_empty())
}

fn is_weighty(plan: &Plan) -> bool {
    let existing = plan.targets.iter().filter(|target| target.version.is_some());
    existing.flat_map(|target| &target.changes).any(|change| change.loss.is_some())
}

/// Refuses a run that changes too many tenants. `total` counts all tenants in git that have a configuration,
/// even if the run selects fewer. If `total` is below ten, only tenants count whose visitors may lose
/// something.
pub fn check(
    changing: Changing,
    total: usize,
    limits: RunLimits,
    allowed: &BTreeSet<Guard>,
) -> Option<Refusal> {
    if allowed.contains(&Guard::RunTenants) {
        return None;
    }
    let percent = limits.tenants_max_percent;
    let is_too_large = |part: usize| part * 100 > total * usize::from(percent);
    let Changing { tenants, weighty } = changing;
    let message = if tenants > limits.tenants_max {
        format!("one run changes {}, and the limit is {}", counted(tenants, "tenant"), limits.tenants_max)
    } else if total >= SHARE_FLOOR && is_too_large(tenants) {
        format!("one run changes {tenants} of {total} tenants, and the limit is {percent} %")
    } else if (FEW_TENANTS..SHARE_FLOOR).contains(&total) && is_too_large(weighty) {
        format!(
            "one run takes something from the visitors of {weighty} of {total} tenants, and the limit is {percent} %"
        )
    } else {
        return None;
    };
    Some(Refusal { guard: Guard::RunTenants, message })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::plan::Limits;

    #[test]
    fn the_percentage_counts_all_changes_from_ten_tenants_on_and_only_losses_below() {
        let limits = RunLimits::of(&Limits::default());
        let refused = |(tenants, weighty), total, limits| {
            let changing = Changing { tenants, weighty };
            check(changing, total, limits, &BTreeSet::new()).is_some()
        };
        let table = [
            ((9, 0), 9, false),
            ((9, 4), 9, false),
            ((9, 5), 9, true),
            ((2, 2), 3, true),
            ((1, 1), 3, false),
            // Two tenants are below the minimum: one of them is already 50 %.
            ((2, 2), 2, false),
            ((1, 1), 1, false),
            ((5, 5), 10, false),
            ((6, 0), 10, true),
            ((600, 0), 1000, true),
            ((0, 0), 1000, false),
        ];
        for (changing, total, expected) in table {
            assert_eq!(refused(changing, total, limits), expected, "{changing:?} of {total}");
        }
        let counted = RunLimits { tenants_max: 3, ..limits };
        assert!(refused((4, 0), 1000, counted) && !refused((3, 0), 1000, counted));
        let changing = Changing { tenants: 4, weighty: 4 };
        assert_eq!(check(changing, 4, counted, &BTreeSet::from([Guard::RunTenants])), None);
    }
}
