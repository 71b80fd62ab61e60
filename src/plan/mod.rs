//! Stage 4 of 7: compares what git says, what is live and what we last applied, and lists the changes.
//!
//! In: [`Desired`], one [`Observed`] per object, their [`Base`]s, the audit entries that tell who
//! moved what, [`crate::model::plan::Limits`]. Out: a [`Plan`], and the [`crate::model::Refusal`]s that keep it from being applied.
//! Never: reads YAML, wire formats, a clock or a store; writes anything.
//! Start reading at [`plan`], then `diff.rs`; `guards/` and `flapping.rs` say why a plan may not be applied.

mod author;
pub mod canonical;
pub mod class;
pub mod diff;
pub mod flapping;
pub mod guards;
pub mod holding;
pub mod next;
pub mod owner;
mod pins;
pub mod resolve;
pub mod unmanaged;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::author::{Attribution, Log};
use crate::model::plan::{Drafts, Next, TargetPlan};
use crate::model::{
    Base, Baseline, Change, ChangeKind, Desired, Entry, ObjectKind, Observed, OnUnmanaged, Plan, Revision,
    Target, Tenant,
};
use holding::Withheld;
use resolve::Organization;

/// What is known of one organization when a plan is made.
#[derive(Debug, Clone, Default)]
pub struct Evidence<'a> {
    /// What we last applied there.
    pub base: Option<&'a Base>,
    /// What its fields that git does not name are compared with.
    pub baseline: Option<Cow<'a, Baseline>>,
    /// What we last stored as its draft.
    pub draft: Option<&'a Base>,
    /// What git said at the revision that counts as applied, where no base is known (`plan --since`).
    pub desired_before: Option<&'a Desired>,
    /// Audit entries of the organization, in any order, possibly twice.
    pub entries: &'a [Entry],
    /// Whether the audit log was asked for them.
    pub log: Log,
    /// Names of people by their ids, where these had to be looked up.
    pub people: Option<&'a BTreeMap<String, String>>,
    /// Whether this run wrote it: then it is waited for.
    pub made: bool,
    /// Ids of our own OAuth clients: what they moved is no drift.
    pub own_clients: Option<&'a BTreeSet<String>>,
}

/// What one organization of a tenant was seen to hold.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// Its objects, in the order of [`Organization::resources`].
    pub targets: &'a [Target],
    /// What is known of them.
    pub known: Organization<'a>,
}

/// What the plan of a tenant is made from.
#[derive(Clone, Copy)]
pub struct Basis<'a> {
    /// The tenant.
    pub tenant: &'a Tenant,
    /// The commit that its objects were read from.
    pub revision: &'a Revision,
    /// Its organizations, the primary first, then the replicas.
    pub sides: &'a [Side<'a>],
    /// What becomes of drafts that somebody else left.
    pub drafts: Drafts,
    /// The id of the repository, by which it marks what it writes.
    pub owner: Option<&'a str>,
    /// Which differences are left to a person, where the tenant is written at all.
    pub holds: Withheld,
    /// What is known of an object beside what git says and what was seen.
    pub evidence: &'a dyn Fn(&Target) -> Evidence<'a>,
}

/// Compares one tenant's organizations with what git says. An object that was not seen is left out of the plan.
pub fn plan(basis: Basis<'_>) -> Plan {
    let Basis { tenant, revision, sides, .. } = basis;
    let seen = |side: &'_ Side<'_>| 0..side.targets.len().min(side.known.observed.len());
    let targets = sides.iter().flat_map(|side| seen(side).filter_map(|at| of_one(basis, side, at)));
    let mut targets: Vec<Arc<TargetPlan>> = targets.map(Arc::new).collect();
    if tenant.dialect.capabilities().copies {
        compare_with_primary(&mut targets);
    }
    Plan { tenant: tenant.name.clone(), revision: revision.clone(), mode: tenant.mode, targets }
}

/// The plan that [`plan`] would make of all objects, from an earlier one of them and those of which something other is
/// known since then, by their places in it. What refers to one of them has to be among them. Not where copies are made: what
/// may be copied over hangs on the primary.
pub fn again(mut before: Plan, places: impl IntoIterator<Item = usize>, basis: Basis<'_>) -> Plan {
    let of_each = basis.sides.first().map_or(1, |side| side.targets.len()).max(1);
    for place in places {
        let anew = basis.sides.get(place / of_each).and_then(|side| of_one(basis, side, place % of_each));
        if let (Some(known), Some(anew)) = (before.targets.get_mut(place), anew) {
            *known = Arc::new(anew);
        }
    }
    before
}

