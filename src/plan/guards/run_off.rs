//! `run-off`: more than one tenant of which something is switched off within an hour.

use std::collections::BTreeSet;

use super::{GuardInfo, Scope, scenes};
use crate::model::{Guard, Plan, Protect, Refusal, TenantName};

/// The guard. It is asked with the plans of a run, and by the store with each intent: `store/off.rs`.
pub const GUARD: GuardInfo = GuardInfo {
    guard: Guard::RunOff,
    scope: Scope::Run,
    summary: "What visitors use is switched off at more than one tenant within an hour",
    scene: scenes::run_off,
    waiting: None,
};

/// Most tenants that are named.
const NAMED_MAX: usize = 3;

/// Whether a plan switches off what visitors use.
pub fn goes_off(plan: &Plan) -> bool {
    plan.changes().any(|change| change.loss == Some(Protect::Off))
}

/// Refuses to switch something off at several tenants of one run.
pub fn check(off: &[TenantName], allowed: &BTreeSet<Guard>) -> Option<Refusal> {
    if off.len() < 2 || allowed.contains(&Guard::RunOff) {
        return None;
    }
    let named: Vec<&str> = off.iter().take(NAMED_MAX).map(TenantName::as_str).collect();
    let more = off.len() - named.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let message = format!(
        "one run switches off what visitors use at {} tenants ({}{more}), and one in an hour is the limit",
        off.len(),
        named.join(", ")
    );
    Some(Refusal { guard: Guard::RunOff, message })
}

/// The refusal of a tenant because of another one that went off within the last hour.
pub fn refusal(tenant: &TenantName, other: &TenantName) -> Refusal {
    let message = format!(
        "something would be switched off at {tenant}, and something was switched off at {other} within the last hour"
    );
    Refusal { guard: Guard::RunOff, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tenant_may_go_off_and_two_are_asked_about() {
        let tenants: Vec<TenantName> = ["a", "b", "c", "d"].map(TenantName::new).into();
        let closed = BTreeSet::from([Guard::RunTenants]);
        let told = |count: usize| check(&tenants[..count], &closed).map(|refusal| refusal.message);
        assert_eq!((told(0), told(1)), (None, None));
        assert!(told(2).unwrap().contains("at 2 tenants (a, b),"));
        assert!(told(4).unwrap().contains("at 4 tenants (a, b, c and 1 more),"));
        assert_eq!(check(&tenants, &BTreeSet::from([Guard::RunOff])), None);
    }
}
