//! Keeping what is in force as the base, and confirming every receipt in the audit log.

use jiff::Timestamp;

use super::event::{AuditQuery, Entries};
use super::timing::{earlier, later};
use super::{Effect, Note, Phase, Run, Status, Step};
use crate::confirm;
use crate::model::{Base, Fault, FaultKind, Guard, Observed, Record, Target};
use crate::plan;

/// Polls at which whoever watches is told: the first, and one after about two seconds.
const NOTED_POLLS: [u32; 2] = [0, 6];

impl Run {
    /// Nothing differs. Writes down what is in force, where that is news.
    pub(super) fn keep(mut self, now: Timestamp) -> Step {
        if !self.may_write() {
            return self.finish(now);
        }
        let mut records = Vec::new();
        for (target, observed) in self.spec.tenant.targets().zip(&self.observed) {
            let Observed::Present(stored) = observed else { continue };
            let body = plan::diff::base_body(&self.spec.desired, observed);
            let known = self.journal.0.bases.get(&target.organization);
            // After a rewind that somebody asked for, what is in force counts as applied from here.
            let rewound = self.spec.limits.allowed.contains(&Guard::Rewind);
            let news = known.is_none_or(|base| {
                base.version != stored.version
                    || base.body != body
                    || (rewound && base.revision != self.spec.revision)
            });
            if !news {
                continue;
            }
            let base = Base { version: stored.version, body, revision: self.spec.revision.clone() };
            records.push(Record::Applied { organization: target.organization.clone(), base });
        }
        if records.is_empty() {
            return self.finish(now);
        }
        for record in &records {
            self.journal.0.absorb(record.clone());
        }
        self.go(Phase::Keeping, Effect::Save(records))
    }

    pub(super) fn kept(self, now: Timestamp) -> Step {
        self.finish(now)
    }

    fn finish(self, now: Timestamp) -> Step {
        if self.receipts.is_empty() {
            return self.settle_in_sync();
        }
        let deadline = later(now, self.spec.timing.confirm_ms.into());
        self.query(0, deadline, now)
    }

    pub(super) fn query(self, attempt: u32, deadline: Timestamp, now: Timestamp) -> Step {
        let skew_ms = u64::from(self.spec.timing.skew_ms);
        let first = self.receipts.iter().map(|receipt| receipt.sent_at).min().unwrap_or(now);
        let mut targets: Vec<Target> = self.receipts.iter().map(|receipt| receipt.target.clone()).collect();
        targets.sort();
        targets.dedup();
        let query = AuditQuery { targets, from: earlier(first, skew_ms), to: later(now, skew_ms) };
        self.go(Phase::Confirming { attempt, deadline }, Effect::ReadAudit(query))
    }

    pub(super) fn confirmed(
        mut self,
        attempt: u32,
        deadline: Timestamp,
        page: Entries,
        now: Timestamp,
    ) -> Step {
        let confirmation =
            confirm::confirm(&self.receipts, &page.entries, &self.spec.own_clients, &self.started_from);
        let missing = confirmation.missing();
        self.confirmation = Some(confirmation);
        if missing == 0 {
            return self.settle_in_sync();
        }
        self.await_entries(attempt, deadline, missing, None, now)
    }

    pub(super) fn confirm_failed(
        self,
        attempt: u32,
        deadline: Timestamp,
        fault: Fault,
        now: Timestamp,
    ) -> Step {
        let passing = matches!(fault.kind, FaultKind::Transient | FaultKind::Throttled);
        let missing = self.receipts.len();
        let deadline = if passing { deadline } else { now };
        self.await_entries(attempt, deadline, missing, Some(fault), now)
    }

    fn await_entries(
        mut self,
        attempt: u32,
        deadline: Timestamp,
        missing: usize,
        fault: Option<Fault>,
        now: Timestamp,
    ) -> Step {
        let asked_ms = fault.as_ref().and_then(|fault| fault.retry_after_ms).unwrap_or_default();
        let until = later(now, self.spec.timing.poll(attempt).max(asked_ms));
        if now >= deadline {
            if self.confirmation.is_none() {
                self.confirmation =
                    Some(confirm::confirm(&self.receipts, &[], &self.spec.own_clients, &self.started_from));
            }
            return self.settle(Status::Unconfirmed(fault));
        }
        // The last query is made at the deadline itself, not short of it.
        let effect = Effect::WakeAt(until.min(deadline));
        let step = self.go(Phase::Confirming { attempt: attempt + 1, deadline }, effect);
        if NOTED_POLLS.contains(&attempt) {
            step.noting(Note::AwaitingAudit { missing, polls: attempt })
        } else {
            step
        }
    }
}
