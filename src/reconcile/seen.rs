//! What others see of a run. Its state is its own: they read it here, and change it only by events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::{End, Phase, Run, Spec, Tally};
use crate::model::plan::TargetPlan;
use crate::model::record::Revert;
use crate::model::{Confirmation, ObjectRef, Observed, Plan, Receipt, Refusal, Revision, Target};
use crate::plan::guards::window::Opening;

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Advance {
    /// Objects that are what git says by now.
    pub done: usize,
    /// Objects that were not when the run began.
    pub all: usize,
}

impl Run {
    /// What it is about.
    pub fn spec(&self) -> &Arc<Spec> {
        &self.spec
    }

    /// Where it is.
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

    /// The plan as it was first made: what the run set out to do.
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

    /// The change window that its writes have to wait for; none if nothing is to be written, or now.
    pub fn opens(&self) -> Option<&Opening> {
        self.opens.as_ref().filter(|_| self.is_any_open() && self.may_write())
    }

    /// Proof of what this run wrote, or found to have been written.
    pub fn receipts(&self) -> &[Receipt] {
        &self.receipts
    }

    /// How many writes of this run were accepted, drafts and jobs among them. What it found of an earlier run is not its
    /// own.
    pub fn writes(&self) -> usize {
        self.own_versions.len().max(self.tally.writes as usize)
    }

    /// Whether this run wrote something.
    pub fn wrote(&self) -> bool {
        self.writes() > 0
    }

    /// Whether an object that this run wrote, or found to have been written, is still not what git says.
    pub fn wrote_in_vain(&self) -> bool {
        let written = |target: &Target| self.receipts.iter().any(|receipt| receipt.target == *target);
        let open = |target: &TargetPlan| target.next.is_some() || !target.changes.is_empty();
        self.plan()
            .is_some_and(|plan| plan.targets.iter().any(|target| open(target) && written(&target.target)))
    }

    /// Milliseconds from asking to serving, by object.
    pub fn served_ms(&self) -> &BTreeMap<ObjectRef, u64> {
        &self.served_ms
    }

    /// Whether this run stored a draft of a configuration.
    pub fn stored_draft_of(&self, object: &ObjectRef) -> bool {
        self.drafted.contains_key(object)
    }

    /// What the audit log said.
    pub fn confirmation(&self) -> Option<&Confirmation> {
        self.confirmation.as_ref()
    }

    /// What other users had set, and this run overwrote, with both values.
    pub fn overwritten(&self) -> &[Revert] {
        self.journal.0.reverts.get(self.reverts_before..).unwrap_or_default()
    }

    /// How often things went other than planned.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// The commits from which the objects of this run were last applied. A draft, or an object that git no longer
    /// names, is not among them: no run applies it again.
    pub fn applied_from(&self) -> BTreeSet<&Revision> {
        let bases = &self.journal.0.bases;
        self.targets
            .iter()
            .filter_map(|target| bases.get(&target.object_ref()))
            .map(|base| &base.revision)
            .collect()
    }

    /// Whether live differs from git in what is managed, as far as was read.
    pub fn differs(&self) -> bool {
        self.plan().is_some_and(|plan| !plan.is_empty())
    }

    /// Whether applying its plan writes something, at once: its window is open.
    pub fn would_write(&self) -> bool {
        self.has_work() && self.opens.is_none()
    }

    /// Whether applying its plan writes something, at once or when its window opens: it is enforced, differs, and no
    /// guard refuses all of it.
    pub fn has_work(&self) -> bool {
        self.end().is_none() && self.may_write() && !self.is_refused && self.is_any_open()
    }

    /// Whether something differs that no guard keeps back.
    pub(super) fn is_any_open(&self) -> bool {
        let is_open = |target: &TargetPlan| target.next.is_some() || !target.changes.is_empty();
        let is_free = |target: &TargetPlan| !self.is_guarded(&target.target.object_ref());
        self.plan().is_some_and(|plan| plan.targets.iter().any(|target| is_open(target) && is_free(target)))
    }

    /// Whether [`Event::Superseded`](super::Event::Superseded) may end the run now: nothing of its own is on its way, and something may
    /// yet be written. Before the record of an intent is saved this is the last moment at which what git says
    /// can still be asked, so a driver asks it there without fail; elsewhere it only saves work.
    pub fn may_be_superseded(&self) -> bool {
        matches!(self.phase, Phase::Waiting | Phase::Planned | Phase::Intending(_))
    }

    /// How many objects are what git says, of those that were not when the run began; none where it writes nothing, or has not
    /// begun to.
    pub fn advance(&self) -> Option<Advance> {
        let open = |plan: &Plan| plan.targets.iter().filter(|target| target.next.is_some()).count();
        let is_applied = self.may_write() && !matches!(self.phase, Phase::Planned);
        let all = self.first_plan().map(open).filter(|all| *all > 0 && is_applied)?;
        let done = all.saturating_sub(self.plan().map_or(all, open));
        Some(Advance { done, all })
    }

    /// How it ended, once it has.
    pub fn end(&self) -> Option<&End> {
        match &self.phase {
            Phase::Settled(end) => Some(end),
            _ => None,
        }
    }
}
