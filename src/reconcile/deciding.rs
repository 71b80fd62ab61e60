//! Deciding: chooses the next step of a plan and checks what blocks it.

use std::sync::Arc;

use jiff::Timestamp;

use super::{End, HoldCause, Run, Step, Wait};
use crate::model::plan::{Next, TargetPlan};
use crate::model::timing::elapsed_ms;
use crate::model::{Fault, FaultKind, Guard, ObjectRef, Plan, Versions};
use crate::plan::{self, flapping};
use crate::replicate::Work;

impl Run {
    /// Continues from a plan that waited for approval. In an `apply` of many waves that wait may have been
    /// long: if the plan is older than `plan_ms`, everything is read, planned and guarded again.
    pub(super) fn proceed_if_fresh(self, now: Timestamp) -> Step {
        let age_ms = self.planned_at.map_or(0, |made| elapsed_ms(made, now));
        let writes = self.may_write() && self.plan.as_ref().is_some_and(|plan| !plan.is_empty());
        if writes && age_ms > u64::from(self.spec.timing.plan_ms) {
            return self.read_all();
        }
        self.proceed(now)
    }

    /// Waits for a lower wave if there is something to write; otherwise the run ends normally.
    pub(super) fn hold_back(self, wave: u32, now: Timestamp) -> Step {
        let decided = |plan: &Plan| self.undecided(plan).is_none() && self.due(plan, now).is_some();
        let decided = self.plan.as_deref().is_some_and(decided);
        if self.may_write() && self.differs() && !self.is_refused && decided {
            return self.settle(End::Waiting(Wait::Wave(wave)));
        }
        self.proceed(now)
    }

    /// What a person has to decide before genesync writes to the tenant.
    fn undecided(&self, plan: &Plan) -> Option<String> {
        let holds_all = |target: &&Arc<TargetPlan>| {
            !self.may_write() || !self.goes_on_without() || target.amiss().is_some()
        };
        // If one of the reasons holds the tenant, all of them are reported.
        plan.targets.iter().filter(|target| target.undecided().is_some()).find(holds_all)?;
        let reasons: Vec<&str> = plan.targets.iter().filter_map(|target| target.undecided()).collect();
        Some(reasons.join("; "))
    }

    /// Performs the next step of the plan.
    pub(super) fn proceed(mut self, now: Timestamp) -> Step {
        let Some(plan) = self.plan.clone() else { return self.read_all() };
        let first_seen = if self.may_write() { Vec::new() } else { self.first_seen() };
        if !first_seen.is_empty() {
            return self.keep_all(first_seen, now);
        }
        if plan.is_empty() && self.refusals.is_empty() {
            return self.keep(now);
        }
        // A decision about an object that is another one now comes too early.
        let elsewhere =
            self.is_refused && self.refusals.iter().any(|refusal| refusal.guard == Guard::Recreate);
        if elsewhere && self.may_write() {
            return self.refuse();
        }
        if let Some(reason) = self.undecided(&plan) {
            let quiet = self.overwrote.is_empty() && self.mixed.is_empty();
            let reason = if quiet { reason } else { format!("{}; {reason}", self.gone_over()) };
            return self.settle(End::held(HoldCause::Undecided, reason));
        }
        if !self.may_write() {
            return self.watched();
        }
        if self.is_refused {
            return self.refuse();
        }
        // Changes that a guard refuses wait for the guard and not for a window.
        if let Some(opening) = self.opens.clone().filter(|_| self.is_any_open()) {
            return self.settle(End::Waiting(Wait::Window(opening)));
        }
        // Checked before every intent and not once a run: another user may edit again during the run.
        let reverts = &self.journal.0.reverts;
        // An object that was written and not read yet still shows its state from before the write.
        let read = plan.targets.iter().filter(|target| !self.is_unread(&target.target.object_ref()));
        let (read, limits) = (read.map(Arc::as_ref), &self.spec.limits);
        if let Some(reason) = flapping::fought_over(&plan.tenant, read, reverts, limits, now) {
            return self.settle(End::held(HoldCause::Flapping, reason));
        }
        let notes = self.stand_back(&plan, now);
        self.go_on(&plan, now).noting_all(notes)
    }

    /// Performs the due work, unless too many writes failed.
    fn go_on(mut self, plan: &Plan, now: Timestamp) -> Step {
        if self.goes_on_without() {
            self.stop_what_is_not_kept(plan);
        }
        let due = self.due(plan, now);
        let timing = self.spec.timing;
        if self.tally.write_faults >= timing.faults_max || self.tally.write_throttles >= timing.throttles_max
        {
            let failed = self.tally.write_faults + self.tally.write_throttles;
            let message = format!("{failed} writes in a row failed, although reads succeed");
            let fault = Fault::new(FaultKind::Transient, message);
            let at = match &due {
                Some(Work::Put(targets) | Work::Wait(targets)) => {
                    targets.first().and_then(|target| self.place_of(&target.target))
                }
                Some(Work::Job { .. }) | None => None,
            };
            return match at {
                Some(at) => self.leave_out(at, fault),
                None => self.degrade(fault),
            };
        }
        if let Some((cause, reason)) = self.stuck(&plan.targets) {
            return self.settle(End::held(cause, reason));
        }
        match due {
            None => self.keep(now),
            Some(Work::Put(targets)) => self.put(&targets, now),
            Some(Work::Wait(targets)) => self.await_ready(&targets, now),
            Some(Work::Job { targets, overwrite_existing }) => {
                self.intend_job(&targets, overwrite_existing, now)
            }
        }
    }

