//! `run-off`: something is switched off at more than one tenant within an hour.

use std::collections::BTreeSet;

use super::{GuardInfo, Scope, scenes};
use crate::model::{Guard, Plan, Protect, Refusal, TenantName};

/// The guard. The run checks it with all plans, and the store checks it with each intent (`store/off.rs`).
pub const GUARD: GuardInfo = GuardInfo {
    guard: Guard::RunOff,
    scope: Scope::Run,
    summary: "What visitors use is switched off at more than one tenant within an hour",
    scene: scenes::run_off,
    waiting: None,
};

/// The maximum number of tenants in the message.
const NAMED_MAX: usize = 3;

/// Returns whether a plan switches off something that visitors use.
pub fn goes_off(plan: &Plan) -> bool {
    plan.changes().any(|change| change.loss == Some(Protect::Off))
}

/// Refuses a run that switches something off at several tenants.
pub fn check(off: &[TenantName], allowed: &BTreeSet<Guard>) -> Option<Refusal> {
    if off.len() < 2 || allowed.contains(&Guard::RunOff) {
        return None;
    }
    let named: Vec<&str> = off.iter().take(NAMED_MAX).map(TenantName::as_str).collect();
    let more = off.len() - named.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let message = format!(
        "one run switches off what visitors use at {} tenants ({}{more}), and the limit is 1 tenant per hour",
        off.len(),
        named.join(", ")
    );
    Some(Refusal { guard: Guard::RunOff, message })
}

/// Returns the refusal of a tenant because something was switched off at another tenant within the last hour.
pub fn refusal(tenant: &TenantName, other: &TenantName) -> Refusal {
    let message = format!(
        "the plan switches something off at {tenant}, and something was switched off at {other} within the last hour"
    );
    Refusal { guard: Guard::RunOff, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tenant_is_allowed_and_two_are_refused() {
        let tenants: Vec<TenantName> = ["a", "b", "c", "d"].map(TenantName::new).into();
        let closed = BTreeSet::from([Guard::RunTenants]);
        let reported = |count: usize| check(&tenants[..count], &closed).map(|refusal| refusal.message);
        assert_eq!((reported(0), reported(1)), (None, None));
        assert!(reported(2).unwrap().contains("at 2 tenants (a, b),"));
        assert!(reported(4).unwrap().contains("at 4 tenants (a, b, c and 1 more),"));
        assert_eq!(check(&tenants, &BTreeSet::from([Guard::RunOff])), None);
    }
}
