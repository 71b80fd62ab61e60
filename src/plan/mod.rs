//! Stage 4 of 7: compares desired, observed and base, and lists the changes.
//!
//! In: [`Desired`], one [`Observed`] and one [`Base`] per object, the audit entries that name the author
//! of a change, and [`crate::model::plan::Limits`]. Out: a [`Plan`], and the [`crate::model::Refusal`]s
//! that block it. Never: reads YAML, wire formats, a clock or a store; writes anything.
//! Start reading at [`plan`], then `diff.rs`; `guards/` and `flapping.rs` decide whether a plan may be
//! applied.

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

/// The facts about one object beyond desired and observed.
#[derive(Debug, Clone, Default)]
pub struct Evidence<'a> {
    /// The body that genesync last applied.
    pub base: Option<&'a Base>,
    /// The body that fields which git does not name are compared with.
    pub baseline: Option<Cow<'a, Baseline>>,
    /// The draft that genesync last stored.
    pub draft: Option<&'a Base>,
    /// The desired state of the revision that counts as applied if there is no base (`plan --since`).
    pub desired_before: Option<&'a Desired>,
    /// Audit entries of the organization, in any order, possibly twice.
    pub entries: &'a [Entry],
    /// Whether genesync read the audit log.
    pub log: Log,
    /// Names of users by id, if genesync had to look them up.
    pub people: Option<&'a BTreeMap<String, String>>,
    /// Whether this run wrote the object; genesync then waits until it is ready.
    pub made: bool,
    /// Ids of genesync's own OAuth clients; their changes are not drift.
    pub own_clients: Option<&'a BTreeSet<String>>,
}

/// One organization of a tenant with its observed objects.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// Its objects, in the order of [`Organization::resources`].
    pub targets: &'a [Target],
    /// The desired and observed state of these objects.
    pub known: Organization<'a>,
}

/// The input of [`plan`].
#[derive(Clone, Copy)]
pub struct Basis<'a> {
    /// The tenant.
    pub tenant: &'a Tenant,
    /// The commit that its objects were read from.
    pub revision: &'a Revision,
    /// Its organizations, the primary first, then the replicas.
    pub sides: &'a [Side<'a>],
    /// How genesync handles drafts of other users.
    pub drafts: Drafts,
    /// The id of the repository; genesync adds it as a mark to the objects that it writes.
    pub owner: Option<&'a str>,
    /// The differences that a person has to decide.
    pub holds: Withheld,
    /// Returns the evidence about an object.
    pub evidence: &'a dyn Fn(&Target) -> Evidence<'a>,
}

/// Returns the plan of one tenant. The plan omits objects that were not observed.
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

/// Updates an earlier plan for the objects at `places` and returns what [`plan`] would return for all
/// objects.
///
/// `places` are the indexes of the objects whose facts changed, and of all objects that refer to them. Do not
/// call it for a dialect that copies, because there each replica also depends on the primary.
pub fn again(mut before: Plan, places: impl IntoIterator<Item = usize>, basis: Basis<'_>) -> Plan {
    let of_each = basis.sides.first().map_or(1, |side| side.targets.len()).max(1);
    for place in places {
        let again = basis.sides.get(place / of_each).and_then(|side| of_one(basis, side, place % of_each));
        if let (Some(known), Some(again)) = (before.targets.get_mut(place), again) {
            *known = Arc::new(again);
        }
    }
    before
}

/// Marks the targets that a copy of the primary may overwrite: those that need no change or end up equal to
/// it.
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

/// Returns the plan of the n-th object of an organization; none if the object was not observed.
fn of_one(basis: Basis<'_>, side: &Side<'_>, at: usize) -> Option<TargetPlan> {
    let (target, observed) = (side.targets.get(at)?, side.known.observed.get(at)?);
    let evidence = (basis.evidence)(target);
    let (policy, baseline) = (basis.tenant.policy.unmanaged, evidence.baseline.clone());
    let draft_of = |at: usize| (basis.evidence)(side.targets.get(at)?).draft;
    let (desired, problems) = resolve::desired(at, side.known);
    let kind = target.object.kind;
    let desired = unmanaged::named(policy, kind, desired, observed, baseline.as_deref());
    // A value that is set back comes from the baseline, not from the newer base.
    let before = baseline.as_deref().filter(|_| policy == OnUnmanaged::Drift);
    let before = before.map(|known| unmanaged::before(evidence.base, known));
    let evidence = Evidence { base: before.as_ref().or(evidence.base), ..evidence };
    let (mut changes, already_done) = diff::changes(kind, &desired, observed, &evidence);
    // An exclusive manifest removes fields that git does not name. A reference that was not found is still
    // named.
    if let (false, Some(resource)) = (problems.is_empty(), side.known.resources.get(at)) {
        changes.retain(|change| change.desired.is_some() || !resolve::is_unfound(resource, &change.path));
    }
    // Git names no version, so a version that another user pinned is drift and never a conflict.
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
    // A missing mark alone is no reason to write.
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

/// Returns the author of the live object if another user made it and genesync has no record of an earlier
/// apply. A difference may then be a change of that user.
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