    fn refuse(self) -> Step {
        let refusals = self.refusals.clone();
        self.settle(End::Refused(refusals))
    }

    /// Returns why continuing would not help: the written version is in force and still differs, or too many
    /// attempts.
    pub(super) fn stuck(&self, targets: &[Arc<TargetPlan>]) -> Option<(HoldCause, String)> {
        let went_over = self.went_over(targets).map(|reason| (HoldCause::WentOver, reason));
        let not_kept = || {
            let reason = if self.goes_on_without() { None } else { self.not_kept(targets) };
            reason.map(|reason| (HoldCause::NotKept, reason))
        };
        let tried = || self.tried_too_often(targets.len());
        went_over.or_else(not_kept).or_else(tried)
    }

    fn went_over(&self, targets: &[Arc<TargetPlan>]) -> Option<String> {
        // A change of another user is lost. Without enforced versions the next write could lose another one:
        // nothing more is written there in this run, so that a person can look first. The next run may write
        // again. No deployment is pinned to a version that was published with an unfinished change of another
        // user.
        let serves = |target: &TargetPlan, mixed: &ObjectRef| {
            let resource = self.spec.resources.iter().find(|known| known.object == target.target.object);
            target.target.organization == mixed.organization
                && resource.is_some_and(|resource| plan::resolve::refers_to(resource, &mixed.object))
        };
        let gone_over = |target: &TargetPlan| {
            let object = target.target.object_ref();
            self.overwrote.contains(&object)
                || self.mixed.keys().any(|mixed| *mixed == object || serves(target, mixed))
        };
        if self.spec.versions == Versions::Unenforced
            && targets.iter().filter(|target| !target.changes.is_empty()).any(|target| gone_over(target))
        {
            return Some(format!("{}, and the live configuration differs again", self.gone_over()));
        }
        None
    }

    fn not_kept(&self, targets: &[Arc<TargetPlan>]) -> Option<String> {
        targets.iter().find_map(|target| self.is_not_kept(target))
    }

    /// Stops objects for which the platform stores something else than genesync wrote.
    fn stop_what_is_not_kept(&mut self, plan: &Plan) {
        for target in &plan.targets {
            let object = target.target.object_ref();
            // An object that was written and not read yet still shows its state from before the write.
            let is_known = !self.stopped.contains_key(&object) && !self.is_unread(&object);
            if let Some(reason) = self.is_not_kept(target).filter(|_| is_known) {
                self.stop(object, End::held(HoldCause::NotKept, reason));
            }
        }
    }

    /// Returns why writing an object again would not help: this run's version is in force or stored, and
    /// still differs.
    fn is_not_kept(&self, target: &TargetPlan) -> Option<String> {
        let object = target.target.object_ref();
        let fields = || {
            let fields: Vec<&str> = target.changes.iter().map(|change| change.path.as_str()).collect();
            fields.join(", ")
        };
        if !target.changes.is_empty() && target.next != Some(Next::Wait) {
            let is_ours = |version| self.own_versions.contains(&(object.clone(), version));
            let never_shown = || self.made.get(&object).is_some_and(|made| made.unseen.is_some());
            if target.version.is_some_and(is_ours) || never_shown() {
                return Some(format!("{} does not keep what was written: {}", target.target, fields()));
            }
        }
        // This run stored the draft, nothing was published since, and it differs again: the platform keeps
        // another value.
        let is_stored_again = target.next == Some(Next::Store)
            && target.version.is_some()
            && self.drafted.get(&object) == target.version.as_ref();
        is_stored_again
            .then(|| format!("the draft of {} does not keep what was stored: {}", target.target, fields()))
    }

    fn tried_too_often(&self, targets: usize) -> Option<(HoldCause, String)> {
        let timing = &self.spec.timing;
        if self.tally.conflicts > timing.conflicts_max {
            let reason = format!("contended: another user wrote first {} times", self.tally.conflicts);
            return Some((HoldCause::Contended, reason));
        }
        // An object needs at most three writes: store, publish, pin.
        let writes_max = timing.writes_max.max(u32::try_from(targets * 4).unwrap_or(u32::MAX));
        (self.tally.writes >= writes_max).then(|| {
            (
                HoldCause::NotKept,
                format!(
                    "{} writes were accepted, and the live configuration still differs",
                    self.tally.writes
                ),
            )
        })
    }
}
