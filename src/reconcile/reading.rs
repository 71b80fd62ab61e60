//! Reading, settling what is unresolved, planning.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::event::AuditQuery;
use super::timing::{earlier, elapsed_ms, later};
use super::{Effect, Note, Phase, Run, Status, Step};
use crate::model::plan::TargetPlan;
use crate::model::record::{Intent, IntentAction};
use crate::model::{
    ActorKind, ChangeKind, Entry, Fault, FaultKind, Guard, Observed, OrganizationId, Receipt, Receiver,
    Record, Stored, Target, Versions,
};
use crate::plan;
use crate::replicate;

/// How far back the audit log is asked who moved what: as long as the platform's own real-time view keeps it.
const ATTRIBUTION_DAYS: u64 = 14;

impl Run {
    /// Waits out what an earlier run left unresolved, then reads.
    pub(super) fn begin(self, now: Timestamp) -> Step {
        let intents = self.journal.0.unresolved.len();
        match self.journal.0.unresolved.iter().map(|intent| intent.deadline).max() {
            Some(until) if until > now => {
                self.go(Phase::Settling, Effect::WakeAt(until)).noting(Note::Settling { intents, until })
            }
            _ => self.read_all(),
        }
    }

    /// Starts a round: reads the primary, then each replica.
    pub(super) fn read_all(mut self) -> Step {
        self.observed.clear();
        self.entries.clear();
        self.attributed = false;
        let target = self.spec.tenant.primary.clone();
        self.go(Phase::Reading(0), Effect::Observe(target))
    }

    pub(super) fn observed(mut self, index: usize, observed: Observed, now: Timestamp) -> Step {
        let Some(target) = self.target(index).cloned() else { return self.read_all() };
        if let Some(known) = self.floor(&target.organization, &observed)
            && observed.version().is_none_or(|version| version < known)
        {
            let fault = Fault::new(
                FaultKind::Transient,
                format!(
                    "organization {} keeps answering with something older than version {known}, which was applied; if it was deleted and made again, run with --allow recreate",
                    target.organization
                ),
            );
            let note = Note::Stale { organization: target.organization, known };
            return self.try_again(fault, now).noting(note);
        }
        self.tally.faults = 0;
        self.tally.throttles = 0;
        let served = self.note_served(&target, &observed, now);
        self.observed.push(observed);
        let step = match self.target(index + 1).cloned() {
            Some(next) => self.go(Phase::Reading(index + 1), Effect::Observe(next)),
            None => self.resolve(now),
        };
        step.noting_all(served)
    }

    /// The version that is known to exist, because the server acknowledged it to this run or an earlier one:
    /// an answer older than it is a stale one, and nothing may be planned from it. Somebody may have deleted
    /// the configuration and made another, whose versions start anew: `--allow recreate` says that it is so.
    fn floor(&self, organization: &OrganizationId, observed: &Observed) -> Option<u64> {
        let ours = |receipt: &&Receipt| receipt.target.organization == *organization;
        let acknowledged = self.receipts.iter().filter(ours).map(|receipt| receipt.version).max();
        let base = self.journal.0.bases.get(organization).map(|base| base.version);
        // What an earlier run was told, and died before it could keep it as base.
        let earlier = self.journal.0.owed.iter().filter(ours).map(|receipt| receipt.version).max();
        let base = base.max(earlier);
        let recreated = self.spec.limits.allowed.contains(&Guard::Recreate) || *observed == Observed::Absent;
        acknowledged.max(base.filter(|_| !recreated))
    }

    /// Measures how long an organization took to serve what was asked for, the first time that it does.
    pub(super) fn note_served(&mut self, target: &Target, observed: &Observed, now: Timestamp) -> Vec<Note> {
        let organization = &target.organization;
        let Some(receipt) =
            self.receipts.iter().rfind(|receipt| receipt.target.organization == *organization)
        else {
            return Vec::new();
        };
        let evidence = plan::Evidence::default();
        let in_sync = plan::diff::changes(&self.spec.desired, observed, &evidence).0.is_empty();
        if !in_sync || self.served_ms.contains_key(organization) {
            return Vec::new();
        }
        let latency_ms = elapsed_ms(receipt.sent_at, now);
        self.served_ms.insert(organization.clone(), latency_ms);
        vec![Note::Served { organization: organization.clone(), region: target.region, latency_ms }]
    }

    pub(super) fn read_failed(self, fault: Fault, now: Timestamp) -> Step {
        match fault.kind {
            FaultKind::Transient | FaultKind::Throttled => self.try_again(fault, now),
            FaultKind::Denied | FaultKind::NotFound | FaultKind::Rejected | FaultKind::Local => {
                self.degrade(fault)
            }
        }
    }

