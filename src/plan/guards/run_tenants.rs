//! `run-tenants`: a run that changes more tenants than its limit.

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

/// From so many tenants on a share means something, as far as visitors lose by it.
const FEW_TENANTS: usize = 3;

/// What a run changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changing {
    /// Tenants that have a configuration of which something differs. A first creation takes nothing from visitors.
    pub tenants: usize,
    /// Those of them of which writing takes something from visitors: what is set back for them does not.
    pub weighty: usize,
}

impl Changing {
    /// What the plans of several tenants change.
    pub fn of<'a>(plans: impl IntoIterator<Item = &'a Plan>) -> Self {
        let mut changing = Self::default();
        for plan in plans {
            changing.tenants += usize::from(takes_something(plan));
            changing.weighty += usize::from(is_weighty(plan));
        }
        changing
    }
}

/// Whether applying a plan takes something from visitors: a first creation takes nothing.
pub fn takes_something(plan: &Plan) -> bool {
    plan.targets.iter().any(|target| target.version.is_some() && !target.changes.is_empty())
}

fn is_weighty(plan: &Plan) -> bool {
    let existing = plan.targets.iter().filter(|target| target.version.is_some());
    existing.flat_map(|target| &target.changes).any(|change| change.loss.is_some())
}

/// Refuses a run that changes too many of `total`, which are all tenants in git that have a configuration, however few of
/// them the run is about. Of fewer than ten only those count of which visitors may lose something.
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
            "one run changes whom {weighty} of {total} tenants reach, or switches something off there, and the limit is {percent} %"
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
    fn a_share_counts_from_ten_tenants_on_and_below_that_what_visitors_may_lose() {
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
            // Of two, one is half of them.
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
