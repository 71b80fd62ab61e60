//! Copying: runs replication jobs and reads back their copies.

use jiff::Timestamp;

use super::writing::{Aims, is_off};
use super::{After, Copying, Effect, Note, Pending, Phase, Run, Step};
use crate::apply::{Verdict, verdict};
use crate::model::plan::TargetPlan;
use crate::model::record::{IntentAction, IntentId};
use crate::model::timing::later;
use crate::model::write::{Job, JobTargetStatus, StartJob};
use crate::model::{Fault, Look, Object, ObjectRef, Outcome, Receipt, Receiver, Record, Seen};
use crate::plan::flapping;

impl Run {
    pub(super) fn intend_job(
        mut self,
        targets: &[&TargetPlan],
        overwrite_existing: bool,
        now: Timestamp,
    ) -> Step {
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
        let aims = Aims { reverts: flapping::reverts(targets, now), off: is_off(targets) };
        let intent = self.intend(action, aims, window_ms, now);
        let pending = Pending::Job(intent.id, start, seen);
        self.go(Phase::Intending(pending), Effect::Save(vec![Record::Intent(intent)]))
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
            // The primary's organization runs the job.
            Verdict::Wait { retry_after_ms, fault } => {
                let before = self.tally;
                let (after, note) = self.wait_after(0, &before, retry_after_ms, fault, now);
                self.close_job(intent, Vec::new(), after, now).noting_all(note.into_iter().collect())
            }
            // A job that the server accepted continues whatever the answer was.
            Verdict::Settle { fault, running: _ } => {
                self.job_tried = true;
                let object = start.source.object_ref();
                self.wait_out_job(intent, now).noting(Note::AnswerLost { object, fault })
            }
            Verdict::Stale => {
                self.job_tried = true;
                self.close_job(intent, Vec::new(), After::Read, now)
            }
            // The job is refused for good; genesync can still write the organizations one by one.
            Verdict::Stop(fault) => {
                self.job_tried = true;
                self.close_job(intent, Vec::new(), After::Read, now)
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

    /// Processes the state of a job: a receipt for each copy, and a read of each new copy.
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
                notes.extend(self.note_overwrote(&target.object_ref(), *seen, version));
                self.tally.writes += 1;
                let (target, from_version) = (target.clone(), *seen);
                self.receipts.push(Receipt {
                    target,
                    from_version,
                    version,
                    sent_at: copying.asked_at,
                    by: Receiver::Job,
                    made_at: None,
                });
            }
            if !self.served_ms.contains_key(&target.object_ref()) {
                fresh = fresh.or(Some(index));
            }
        }
        let deadline = later(copying.asked_at, self.spec.timing.job_ms.into());
        if copying.job.ended || now >= deadline {
            return self.job_over(copying, now).noting_all(notes);
        }
        let step = match fresh.and_then(|index| Some((index, copying.start.targets.get(index)?.clone()))) {
            Some((index, target)) => {
                self.go(Phase::ReadingCopy(copying, index), Effect::Observe(Look::of_one(target)))
            }
            None => self.next_poll(copying, now),
        };
        step.noting_all(notes)
    }

    /// Saves the result of a job's intent, then continues.
    fn close_job(mut self, intent: IntentId, receipts: Vec<Receipt>, after: After, now: Timestamp) -> Step {
        let ended = self.ended(intent, receipts);
        self.close(vec![ended], after, now)
    }

    /// Waits until a job can no longer copy anything.
    fn wait_out_job(mut self, intent: IntentId, now: Timestamp) -> Step {
        let before = self.tally;
        let after = self.wait_out(intent, &before, true, now);
        self.closed(after, now)
    }

    fn job_over(self, copying: Copying, now: Timestamp) -> Step {
        let mut notes = Vec::new();
        if !copying.job.ended {
            notes.push(Note::JobGone { reason: format!("job {} did not end in time", copying.job.id) });
        }
        for status in &copying.job.targets {
            if matches!(status.status, JobTargetStatus::Failed | JobTargetStatus::Skipped) {
                let error = status.error.clone().unwrap_or_else(|| "the job skipped it".into());
                let object = Object::implied();
                let object = ObjectRef::new(status.organization.clone(), object);
                notes.push(Note::JobFell { object, error });
            }
        }
        let copied = |receipt: &&Receipt| receipt.by == Receiver::Job && receipt.sent_at == copying.asked_at;
        let receipts = self.receipts.iter().filter(copied).cloned().collect();
        self.close_job(copying.intent, receipts, After::Read, now).noting_all(notes)
    }

    pub(super) fn poll_failed(self, copying: Copying, fault: &Fault, now: Timestamp) -> Step {
        let deadline = later(copying.asked_at, self.spec.timing.job_ms.into());
        let passing = fault.kind.passes() && !fault.given_up;
        if !passing || now >= deadline {
            let note = Note::JobGone { reason: fault.to_string() };
            // The job may still be copying: its intent stays open until the job can no longer copy.
            return self.wait_out_job(copying.intent, now).noting(note);
        }
        let wait_ms = fault.retry_after_ms.unwrap_or_default().max(self.spec.timing.poll(copying.polls));
        let mut copying = copying;
        copying.polls += 1;
        let until = later(now, wait_ms).min(deadline);
        self.go(Phase::Polling(copying), Effect::WakeAt(until))
    }

    pub(super) fn copy_read(mut self, copying: Copying, index: usize, seen: &Seen, now: Timestamp) -> Step {
        let target = copying.start.targets.get(index).cloned();
        let served = target.zip(seen.objects.first()).and_then(|(target, observed)| {
            let at = self.place_of(&target)?;
            self.served(&target, at, observed, now)
        });
        self.next_poll(copying, now).noting_all(served.into_iter().collect())
    }
}