    /// Waits, then starts a new round; gives up after too many failures in a row.
    pub(super) fn try_again(mut self, fault: Fault, now: Timestamp) -> Step {
        let timing = self.spec.timing;
        let throttled = fault.kind == FaultKind::Throttled;
        let counter = if throttled { &mut self.tally.throttles } else { &mut self.tally.faults };
        let attempt = *counter;
        *counter += 1;
        let spent = if throttled { *counter >= timing.throttles_max } else { *counter >= timing.faults_max };
        let wait_ms = self.wait_ms(attempt, fault.retry_after_ms);
        // The server may ask for longer than a run lasts: then this run ends, and a later one comes back.
        if spent || wait_ms > u64::from(timing.backoff_max_ms) * 2 {
            return self.degrade(fault);
        }
        let note = if throttled { Note::Throttled { wait_ms } } else { Note::Retrying { fault, wait_ms } };
        let until = later(now, wait_ms);
        self.go(Phase::Waiting, Effect::WakeAt(until)).noting(note)
    }

    pub(super) fn wait_ms(&mut self, attempt: u32, retry_after_ms: Option<u64>) -> u64 {
        self.tally.waits += 1;
        let seed = self.spec.seed.wrapping_add(u64::from(self.tally.waits) << 32);
        self.spec.timing.backoff(attempt, retry_after_ms, seed)
    }

    /// Decides what became of every unresolved intent, now that nothing can land any more.
    fn resolve(mut self, now: Timestamp) -> Step {
        let mut records = Vec::new();
        let mut notes = Vec::new();
        for intent in self.journal.0.unresolved.clone() {
            let mut receipts = match &intent.action {
                IntentAction::Put { target, if_match, body } => {
                    let same = |stored: &Stored| plan::canonical::same(&stored.body, body);
                    self.landed(&intent, target, *if_match, Receiver::ReadBack, &same, &mut notes)
                        .into_iter()
                        .collect()
                }
                IntentAction::Job { targets } => {
                    let source = self.observed.first().map(Observed::body).unwrap_or_default();
                    // The primary may have changed since the job copied it. One write is under way at a time, so
                    // the next version by our own client is the job's, whatever it holds.
                    let same = |stored: &Stored| {
                        stored.modified_by.is_some() || plan::canonical::same(&stored.body, &source)
                    };
                    let landed = |(target, seen): &(Target, Option<u64>)| {
                        self.landed(&intent, target, *seen, Receiver::Job, &same, &mut notes)
                    };
                    targets.iter().filter_map(landed).collect::<Vec<_>>()
                }
            };
            for receipt in &receipts {
                let organization = &receipt.target.organization;
                if !self.receipts.iter().any(|known| known.speaks_of(organization, receipt.version)) {
                    self.receipts.push(receipt.clone());
                }
            }
            // What a job said that it had copied it has copied, whatever lies over it by now.
            let copied = self.receipts.iter().filter(|receipt| {
                receipt.by == Receiver::Job
                    && receipt.sent_at == intent.sent_at
                    && matches!(intent.action, IntentAction::Job { .. })
            });
            for receipt in copied {
                if !receipts.contains(receipt) {
                    receipts.push(receipt.clone());
                }
            }
            if intent.id > self.earlier_intents && matches!(intent.action, IntentAction::Put { .. }) {
                let own =
                    receipts.iter().map(|receipt| (receipt.target.organization.clone(), receipt.version));
                self.own_versions.extend(own);
            }
            let over =
                receipts.iter().filter(|receipt| replicate::overwrote(receipt.from_version, receipt.version));
            self.overwrote.extend(over.map(|receipt| receipt.target.organization.clone()));
            let record = Record::Resolved { intent: intent.id, receipts };
            self.journal.0.absorb(record.clone());
            records.push(record);
        }
        let step = if records.is_empty() {
            self.assess(now)
        } else {
            self.go(Phase::Resolving, Effect::Save(records))
        };
        step.noting_all(notes)
    }

    /// Whether a write of unknown outcome is what an organization holds now.
    ///
    /// A PUT that is held to the version it names can only have made the next one. A job names none, and some
    /// servers hold nobody to it: such a write may have gone over somebody's change and made a later version, and
    /// then that has to be told. Its author says whose it is: one write is under way at a time.
    fn landed(
        &self,
        intent: &Intent,
        target: &Target,
        from_version: Option<u64>,
        by: Receiver,
        same: &dyn Fn(&Stored) -> bool,
        notes: &mut Vec<Note>,
    ) -> Option<Receipt> {
        let organization = target.organization.clone();
        let expected = from_version.map_or(1, |version| version + 1);
        let index = self.spec.tenant.targets().position(|known| known.organization == organization)?;
        let stored = match self.observed.get(index) {
            Some(Observed::Present(stored)) if stored.version >= expected => stored,
            _ => {
                notes.push(Note::NotLanded { organization, version: expected });
                return None;
            }
        };
        let version = stored.version;
        let ours = stored.modified_by.as_ref().is_none_or(|actor| self.spec.own_clients.contains(&actor.id));
        let held_to_it = by != Receiver::Job && self.spec.versions == Versions::Enforced;
        let fits = version == expected || !held_to_it && stored.modified_by.is_some();
        if !(ours && fits && same(stored)) {
            if version > expected {
                notes.push(Note::Unclear { organization, from: expected, to: version - 1 });
            } else {
                notes.push(Note::NotLanded { organization, version: expected });
            }
            return None;
        }
        if replicate::overwrote(from_version, version) {
            notes.push(Note::Overwrote {
                organization: organization.clone(),
                seen: from_version,
                made: version,
            });
        }
        notes.push(Note::Landed { organization, version });
        Some(Receipt { target: target.clone(), from_version, version, sent_at: intent.sent_at, by })
    }

