//! Judging: runs the guards of the tenant and the guards of single objects on a plan.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Run;
use crate::model::plan::TargetPlan;
use crate::model::{Memory, ObjectRef, Plan, Refusal, Target};
use crate::plan::guards::{self, Judged, ObjectRefusals};

impl Run {
    /// Runs the guards. The guards of the tenant judge only what would be written. Their refusals for the
    /// whole plan, as if no object were guarded, are reported too, so that one command can allow all of them.
    pub(super) fn judge(&mut self, plan: &Plan, now: Timestamp) {
        self.guarded = self.objects_refused(plan);
        let refused = self.refused_as_a_whole(&self.without_guarded(plan), now);
        self.is_refused = !refused.is_empty();
        let of_objects = self.guarded.values().flatten().cloned();
        let with_them = match self.guarded.is_empty() {
            true => Vec::new(),
            false => self.refused_as_a_whole(plan, now),
        };
        let with_them = with_them.into_iter().filter(|refusal| !refused.contains(refusal));
        self.refusals = refused.iter().cloned().chain(of_objects).chain(with_them).collect();
    }

    /// Returns the plan without the objects that a guard refuses.
    fn without_guarded<'a>(&self, plan: &'a Plan) -> Cow<'a, Plan> {
        if self.guarded.is_empty() {
            return Cow::Borrowed(plan);
        }
        let free = plan.targets.iter().filter(|target| !self.is_guarded(&target.target.object_ref()));
        Cow::Owned(Plan { targets: free.cloned().collect(), ..plan.clone() })
    }

    /// Returns what genesync would write of the current plan.
    pub fn to_be_written(&self) -> Option<Cow<'_, Plan>> {
        self.plan().map(|plan| self.without_guarded(plan))
    }

    /// Whether a guard refuses this object while others are written.
    pub(super) fn is_guarded(&self, object: &ObjectRef) -> bool {
        self.guarded.contains_key(object)
    }

    /// The places of the objects that a guard refuses.
    pub(super) fn guarded_places(&self, plan: &Plan) -> BTreeSet<usize> {
        if self.guarded.is_empty() {
            return BTreeSet::new();
        }
        let is_guarded =
            |(_, target): &(usize, &std::sync::Arc<TargetPlan>)| self.is_guarded(&target.target.object_ref());
        plan.targets.iter().enumerate().filter(is_guarded).map(|(at, _)| at).collect()
    }

    fn in_view<'a>(&'a self, plan: &'a Plan) -> Judged<'a> {
        Judged {
            plan,
            tenant: &self.spec.tenant,
            resources: &self.spec.resources,
            precedents: &self.spec.precedents.said,
            bases: &self.journal.0.bases,
            limits: &self.spec.limits,
        }
    }

    fn refused_as_a_whole(&self, plan: &Plan, now: Timestamp) -> Vec<Refusal> {
        guards::check_tenant(self.in_view(plan), |target| self.id_of(target), now)
    }

    /// Returns the refusals of single objects; none for a tenant in watch mode, because nothing is written
    /// there.
    fn objects_refused(&self, plan: &Plan) -> ObjectRefusals {
        if !self.may_write() {
            return ObjectRefusals::new();
        }
        guards::check_objects(self.in_view(plan), |target| {
            self.spec.memory != Memory::Kept || self.is_recorded(target)
        })
    }

    /// Whether a record shows that this run, or an interrupted run, applied or wrote an object.
    fn is_recorded(&self, target: &Target) -> bool {
        let (object, journal) = (target.object_ref(), &self.journal.0);
        let is_based = |object: &ObjectRef| journal.bases.contains_key(object);
        let resource = self.needs.place_of(&target.object).and_then(|at| self.spec.resources.get(at));
        is_based(&object)
            || object.draft().is_some_and(|draft| is_based(&draft))
            || self.made.contains_key(&object)
            || resource.is_some_and(|resource| resource.before.is_some())
            || self.receipts.iter().chain(&journal.owed).any(|receipt| receipt.target.object_ref() == object)
            || journal.proofs.values().any(|(proved, _)| *proved == object)
    }
}
