//! Applying: intents, writes, replication jobs, and what their answers lead to.

use std::sync::Arc;

use jiff::Timestamp;

use super::timing::{elapsed_ms, later};
use super::{After, Copying, Effect, Note, Pending, Phase, Run, Status, Step};
use crate::apply::{Verdict, verdict};
use crate::model::plan::TargetPlan;
use crate::model::record::{Intent, IntentAction, IntentId, Revert};
use crate::model::write::{Accepted, Job, JobTargetStatus, StartJob};
use crate::model::{
    Fault, FaultKind, Observed, OrganizationId, Outcome, Receipt, Receiver, Record, Target, Versions, Write,
};
use crate::plan::flapping;
use crate::replicate::{self, Work};

impl Run {
    /// Goes on from a plan that waited for the word: for an apply of many waves that may have been long.
    /// What is older than some seconds is read and planned anew, with its guards.
    pub(super) fn proceed_if_fresh(self, now: Timestamp) -> Step {
        let age_ms = self.planned_at.map_or(0, |made| elapsed_ms(made, now));
        let writes = self.may_write() && self.plan.as_ref().is_some_and(|plan| !plan.is_empty());
        if writes && age_ms > u64::from(self.spec.timing.plan_ms) {
            return self.read_all();
        }
        self.proceed(now)
    }

    /// Does the next thing that the plan asks for.
    pub(super) fn proceed(self, now: Timestamp) -> Step {
        let Some(plan) = self.plan.clone() else { return self.read_all() };
        if plan.is_empty() {
            return self.keep(now);
        }
        if !self.may_write() {
            return self.watched();
        }
        if !self.refusals.is_empty() {
            let refusals = self.refusals.clone();
            return self.settle(Status::Refused(refusals));
        }
        // Before every intent, not once a run: somebody may be quick.
        let reverts = &self.journal.0.reverts;
        if let Some(reason) = flapping::fought_over(&plan, reverts, &self.spec.limits, now) {
            return self.settle(Status::Contested(reason));
        }
        let timing = self.spec.timing;
        if self.tally.write_faults >= timing.faults_max || self.tally.write_throttles >= timing.throttles_max
        {
            let failed = self.tally.write_faults + self.tally.write_throttles;
            return self.degrade(Fault::new(
                FaultKind::Transient,
                format!("{failed} writes in a row came to nothing, although reading works"),
            ));
        }
        if let Some(reason) = self.stuck(&plan.targets) {
            return self.settle(Status::Held(reason));
        }
        match replicate::due(&plan, self.job_tried) {
            None => self.keep(now),
            Some(Work::Put(target)) => self.intend_put(target, now),
            Some(Work::Job { targets, overwrite_existing }) => {
                self.intend_job(&targets, overwrite_existing, now)
            }
        }
    }

    /// Why going on would not help: what we wrote is in force and still differs, or too much was tried.
    fn stuck(&self, targets: &[TargetPlan]) -> Option<String> {
        // One change of somebody's is gone, and without a version that is enforced the next write could take
        // another: before a person has heard of the first, nothing more is written there. The next run may.
        let gone_over = |target: &&TargetPlan| self.overwrote.contains(&target.target.organization);
        if self.spec.versions == Versions::Unenforced
            && targets.iter().filter(|target| !target.changes.is_empty()).any(|target| gone_over(&target))
        {
            return Some(format!("{}, and it differs again", self.gone_over()));
        }
        for target in targets.iter().filter(|target| !target.changes.is_empty()) {
            let ours = target.version.is_some_and(|version| {
                self.own_versions.contains(&(target.target.organization.clone(), version))
            });
            if ours {
                let fields: Vec<&str> = target.changes.iter().map(|change| change.path.as_str()).collect();
                return Some(format!(
                    "organization {} does not keep what was written: {}",
                    target.target.organization,
                    fields.join(", ")
                ));
            }
        }
        let timing = &self.spec.timing;
        if self.tally.conflicts > timing.conflicts_max {
            return Some(format!("contended: somebody else wrote first {} times", self.tally.conflicts));
        }
        (self.tally.writes >= timing.writes_max)
            .then(|| format!("{} writes were accepted and it still differs", self.tally.writes))
    }