    /// Plans; first asks the audit log where somebody else moved what git manages.
    pub(super) fn assess(mut self, now: Timestamp) -> Step {
        let plan = self.make_plan();
        if !self.attributed && !plan.is_empty() {
            let touched = self.touched_by_others(&plan);
            if !touched.is_empty() {
                let query = AuditQuery {
                    targets: touched,
                    from: earlier(now, ATTRIBUTION_DAYS * 24 * 3_600_000),
                    to: later(now, self.spec.timing.skew_ms.into()),
                };
                return self.go(Phase::Attributing, Effect::ReadAudit(query));
            }
        }
        let notes = self.foreign_edits(&plan);
        let first = self.first_plan.is_none();
        let plan = Arc::new(plan);
        self.refusals = plan::guard::check(
            &plan,
            &self.spec.tenant,
            &self.spec.desired,
            &self.journal.0.bases,
            &self.spec.limits,
            now,
        );
        if first {
            self.first_plan = Some(Arc::clone(&plan));
            let versions = plan
                .targets
                .iter()
                .map(|target| (target.target.organization.clone(), target.version.unwrap_or(0)));
            self.started_from = versions.collect();
        }
        self.plan = Some(plan);
        self.planned_at = Some(now);
        self.phase = Phase::Planned;
        let step = if first { Step::stop(self) } else { self.proceed(now) };
        step.noting_all(notes)
    }

    fn make_plan(&self) -> crate::model::Plan {
        let spec = &self.spec;
        let by_organization = |organization: &OrganizationId| -> Vec<Entry> {
            self.entries.iter().filter(|entry| entry.organization == *organization).cloned().collect()
        };
        let entries: BTreeMap<&OrganizationId, Vec<Entry>> = spec
            .tenant
            .targets()
            .map(|target| (&target.organization, by_organization(&target.organization)))
            .collect();
        let evidence = spec
            .tenant
            .targets()
            .map(|target| {
                let evidence = plan::Evidence {
                    base: self.journal.0.bases.get(&target.organization),
                    desired_before: spec.desired_before.as_ref(),
                    entries: entries.get(&target.organization).map(Vec::as_slice).unwrap_or_default(),
                    own_clients: Some(&spec.own_clients),
                };
                (target.organization.clone(), evidence)
            })
            .collect();
        plan::plan(&spec.tenant, &spec.revision, &spec.desired, &self.observed, &evidence)
    }

    /// Targets that somebody else wrote last, or where somebody moved a field that a write of ours has kept since.
    fn touched_by_others(&self, plan: &crate::model::Plan) -> Vec<Target> {
        let moved =
            |target: &TargetPlan| target.changes.iter().any(|change| change.kind != ChangeKind::ToApply);
        let foreign = |observed: &Observed| match observed {
            Observed::Present(Stored { modified_by: Some(actor), .. }) => {
                actor.kind == ActorKind::User || !self.spec.own_clients.contains(&actor.id)
            }
            Observed::Present(_) | Observed::Absent => false,
        };
        self.spec
            .tenant
            .targets()
            .zip(self.observed.iter().zip(&plan.targets))
            .filter(|(_, (observed, planned))| foreign(observed) || moved(planned))
            .map(|(target, _)| target.clone())
            .collect()
    }

    pub(super) fn attributed(mut self, entries: Vec<Entry>, now: Timestamp) -> Step {
        self.entries = entries;
        self.attributed = true;
        self.assess(now)
    }

    /// One note for each organization whose managed fields somebody else moved.
    fn foreign_edits(&self, plan: &crate::model::Plan) -> Vec<Note> {
        let mut notes = Vec::new();
        for target in &plan.targets {
            let moved = || target.changes.iter().filter(|change| change.kind != ChangeKind::ToApply);
            let Some(by) = moved().find_map(|change| change.by.as_ref()) else { continue };
            notes.push(Note::ForeignEdit {
                organization: target.target.organization.clone(),
                by: by.actor.clone(),
                fields: moved().map(|change| change.path.clone()).collect(),
            });
        }
        notes
    }

    /// The status of a tenant that is only watched.
    pub(super) fn watched(self) -> Step {
        let drifted = self
            .plan
            .as_ref()
            .is_some_and(|plan| plan.changes().any(|change| change.kind != ChangeKind::ToApply));
        self.settle(if drifted { Status::Drifted } else { Status::OutOfSync })
    }
}
