//! The guards, one a file: limits that a plan may not cross unless the operator opens one for one run.
//!
//! In: a plan with its tenant, bases and limits; the counts of a run; a revision and the last one. Out: a
//! [`Refusal`] with the message that people read. Never: reads a clock, a store or git; changes a plan.
//!
//! To add one: a variant of [`Guard`], a file here, a line in [`ALL`], a scene in `scenes.rs` and a section in
//! `docs/guards.md`; a test names what is missing.
//!
//! Start reading at [`check_tenant`]; `run_tenants` is asked once for all tenants.

pub mod pause;
pub mod protected;
pub mod recreate;
pub mod rewind;
pub mod run_tenants;
mod scenes;
pub mod tenant_changes;
pub mod window;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::plan::Limits;
use crate::model::{Base, Guard, ObjectRef, Plan, Refusal, Resource, Target, Tenant};

/// Shares are judged from this many on; of three fields one is a third and means nothing.
const SHARE_FLOOR: usize = 10;

/// What a guard judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// The plan of one tenant.
    Tenant,
    /// The plans of all tenants of one run.
    Run,
    /// The commit that plans are made from.
    History,
}

impl Scope {
    /// The word for it in output and documentation.
    pub fn name(self) -> &'static str {
        match self {
            Scope::Tenant => "tenant",
            Scope::Run => "run",
            Scope::History => "history",
        }
    }
}

/// What is known of a guard without a plan.
#[derive(Debug, Clone, Copy)]
pub struct GuardInfo {
    /// The guard; its name is its file name and its docs anchor.
    pub guard: Guard,
    /// What it judges.
    pub scope: Scope,
    /// When it refuses, in one sentence without a full stop.
    pub summary: &'static str,
    /// Runs the guard's own check on an example, and returns what it refuses.
    pub scene: fn() -> Vec<Refusal>,
    /// Runs it on an example in which it makes a change wait, and returns what is printed then.
    pub waiting: Option<fn() -> Vec<String>>,
}

impl GuardInfo {
    /// What the program prints on the examples, a line each.
    pub fn printed(&self) -> Vec<String> {
        let line =
            |refusal: Refusal| format!("refused by guard `{}`: {}", refusal.guard.name(), refusal.message);
        let waiting = self.waiting.map(|scene| scene()).unwrap_or_default();
        waiting.into_iter().chain((self.scene)().into_iter().map(line)).collect()
    }
}

/// Every guard, in the order of [`Guard::ALL`].
pub const ALL: &[GuardInfo] = &[
    tenant_changes::GUARD,
    run_tenants::GUARD,
    protected::GUARD,
    recreate::GUARD,
    window::GUARD,
    rewind::GUARD,
    pause::GUARD,
];

/// Lists why one tenant's plan may not be applied now. Empty means that it may.
///
/// `id_of` gives the platform's id of an object that was observed. An object whose id is not the known one is refused
/// even if the plan changes nothing.
pub fn check_tenant(
    plan: &Plan,
    tenant: &Tenant,
    resources: &[Resource],
    bases: &BTreeMap<ObjectRef, Base>,
    id_of: impl Fn(&Target) -> Option<Arc<str>>,
    limits: &Limits,
    now: Timestamp,
) -> Vec<Refusal> {
    let mut refusals = recreate::replaced(plan, bases, id_of, limits);
    if plan.is_empty() {
        return refusals;
    }
    refusals.extend(tenant_changes::check(plan, resources, limits));
    refusals.extend(protected::check(plan, tenant, limits));
    refusals.extend(recreate::gone(plan, bases, limits));
    refusals.extend(window::check(tenant, limits, now));
    refusals
}