    fn intend_put(self, target: &TargetPlan, now: Timestamp) -> Step {
        let write = Write {
            target: target.target.clone(),
            if_match: target.version,
            body: Arc::clone(&target.body),
            deadline: later(now, self.spec.timing.write_ms.into()),
        };
        let action = IntentAction::Put {
            target: write.target.clone(),
            if_match: write.if_match,
            body: Arc::clone(&write.body),
        };
        let timing = self.spec.timing;
        let window_ms = u64::from(timing.write_ms) + u64::from(timing.settle_ms);
        let reverts = flapping::reverts(&[target], now);
        self.intend(Pending::Put(write), action, reverts, window_ms, now)
    }

    fn intend_job(self, targets: &[&TargetPlan], overwrite_existing: bool, now: Timestamp) -> Step {
        let seen: Vec<Option<u64>> = targets.iter().map(|target| target.version).collect();
        let start = StartJob {
            source: self.spec.tenant.primary.clone(),
            targets: targets.iter().map(|target| target.target.clone()).collect(),
            overwrite_existing,
            deadline: later(now, self.spec.timing.write_ms.into()),
        };
        let action =
            IntentAction::Job { targets: start.targets.iter().cloned().zip(seen.iter().copied()).collect() };
        let window_ms = u64::from(self.spec.timing.job_ms);
        let reverts = flapping::reverts(targets, now);
        self.intend(Pending::Job(start, seen), action, reverts, window_ms, now)
    }

    fn intend(
        self,
        pending: Pending,
        action: IntentAction,
        reverts: Vec<Revert>,
        window_ms: u64,
        now: Timestamp,
    ) -> Step {
        let intent = Intent {
            id: self.journal.0.last_intent + 1,
            revision: self.spec.revision.clone(),
            action,
            sent_at: now,
            deadline: later(now, window_ms),
            reverts,
        };
        let mut run = self;
        run.journal.0.absorb(Record::Intent(intent.clone()));
        run.go(Phase::Intending(pending), Effect::Save(vec![Record::Intent(intent)]))
    }

    /// The intent was not saved, and will not be: the journal is again what is durable.
    pub(super) fn withdraw(mut self) -> Step {
        self.journal.0.unresolved.retain(|open| open.id != self.journal.0.last_intent);
        self.journal.0.last_intent = self.journal.0.last_intent.saturating_sub(1);
        self.settle(Status::Superseded)
    }

    /// The intent is durable: now, and only now, the write may leave.
    pub(super) fn send(self, pending: Pending) -> Step {
        let intent = self.journal.0.last_intent;
        let effect = match &pending {
            Pending::Put(write) => Effect::Write(write.clone()),
            Pending::Job(start, _) => Effect::StartJob(start.clone()),
        };
        self.go(Phase::Sending(pending, intent), effect)
    }

    fn sent_at(&self, intent: IntentId) -> Timestamp {
        let sent = |open: &&Intent| open.id == intent;
        self.journal.0.unresolved.iter().find(sent).map_or(Timestamp::UNIX_EPOCH, |intent| intent.sent_at)
    }

    /// Saves an intent's end, then goes on.
    fn close(mut self, intent: IntentId, receipts: Vec<Receipt>, after: After) -> Step {
        let record = Record::Resolved { intent, receipts };
        self.journal.0.absorb(record.clone());
        self.go(Phase::Closing(after), Effect::Save(vec![record]))
    }

    pub(super) fn closed(self, after: After) -> Step {
        match after {
            After::Read => self.read_all(),
            After::WaitUntil(until) => self.go(Phase::Waiting, Effect::WakeAt(until)),
            After::Settle(status) => self.settle(status),
        }
    }

    pub(super) fn answered(
        mut self,
        write: Write,
        intent: IntentId,
        outcome: Outcome<Accepted>,
        now: Timestamp,
    ) -> Step {
        let organization = write.target.organization.clone();
        match verdict(outcome) {
            Verdict::Done(stored) => {
                self.tally.writes += 1;
                (self.tally.write_faults, self.tally.write_throttles) = (0, 0);
                self.own_versions.insert((organization.clone(), stored.version));
                let mut notes =
                    vec![Note::Wrote { organization: organization.clone(), version: stored.version }];
                if self.spec.versions == Versions::Unenforced {
                    notes.extend(self.note_overwrote(&organization, write.if_match, stored.version));
                }
                let receipt = Receipt {
                    target: write.target,
                    from_version: write.if_match,
                    version: stored.version,
                    sent_at: self.sent_at(intent),
                    by: Receiver::Put,
                };
                self.receipts.push(receipt.clone());
                self.close(intent, vec![receipt], After::Read).noting_all(notes)
            }
            Verdict::Stale => {
                self.tally.conflicts += 1;
                self.close(intent, Vec::new(), After::Read).noting(Note::Conflict { organization })
            }
            Verdict::Wait { retry_after_ms, fault } => self.wait_after(intent, retry_after_ms, fault, now),
            Verdict::Settle { fault, running } => {
                self.wait_out(intent, running, Note::AnswerLost { organization, fault }, now)
            }
            Verdict::Stop(fault) => self
                .close(intent, Vec::new(), After::Settle(Status::Degraded(fault.clone())))
                .noting(Note::GaveUp { fault }),
        }
    }

