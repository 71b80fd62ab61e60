//! Stage 4 of 7: compares what git says, what is live and what we last applied, and lists the changes.
//!
//! In: [`Desired`], one [`Observed`](crate::model::Observed) per object, their [`Base`]s, the audit entries that tell who
//! moved what, [`crate::model::plan::Limits`]. Out: a [`Plan`], and the [`crate::model::Refusal`]s that keep it from being applied.
//! Never: reads YAML, wire formats, a clock or a store; writes anything.
//! Start reading at [`plan`], then `diff.rs`; `guards/` and `flapping.rs` say why a plan may not be applied.

pub mod canonical;
pub mod class;
pub mod diff;
pub mod flapping;
pub mod guards;
pub mod next;
pub mod resolve;

use std::collections::{BTreeMap, BTreeSet};

use crate::model::plan::{Drafts, TargetPlan};
use crate::model::{Base, ChangeKind, Desired, Entry, ObjectRef, Plan, Revision, Target, Tenant};
use resolve::Organization;

/// What is known of one organization when a plan is made.
#[derive(Debug, Clone, Default)]
pub struct Evidence<'a> {
    /// What we last applied there.
    pub base: Option<&'a Base>,
    /// What we last stored as its draft.
    pub draft: Option<&'a Base>,
    /// What git said at the revision that counts as applied, where no base is known (`plan --since`).
    pub desired_before: Option<&'a Desired>,
    /// Audit entries of the organization, in any order, possibly twice.
    pub entries: &'a [Entry],
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

/// Compares one tenant's organizations with what git says, the primary first, then the replicas. An object
/// that was not seen is left out of the plan.
pub fn plan(
    tenant: &Tenant,
    revision: &Revision,
    sides: &[Side<'_>],
    drafts: Drafts,
    evidence: &BTreeMap<ObjectRef, Evidence<'_>>,
) -> Plan {
    let nothing = Evidence::default();
    let mut targets: Vec<TargetPlan> = Vec::new();
    for side in sides {
        let draft_of = |at: usize| evidence.get(&side.targets.get(at)?.object_ref())?.draft;
        for (at, (target, observed)) in side.targets.iter().zip(side.known.observed).enumerate() {
            let evidence = evidence.get(&target.object_ref()).unwrap_or(&nothing);
            let (desired, problems) = resolve::desired(at, side.known);
            let kind = target.object.kind;
            let (mut changes, already_done) = diff::changes(kind, &desired, observed, evidence);
            // Where everything that is not named is to go, what could not be looked up is named all the same.
            if let (false, Some(resource)) = (problems.is_empty(), side.known.resources.get(at)) {
                changes.retain(|change| {
                    change.desired.is_some() || !resolve::is_unfound(resource, &change.path)
                });
            }
            // Nobody in git disagrees with whoever pinned another version.
            for pin in changes.iter_mut().filter(|change| change.path == resolve::PINNED) {
                pin.kind = if pin.kind == ChangeKind::Conflict { ChangeKind::Drift } else { pin.kind };
            }
            let (body, next) = next::next(target, &desired, observed, &changes, &problems, drafts, evidence);
            let next = next::unseen(target, at, side.known, &changes, drafts, draft_of, next);
            let draft = next::their_draft(kind, &desired, observed, &body, next.as_ref(), drafts, evidence);
            // Copying the primary over this target is harmless where both would end up the same.
            let ours_to_overwrite = changes.is_empty()
                || targets.first().is_none_or(|primary| canonical::same(kind, &primary.body, &body));
            targets.push(TargetPlan {
                target: target.clone(),
                version: observed.version(),
                observed: observed.body(),
                changes,
                already_done,
                ignored: diff::ignored(kind, &desired, observed),
                next,
                draft,
                body,
                ours_to_overwrite,
            });
        }
    }
    Plan { tenant: tenant.name.clone(), revision: revision.clone(), mode: tenant.mode, targets }
}

#[cfg(test)]
mod tests;
