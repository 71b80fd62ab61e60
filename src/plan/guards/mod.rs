//! The guards, one per file: each refuses a plan that crosses a limit, unless the operator opens it for one
//! run.
//!
//! In: a plan with its tenant, bases and limits; the counts of a run; a revision and the last one. Out:
//! a [`Refusal`] with a message for people. Never: reads a clock, a store or git; changes a plan.
//!
//! To add a guard, add a variant of [`Guard`], a file here, a line in [`ALL`], a scene in `scenes.rs` and a
//! section in `docs/guards.md`. A test lists what is missing.
//!
//! Start reading at [`check_tenant`]; `run_tenants` is checked once for all tenants.

pub mod adopt;
pub mod conflict;
pub mod owner;
pub mod pause;
pub mod protected;
pub mod recreate;
pub mod rewind;
pub mod run_off;
pub mod run_tenants;
mod scenes;
pub mod tenant_changes;
pub mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::plan::{Limits, TargetPlan};
use crate::model::precedent::RunLimits;
use crate::model::{Base, Guard, ObjectRef, Plan, Precedents, Refusal, Resource, Target, Tenant};

/// The minimum count for a limit in percent; one of three fields is a third and means nothing.
const SHARE_FLOOR: usize = 10;

/// The scope of a guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// One object.
    Object,
    /// The plan of one tenant.
    Tenant,
    /// The plans of all tenants of one run.
    Run,
    /// The commit that plans are made from.
    History,
}

impl Scope {
    /// Returns the name in output and documentation.
    pub fn name(self) -> &'static str {
        match self {
            Scope::Object => "object",
            Scope::Tenant => "tenant",
            Scope::Run => "run",
            Scope::History => "history",
        }
    }
}

/// The static facts about a guard.
#[derive(Debug, Clone, Copy)]
pub struct GuardInfo {
    /// The guard; its name is its file name and its docs anchor.
    pub guard: Guard,
    /// The scope.
    pub scope: Scope,
    /// When it refuses, in one sentence without a full stop.
    pub summary: &'static str,
    /// Runs the guard's own check on an example, and returns what it refuses.
    pub scene: fn() -> Vec<Refusal>,
    /// Runs it on an example in which a change waits, and returns the printed lines.
    pub waiting: Option<fn() -> Vec<String>>,
}

impl GuardInfo {
    /// Returns the lines that genesync prints for the examples.
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
    conflict::GUARD,
    run_off::GUARD,
    adopt::GUARD,
    owner::GUARD,
];

/// The objects that genesync must not write, with the refusals of each.
pub type ObjectRefusals = BTreeMap<ObjectRef, Vec<Refusal>>;

/// The input of the guards of one tenant.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The tenant.
    pub tenant: &'a Tenant,
    /// The desired state of its objects.
    pub resources: &'a [Resource],
    /// The guard settings of the commit that was applied last, by organization.
    pub precedents: &'a Precedents,
    /// The bodies that were applied last.
    pub bases: &'a BTreeMap<ObjectRef, Base>,
    /// The limits of this commit and run.
    pub limits: &'a Limits,
}

/// Returns the refusals of single objects. genesync still writes the objects that do not refer to them.
///
/// `is_recorded` returns whether the guard `adopt` accepts an object: genesync applied it, or needs no
/// approval.
pub fn check_objects(judged: Judged<'_>, is_recorded: impl Fn(&Target) -> bool) -> ObjectRefusals {
    let allowed = &judged.limits.allowed;
    let of_one = |target: &Arc<TargetPlan>| {
        let is_recorded = || allowed.contains(&Guard::Adopt) || is_recorded(&target.target);
        let theirs = || owner::check(target, judged.limits.owner.as_deref());
        let theirs = if allowed.contains(&Guard::Owner) { None } else { theirs() };
        let refusals: Vec<Refusal> = adopt::check(target, is_recorded).into_iter().chain(theirs).collect();
        (!refusals.is_empty()).then(|| (target.target.object_ref(), refusals))
    };
    judged.plan.targets.iter().filter_map(of_one).collect()
}

/// Returns the refusals of one tenant's plan. An empty list means that the plan may be applied now.
///
/// `id_of` returns the platform's id of an observed object. An object with another id than before is refused
/// even if the plan changes nothing.
pub fn check_tenant(
    judged: Judged<'_>,
    id_of: impl Fn(&Target) -> Option<Arc<str>>,
    now: Timestamp,
) -> Vec<Refusal> {
    let Judged { plan, tenant, resources, precedents, bases, limits } = judged;
    let mut refusals = recreate::replaced(plan, bases, id_of, limits);
    refusals.extend(protected::check(plan, tenant, resources, precedents, limits));
    if plan.is_empty() {
        return refusals;
    }
    refusals.extend(tenant_changes::check(plan, resources, precedents, limits));
    refusals.extend(recreate::gone(plan, bases, limits));
    refusals.extend(window::check(tenant, precedents, limits, now));
    refusals
}

/// Returns every guard that the operator has to open for a run. Once the guards of single tenants are open,
/// the guards of the whole run may also refuse.
///
/// `tenants` has the plan and the refusals of each tenant whose plan writes something.
pub fn needed(
    tenants: &[(&Plan, &[Refusal])],
    managed: usize,
    limits: RunLimits,
    allowed: &BTreeSet<Guard>,
) -> BTreeSet<Guard> {
    let own = tenants.iter().flat_map(|(_, refusals)| *refusals).map(|refusal| refusal.guard);
    let changing = run_tenants::Changing::of(tenants.iter().map(|(plan, _)| *plan));
    let many = run_tenants::check(changing, managed, limits, allowed).map(|refusal| refusal.guard);
    let off = tenants.iter().filter(|(plan, _)| run_off::goes_off(plan));
    let off: Vec<_> = off.map(|(plan, _)| plan.tenant.clone()).collect();
    let off = run_off::check(&off, allowed).map(|refusal| refusal.guard);
    own.chain(many).chain(off).collect()
}