    /// Remembers that a write of ours went over a change that it had not seen, where the version tells so.
    fn note_overwrote(
        &mut self,
        organization: &OrganizationId,
        seen: Option<u64>,
        made: u64,
    ) -> Option<Note> {
        if !replicate::overwrote(seen, made) {
            return None;
        }
        self.overwrote.insert(organization.clone());
        Some(Note::Overwrote { organization: organization.clone(), seen, made })
    }

    /// Not executed: the intent ends here, and the next attempt starts with a read.
    fn wait_after(
        mut self,
        intent: IntentId,
        retry_after_ms: Option<u64>,
        fault: Option<Fault>,
        now: Timestamp,
    ) -> Step {
        let timing = self.spec.timing;
        let attempt = if fault.is_some() { self.tally.write_faults } else { self.tally.write_throttles };
        let spent = match &fault {
            Some(_) => {
                self.tally.write_faults += 1;
                self.tally.write_faults >= timing.faults_max
            }
            None => {
                self.tally.write_throttles += 1;
                self.tally.write_throttles >= timing.throttles_max
            }
        };
        let wait_ms = self.wait_ms(attempt, retry_after_ms);
        if spent || wait_ms > u64::from(timing.backoff_max_ms) * 2 {
            let fault = fault.unwrap_or_else(|| Fault {
                retry_after_ms,
                ..Fault::new(
                    FaultKind::Throttled,
                    "the rate limit refused the write too often or for too long",
                )
            });
            return self
                .close(intent, Vec::new(), After::Settle(Status::Degraded(fault.clone())))
                .noting(Note::GaveUp { fault });
        }
        let note = match fault {
            Some(fault) => Note::Retrying { fault, wait_ms },
            None => Note::Throttled { wait_ms },
        };
        self.close(intent, Vec::new(), After::WaitUntil(later(now, wait_ms))).noting(note)
    }

    /// It may still take effect: the intent stays open, and nothing is read before it no longer can. That a
    /// server which failed has let go of the request is taken on its word only where a write that lands after
    /// all would be told by its version.
    fn wait_out(mut self, intent: IntentId, running: bool, note: Note, now: Timestamp) -> Step {
        self.tally.write_faults += 1;
        let open = self.journal.0.unresolved.iter().find(|open| open.id == intent);
        let Some(deadline) = open.map(|open| open.deadline) else { return self.read_all().noting(note) };
        let settled = later(now, self.spec.timing.settle_ms.into());
        let may_run = running || self.spec.versions == Versions::Unenforced;
        let until = if may_run { deadline } else { deadline.min(settled) };
        self.go(Phase::Settling, Effect::WakeAt(until)).noting(note)
    }

    pub(super) fn job_answered(
        mut self,
        start: StartJob,
        seen: Vec<Option<u64>>,
        intent: IntentId,
        outcome: Outcome<Job>,
        now: Timestamp,
    ) -> Step {
        match verdict(outcome) {
            Verdict::Done(job) => {
                self.job_tried = true;
                (self.tally.write_faults, self.tally.write_throttles) = (0, 0);
                let note = Note::JobStarted { id: job.id.clone(), targets: start.targets.len() };
                let asked_at = self.sent_at(intent);
                self.polled(Copying { job, start, seen, asked_at, polls: 0, intent }, now).noting(note)
            }
            Verdict::Wait { retry_after_ms, fault } => self.wait_after(intent, retry_after_ms, fault, now),
            // Whatever the answer was: a job that was taken on goes on copying on its own.
            Verdict::Settle { fault, running: _ } => {
                self.job_tried = true;
                let organization = start.source.organization;
                self.wait_out(intent, true, Note::AnswerLost { organization, fault }, now)
            }
            Verdict::Stale => {
                self.job_tried = true;
                self.close(intent, Vec::new(), After::Read)
            }
            // Refused for good: the organizations can still be written one by one.
            Verdict::Stop(fault) => {
                self.job_tried = true;
                self.close(intent, Vec::new(), After::Read)
                    .noting(Note::JobGone { reason: fault.to_string() })
            }
        }
    }