/// Copying the primary over a replica is harmless where both would end up the same.
fn compare_with_primary(targets: &mut [Arc<TargetPlan>]) {
    let Some((primary, replicas)) = targets.split_first_mut() else { return };
    Arc::make_mut(primary).ours_to_overwrite = true;
    for target in replicas.iter_mut().map(Arc::make_mut) {
        let kind = target.target.object.kind;
        target.ours_to_overwrite = target.changes.is_empty()
            || target.target.object == primary.target.object
                && canonical::same(kind, &primary.body, &target.body);
    }
}

/// Compares the n-th object of an organization with what git says of it.
fn of_one(basis: Basis<'_>, side: &Side<'_>, at: usize) -> Option<TargetPlan> {
    let (target, observed) = (side.targets.get(at)?, side.known.observed.get(at)?);
    let evidence = (basis.evidence)(target);
    let (policy, baseline) = (basis.tenant.policy.unmanaged, evidence.baseline.clone());
    let draft_of = |at: usize| (basis.evidence)(side.targets.get(at)?).draft;
    let (desired, problems) = resolve::desired(at, side.known);
    let kind = target.object.kind;
    let desired = unmanaged::named(policy, kind, desired, observed, baseline.as_deref());
    // What is set back is told from the baseline, whatever was kept since.
    let before = baseline.as_deref().filter(|_| policy == OnUnmanaged::Drift);
    let before = before.map(|known| unmanaged::before(evidence.base, known));
    let evidence = Evidence { base: before.as_ref().or(evidence.base), ..evidence };
    let (mut changes, already_done) = diff::changes(kind, &desired, observed, &evidence);
    // Where everything that is not named is to go, what could not be looked up is named all the same.
    if let (false, Some(resource)) = (problems.is_empty(), side.known.resources.get(at)) {
        changes.retain(|change| change.desired.is_some() || !resolve::is_unfound(resource, &change.path));
    }
    // Nobody in git disagrees with whoever pinned another version.
    for pin in changes.iter_mut().filter(|change| change.path == resolve::PINNED) {
        pin.kind = if pin.kind == ChangeKind::Conflict { ChangeKind::Drift } else { pin.kind };
    }
    let drafts = basis.drafts;
    let (body, next) = next::next(target, &desired, observed, &changes, &problems, drafts, &evidence);
    let next = next::unseen(target, at, side.known, &changes, drafts, draft_of, next);
    let draft = next::their_draft(kind, &desired, observed, &body, next.as_ref(), drafts, &evidence);
    pins::judge(at, &desired, side.known, &mut changes);
    let unrecorded = unrecorded(kind, observed, &changes, &evidence);
    let next = holding::hold(target, &basis.tenant.name, basis.holds, &changes, unrecorded.as_ref(), next);
    // Nothing is written for the mark alone.
    let body = match next {
        Some(Next::Store) => owner::marked(kind, body, basis.owner),
        _ => body,
    };
    let unfinished = next::unfinished(kind, observed, next.as_ref(), draft.as_ref(), &evidence);
    let is_changing = !changes.is_empty();
    Some(TargetPlan {
        target: target.clone(),
        version: observed.version(),
        observed: observed.body(),
        changes,
        already_done,
        ignored: diff::ignored(kind, &desired, observed),
        next,
        draft,
        unfinished,
        unmanaged: unmanaged::reported(policy, || unmanaged::changes(kind, &desired, observed, &evidence)),
        another_program: is_changing.then(|| owner::another_program(kind, observed, &evidence)).flatten(),
        unrecorded,
        body,
        ours_to_overwrite: false,
    })
}

/// Whoever made what is live, where nothing is known of what was applied before: then what differs may be theirs.
fn unrecorded(
    kind: ObjectKind,
    observed: &Observed,
    changes: &[Change],
    evidence: &Evidence<'_>,
) -> Option<Attribution> {
    let Observed::Present(stored) = observed else { return None };
    let is_recorded = evidence.base.is_some() || evidence.desired_before.is_some();
    let may_be_theirs = changes.iter().any(|change| change.kind == ChangeKind::ToApply);
    if is_recorded || !may_be_theirs { None } else { author::newest(kind, stored, evidence) }
}

#[cfg(test)]
mod tests;
