//! The public view of a run. Others read its state here and change it only by events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::{End, Phase, Run, Spec, Tally};
use crate::model::plan::TargetPlan;
use crate::model::record::Revert;
use crate::model::{Confirmation, ObjectRef, Observed, Plan, Receipt, Refusal, Revision, Target};
use crate::plan::guards::window::Opening;

/// The progress of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Advance {
    /// Objects that match git now.
    pub done: usize,
    /// Objects that differed when the run began.
    pub all: usize,
}

impl Run {
    /// The specification of the run.
    pub fn spec(&self) -> &Arc<Spec> {
        &self.spec
    }

    /// The phase of the run.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Every object of every organization that is not left out, the primary's first.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// What was read in this round, in the order of [`Run::targets`].
    pub fn observed(&self) -> &[Observed] {
        &self.observed
    }

    /// The plan of this round.
    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_deref()
    }

    /// The first plan of the run.
    pub fn first_plan(&self) -> Option<&Plan> {
        self.first_plan.as_deref()
    }

    /// When the plan of this round was made.
    pub fn planned_at(&self) -> Option<Timestamp> {
        self.planned_at
    }

    /// Why the plan, or single objects of it, may not be applied.
    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }

    /// The change window that its writes wait for; none if there is nothing to write or the window is open.
    pub fn opens(&self) -> Option<&Opening> {
        self.opens.as_ref().filter(|_| self.is_any_open() && self.may_write())
    }

    /// Receipts of the writes of this run, and of earlier writes that it found in force.
    pub fn receipts(&self) -> &[Receipt] {
        &self.receipts
    }

    /// How many writes of this run were accepted, including drafts and jobs, without writes of earlier runs
    /// that it found.
    pub fn writes(&self) -> usize {
        self.own_versions.len().max(self.tally.writes as usize)
    }

    /// Whether this run wrote something.
    pub fn wrote(&self) -> bool {
        self.writes() > 0
    }

    /// Whether an object that this run wrote, or found written, still differs from git.
    pub fn wrote_in_vain(&self) -> bool {
        let written = |target: &Target| self.receipts.iter().any(|receipt| receipt.target == *target);
        let open = |target: &TargetPlan| target.next.is_some() || !target.changes.is_empty();
        self.plan()
            .is_some_and(|plan| plan.targets.iter().any(|target| open(target) && written(&target.target)))
    }

    /// Milliseconds from the write to the first matching read, by object.
    pub fn served_ms(&self) -> &BTreeMap<ObjectRef, u64> {
        &self.served_ms
    }

    /// Whether this run stored a draft of a configuration.
    pub fn stored_draft_of(&self, object: &ObjectRef) -> bool {
        self.drafted.contains_key(object)
    }

    /// The result of the audit log query.
    pub fn confirmation(&self) -> Option<&Confirmation> {
        self.confirmation.as_ref()
    }

    /// The values of other users that this run overwrote, with both values.
    pub fn overwritten(&self) -> &[Revert] {
        self.journal.0.reverts.get(self.reverts_before..).unwrap_or_default()
    }

    /// The counters of exceptional outcomes.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// The commits from which the objects of this run were last applied. Without drafts and without objects
    /// that git no longer names, because no run applies them again.
    pub fn applied_from(&self) -> BTreeSet<&Revision> {
        let bases = &self.journal.0.bases;
        self.targets
            .iter()
            .filter_map(|target| bases.get(&target.object_ref()))
            .map(|base| &base.revision)
            .collect()
    }

    /// Whether live differs from git in the managed fields that were read.
    pub fn differs(&self) -> bool {
        self.plan().is_some_and(|plan| !plan.is_empty())
    }

    /// Whether applying the plan writes at once: the window is open.
    pub fn would_write(&self) -> bool {
        self.has_work() && self.opens.is_none()
    }

    /// Whether applying the plan writes at once or when its window opens: the tenant is enforced, differs,
    /// and no guard refuses all of it.
    pub fn has_work(&self) -> bool {
        self.end().is_none() && self.may_write() && !self.is_refused && self.is_any_open()
    }

    /// Whether something differs that no guard refuses.
    pub(super) fn is_any_open(&self) -> bool {
        let is_open = |target: &TargetPlan| target.next.is_some() || !target.changes.is_empty();
        let is_free = |target: &TargetPlan| !self.is_guarded(&target.target.object_ref());
        self.plan().is_some_and(|plan| plan.targets.iter().any(|target| is_open(target) && is_free(target)))
    }

    /// Whether [`Event::Superseded`](super::Event::Superseded) may end the run now: no write is under way,
    /// and one may follow. Before an intent is saved is the last moment to check git, so a driver must check
    /// there; elsewhere the check only saves work.
    pub fn may_be_superseded(&self) -> bool {
        matches!(self.phase, Phase::Waiting | Phase::Planned | Phase::Intending(_))
    }

    /// How many of the objects that differed at the start match git now; none if the run writes nothing, or
    /// has not begun to write.
    pub fn advance(&self) -> Option<Advance> {
        let open = |plan: &Plan| plan.targets.iter().filter(|target| target.next.is_some()).count();
        let is_applied = self.may_write() && !matches!(self.phase, Phase::Planned);
        let all = self.first_plan().map(open).filter(|all| *all > 0 && is_applied)?;
        let done = all.saturating_sub(self.plan().map_or(all, open));
        Some(Advance { done, all })
    }

    /// The end of the run, once it has ended.
    pub fn end(&self) -> Option<&End> {
        match &self.phase {
            Phase::Settled(end) => Some(end),
            _ => None,
        }
    }
}