    pub(super) fn poll(self, copying: Copying) -> Step {
        let effect = Effect::PollJob { source: copying.start.source.clone(), id: copying.job.id.clone() };
        self.go(Phase::Polling(copying), effect)
    }

    pub(super) fn next_poll(self, mut copying: Copying, now: Timestamp) -> Step {
        let wait_ms = self.spec.timing.poll(copying.polls);
        copying.polls += 1;
        self.go(Phase::Polling(copying), Effect::WakeAt(later(now, wait_ms)))
    }

    /// Takes in what a job says of itself: a receipt for each copy, and a read of each that is new.
    pub(super) fn polled(mut self, copying: Copying, now: Timestamp) -> Step {
        let mut notes = Vec::new();
        let mut fresh = None;
        for (index, (target, seen)) in copying.start.targets.iter().zip(&copying.seen).enumerate() {
            let status = copying.job.targets.iter().find(|status| status.organization == target.organization);
            let Some(status) = status.filter(|status| status.status == JobTargetStatus::Completed) else {
                continue;
            };
            let known = self
                .receipts
                .iter()
                .any(|receipt| receipt.target == *target && receipt.sent_at == copying.asked_at);
            if !known {
                let version = status.version.unwrap_or_else(|| seen.map_or(1, |seen| seen + 1));
                notes.extend(self.note_overwrote(&target.organization, *seen, version));
                self.tally.writes += 1;
                let (target, from_version) = (target.clone(), *seen);
                self.receipts.push(Receipt {
                    target,
                    from_version,
                    version,
                    sent_at: copying.asked_at,
                    by: Receiver::Job,
                });
            }
            if !self.served_ms.contains_key(&target.organization) {
                fresh = fresh.or(Some(index));
            }
        }
        let deadline = later(copying.asked_at, self.spec.timing.job_ms.into());
        if copying.job.ended || now >= deadline {
            return self.job_over(copying).noting_all(notes);
        }
        let step = match fresh.and_then(|index| Some((index, copying.start.targets.get(index)?.clone()))) {
            Some((index, target)) => self.go(Phase::ReadingCopy(copying, index), Effect::Observe(target)),
            None => self.next_poll(copying, now),
        };
        step.noting_all(notes)
    }

    fn job_over(self, copying: Copying) -> Step {
        let mut notes = Vec::new();
        if !copying.job.ended {
            notes.push(Note::JobGone { reason: format!("job {} did not end in time", copying.job.id) });
        }
        for status in &copying.job.targets {
            if matches!(status.status, JobTargetStatus::Failed | JobTargetStatus::Skipped) {
                let error = status.error.clone().unwrap_or_else(|| "it was skipped".into());
                notes.push(Note::JobFell { organization: status.organization.clone(), error });
            }
        }
        let copied = |receipt: &&Receipt| receipt.by == Receiver::Job && receipt.sent_at == copying.asked_at;
        let receipts = self.receipts.iter().filter(copied).cloned().collect();
        self.close(copying.intent, receipts, After::Read).noting_all(notes)
    }

    pub(super) fn poll_failed(self, copying: Copying, fault: &Fault, now: Timestamp) -> Step {
        let deadline = later(copying.asked_at, self.spec.timing.job_ms.into());
        let passing = matches!(fault.kind, FaultKind::Transient | FaultKind::Throttled);
        if !passing || now >= deadline {
            let note = Note::JobGone { reason: fault.to_string() };
            // The job may still be copying: its intent stays open until it no longer can.
            return self.wait_out(copying.intent, true, note, now);
        }
        let wait_ms = fault.retry_after_ms.unwrap_or_default().max(self.spec.timing.poll(copying.polls));
        let mut copying = copying;
        copying.polls += 1;
        let until = later(now, wait_ms).min(deadline);
        self.go(Phase::Polling(copying), Effect::WakeAt(until))
    }

    pub(super) fn copy_read(
        mut self,
        copying: Copying,
        index: usize,
        observed: &Observed,
        now: Timestamp,
    ) -> Step {
        let target: Option<Target> = copying.start.targets.get(index).cloned();
        let served = target.map(|target| self.note_served(&target, observed, now)).unwrap_or_default();
        self.next_poll(copying, now).noting_all(served)
    }
}
